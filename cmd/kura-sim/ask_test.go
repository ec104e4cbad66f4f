package main

import (
	"strings"
	"testing"

	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
)

// TestTakes: what leaves is read from the signed transaction itself, and only if it can still be announced.
func TestTakes(t *testing.T) {
	seed := [32]byte{7}
	key := nem.NIS1PublicKey(&seed)
	document := *policyOf(t, "testdata/shop.yaml").Document()
	d, _, err := rekey(document)
	if err != nil {
		t.Fatal(err)
	}
	one, err := first(d)
	if err != nil {
		t.Fatal(err)
	}
	p, err := second(d, one, map[policy.WalletID]string{"xem": key.String()})
	if err != nil {
		t.Fatal(err)
	}
	in := &deployment{policy: p}
	transaction := func(signer nem.PublicKey) *rpc.Transaction {
		t.Helper()
		at, err := nem.ChainTime(nem.NIS1Testnet, midnight)
		if err != nil {
			t.Fatal(err)
		}
		unsigned, err := nem.BuildTransfer(nem.Transfer{
			Network: nem.NIS1Testnet, Signer: signer, Recipient: throwAway(nem.NIS1Testnet),
			Assets: []nem.AssetAmount{{ID: nem.Currency(nem.NIS1Testnet), Amount: 25_000_000}},
			Fee:    50_000, Timestamp: at, Deadline: at + 60,
		})
		if err != nil {
			t.Fatal(err)
		}
		message, err := nem.SigningBytes(nem.NIS1Testnet, unsigned)
		if err != nil {
			t.Fatal(err)
		}
		secret := seed
		if signer != key {
			secret = [32]byte{8}
		}
		signature, err := nem.SignNIS1(&secret, signer, message)
		if err != nil {
			t.Fatal(err)
		}
		announce, err := nem.Announce(nem.NIS1Testnet, unsigned, signature)
		if err != nil {
			t.Fatal(err)
		}
		return &rpc.Transaction{Announce: rpc.Announce{Body: announce.Body}}
	}
	mine := transaction(key)
	moved, err := in.takes(ask{wallet: "xem", announce: midnight + minute}, mine)
	if err != nil || len(moved) != 2 || moved[0].Amount != 25_000_000 || moved[1].Amount != 50_000 {
		t.Errorf("at its deadline: %+v, %v", moved, err)
	}
	if moved, err := in.takes(ask{wallet: "xem", announce: midnight + minute + 1000}, mine); err != nil || moved != nil {
		t.Errorf("after its deadline: %+v, %v", moved, err)
	}
	if _, err := in.takes(ask{wallet: "xem"}, transaction(nem.NIS1PublicKey(&[32]byte{8}))); err == nil || !strings.Contains(err.Error(), "another account") {
		t.Errorf("from another account: %v", err)
	}
	// Another amount under the same signature.
	spoilt := strings.Replace(mine.Announce.Body, "40787d01", "41787d01", 1)
	if spoilt == mine.Announce.Body {
		t.Fatal("the amount was not found in the bytes")
	}
	if _, err := in.takes(ask{wallet: "xem"}, &rpc.Transaction{Announce: rpc.Announce{Body: spoilt}}); err == nil {
		t.Error("a transaction that does not verify was counted")
	}
}

// TestWords: a treasurer reads sentences, never codes.
func TestWords(t *testing.T) {
	for code := range shortWords {
		a := answer{state: rpc.StateDenied, code: code}
		if words := a.words(); strings.Contains(words, "_") || !strings.HasPrefix(words, "refused: ") {
			t.Errorf("%s: %s", code, words)
		}
	}
	a := answer{state: rpc.StateDenied, code: policy.CodeFeeAboveCap} // has none of its own
	if words := a.words(); words != "refused: "+policy.Words(policy.CodeFeeAboveCap) {
		t.Error(words)
	}
}
