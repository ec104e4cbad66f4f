package signer

import (
	"cmp"
	"context"
	"errors"
	"time"

	"kura/journal"
)

const (
	// appendTimeout bounds one attempt to write; an attempt that ran into it is unclear and is read back.
	appendTimeout = 30 * time.Second
	firstPause    = 50 * time.Millisecond
	longestPause  = 5 * time.Second
)

// commit makes groups durable in their order and releases what follows from them, until commits is closed. While one
// group is covered by the anchors, the next is written to the store, and the head of the one behind that is signed.
func (s *Signer) commit(ctx context.Context) {
	finish, end := s.settle, func() {}
	if s.cosigning != nil && s.cosigning.BeforeRelease {
		finish, end = s.settleCosigned(ctx)
	}
	defer close(s.gone)
	defer end()
	signed, written := make(chan *group), make(chan *group) // nothing waits in them: each step has one group at most
	go s.signHeads(ctx, signed)
	go s.write(ctx, signed, written)
	s.cover(ctx, written, finish)
}

// signHeads has the heads of groups signed. Behind a group that failed all fail: they rest on what it decided. A group without
// entries only waits for those before it.
func (s *Signer) signHeads(ctx context.Context, signed chan<- *group) {
	defer close(signed)
	var failed error
	for g := range s.commits {
		if failed == nil {
			failed = s.halted()
		}
		if failed == nil && g.entries() > 0 {
			failed = s.persist(ctx, func(context.Context) error { return s.journal.Sign(g.draft) })
		}
		g.err = failed
		signed <- g
	}
}

// write brings groups into the store, and tells the sequencer when the store has one in hand.
func (s *Signer) write(ctx context.Context, signed <-chan *group, written chan<- *group) {
	defer close(written)
	var failed error
	for g := range signed {
		if failed == nil {
			failed = cmp.Or(g.err, s.halted())
		}
		s.storing.Store(true)
		if failed == nil && g.entries() > 0 {
			failed = s.persist(ctx, func(ctx context.Context) error { return s.journal.Commit(ctx, g.draft) })
		}
		if failed == nil && g.entries() > 0 {
			s.counters.groups.Add(1)
		}
		g.err = failed
		written <- g
		s.storing.Store(false)
		select {
		case s.stored <- struct{}{}:
		default: // the sequencer has not looked since the last time
		}
	}
}

// cover moves the anchors to each group that is written, and finishes it.
func (s *Signer) cover(ctx context.Context, written <-chan *group, finish func(*group)) {
	size := s.journal.Head().Size
	var failed error
	for g := range written {
		if failed == nil {
			failed = s.moveAnchors(ctx, g)
		}
		if g.err == nil {
			g.err = failed
		}
		if g.err == nil && g.entries() > 0 {
			size = g.draft.Head.Size
			s.letOut.Store(int64(g.entries()))
			if s.cosigning != nil { // by the group's own head: who rotates the log key moves the anchors, too
				s.cosigning.grow(signedHead{g.draft.Head, g.draft.Checkpoint})
			}
		}
		g.size = size
		finish(g)
	}
}

// moveAnchors brings the anchors to a group that is in the store.
func (s *Signer) moveAnchors(ctx context.Context, g *group) error {
	if g.err != nil || g.entries() == 0 {
		return s.halted()
	}
	if s.tokenAnchor != nil {
		_, boot := s.clock.Now()
		s.tokenAnchor.add(g.outlay, boot)
	}
	return s.persist(ctx, func(ctx context.Context) error { return s.journal.Cover(ctx, g.draft) })
}

// settle lets out what a group allows, or tells those who wait for it why it is nothing.
func (s *Signer) settle(g *group) {
	err := g.err
	if err == nil {
		err = s.halted() // it came while the group was written or cosigned
	}
	if err == nil {
		s.release(g)
	}
	for _, answer := range g.answers {
		answer(err)
	}
}

// persist takes a step of a group and does not give up while it may still succeed: the group's decisions are part of
// the state that later ones rest on. It fails when nothing may be written any more, or when the process ends first.
func (s *Signer) persist(ctx context.Context, step func(context.Context) error) error {
	pause := firstPause
	var raised []string // conditions that end when the step succeeds: the journal's own, and the token's if it did not sign
	for {
		// A step under way is not broken off by the end of the process: an append would only become unclear.
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
		err := step(attempt)
		cancel()
		if err == nil {
			s.conditions.clear("", raised...)
			return nil
		}
		code, hopeless := judgeAppend(err)
		if hopeless {
			s.halt(code, err.Error())
			return s.halted()
		}
		s.conditions.set(code, "", err.Error(), true)
		raised = append(raised, code)
		select {
		case <-time.After(pause):
		case <-s.down:
			return s.halted()
		case <-ctx.Done():
			return errStopping
		}
		pause = min(2*pause, longestPause)
	}
}

// judgeAppend names the condition that an error of the journal means, and whether only a restart can help.
func judgeAppend(err error) (code string, hopeless bool) {
	var rollback *journal.RollbackError
	var tamper *journal.TamperError
	switch {
	case errors.Is(err, journal.ErrLeaseLost):
		return conditionLeaseLost, true
	case errors.As(err, &rollback), errors.Is(err, journal.ErrAnchorEmpty):
		return conditionRollback, true
	case errors.Is(err, journal.ErrForked):
		return conditionForked, true
	case errors.As(err, &tamper):
		return conditionTampered, true
	case errors.Is(err, journal.ErrWrongSignature):
		return codeWrongSignature, false
	case errors.Is(err, journal.ErrUnclear):
		return conditionUnclear, false
	case errors.Is(err, journal.ErrAnchorNotMoved):
		return conditionAnchor, false
	case errors.Is(err, journal.ErrNotDone):
		return conditionJournal, false
	}
	return codeOf(err, conditionJournal), false
}

// release lets out what a durable group allows.
func (s *Signer) release(g *group) {
	s.durable.Store(g.size)
	s.grown.notify()
	for _, j := range g.jobs {
		s.work.push(j)
	}
	s.watches.notify(g.touched...)
	for _, a := range g.alarms {
		s.alarm(a)
	}
}
