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

// commit makes groups durable in their order and releases what follows from them, until commits is closed.
func (s *Signer) commit(ctx context.Context) {
	finish, end := s.settle, func() {}
	if s.cosigning != nil && s.cosigning.BeforeRelease {
		finish, end = s.settleCosigned(ctx)
	}
	defer close(s.gone)
	defer end()
	for g := range s.commits {
		err := s.halted()
		if err == nil && len(g.entries) > 0 {
			err = s.append(ctx, g)
		}
		g.size = s.journal.Head().Size
		if err == nil && s.cosigning != nil {
			s.cosigning.grow(signedHead{s.journal.Head(), s.journal.Checkpoint()})
		}
		finish(g, err)
	}
}

// settle lets out what a group allows, or tells those who wait for it why it is nothing.
func (s *Signer) settle(g *group, err error) {
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

// append writes a group and does not give up while it may still succeed: its decisions are part of the state that
// later ones rest on. It fails when nothing may be written any more, or when the process ends first.
func (s *Signer) append(ctx context.Context, g *group) error {
	if s.tokenAnchor != nil {
		s.tokenAnchor.add(g.outlay)
	}
	pause := firstPause
	var raised []string // conditions that end when the group is written: the journal's own, and the token's if it did not sign
	for {
		err := s.write(ctx, g)
		if err == nil {
			s.counters.groups.Add(1)
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

// write does the next thing that brings the group into the journal and under the anchors: settle an append that was
// unclear, move anchors that stayed behind, or append.
func (s *Signer) write(ctx context.Context, g *group) error {
	// An append under way is not broken off by the end of the process: it would only become unclear.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendTimeout)
	defer cancel()
	last := g.entries[len(g.entries)-1].Seq
	done, err := s.journal.Settle(ctx)
	switch {
	case err != nil:
		return err
	case done:
		return nil
	case s.journal.Head().Size > last: // it is in the journal and waits for its anchors
		return s.journal.MoveAnchors(ctx)
	}
	_, err = s.journal.Append(ctx, g.entries)
	return err
}

// judgeAppend names the condition that an error of the journal means, and whether only a restart can help.
func judgeAppend(err error) (code string, hopeless bool) {
	var rollback *journal.RollbackError
	var tamper *journal.TamperError
	switch {
	case errors.Is(err, journal.ErrLeaseLost):
		return conditionLeaseLost, true
	case errors.Is(err, journal.ErrForked):
		return conditionForked, true
	case errors.As(err, &rollback), errors.Is(err, journal.ErrAnchorEmpty):
		return conditionRollback, true
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
