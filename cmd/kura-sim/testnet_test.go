package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"kura/cmd/kura-signer/host"
	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
	"kura/ledger"
	"kura/nem"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// TestMainnetRefused: neither a new key nor an old one, whoever asks.
func TestMainnetRefused(t *testing.T) {
	fake := signertest.NewFakeToken()
	guarded := testnetKeys{fake}
	for _, n := range []nem.Network{nem.NIS1Mainnet, nem.SymbolMainnet} {
		made, err := fake.CreateWallet(t.Context(), "hot", n)
		if err != nil {
			t.Fatal(err)
		}
		key, err := nem.ParsePublicKey(made.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := guarded.Sign(t.Context(), signer.Key{Wallet: "hot", Network: n, PublicKey: key}, []byte("x")); err == nil {
			t.Errorf("signed for %s", n)
		}
		if _, err := guarded.CreateWallet(t.Context(), "hot", n); err == nil {
			t.Errorf("made a wallet on %s", n)
		}
		if _, err := guarded.ImportWallet(t.Context(), "hot", n, key.Address(n), []byte(strings.Repeat("1", 64))); err == nil {
			t.Errorf("imported a wallet on %s", n)
		}
	}
	if fake.Signatures.Load() != 0 {
		t.Error("the token was asked all the same")
	}
	if _, err := guarded.CreateWallet(t.Context(), "test", nem.NIS1Testnet); err != nil {
		t.Error(err)
	}
}

// TestMainnetJournalRefused: a journal that knows a mainnet wallet is not for this program.
func TestMainnetJournalRefused(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	if err := refuseMainnetWallets(t.Context(), d.Signer); err != nil {
		t.Errorf("testnets alone: %v", err)
	}
	if _, err := d.Signer.Admin().CreateWallet(t.Context(), rpc.Caller{}, rpc.NewWallet{ID: "main", Network: nem.SymbolMainnet.String(), Present: []string{"a test"}}); err != nil {
		t.Fatal(err)
	}
	if err := refuseMainnetWallets(t.Context(), d.Signer); err == nil || !strings.Contains(err.Error(), "testnets only") {
		t.Errorf("with a mainnet wallet: %v", err)
	}
}

// TestClocksDoNotMix: neither program opens the other's journal.
func TestClocksDoNotMix(t *testing.T) {
	machine, err := host.NewMachineClock()
	if err != nil {
		t.Fatal(err)
	}
	begin, _ := machine.Now()
	for _, c := range []struct{ founds, opens signer.Clock }{{machine, NewClock(begin)}, {NewClock(begin), machine}} {
		if err := foundAndOpen(t, c.founds, c.founds); err != nil {
			t.Errorf("a %s journal under its own clock: %v", c.founds.Kind(), err)
		}
		if err := foundAndOpen(t, c.founds, c.opens); err == nil || !strings.Contains(err.Error(), c.founds.Kind()+" clock") {
			t.Errorf("a %s journal under a %s clock: %v", c.founds.Kind(), c.opens.Kind(), err)
		}
	}
}

// foundAndOpen founds a journal under one clock and opens it under another.
func foundAndOpen(t *testing.T, founds, opens signer.Clock) error {
	t.Helper()
	parties, fake, dir := signertest.NewParties(t), signertest.NewFakeToken(), t.TempDir()
	store, err := embedded.Open(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	anchors := []journal.Anchor{anchorfile.New(filepath.Join(dir, "anchor"))}
	genesis, err := signer.Found(t.Context(), signer.Founding{
		Origin: signertest.Origin, LogKey: fake.LogPublicKey(), Policy: parties.First.Text(), PolicyHash: parties.First.Hash(),
		Verdicts: parties.FoundingVerdicts(), Store: store, Anchors: anchors, Token: fake, Clock: founds,
		Bind: func(journal.Hash) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = signer.Open(t.Context(), signer.Config{
		Genesis: genesis, Store: store, Anchors: anchors, Token: fake, Clock: opens, Log: slog.New(slog.DiscardHandler),
	})
	return err
}

func TestClock(t *testing.T) {
	c := NewClock(1000)
	c.Set(5000)
	c.Set(3000) // a clock that went back would let a limit forget
	if clock, boot := c.Now(); clock != 5000 || boot != 4000 {
		t.Errorf("clock %d, boot %d", clock, boot)
	}
	if c.Kind() != ledger.ClockSimulated {
		t.Errorf("kind %s", c.Kind())
	}
}
