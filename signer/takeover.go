package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kura/journal"
	"kura/ledger"
)

// A Lease is what the signers of one journal compete for. It is for speed: safety between two that both believe to
// hold it is the store's compare-and-swap, and the witnesses' where the store lies.
type Lease interface {
	// Hold waits for the lease. lost is closed when it is gone, for ever.
	Hold(ctx context.Context) (lost <-chan struct{}, err error)
	// Held reports whether the lease is certainly held at this moment: after a pause of the process it is not.
	Held() bool
}

const (
	followEvery   = 500 * time.Millisecond
	followTimeout = 30 * time.Second
)

// leads reports whether this signer may still let anything out.
func (s *Signer) leads() bool { return s.lease == nil || s.lease.Held() }

// takeOver waits until this signer may decide: until it holds the lease, if there are several signers, having followed
// the others warm; until a quorum of witnesses has cosigned the head that it goes on from, if there are witnesses; and
// until the anchors hold that head: the run before this one may have ended before they did, and nothing of what it wrote
// is told before. It reports why it must not, or errStopping.
func (s *Signer) takeOver(ctx context.Context) error {
	if s.lease != nil {
		if err := s.standBy(ctx); err != nil {
			return err
		}
	}
	var err error
	if s.told, err = s.toldBefore(ctx); err != nil {
		return err
	}
	if s.cosigning != nil {
		if err := s.beginCosigned(ctx); err != nil {
			return err
		}
	}
	// From here on the anchors of this host are those of the one who leads.
	if err := s.persist(ctx, s.journal.MoveAnchors); err != nil {
		return err
	}
	s.durable.Store(s.journal.Head().Size)
	s.grown.notify()
	return nil
}

// toldBefore returns up to which size of the journal whoever led before can have told anybody anything.
func (s *Signer) toldBefore(ctx context.Context) (uint64, error) {
	if s.cosigning == nil || !s.cosigning.BeforeRelease {
		return s.journal.Head().Size, nil // the anchors have not moved yet
	}
	size := s.cosigning.best().Size
	c, err := s.cosigning.Newest.Load(ctx)
	if err != nil || c == nil {
		return size, err
	}
	head, err := journal.PeekCheckpoint(s.journal.Genesis().Origin, c)
	return max(size, head.Size), err
}

// beginCosigned has a quorum of witnesses cosign the head that this signer goes on from.
func (s *Signer) beginCosigned(ctx context.Context) error {
	if err := s.adopt(ctx); err != nil {
		return err
	}
	s.conditions.set(conditionWitnesses, "", "the journal's head is not cosigned yet by a quorum of witnesses", true)
	head, _ := s.journal.Written()
	if err := s.untilCosigned(ctx, func() bool { return s.cosigning.begun(head.Size) }); err != nil {
		return err
	}
	s.conditions.clear("", conditionWitnesses)
	if err := s.cosigning.Newest.Save(ctx, s.cosigning.best().checkpoint); err != nil {
		return fmt.Errorf("save the cosigned head to %s: %w", s.cosigning.Newest.Name(), err)
	}
	return nil
}

// standBy follows whoever leads until the lease is this signer's.
func (s *Signer) standBy(ctx context.Context) error {
	s.conditions.set(conditionStandby, "", "another signer leads this journal", true)
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		lost <-chan struct{}
		err  error
	}
	held := make(chan outcome, 1)
	go func() {
		for {
			lost, err := s.lease.Hold(waiting)
			if err == nil || !pause(waiting, longestPause) {
				held <- outcome{lost, err}
				return
			}
			s.log.Warn("the journal's lease could not be waited for", "error", err)
		}
	}()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case o := <-held:
			if o.err != nil {
				return errStopping // nothing else ends the wait
			}
			go s.stopWhenLost(ctx, o.lost)
			if err := s.followTo(ctx); err != nil {
				return fmt.Errorf("read what the signer before this one wrote: %w", err)
			}
			s.conditions.set(conditionStarting, "", "this signer takes over", true)
			s.conditions.clear("", conditionStandby)
			return nil
		case <-tick.C:
			if err := s.followTo(ctx); err != nil && !s.mayPass(err) {
				stop()
				<-held // the store is not to be closed while it is asked for the lease
				return fmt.Errorf("follow the journal: %w", err)
			}
		case <-s.down:
			stop()
			<-held
			return s.halted()
		case <-ctx.Done():
			<-held
			return errStopping
		}
	}
}

// mayPass tells an outage, during which a standby waits, from a journal that is not the one it followed.
func (s *Signer) mayPass(err error) bool {
	_, tampered := errors.AsType[*journal.TamperError](err)
	if tampered || errors.Is(err, errFold) {
		return false
	}
	s.log.Warn("the journal could not be followed", "error", err)
	return true
}

func (s *Signer) stopWhenLost(ctx context.Context, lost <-chan struct{}) {
	select {
	case <-lost:
		s.halt(conditionLeaseLost, "the lease is lost: this signer was not heard in time or its session ended, and another one may lead")
	case <-s.down:
	case <-ctx.Done():
	}
}

var errFold = errors.New("the journal cannot be followed")

// followTo brings journal and state to the store's newest head.
func (s *Signer) followTo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	var fresh []journal.Entry
	err := s.journal.Follow(ctx, func(e journal.Entry, _ []byte) error {
		fresh = append(fresh, e)
		return nil
	})
	if err != nil || len(fresh) == 0 {
		return err
	}
	if err := s.take(fresh); err != nil {
		return fmt.Errorf("%w: %w", errFold, err)
	}
	if slices.ContainsFunc(fresh, func(e journal.Entry) bool { return e.Kind == ledger.KindLogKey }) {
		s.prodToken() // it is to be asked about the new log key from now on
	}
	return nil
}

// take applies what another signer has written.
func (s *Signer) take(fresh []journal.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range fresh {
		if err := s.state.Apply(e); err != nil {
			return err
		}
	}
	return nil
}

// adopt takes the journal's head for the one to go on from, if it extends everything that anchors and witnesses are
// known to hold, and has it cosigned anew.
func (s *Signer) adopt(ctx context.Context) error {
	if s.tokenAnchor != nil {
		s.tokenAnchor.forget() // the signer that led so far wrote to it
	}
	if err := s.journal.CheckAnchors(ctx); err != nil {
		return err
	}
	if err := checkNewest(ctx, s.journal, s.cosigning.Newest); err != nil {
		return err
	}
	for _, w := range s.cosigning.witnessed() {
		if err := s.journal.CheckExtends(ctx, "witness "+w.name, w.checkpoint); err != nil {
			return err
		}
	}
	head, checkpoint := s.journal.Written()
	s.cosigning.begin(signedHead{head, checkpoint})
	return nil
}

// checkNewest holds the journal to the newest head that a quorum is known to have cosigned.
func checkNewest(ctx context.Context, log *journal.Log, newest journal.Anchor) error {
	c, err := newest.Load(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", newest.Name(), err)
	}
	if c == nil {
		return nil // nothing was cosigned yet, or the file was lost: the witnesses themselves are asked next
	}
	return log.CheckExtends(ctx, newest.Name(), c)
}

type witnessedHead struct {
	name       string
	checkpoint journal.Checkpoint
}

// witnessed returns what the witnesses have been seen to cosign.
func (c *cosigning) witnessed() []witnessedHead {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []witnessedHead
	for name, t := range c.seen {
		if t.checkpoint != nil {
			all = append(all, witnessedHead{name, t.checkpoint})
		}
	}
	return all
}

// refuse notes why this signer must not decide, under the code that the error deserves.
func (s *Signer) refuse(err error) {
	code, _ := judgeAppend(err)
	if code == conditionJournal {
		code = conditionHalted
	}
	s.halt(code, err.Error())
}
