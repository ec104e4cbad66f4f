package signer_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// pausedClock holds up a function of the signer when that reads the time, so that a test can have things happen between two
// of its steps.
type pausedClock struct {
	signer.Clock
	by      string       // the end of the function's name
	asked   atomic.Int64 // how often it did
	hold    atomic.Bool
	holding chan struct{}
	goOn    chan struct{}
}

func newPausedClock(by string) *pausedClock {
	return &pausedClock{by: by, holding: make(chan struct{}), goOn: make(chan struct{})}
}

func (c *pausedClock) Now() (clock, boot int64) {
	var callers [2]uintptr // some read it through a function of their own
	runtime.Callers(2, callers[:])
	for frames := runtime.CallersFrames(callers[:]); ; {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, c.by) {
			c.asked.Add(1)
			if c.hold.CompareAndSwap(true, false) {
				c.holding <- struct{}{}
				<-c.goOn
			}
		}
		if !more {
			return c.Clock.Now()
		}
	}
}

// TestQuorumBesideTheWatch has a quorum cosign the head that everything waits for just when the signer is about to say that they
// have not: it does not go on saying so.
func TestQuorumBesideTheWatch(t *testing.T) {
	w := newWitnesses(t, 1, 1, true)
	clock := newPausedClock(".watchWitnesses")
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
	looks := clock.asked.Load()
	d.Until("its head was found without a quorum", func() bool { return clock.asked.Load() > looks+1 })
	d.Clock.Pass(10_000)
	clock.hold.Store(true)
	<-clock.holding
	w.setDown(false, 0)
	if a := <-answered; a.err != nil || a.State != rpc.StateHeld {
		t.Fatalf("%+v", a)
	}
	looks = clock.asked.Load()
	clock.goOn <- struct{}{}
	d.Until("it looked again", func() bool { return clock.asked.Load() > looks+1 })
	if r := ready(t, d.Signer); !r.Ready {
		t.Errorf("every head is cosigned, and it says %+v", r.Reasons)
	}
}

// TestLiftedWhileGivenUp has a freeze lifted just when an authorisation is being given up because of it: it is signed after all,
// and does not wait for its deadline.
func TestLiftedWhileGivenUp(t *testing.T) {
	clock := newPausedClock("(*sequencer).decide")
	d := signertest.New(t, signertest.Options{Open: func(c signer.Config) (*signer.Signer, error) {
		clock.Clock, c.Clock = c.Clock, clock
		return signer.Open(t.Context(), c)
	}})
	signing, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.Token.(*signertest.FakeToken).After = func(signer.Key) error {
		once.Do(func() { close(signing); <-goOn })
		return nil
	}
	submit := func(who string, body statement.Body) chan answer {
		answered, sent := make(chan answer, 1), d.Sign(who, body)
		go func() {
			a, err := d.Signer.Submit(context.Background(), sent.Encode(), signertest.LongWait)
			answered <- answer{a, err}
		}()
		return answered
	}
	paid := submit("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	<-signing
	frozen := d.Submit(t.Context(), d.Signer, "watch", d.Freeze(statement.TargetAll, ""))
	stop, err := statement.ParseHash(frozen.StatementHash)
	if err != nil {
		t.Fatal(err)
	}
	d.Submit(t.Context(), d.Signer, "alice", d.Verdict(statement.Lift, stop))
	clock.hold.Store(true)
	lifted := submit("bob", d.Verdict(statement.Lift, stop))
	<-clock.holding
	close(goOn)
	d.Until("the authorisation is to be given up", func() bool { return d.Signer.Waiting() > 0 })
	clock.goOn <- struct{}{}
	if a := <-lifted; a.err != nil || a.State != rpc.StateCounted {
		t.Fatalf("%+v", a)
	}
	a := <-paid
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, d, a.Answer)
}
