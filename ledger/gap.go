package ledger

import (
	"fmt"
	"slices"

	"kura/journal"
	"kura/journal/gap"
	"kura/policy"
	"kura/statement"
)

// After a gap the ledger knows that there were entries, and not what they said. It takes the worst for true: every
// request that had been made was paid, every window is full, and what may be on its way to a chain still arrives
// (docs/decisions/0011-lost-tail.md).

// Codes of what a gap ends or keeps out.
const (
	CodeGap           = "gap"             // it waited when the journal lost its newest entries; what became of it there nobody knows
	CodeBornBeforeGap = "born_before_gap" // not journalled: it may have been judged in the entries that are lost
	CodeTailAlive     = "lost_tail_alive" // what the lost entries authorised may still be paid
)

// AlarmGap is the code of the alarm that a gap raises.
const AlarmGap = "gap"

// A GapRecord is a gap with its place and what follows from it.
type GapRecord struct {
	Seq         uint64 // of its entry: the size of the kept head
	Clock, Time int64  // of its entry, unix milliseconds
	// Latest is the birth of the latest id that the lost entries of this gap and of those before it can hold, but for
	// withdrawals made ahead of the clock: no clock that is known of stood later.
	Latest     int64
	Kept, Lost journal.Head
	Between    []journal.Head
	Until      int64    // what the directors say of the clock of the lost entries
	By         []string // the persons whose verdicts it rests on, in their order
}

// Gap returns what the entry proves, without its approvals.
func (g GapRecord) Gap() gap.Gap {
	return gap.Gap{Seq: g.Seq, Kept: g.Kept, Lost: g.Lost, Between: g.Between, Until: g.Until}
}

// Lost tells whether the journal itself says, by a quorum of its directors, that it goes on without this very head.
func (s *State) Lost(h journal.Head) bool {
	return slices.ContainsFunc(s.gaps, func(g GapRecord) bool { return g.Gap().Names(h) })
}

// gap goes on after the last entry. Its policy time is that entry's: how much time may have passed is for the start
// that follows to say.
func (j *judgement) gap(b Gap) (Result, error) {
	if j.now.Time != j.s.time {
		return Result{}, ErrTime
	}
	record, err := j.s.checkGap(&b, j.s.next, j.now)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	seq := j.write(&b)
	j.alarm(AlarmGap, nil, Fact{"kept", fmt.Sprint(record.Kept.Size)}, Fact{"lost", fmt.Sprint(record.Lost.Size)})
	return Result{Seq: seq}, nil
}

// checkGap holds a gap to the heads that it names and to the quorum of directors under the policy in force. Every
// fold does so, not only who judges again: anchors give way on the strength of this entry.
func (s *State) checkGap(b *Gap, seq uint64, now policy.Now) (GapRecord, error) {
	g, err := gap.Open(s.keys, seq, b)
	if err != nil {
		return GapRecord{}, err
	}
	record := GapRecord{Seq: seq, Clock: now.Clock, Time: now.Time, Kept: g.Kept, Lost: g.Lost, Between: g.Between, Until: g.Until}
	// This clock may be behind the one of the lost entries, which the directors know of, and behind the one of a gap
	// before this one.
	record.Latest = max(now.Clock, g.Until, s.lastGap().Latest)
	var verdicts []policy.Verdict
	for i, a := range g.Approvals {
		v, err := s.gapVerdict(a, now)
		if err != nil {
			return GapRecord{}, fmt.Errorf("verdict %d: %w", i, err)
		}
		verdicts = append(verdicts, v)
		record.By = append(record.By, v.By.ID)
		// They signed when they knew of the lost head: whatever their clocks say, it is not earlier than that.
		record.Latest = max(record.Latest, a.ID.Born())
	}
	if refusal := policy.JudgeGap(s.policy, s.overlay, verdicts, now); refusal != nil {
		return GapRecord{}, refusal
	}
	return record, nil
}

// gapVerdict attributes a verdict and holds it to its times. Those bind the clock from both sides: it can be neither
// before the directors' nor after the verdicts' end.
func (s *State) gapVerdict(a gap.Approval, now policy.Now) (policy.Verdict, error) {
	if a.Policy != s.policy.Hash() {
		return policy.Verdict{}, fmt.Errorf("was judged under policy %s, in force is %s", a.Policy, s.policy.Hash())
	}
	if err := statement.CheckTimes(a.Common(), now.Clock, gap.MaxLife); err != nil {
		return policy.Verdict{}, err
	}
	actor, ok := s.policy.Attribute(a.Key)
	switch {
	case !ok:
		return policy.Verdict{}, fmt.Errorf("the policy does not name the key %s", a.Key.Fingerprint())
	case s.policy.UserVerification(actor) && !a.SK.UserVerified:
		return policy.Verdict{}, fmt.Errorf("the policy wants the security key of %s to verify its user", actor.ID)
	}
	return policy.Verdict{By: actor, Key: a.Key, Kind: a.Verdict.Verdict, Policy: a.Policy, At: now.Time, Hash: a.Hash}, nil
}

// applyGap takes it for true that everything there was room for was spent in the lost entries.
func (s *State) applyGap(e journal.Entry, b *Gap) error {
	record, err := s.checkGap(b, e.Seq, policy.Now{Clock: e.Clock, Time: e.Time})
	if err != nil {
		return err
	}
	s.gaps = append(s.gaps, record)
	// By the clock, not by policy time, which may be behind: a quorum that vouches for the clock later on must not
	// end the wait with that.
	s.usage.Fill(max(record.Latest, e.Time))
	return nil
}

// lastGap returns the newest gap, the zero value if there is none.
func (s *State) lastGap() GapRecord {
	if len(s.gaps) == 0 {
		return GapRecord{}
	}
	return s.gaps[len(s.gaps)-1]
}

// bornBeforeGap tells whether an id can stand in entries that were lost. The client's clock may have been as far
// ahead of the signer's as is allowed; a withdrawal that was made so could be paid twice. Whatever else was made
// ahead of the clock does no harm when it is judged again, and a freeze never does: it can only add a deny.
func (s *State) bornBeforeGap(id statement.ID, t statement.Type) bool {
	if len(s.gaps) == 0 {
		return false
	}
	latest := s.lastGap().Latest
	switch t {
	case statement.TypeFreeze, statement.TypeLogin:
		return false
	case statement.TypeWithdrawal:
		latest += statement.MaxAhead
	case statement.TypeVerdict, statement.TypeProposal:
	}
	return id.Born() <= latest
}

// beforeGap tells whether a statement was journalled before the newest gap.
func (s *State) beforeGap(r *Record) bool { return r.StatementSeq < s.lastGap().Seq }

// leftOver tells whether something still waits that waited when the tail was lost.
func (s *State) leftOver() bool {
	if len(s.gaps) == 0 {
		return false
	}
	for _, p := range s.proposals {
		if s.beforeGap(&p.Record) {
			return true
		}
	}
	for _, r := range s.unsigned {
		if s.beforeGap(&r.Record) {
			return true
		}
	}
	return slices.ContainsFunc(s.held, func(r *Request) bool { return s.beforeGap(&r.Record) })
}

// tickGap ends the first thing that waited when the tail was lost. A request may have been paid in the lost entries,
// so it does not end as one that nobody pays: it is stranded.
func (j *judgement) tickGap() (Result, error) {
	if !j.s.leftOver() {
		return Result{}, nil
	}
	for _, p := range inOrder(j.s.proposals) {
		if j.s.beforeGap(&p.Record) {
			return j.proposalOutcome(p.result(), policy.ProposalDecision{State: policy.ProposalLapsed, Code: CodeGap}, nil), nil
		}
	}
	for _, r := range inOrder(j.s.unsigned) {
		if j.s.beforeGap(&r.Record) {
			return j.stranded(r), nil
		}
	}
	for _, r := range j.s.held {
		if j.s.beforeGap(&r.Record) {
			return j.end(r, StateStranded, CodeGap), nil
		}
	}
	return Result{}, nil
}

// WaitsFor is the code under which withdrawals are denied until OpensAt.
func (s *State) WaitsFor() string {
	if len(s.gaps) > 0 {
		return CodeTailAlive
	}
	return CodePredecessorAlive
}

func (d *decoder) gap() (g GapRecord) {
	g.Seq = d.count()
	g.Clock, g.Time, g.Latest = d.number(), d.number(), d.number()
	g.Kept, g.Lost = d.head(), d.head()
	g.Between = list(d, d.head)
	g.Until = d.number()
	g.By = list(d, d.text)
	return g
}

func (d *decoder) head() (h journal.Head) {
	h.Size = d.count()
	d.raw(h.Root[:])
	return h
}
