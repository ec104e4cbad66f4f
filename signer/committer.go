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

// maxUncovered bounds the groups that are written and wait for the anchors to come back from those before them.
const maxUncovered = 4

// commit makes groups durable in their order and releases what follows from them, until commits is closed. While the
// store writes a group, the one after it is encoded, hashed and its head signed, and the anchors move to those before
// it: one save covers all that were written meanwhile.
func (s *Signer) commit(ctx context.Context) {
	finish, end := s.settle, func() {}
	if s.cosigning != nil && s.cosigning.BeforeRelease {
		finish, end = s.settleCosigned(ctx)
	}
	defer close(s.gone)
	defer end()
	drafted, written := make(chan *group), make(chan *group, maxUncovered)
	var last *journal.Draft
	go inOrder(s.commits, drafted, func(g *group) (err error) { last, err = s.draft(ctx, last, g); return err })
	go inOrder(drafted, written, func(g *group) error { return s.write(ctx, g) })
	s.cover(ctx, written, finish)
}

// inOrder takes groups through one step. Behind a group that failed all fail: they rest on what it decided.
func inOrder(from <-chan *group, to chan<- *group, step func(*group) error) {
	defer close(to)
	var failed error
	for g := range from {
		if g.err == nil && failed == nil {
			failed = step(g)
		}
		if g.err == nil {
			g.err = failed
		}
		to <- g
	}
}

// draft encodes and hashes a group and signs its head, after the last draft, and returns the one that is the last now.
// A group without entries only waits for those before it.
func (s *Signer) draft(ctx context.Context, last *journal.Draft, g *group) (*journal.Draft, error) {
	if err := s.halted(); err != nil || len(g.entries) == 0 {
		return last, err
	}
	err := s.persist(ctx, func(context.Context) (err error) {
		g.draft, err = s.journal.Draft(last, g.entries)
		return err
	})
	return g.draft, err
}

// write brings a group into the store.
func (s *Signer) write(ctx context.Context, g *group) error {
	if err := s.halted(); err != nil || g.draft == nil {
		return err
	}
	err := s.persist(ctx, func(ctx context.Context) error { return s.journal.Commit(ctx, g.draft) })
	if err == nil {
		s.counters.groups.Add(1)
	}
	return err
}

// cover moves the anchors to the newest group that is written, and finishes all that this covers.
func (s *Signer) cover(ctx context.Context, written <-chan *group, finish func(*group)) {
	size := s.journal.Head().Size
	var failed error
	for g := range written {
		groups := append([]*group{g}, gathered(written)...)
		if failed == nil {
			failed = s.moveAnchors(ctx, groups)
		}
		if failed == nil && s.cosigning != nil {
			s.cosigning.grow(signedHead{s.journal.Head(), s.journal.Checkpoint()})
		}
		for _, g := range groups {
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
}

// gathered takes what is in a channel by now.
func gathered(groups <-chan *group) (all []*group) {
	for len(groups) > 0 {
		all = append(all, <-groups)
	}
	return all
}

// moveAnchors brings the anchors to the last of these groups that is in the store.
func (s *Signer) moveAnchors(ctx context.Context, groups []*group) error {
	var newest *journal.Draft
	for _, g := range groups {
		if g.err != nil || g.draft == nil {
			continue
		}
		newest = g.draft
		if s.tokenAnchor != nil {
			s.tokenAnchor.add(g.outlay)
		}
	}
	if newest == nil {
		return s.halted()
	}
	return s.persist(ctx, func(ctx context.Context) error { return s.journal.Cover(ctx, newest) })
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
