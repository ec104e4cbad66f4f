package nem

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"

	"crypto/ed25519"

	json "github.com/go-json-experiment/json"
)

func TestSmoke(t *testing.T) {
	b, _ := os.ReadFile("testdata/worked-examples.json")
	var w struct {
		NIS1   []struct{ Name, Kind, Network, PrivateKey, Data, Signature, Hash string }                `json:"nis1"`
		Symbol []struct{ Name, Kind, Network, PrivateKey, Payload, SignedData, Signature, Hash string } `json:"symbol"`
	}
	if err := json.Unmarshal(b, &w, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	for _, x := range w.NIS1 {
		n, _ := ParseNetwork("nis1-" + x.Network)
		data, _ := hex.DecodeString(x.Data)
		seed, err := ParsePrivateKeyText(NIS1, x.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		pub := NIS1PublicKey(&seed)
		sig, _ := SignNIS1(&seed, pub, data)
		if sig.String() != x.Signature {
			t.Error(x.Name, "signature")
		}
		if h, _ := HashOf(n, data, sig); h.String() != x.Hash {
			t.Error(x.Name, "hash")
		}
		if err := Verify(n, pub, data, sig); err != nil {
			t.Error(err)
		}
		tx, err := Decode(n, data)
		if err != nil {
			t.Log(x.Name, err)
			continue
		}
		if tr, ok := tx.Transfer(); ok {
			t.Logf("%s %+v", x.Name, tr.Assets)
			f, err := MinimumFee(tr, Assets{})
			t.Log(f, tr.Fee, err)
		} else {
			t.Log(x.Name, "no transfer")
		}
		t.Logf("%+v", Effects(tx, Assets{xem: {}}))
	}
	for _, x := range w.Symbol {
		n, _ := ParseNetwork("symbol-" + x.Network)
		data, _ := hex.DecodeString(x.Payload)
		if len(data) == 0 {
			continue
		}
		sb, err := SigningBytes(n, data)
		if err != nil || !bytes.Equal(sb, must(hex.DecodeString(x.SignedData))) {
			t.Error(x.Name, "signed data", err)
		}
		seed, _ := ParsePrivateKeyText(Symbol, x.PrivateKey)
		k := ed25519.NewKeyFromSeed(seed[:])
		sig := Signature(ed25519.Sign(k, sb))
		if sig.String() != x.Signature {
			t.Error(x.Name, "sig")
		}
		if h, _ := HashOf(n, data, sig); h.String() != x.Hash {
			t.Error(x.Name, "hash")
		}
		if err := Verify(n, PublicKey(k.Public().(ed25519.PublicKey)), sb, sig); err != nil {
			t.Error(err)
		}
		tx, err := Decode(n, data)
		if err != nil {
			t.Log(x.Name, err)
			continue
		}
		tr, ok := tx.Transfer()
		t.Log(x.Name, ok, tr.Message)
		t.Logf("%+v", Effects(tx, Assets{Currency(n): {}}))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
