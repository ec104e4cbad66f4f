package ledger

import "errors"

// Policy time (docs/operations.md). Windows, time-locks and delays run on it, so it must not be possible
// to make it run by turning a clock.
const (
	// startCredit is how much time that nobody vouched for is given after starts of the machine, in all,
	// until somebody vouches: milliseconds.
	startCredit = 10 * 60 * 1000
	// Policy time may outpace the machine's own count of time by 1 in bootRate, and in one run of a signer by no more
	// than runLead, however long it lasts: milliseconds. What a clock that was right left of it must not add up for
	// whoever turns the clock after a year.
	bootRate = 1000
	runLead  = 10 * 60 * 1000
)

// ErrTime says that an input came with a policy time that the rule does not allow.
var ErrTime = errors.New("policy time is not what the rule gives")

// A timeline says how far policy time may have advanced at a moment of the machine's own count of time.
type timeline struct {
	bootID string // of the machine's run that boot counts in; "" before the first start
	boot   int64  // milliseconds of CLOCK_BOOTTIME at the last start of a signer
	base   int64  // policy time at that moment
	credit int64  // unvouched milliseconds that starts may still be given
	proven int64  // policy time up to which a quorum of people or witnesses vouched
}

// limit returns the latest policy time that is allowed at a moment of the machine's count.
func (l timeline) limit(boot int64) int64 {
	elapsed := max(0, boot-l.boot)
	return l.base + elapsed + min(elapsed/bootRate, runLead)
}

// PolicyTime returns the policy time for an input that is judged now: the clock, but never earlier than
// the last entry and never further on than the machine's own count since the start allows. clock is unix
// milliseconds, boot milliseconds of CLOCK_BOOTTIME. It is for every input but a StartInput.
func (s *State) PolicyTime(clock, boot int64) int64 {
	if s.line.bootID == "" { // no signer has started yet: genesis and policy 1
		return max(s.time, clock)
	}
	return max(s.time, min(clock, s.line.limit(boot)))
}

// StartTime returns the policy time for a StartInput. A signer that starts again while the machine ran on
// may go on as if it had never stopped. After a start of the machine nothing says how long it was off, but
// for a clock that somebody may have turned: policy time advances by what is left of the ten minutes that
// are given without proof, and stays behind by the rest. The first start of all is believed: there is
// nothing yet that a clock could free, but in a successor and after a gap, whose windows are full.
func (s *State) StartTime(in StartInput, clock int64) int64 {
	switch {
	case s.line.bootID == "" && !s.forgot():
		return max(s.time, clock)
	case s.sameRun(in):
		return s.PolicyTime(clock, in.Boot)
	}
	return max(s.time, min(clock, s.lastKnown()+s.line.credit))
}

// lastKnown is the latest time that somebody vouched for: the last entry, or a quorum of people or witnesses.
func (s *State) lastKnown() int64 { return max(s.time, s.line.proven) }

func (s *State) sameRun(in StartInput) bool {
	return in.BootID == s.line.bootID && in.Boot >= s.line.boot
}

// judgeStart writes down what is known about the time when a signer starts.
func (j *judgement) start(in StartInput) (Result, error) {
	if j.now.Time != j.s.StartTime(in, j.now.Clock) {
		return Result{}, ErrTime
	}
	credit := j.s.line.credit
	if (j.s.line.bootID != "" || j.s.forgot()) && !j.s.sameRun(in) {
		credit -= max(0, j.now.Time-j.s.lastKnown())
	}
	j.write(&Start{
		Version: in.Version, Engine: Engine, BootID: in.BootID, Boot: in.Boot,
		Credit: credit, Behind: max(0, j.now.Clock-j.now.Time),
	})
	return Result{}, nil
}

// checkTime holds an input's times to what can be checked without the machine's count: policy time never
// goes back and is never ahead of both the clock and the last entry.
func (s *State) checkTime(clock, time int64) error {
	if time < s.time || time > max(s.time, clock) {
		return ErrTime
	}
	return nil
}

func (s *State) applyStart(b *Start) {
	s.line = timeline{bootID: b.BootID, boot: b.Boot, base: s.time, credit: b.Credit, proven: s.line.proven}
}

// vouch takes a moment for true because a quorum of people or witnesses said so: what policy time stayed behind
// it is made up for, and starts have their ten minutes again.
func (s *State) vouch(moment int64) {
	s.line.base += max(0, moment-s.time)
	s.line.proven = max(s.line.proven, moment)
	s.line.credit = startCredit
}
