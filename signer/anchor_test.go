package signer_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"kura/journal"
	"kura/nem"
	"kura/signer/signertest"
)

// memoryAnchor is a test double of the token's anchor: it counts what is written to it.
type memoryAnchor struct {
	mu    sync.Mutex
	held  journal.Checkpoint
	saves int
}

func (*memoryAnchor) Name() string { return "anchor in memory" }

func (a *memoryAnchor) Load(context.Context) (journal.Checkpoint, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return bytes.Clone(a.held), nil
}

func (a *memoryAnchor) Save(_ context.Context, c journal.Checkpoint) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = bytes.Clone(c)
	a.saves++
	return nil
}

func (a *memoryAnchor) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.saves
}

// TestTokenAnchorIsSpared: the token's anchor is renewed once enough value left, or enough time passed, and at every
// start.
func TestTokenAnchorIsSpared(t *testing.T) {
	a := &memoryAnchor{}
	d := signertest.New(t, signertest.Options{TokenAnchor: a})
	pay := func(amount uint64) {
		t.Helper()
		d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], nem.Amount(amount)))
	}
	start := a.count()
	for range 5 {
		pay(signertest.Small)
	}
	if got := a.count(); got != start {
		t.Errorf("written %d times for small change", got-start)
	}
	pay(signertest.SmallMax)
	if got := a.count(); got != start+1 {
		t.Errorf("written %d times for the value of the policy's bound", got-start)
	}
	d.Clock.Pass(signertest.Hour)
	pay(signertest.Small)
	if got := a.count(); got != start+2 {
		t.Errorf("written %d times after the policy's time", got-start-1)
	}
	d.Clock.Turn(6*signertest.Hour, 0)
	pay(signertest.Small)
	if got := a.count(); got != start+2 {
		t.Errorf("written %d times since a clock went wrong that measures no time", got-start-2)
	}
	d.Clock.Turn(-6*signertest.Hour, 0)
	d.Clock.Pass(signertest.Hour)
	pay(signertest.Small)
	if got := a.count(); got != start+3 {
		t.Errorf("written %d times after the policy's time, since a clock that was ahead was set right", got-start-2)
	}
	start++
	d.Restart()
	if got := a.count(); got != start+3 {
		t.Errorf("written %d times at a start", got-start-2)
	}
	pay(signertest.SmallMax - 50_000) // the least fee
	if got := a.count(); got != start+4 {
		t.Errorf("written %d times for a payment that reaches the bound with its fee", got-start-3)
	}
}
