package signer

import (
	"context"
	"time"

	"kura/journal"
)

const (
	// maxUncosigned bounds the groups that are appended and wait for their witnesses.
	maxUncosigned = 64
	// lastRound is how long the end of the process waits for witnesses to cosign what is in the journal already.
	lastRound = 5 * time.Second
)

// settleCosigned is settle for signers whose witnesses come first: groups wait in their order until a quorum has
// cosigned a head that covers them, while the next ones are appended already.
func (s *Signer) settleCosigned(ctx context.Context) (settle func(*group), end func()) {
	appended := make(chan *group, maxUncosigned)
	ended := make(chan struct{})
	// The end of the process is told to those who wait only when the last round had its time.
	waiting, stop := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(lastRound, stop) })
	go func() {
		defer close(ended)
		defer stop()
		for g := range appended {
			if g.err == nil {
				g.err = s.untilCosigned(waiting, func() bool { return s.cosigning.best().Size >= g.size })
			}
			s.settle(g)
		}
	}()
	return func(g *group) { appended <- g }, func() {
		close(appended)
		<-ended
	}
}

// shown is the newest head that others may be told of: where witnesses come first, one that a quorum cosigned, with
// their lines.
func (s *Signer) shown() (journal.Checkpoint, error) {
	if s.durable.Load() == 0 { // until the anchors have moved, they may hold less than others were told of before
		return nil, s.undecided()
	}
	if s.cosigning == nil || !s.cosigning.BeforeRelease {
		return s.journal.Checkpoint(), nil
	}
	best := s.cosigning.best()
	if best.checkpoint == nil {
		return nil, s.undecided()
	}
	return best.checkpoint, nil
}

// shownSize is the size of that head, 0 if there is none yet.
func (s *Signer) shownSize() uint64 {
	if s.cosigning == nil || !s.cosigning.BeforeRelease {
		return s.journal.Head().Size
	}
	return s.cosigning.best().Size
}

// prove returns an entry with its proof under the newest head that others may be told of.
func (s *Signer) prove(ctx context.Context, seq uint64) (journal.Receipt, error) {
	var r journal.Receipt
	var err error
	if s.cosigning == nil || !s.cosigning.BeforeRelease {
		r, err = s.journal.Receipt(ctx, seq)
	} else {
		r, err = s.journal.ReceiptUnder(ctx, seq, s.cosigning.best().checkpoint)
	}
	if err != nil {
		return journal.Receipt{}, s.readFailed(err)
	}
	return r, nil
}
