package token

import (
	"context"
	"errors"
	"testing"

	"kura/nem"
)

// TestNothingWasKept has the token call made what it has not kept, as SoftHSM does on a full disk: nobody is told that
// it is there, and the anchor before stays.
func TestNothingWasKept(t *testing.T) {
	ctx := context.Background()
	fresh := newBench(t)
	if _, err := Initialise(ctx, fresh.config(), soPINOf(t, fresh.so)); err != nil {
		t.Fatal(err)
	}
	plan := &faultPlan{}
	tok := fresh.openWrapped(plan.wrap)
	lost := func(operation, what string, want error, do func() error) {
		t.Helper()
		fired := plan.once(operation, &fault{})
		if err := do(); !*fired || !errors.Is(err, want) {
			t.Errorf("%s (tried %t): %v", what, *fired, err)
		}
	}
	bind := func() error { return tok.BindGenesis(testGenesis) }
	lost("CreateObject", "a genesis that is not there", ErrGenesis, bind)
	if err := bind(); err != nil {
		t.Fatal(err)
	}
	if err := tok.WriteAnchor(ctx, []byte("first")); err != nil {
		t.Fatal(err)
	}
	second := func() error { return tok.WriteAnchor(ctx, []byte("second")) }
	lost("CreateObject", "an anchor that is not there", ErrAnchor, second)
	if anchor, err := tok.ReadAnchor(ctx); err != nil || string(anchor) != "first" {
		t.Errorf("afterwards the anchor is %q, %v", anchor, err)
	}
	if err := second(); err != nil {
		t.Error(err)
	}
	lost("GenerateEd25519", "a wallet that is not there", ErrNoKey, func() error {
		_, err := tok.CreateWallet(ctx, WalletSpec{Name: "w", Network: nem.SymbolTestnet, Genesis: testGenesis})
		return err
	})
	lost("GenerateSecretKey", "a sealing key that is not there", ErrNoKey, func() error {
		_, err := tok.RotateSealingKey(ctx)
		return err
	})
	if anchor, err := tok.ReadAnchor(ctx); err != nil || string(anchor) != "second" {
		t.Errorf("at the end the anchor is %q, %v", anchor, err)
	}
}

// TestNothingRestsOnWhatIsNotDurable has what the token wrote not reach the disk: what would rest on it is not done.
func TestNothingRestsOnWhatIsNotDurable(t *testing.T) {
	ctx := context.Background()
	b := initialised(t)
	config := b.config()
	var lost error
	config.Settle = func() error { return lost }
	tok, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tok.Close() })
	wallet(t, tok, "hot", nem.NIS1Testnet)
	if err := tok.WriteAnchor(ctx, []byte("first")); err != nil {
		t.Fatal(err)
	}
	before, err := blobSum(b.stateDir, "hot")
	if err != nil {
		t.Fatal(err)
	}
	lost = errors.New("the disk is gone")
	spec := WalletSpec{Name: "w", Network: nem.SymbolTestnet, Genesis: testGenesis}
	seed := seedOf(t, randomBytes(seedSize))
	defer seed.Wipe()
	for what, do := range map[string]func() error{
		"an anchor": func() error { return tok.WriteAnchor(ctx, []byte("second")) },
		"a wallet":  func() error { _, err := tok.CreateWallet(ctx, spec); return err },
		"an import": func() error {
			other := spec
			other.Name = "i"
			_, err := tok.ImportWallet(ctx, other, seed)
			return err
		},
		"a sealing key": func() error { _, err := tok.RotateSealingKey(ctx); return err },
		"the genesis":   func() error { return tok.BindGenesis(testGenesis) },
	} {
		if err := do(); !errors.Is(err, lost) {
			t.Errorf("%s: %v", what, err)
		}
	}
	objects, err := answer(ctx, tok, "look at the anchors", func(s *session) ([]dataObject, error) { return s.dataObjects(labelAnchor) })
	if err != nil || len(objects) != 2 {
		t.Errorf("%d anchors, %v: the one before has to stay", len(objects), err)
	}
	if after, err := blobSum(b.stateDir, "hot"); err != nil || after != before {
		t.Errorf("the wallet was sealed anew under a key that is not durable: %v", err)
	}
	lost = nil
	if err := tok.WriteAnchor(ctx, []byte("third")); err != nil {
		t.Error(err)
	}
	if _, err := tok.RotateSealingKey(ctx); err != nil {
		t.Error(err)
	}
}
