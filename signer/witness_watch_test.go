package signer_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// pausedClock holds up whoever looks after the witnesses when it reads the time between two looks.
type pausedClock struct {
	signer.Clock
	looks   atomic.Int64 // of whoever looks after the witnesses
	hold    atomic.Bool
	holding chan struct{}
	goOn    chan struct{}
}

func (c *pausedClock) Now() (clock, boot int64) {
	var callers [1]uintptr
	runtime.Callers(3, callers[:]) // behind this function and the one that gives the witnesses' watch the time
	if f, _ := runtime.CallersFrames(callers[:]).Next(); strings.HasSuffix(f.Function, ".watchWitnesses") {
		c.looks.Add(1)
		if c.hold.CompareAndSwap(true, false) {
			c.holding <- struct{}{}
			<-c.goOn
		}
	}
	return c.Clock.Now()
}

// TestQuorumBesideTheWatch has a quorum cosign the head that everything waits for just when the signer is about to say that they
// have not: it does not go on saying so.
func TestQuorumBesideTheWatch(t *testing.T) {
	w := newWitnesses(t, 1, 1, true)
	clock := &pausedClock{holding: make(chan struct{}), goOn: make(chan struct{})}
	d := signertest.New(t, signertest.Options{Open: func(c signer.Config) (*signer.Signer, error) {
		clock.Clock, c.Clock = c.Clock, clock
		return w.open(c)
	}})
	untilQuiet(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small)))
	w.setDown(true, 0)
	size := ready(t, d.Signer).Size
	answered := make(chan answer, 1)
	sent := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.SmallMax+1)) // nothing follows it
	go func() {
		a, err := d.Signer.Submit(context.Background(), sent.Encode(), signertest.LongWait)
		answered <- answer{a, err}
	}()
	d.Until("it is in the journal", func() bool { return ready(t, d.Signer).Size > size })
	looks := clock.looks.Load()
	d.Until("its head was found without a quorum", func() bool { return clock.looks.Load() > looks+1 })
	d.Clock.Pass(10_000)
	clock.hold.Store(true)
	<-clock.holding
	w.setDown(false, 0)
	if a := <-answered; a.err != nil || a.State != rpc.StateHeld {
		t.Fatalf("%+v", a)
	}
	looks = clock.looks.Load()
	clock.goOn <- struct{}{}
	d.Until("it looked again", func() bool { return clock.looks.Load() > looks+1 })
	if r := ready(t, d.Signer); !r.Ready {
		t.Errorf("every head is cosigned, and it says %+v", r.Reasons)
	}
}
