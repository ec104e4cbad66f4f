package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kura/journal"
	"kura/ledger"
	"kura/statement"
)

// A shadow is a second state. It folds what the store holds, from entry 0 and verified like a stranger's journal, and
// so finds what the state that decides cannot know of itself: that it began from a snapshot that was wrong, that rows
// far back were altered, that memory failed, or that folding is not what deciding took it for. Snapshots are written of
// the shadow, and only after it was found equal.
type shadow struct {
	live      *Signer
	store     journal.Store
	snapshots Snapshots

	state *ledger.State // nil before the first round, and after one that failed
	head  journal.Head  // up to which it has folded
	mark  mark
	equal uint64 // size at which both were found equal last
	// waited is how long the newest mark made the sequencer wait.
	waited time.Duration
}

// A mark is what the state that decides was at a size. The shadow may come there only later: what was decided is not
// in the journal at once.
type mark struct {
	size uint64
	hash statement.Hash
}

const (
	// compareEvery is how long a journal that hardly grows goes without a comparison.
	compareEvery = 10 * time.Minute
	// restShare is how much longer than the sequencer waited for a mark the shadow rests after a round, so that it takes
	// no more than a twentieth of the sequencer's time however large the state is.
	restShare = 20
	// workSlice is how long it folds at a stretch before it rests as long: a fold from zero takes its time.
	workSlice = 10 * time.Millisecond
	// retryAfter is how long it leaves a store alone that could not be read.
	retryAfter = 5 * time.Second
)

// A divergence says that two folds of one journal are different states.
type divergence struct {
	size         uint64
	live, shadow statement.Hash
}

func (d *divergence) Error() string {
	return fmt.Sprintf("at size %d the state that decides has hash %s, a fold of the journal from entry 0 has %s", d.size, d.live, d.shadow)
}

// run compares until ctx ends or the states differ.
func (s *shadow) run(ctx context.Context) {
	tick := time.NewTicker(compareEvery)
	defer tick.Stop()
	for {
		err := s.round(ctx)
		rest := restShare * s.waited
		switch {
		case ctx.Err() != nil || s.hopeless(err):
			return
		case err != nil:
			s.live.log.Warn("the journal could not be folded beside the state: it will be again, from entry 0", "error", err)
			s.state, rest = nil, retryAfter
		}
		if !pause(ctx, rest) || !s.wait(ctx, tick.C) {
			return
		}
	}
}

// hopeless halts the signer if an error says that journal or state cannot be trusted.
func (s *shadow) hopeless(err error) bool {
	var differ *divergence
	var tamper *journal.TamperError
	switch {
	case errors.As(err, &differ), errors.Is(err, ledger.ErrFold):
		// Whatever the state came from must not be where the next run begins.
		if err := s.snapshots.discard(); err != nil {
			s.live.log.Error("snapshots could not be removed: remove them by hand", "dir", s.snapshots.Dir, "error", err)
		}
		s.live.halt(conditionDiverged, err.Error())
	case errors.As(err, &tamper):
		s.live.halt(conditionTampered, err.Error())
	default:
		return false
	}
	return true
}

// wait returns when there is enough that is new, or false when ctx ends.
func (s *shadow) wait(ctx context.Context, tick <-chan time.Time) bool {
	for {
		grown := s.live.grown.wait()
		written, _ := s.live.journal.Written()
		size := written.Size
		marked := s.mark.size > s.head.Size && size >= s.mark.size
		if s.state == nil || marked || size >= s.equal+s.snapshots.every() {
			return true
		}
		select {
		case <-grown:
		case <-tick:
			if size > s.equal {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// round brings the shadow to the store's head and writes a snapshot if it was found equal on the way.
func (s *shadow) round(ctx context.Context) error {
	if s.state == nil {
		s.state, s.head = ledger.NewState(), journal.Head{}
	}
	if s.mark.size <= s.equal || s.mark.size < s.state.Next() {
		asked := time.Now()
		s.mark = s.live.markOf()
		s.waited = time.Since(asked)
	}
	before := s.equal
	if err := s.compare(); err != nil {
		return err
	}
	began := time.Now()
	head, _, err := journal.Verify(ctx, s.store, journal.Verification{
		Genesis: s.live.journal.Genesis(),
		Trusted: s.head, Handovers: s.state.LogKeys().Handovers(),
		Visit: func(e journal.Entry, _ []byte) error {
			if err := s.state.Apply(e); err != nil {
				return err
			}
			if spent := time.Since(began); spent > workSlice {
				if !pause(ctx, spent) {
					return ctx.Err()
				}
				began = time.Now()
			}
			return s.compare()
		},
	})
	if err != nil {
		return err
	}
	s.head = head
	if s.equal == before || s.snapshots.Dir == "" {
		return nil
	}
	if err := s.snapshots.save(s.state, head); err != nil {
		s.live.log.Error("the snapshot could not be written", "dir", s.snapshots.Dir, "error", err)
	}
	return nil
}

// markOf takes the mark of the state that decides; whoever wants to change it waits meanwhile.
func (s *Signer) markOf() mark {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return mark{s.state.Next(), s.state.Hash()}
}

// compare holds the shadow to the mark when it has come there.
func (s *shadow) compare() error {
	if s.state.Next() != s.mark.size || s.equal == s.mark.size {
		return nil
	}
	if hash := s.state.Hash(); hash != s.mark.hash {
		return &divergence{s.mark.size, s.mark.hash, hash}
	}
	s.equal = s.mark.size
	s.live.conditions.clear("", conditionUnchecked)
	return nil
}
