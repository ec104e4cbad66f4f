package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"kura/nem"
)

// A module that hangs keeps its sessions; callers leave at their deadline, others
// go on with what sessions are left, and all is well when it answers.
func TestHangingCalls(t *testing.T) {
	b := initialised(t)
	plan := &faultPlan{}
	config := b.config()
	config.Sessions = 2
	tok, err := open(context.Background(), config, plan.wrap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tok.Close() })
	ref := wallet(t, tok, "w", nem.SymbolTestnet)
	release := make(chan struct{})
	hang := func() { <-release }
	var hanging atomic.Bool
	plan.set(func(operation string) *fault {
		if operation == "Sign" && hanging.CompareAndSwap(false, true) {
			return &fault{hang: hang}
		}
		return nil
	})
	impatient := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err := tok.Sign(ctx, ref, []byte("m"))
		return err
	}
	for !hanging.Load() { // on a busy machine the time may be up before the token was asked
		if err := impatient(); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("a hanging call: %v", err)
		}
	}
	if _, err := tok.Sign(context.Background(), ref, []byte("m")); err != nil {
		t.Errorf("on the session that is left: %v", err)
	}
	plan.set(func(operation string) *fault {
		if operation == "Sign" {
			return &fault{hang: hang}
		}
		return nil
	})
	for range 3 {
		if err := impatient(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("when every session hangs: %v", err)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tok.Sign(cancelled, ref, []byte("m")); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("a caller who cancelled: %v", err)
	}
	plan.set(nil)
	close(release)
	for range 10 {
		if _, err := tok.Sign(context.Background(), ref, []byte("m")); err != nil {
			t.Errorf("when it answers again: %v", err)
		}
	}
}

// TestLateAnswers has each call that makes something hang, before its effect or
// after it, until its caller has left. Whoever asks again meanwhile is told that the
// token is unavailable, and afterwards everything is there once: what is made late is
// not made a second time.
func TestLateAnswers(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%t", after), func(t *testing.T) { lateAnswers(t, after) })
	}
}

func lateAnswers(t *testing.T, after bool) {
	b := initialised(t)
	plan := &faultPlan{}
	tok := b.openWrapped(plan.wrap)
	seed := seedOf(t, randomBytes(32))
	defer seed.Wipe()
	checkpoint := []byte("nothing")
	spec := func(name string, network nem.Network) WalletSpec {
		return WalletSpec{Name: name, Network: network, Genesis: testGenesis}
	}
	for _, operation := range []struct {
		call string
		run  func(context.Context) error
	}{
		{"GenerateEd25519", func(ctx context.Context) error {
			_, err := tok.CreateWallet(ctx, spec("created", nem.SymbolTestnet))
			return err
		}},
		{"CreateObject", func(ctx context.Context) error {
			_, err := tok.ImportWallet(ctx, spec("imported", nem.SymbolTestnet), seed)
			return err
		}},
		{"SealGCM", func(ctx context.Context) error {
			_, err := tok.CreateWallet(ctx, spec("sealed", nem.NIS1Testnet))
			return err
		}},
		{"CreateObject", func(ctx context.Context) error {
			checkpoint = fmt.Appendf(nil, "after %s", checkpoint)
			return tok.WriteAnchor(ctx, checkpoint)
		}},
		{"GenerateEd25519", func(ctx context.Context) error {
			_, err := tok.NextLogKey(ctx)
			return err
		}},
		{"GenerateSecretKey", func(ctx context.Context) error {
			_, err := tok.makeNextSealingKey(ctx)
			return err
		}},
	} {
		impatient, leave := context.WithCancel(context.Background())
		release, answered := make(chan struct{}), make(chan struct{})
		plan.once(operation.call, &fault{
			after: after,
			hang: func() {
				leave()
				<-release
			},
			answered: func() { close(answered) },
		})
		if err := operation.run(impatient); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s hangs: %v", operation.call, err)
		}
		shortly, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if err := operation.run(shortly); err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrWalletExists) {
			t.Errorf("%s hangs, asked again: %v", operation.call, err)
		}
		cancel()
		plan.set(nil)
		close(release)
		<-answered
		if err := operation.run(context.Background()); err != nil && !errors.Is(err, ErrWalletExists) {
			t.Errorf("%s has answered: %v", operation.call, err)
		}
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	tok = b.open() // which refuses two log keys, or two sealing keys, of one generation
	wallets, err := tok.Wallets()
	if err != nil || len(wallets) != 3 {
		t.Errorf("%d wallets, %v", len(wallets), err)
	}
	for _, w := range wallets {
		if _, err := tok.Sign(context.Background(), WalletRef{w.Name, w.Network, w.PublicKey}, []byte("m")); err != nil {
			t.Errorf("%s (%s): %v", w.Name, w.Problem, err)
		}
	}
	if anchor, err := tok.ReadAnchor(context.Background()); err != nil || !bytes.Equal(anchor, checkpoint) {
		t.Errorf("anchor %q, %v; the last is %q", anchor, err, checkpoint)
	}
}
