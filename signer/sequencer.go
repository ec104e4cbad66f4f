package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

const (
	// A group takes no further input beyond one of these: it bounds the memory of an outage and the time that a
	// reader of one group needs.
	maxGroupEntries = 1024
	maxGroupBytes   = 8 << 20

	// flushEvery is how often the sequencer wakes without being asked: for signatures that found no group to go
	// with, and for what becomes due with time.
	flushEvery = 500 * time.Millisecond

	// maxTicks bounds what one waking does; more than that is a rule that goes round in circles.
	maxTicks = 100_000
)

// A request is one input on its way through the sequencer.
type request struct {
	in   ledger.Input
	late bool // may wait for the next group, or flushEvery
	// done is told what was decided, once that is durable, or why nothing was. It must not block.
	done func(ledger.Result, error)
}

// A group is what one append makes durable, and what follows from it.
type group struct {
	draft   *journal.Draft
	size    uint64 // of the journal once it is appended
	err     error  // why it will not be released
	answers []func(error)
	jobs    []*job
	touched []statement.Hash // statements whose state it changes
	alarms  []Alarm
	outlay  outlay
}

func (g *group) entries() int { return len(g.draft.Entries) }

func (g *group) empty() bool { return g.entries() == 0 && len(g.answers) == 0 }

func (g *group) full() bool {
	return g.entries() >= maxGroupEntries || g.draft.Bytes() >= maxGroupBytes
}

// A sequencer decides, one input after the other. It is the only one that changes the ledger's state.
type sequencer struct {
	*Signer
	open *group
	late []*request
}

// run decides until ctx ends, then hands over what is open and closes commits.
func (s *sequencer) run(ctx context.Context) {
	defer close(s.commits)
	defer close(s.ended)
	wake := time.NewTicker(flushEvery)
	defer wake.Stop()
	s.open = &group{draft: s.journal.Draft(nil)}
	s.start()
	for {
		intake, handover := s.intake, s.commits
		if s.open.full() {
			intake = nil
		}
		if s.open.empty() || s.gathersOn() {
			handover = nil
		}
		select {
		case r := <-intake:
			s.take(r)
		case handover <- s.open:
			s.next()
		case <-s.stored:
		case <-wake.C:
			s.wakeUp()
		case <-s.prodded:
			s.wakeUp()
		case <-ctx.Done():
			s.finish()
			return
		}
	}
}

// gathersOn tells whether the open group takes in more although it could be signed. While the store has a group in hand,
// the next is closed when as much has come as was let out last: most callers ask again when they have their answer, so
// whoever will come has come, and the signature is made while the store is busy. A group that closes earlier is smaller,
// and its signature and its syncs are for fewer.
func (s *sequencer) gathersOn() bool {
	return s.storing.Load() && !s.open.full() && (len(s.intake) > 0 || int64(s.open.entries()) < s.letOut.Load())
}

// next opens the group behind the one that was handed over.
func (s *sequencer) next() { s.open = &group{draft: s.journal.Draft(s.open.draft)} }

// untoldFor is how far back alarms may not have been told, in milliseconds of policy time before the last entry. A signer
// that has never led may know of no head that was cosigned, and would call people for everything that ever was.
const untoldFor = 24 * 60 * 60 * 1000

// start journals that this signer starts, and takes up what the one before it left: authorisations that the journal
// holds without a signature are signed, with the very same bytes, or given up if that is no longer allowed, and people are
// called for what it wrote last and could not say any more.
func (s *sequencer) start() {
	for _, a := range s.state.Alarms() {
		if a.Seq >= s.told && a.Time >= s.state.Last().Time-untoldFor {
			s.open.alarms = append(s.open.alarms, newAlarm(&a.Alarm, a.Time))
		}
	}
	clock, boot := s.clock.Now()
	in := ledger.StartInput{Version: s.version, BootID: s.clock.BootID(), Boot: boot}
	now := policy.Now{Clock: clock, Time: s.state.StartTime(in, clock)}
	if _, err := s.judge(in, now); err != nil {
		s.halt(conditionHalted, "the start could not be journalled: "+err.Error())
		return
	}
	close(s.started)
	for _, r := range s.state.Strandable(clock) {
		s.decide(&request{in: ledger.StrandInput{About: r.Hash}, done: s.givenUp(r.Hash)})
	}
	for _, r := range s.state.Unsigned(clock) {
		s.open.jobs = append(s.open.jobs, newJob(r))
	}
	s.ticks()
	s.open.answers = append(s.open.answers, func(err error) {
		if err == nil {
			s.conditions.clear("", conditionStarting)
		}
	})
}

// finish journals the signatures that are known and lets go of everybody else.
func (s *sequencer) finish() {
	for {
		select {
		case r := <-s.intake:
			if r.late {
				s.late = append(s.late, r)
			} else {
				r.done(ledger.Result{}, errStopping)
			}
			continue
		default:
		}
		break
	}
	s.flush()
	if !s.open.empty() {
		s.commits <- s.open
	}
}

// take decides one request, after the signatures that waited for a group to go with.
func (s *sequencer) take(r *request) {
	if r.late {
		s.late = append(s.late, r)
		return
	}
	s.flush()
	s.decide(r)
	s.ticks()
}

func (s *sequencer) flush() {
	for _, r := range s.late {
		s.decide(r)
	}
	s.late = s.late[:0]
}

func (s *sequencer) wakeUp() {
	if len(s.late) > 0 {
		s.flush()
	}
	clock, boot := s.clock.Now()
	if !s.state.ClockBehind(clock) {
		s.conditions.clear("", conditionClock)
	}
	s.ticks()
	for _, counted := range s.refusals.due(boot) {
		s.decide(&request{in: ledger.RefusedInput{Refused: counted}, done: func(_ ledger.Result, err error) {
			if err != nil {
				s.log.Error("refusals could not be journalled", "by", counted.By, "code", counted.Code, "count", counted.Count, "error", err)
			}
		}})
	}
}

// now reads the clock and holds policy time to its rule.
func (s *sequencer) now() policy.Now {
	clock, boot := s.clock.Now()
	return policy.Now{Clock: clock, Time: s.state.PolicyTime(clock, boot)}
}

// decide judges one request and puts what came of it into the open group.
func (s *sequencer) decide(r *request) {
	res, err := s.judge(r.in, s.now())
	if errors.Is(err, ledger.ErrTickDue) {
		s.ticks()
		res, err = s.judge(r.in, s.now())
	}
	if err != nil && !errors.Is(err, ledger.ErrInput) {
		r.done(ledger.Result{}, err)
		return
	}
	// What does not fit the state rests on what the state has from groups that are not durable yet.
	s.open.answers = append(s.open.answers, func(failed error) {
		if failed != nil {
			err = unsettledError{failed}
		}
		r.done(res, err)
	})
}

// inDoubt reports whether something stops signing: then nothing is authorised either. At the start it does not: what is
// authorised there is signed only once it is durable, with which the start is over.
func (s *sequencer) inDoubt() bool {
	_, doubt := s.conditions.stopWhere(func(code string) bool { return code != conditionStarting })
	return doubt
}

// ticks does all that is due. In doubt payments go on waiting; what ends them, and stops that are lifted, do not.
func (s *sequencer) ticks() {
	for range maxTicks {
		now := s.now()
		if s.halted() != nil || !s.state.Due(now) {
			return
		}
		before := s.state.Next()
		if _, err := s.judge(ledger.TickInput{InDoubt: s.inDoubt()}, now); err != nil {
			s.log.Error("what is due could not be decided", "error", err)
			return
		}
		if s.state.Next() == before {
			return
		}
	}
	s.halt(conditionHalted, fmt.Sprintf("%d things were due at once and there is no end", maxTicks))
}

// judge decides one input under the given times, applies the entries to the state and gathers them.
func (s *sequencer) judge(in ledger.Input, now policy.Now) (ledger.Result, error) {
	if err := s.halted(); err != nil {
		return ledger.Result{}, err
	}
	drafts, res, err := ledger.Judge(s.state, in, now)
	if errors.Is(err, ledger.ErrClock) {
		s.conditions.set(conditionClock, "", err.Error(), true)
	}
	if err != nil {
		return ledger.Result{}, err
	}
	if len(drafts) > 0 && s.open.draft.Closed() {
		s.commits <- s.open
		s.next()
	}
	if err := s.gather(drafts, now); err != nil {
		// Judge wrote what cannot be journalled or what Apply does not take: a fault of this program. The state may be
		// half changed; nothing of this group becomes durable, since nothing is written after a halt.
		s.halt(conditionHalted, err.Error())
		return ledger.Result{}, s.halted()
	}
	s.follow(drafts, res, now)
	return res, nil
}

// gather puts entries into the open group and applies them to the state.
func (s *sequencer) gather(drafts []ledger.Draft, now policy.Now) error {
	seq := s.state.Next()
	entries := make([]journal.Entry, len(drafts))
	for i, d := range drafts {
		entries[i] = journal.Entry{Seq: seq + uint64(i), Clock: now.Clock, Time: now.Time, Kind: d.Kind, Body: d.Body}
		if err := s.open.draft.Add(entries[i]); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if err := s.state.Apply(e); err != nil {
			return err
		}
	}
	return nil
}

// follow notes what has to happen once the entries are durable.
func (s *sequencer) follow(drafts []ledger.Draft, res ledger.Result, now policy.Now) {
	s.counters.judged(res, len(drafts))
	if len(drafts) == 0 {
		return
	}
	if res.State != "" {
		s.open.touched = append(s.open.touched, res.About)
	}
	if res.State == ledger.StateAuthorized {
		if r, ok := s.state.RequestByStatement(res.About); ok {
			s.open.jobs = append(s.open.jobs, newJob(r))
			s.open.outlay.tally(s.state.PolicyInForce(), r.Transaction.Network, r.Transaction.Unsigned)
		}
	}
	s.open.outlay.every = int64(s.state.PolicyInForce().Document().Anchor.Every)
	for _, d := range drafts {
		if d.Kind != ledger.KindAlarm {
			continue
		}
		if body, err := ledger.DecodeBody(d.Kind, d.Body); err == nil { // Apply has just decoded it
			s.open.alarms = append(s.open.alarms, newAlarm(body.(*ledger.Alarm), now.Clock))
		}
	}
}
