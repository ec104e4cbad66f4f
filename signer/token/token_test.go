package token

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"kura/nem"
)

func TestLifeOfAToken(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()

	if !tok.Deterministic() {
		t.Error("SoftHSM's Ed25519 is deterministic")
	}
	if tok.Leak() != leakByDigest {
		t.Error("SoftHSM 2.6 answers C_DigestKey; if this one does not, softhsm/README.md is not true any more")
	}
	if err := tok.Health(ctx); err != nil {
		t.Fatal(err)
	}

	head := []byte("kura.example/test\n1\nroot\n")
	public, err := tok.LogPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := tok.SignHead(ctx, public, head)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(public[:], head, signature[:]) {
		t.Error("the head's signature does not verify")
	}

	for _, network := range []nem.Network{nem.NIS1Testnet, nem.SymbolTestnet} {
		ref := wallet(t, tok, "hot-"+network.Chain().String(), network)
		message := bytes.Repeat([]byte{0x5a}, 200)
		signature, err := tok.Sign(ctx, ref, message)
		if err != nil {
			t.Fatal(err)
		}
		if err := nem.Verify(network, ref.PublicKey, message, signature); err != nil {
			t.Errorf("%s: %v", network, err)
		}
		if _, err := tok.CreateWallet(ctx, WalletSpec{Name: ref.Name, Network: network, Genesis: testGenesis}); !errors.Is(err, ErrWalletExists) {
			t.Errorf("%s: a second wallet of the name: %v", network, err)
		}
		wrong := ref
		wrong.PublicKey[0] ^= 1
		if _, err := tok.signUnverified(ctx, wrong, message); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: another public key: %v", network, err)
		}
		wrong = ref
		wrong.Name = "absent"
		if _, err := tok.Sign(ctx, wrong, message); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s: a wallet that is not there: %v", network, err)
		}
	}

	reports, err := tok.List()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, report := range reports {
		kinds[report.Kind]++
		if len(report.Problems) > 0 {
			t.Errorf("%s %q: %v", report.Kind, report.Label, report.Problems)
		}
	}
	if kinds["log key"] != 1 || kinds["sealing key"] != 1 || kinds["wallet key"] != 1 || kinds["genesis"] != 1 || kinds["public key"] != 2 {
		t.Errorf("objects: %v", kinds)
	}

	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	again := b.open()
	wallets, err := again.Wallets()
	if err != nil {
		t.Fatal(err)
	}
	if len(wallets) != 2 || wallets[0].Problem != "" || wallets[1].Problem != "" {
		t.Fatalf("wallets after a restart: %+v", wallets)
	}
	for _, w := range wallets {
		if _, err := again.Sign(ctx, WalletRef{w.Name, w.Network, w.PublicKey}, []byte("again")); err != nil {
			t.Error(err)
		}
	}
}

func TestGenesisIsBoundOnce(t *testing.T) {
	tok := initialised(t).open()
	if err := tok.BindGenesis(testGenesis); err != nil {
		t.Errorf("the same again: %v", err)
	}
	other := testGenesis
	other[31] ^= 1
	if err := tok.BindGenesis(other); !errors.Is(err, ErrGenesis) {
		t.Errorf("another: %v", err)
	}
	if hash, ok := tok.Genesis(); hash != testGenesis || !ok {
		t.Errorf("genesis %x, %t", hash, ok)
	}
	if _, err := tok.CreateWallet(context.Background(), WalletSpec{Name: "w", Network: nem.SymbolTestnet, Genesis: other}); !errors.Is(err, ErrGenesis) {
		t.Errorf("a wallet of another genesis: %v", err)
	}
}

func TestAnchorKeepsTheNewest(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	if anchor, err := tok.ReadAnchor(ctx); anchor != nil || err != nil {
		t.Fatalf("a fresh token's anchor: %q, %v", anchor, err)
	}
	for _, checkpoint := range []string{"first", "second", "second", "third"} {
		if err := tok.WriteAnchor(ctx, []byte(checkpoint)); err != nil {
			t.Fatal(err)
		}
		anchor, err := tok.ReadAnchor(ctx)
		if err != nil || string(anchor) != checkpoint {
			t.Fatalf("anchor %q, %v; want %q", anchor, err, checkpoint)
		}
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	if anchor, err := b.open().ReadAnchor(ctx); err != nil || string(anchor) != "third" {
		t.Errorf("after a restart: %q, %v", anchor, err)
	}
}
