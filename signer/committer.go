package signer

import (
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

// commit makes groups durable in their order and releases what follows from them, until commits is closed. A group
// takes in what comes until the store and the anchors have both gone on from those before it: a larger group shares
// its signature and its syncs among more. While one group is drafted and written, the anchors move to the one before.
func (s *Signer) commit(ctx context.Context) {
	finish, end := s.settle, func() {}
	if s.cosigning != nil && s.cosigning.BeforeRelease {
		finish, end = s.settleCosigned(ctx)
	}
	defer close(s.gone)
	defer end()
	written := make(chan *group) // at most one waits to be covered, and then nothing is drafted
	go s.append(ctx, written)
	s.cover(ctx, written, finish)
}

// append drafts groups and brings them into the store. Behind a group that failed all fail: they rest on what it decided.
func (s *Signer) append(ctx context.Context, written chan<- *group) {
	defer close(written)
	var last *journal.Draft
	var failed error
	for g := range s.commits {
		if failed == nil {
			failed = s.write(ctx, last, g)
		}
		if g.err = failed; g.draft != nil {
			last = g.draft
		}
		written <- g
	}
}

// write encodes and hashes a group, has its head signed, after the last draft, and brings it into the store. A group
// without entries only waits for those before it.
func (s *Signer) write(ctx context.Context, last *journal.Draft, g *group) error {
	if err := s.halted(); err != nil || len(g.entries) == 0 {
		return err
	}
	err := s.persist(ctx, func(context.Context) (err error) {
		g.draft, err = s.journal.Draft(last, g.entries)
		return err
	})
	if err == nil {
		err = s.persist(ctx, func(ctx context.Context) error { return s.journal.Commit(ctx, g.draft) })
	}
	if err == nil {
		s.counters.groups.Add(1)
	}
	return err
}

// cover moves the anchors to each group that is written, and finishes it.
func (s *Signer) cover(ctx context.Context, written <-chan *group, finish func(*group)) {
	size := s.journal.Head().Size
	var failed error
	for g := range written {
		if failed == nil {
			failed = s.moveAnchors(ctx, g)
		}
		if failed == nil && s.cosigning != nil {
			s.cosigning.grow(signedHead{s.journal.Head(), s.journal.Checkpoint()})
		}
		if g.err == nil {
			g.err = failed
		}
		if g.draft != nil {
			size = g.draft.Head.Size
		}
		g.size = size
		finish(g)
	}
}

// moveAnchors brings the anchors to a group that is in the store.
func (s *Signer) moveAnchors(ctx context.Context, g *group) error {
	if g.err != nil || g.draft == nil {
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
