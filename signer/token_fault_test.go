package signer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// TestTokenOutage: what was authorised is signed when the token is back.
func TestTokenOutage(t *testing.T) {
	f := newFaults(t)
	known, before := f.submit(t, signertest.XEM)
	paid := <-before
	var down sync.Once
	f.token.Before = func(signer.Key) error {
		down.Do(func() { f.token.Down.Store(true) })
		if f.token.Down.Load() {
			return signertest.ErrDown
		}
		return nil
	}
	_, answered := f.submit(t, signertest.XYM)
	f.waitFor(t, "token_unavailable")
	if _, err := f.Signer.Submit(t.Context(), f.Sign("shop", f.Withdrawal(f.Wallets[signertest.XEM], 1)).Encode(), 0); codeOf(err) != "token_unavailable" {
		t.Errorf("a statement that comes meanwhile: %v", err)
	}
	if again, err := f.Signer.Submit(t.Context(), known.Encode(), 0); err != nil || *again.Transaction != *paid.Transaction {
		t.Errorf("a text that was signed before the outage: %+v, %v", again, err)
	}
	f.token.Down.Store(false)
	f.leaves(t, answered)
}

// TestHeadNotSigned: a token that does not sign a group's head holds everything up, and nothing longer than itself.
func TestHeadNotSigned(t *testing.T) {
	f := newFaults(t)
	f.token.HeadsDown.Store(true)
	_, answered := f.submit(t, signertest.XEM)
	f.waitFor(t, "token_unavailable")
	f.token.HeadsDown.Store(false)
	f.leaves(t, answered)
	f.waitReady(t)
}

// TestWrongHeadSignature: a head whose signature does not verify is never written, and what it covers never leaves. It is
// called by the token's name for it, and ends once the token signs well again.
func TestWrongHeadSignature(t *testing.T) {
	f := newFaults(t)
	before := f.checkpoint(t)
	f.token.SpoilHeads.Store(true)
	_, answered := f.submit(t, signertest.XEM)
	f.waitFor(t, "token_wrong_signature")
	waits(t, answered)
	if now := f.checkpoint(t); now != before {
		t.Errorf("readers see %q", now)
	}
	f.token.SpoilHeads.Store(false)
	f.leaves(t, answered)
	f.waitReady(t)
}

// TestWrongSignature: a signature that does not verify never leaves, signing stops, and it goes on once the token signs
// well again.
func TestWrongSignature(t *testing.T) {
	f := newFaults(t)
	var mu sync.Mutex
	spoilt := true
	f.token.Spoil = func(s *nem.Signature) {
		mu.Lock()
		defer mu.Unlock()
		if spoilt {
			s[0] ^= 1
		}
	}
	_, answered := f.submit(t, signertest.XEM)
	f.waitFor(t, "token_wrong_signature")
	waits(t, answered)
	mu.Lock()
	spoilt = false
	mu.Unlock()
	f.leaves(t, answered)
	f.waitReady(t)
}

// TestRandomisedToken: signatures of a token that never makes the same one again are journalled before they leave.
func TestRandomisedToken(t *testing.T) {
	f := newFaults(t)
	f.token.Randomised.Store(true)
	gate := make(chan struct{})
	reached := make(chan struct{})
	var once sync.Once
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			for _, e := range g.Entries {
				if strings.Contains(string(e), `"kind":"signature/1"`) {
					once.Do(func() { close(reached); <-gate })
				}
			}
			return f.store.Store.Append(ctx, g)
		}
	})
	_, answered := f.submit(t, signertest.XYM)
	<-reached
	waits(t, answered)
	close(gate)
	f.leaves(t, answered)
}

// TestDeadlineStrands: an authorisation that cannot be signed before its deadline ends as stranded.
func TestDeadlineStrands(t *testing.T) {
	f := newFaults(t)
	f.token.Before = func(signer.Key) error { return errors.New("no (test)") }
	_, answered := f.submit(t, signertest.XYM)
	f.Until("the token was asked", func() bool {
		r, err := f.Signer.Ready(t.Context())
		return err == nil && slices.ContainsFunc(r.Reasons, func(r rpc.Reason) bool { return r.Code == "signing_failed" && !r.Stops })
	})
	f.Clock.Pass(31 * signertest.Minute)
	f.Signer.Wake()
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	if a.State != rpc.StateStranded || a.Decision.Code != ledger.CodeDeadlineOver {
		t.Errorf("%+v", a)
	}
}
