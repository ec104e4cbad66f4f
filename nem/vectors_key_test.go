package nem

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha3"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

type keyRow struct {
	PrivateKey string `json:"privateKey"`
	PublicKey  string `json:"publicKey"`
}

// symbolPublicKey and symbolSign are what a token does for Symbol.
func symbolPublicKey(seed *[32]byte) PublicKey {
	return PublicKey(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
}

func symbolSign(seed *[32]byte, message []byte) Signature {
	return Signature(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), message))
}

func TestVectorKeys(t *testing.T) {
	for _, chain := range []Chain{NIS1, Symbol} {
		for _, row := range vectors[[]keyRow](t, chain.String()+"/1.test-keys.json") {
			seed, err := ParsePrivateKeyText(chain, row.PrivateKey)
			if err != nil {
				t.Fatal(err)
			}
			pub := symbolPublicKey(&seed)
			if chain == NIS1 {
				pub = NIS1PublicKey(&seed)
			}
			if pub.String() != row.PublicKey {
				t.Errorf("%s: public key is %s, want %s", chain, pub, row.PublicKey)
			}
			if _, err := NewVerifyingKey(chain, pub); err != nil {
				t.Errorf("%s %s: %v", chain, pub, err)
			}
		}
	}
}

func TestVectorAddresses(t *testing.T) {
	type row struct {
		PublicKey   string `json:"publicKey"`
		Public      string `json:"address_Public"`
		PublicTest  string `json:"address_PublicTest"`
		Mijin       string `json:"address_Mijin"`
		Private     string `json:"address_Private"`
		PrivateTest string `json:"address_PrivateTest"`
	}
	check := func(n Network, publicKey, want string) {
		t.Helper()
		key, err := ParsePublicKey(publicKey)
		if err != nil {
			t.Fatal(err)
		}
		a := key.Address(n)
		if a.String() != want {
			t.Errorf("%s address of %s is %s, want %s", n, key, a, want)
		}
		for _, text := range []string{want, strings.ToLower(want), a.Pretty()} {
			if back, err := ParseAddress(n, text); err != nil || back != a {
				t.Errorf("%s: %v, %v", text, back, err)
			}
		}
		if back, err := AddressFromRaw(n, a.Raw()); err != nil || back != a {
			t.Errorf("raw %s: %v, %v", want, back, err)
		}
	}
	for _, r := range vectors[[]row](t, "nis1/1.test-address.json") {
		check(NIS1Mainnet, r.PublicKey, r.Public)
		check(NIS1Testnet, r.PublicKey, r.PublicTest)
		check(NIS1Mijin, r.PublicKey, r.Mijin)
	}
	for _, r := range vectors[[]row](t, "symbol/1.test-address.json") {
		check(SymbolMainnet, r.PublicKey, r.Public)
		check(SymbolTestnet, r.PublicKey, r.PublicTest)
		check(SymbolPrivate, r.PublicKey, r.Private)
		check(SymbolPrivateTest, r.PublicKey, r.PrivateTest)
	}
}

func TestVectorSignatures(t *testing.T) {
	type row struct {
		keyRow
		Signature string `json:"signature"`
		Data      string `json:"data"`
	}
	for _, r := range vectors[[]row](t, "nis1/2.test-sign.json") {
		seed := must(ParsePrivateKeyText(NIS1, r.PrivateKey))
		pub, data := NIS1PublicKey(&seed), unhex(t, r.Data)
		if r.PublicKey != "" && pub.String() != r.PublicKey {
			t.Errorf("public key is %s, want %s", pub, r.PublicKey)
		}
		sig, err := SignNIS1(&seed, pub, data)
		if err != nil || !strings.EqualFold(sig.String(), r.Signature) {
			t.Errorf("signature of %s is %s, %v, want %s", r.Data, sig, err, r.Signature)
		}
		if err := Verify(NIS1Mainnet, pub, data, sig); err != nil {
			t.Errorf("%s: %v", r.Data, err)
		}
		if Verify(SymbolMainnet, pub, data, sig) == nil {
			t.Errorf("%s: a NIS1 signature verifies as Symbol's", r.Data)
		}
	}
	for _, r := range vectors[[]row](t, "symbol/2.test-sign.json") {
		seed := must(ParsePrivateKeyText(Symbol, r.PrivateKey))
		pub, data := symbolPublicKey(&seed), unhex(t, r.Data)
		sig := symbolSign(&seed, data)
		if pub.String() != r.PublicKey || sig.String() != r.Signature {
			t.Errorf("key %s, signature %s, want %s, %s", pub, sig, r.PublicKey, r.Signature)
		}
		if err := Verify(SymbolMainnet, pub, data, must(ParseSignature(r.Signature))); err != nil {
			t.Errorf("%s: %v", r.Data, err)
		}
	}
}

func TestVectorHashes(t *testing.T) {
	type file []struct {
		Hash string `json:"hash"`
		Data string `json:"data"`
	}
	for _, r := range vectors[file](t, "symbol/0.test-keccak-256.json") {
		if got := keccak256(unhex(t, r.Data)); got.String() != r.Hash {
			t.Errorf("Keccak-256 of %s is %s, want %s", r.Data, got, r.Hash)
		}
	}
	for _, r := range vectors[file](t, "symbol/0.test-sha3-256.json") {
		if got := Hash(sha3.Sum256(unhex(t, r.Data))); got.String() != r.Hash {
			t.Errorf("SHA3-256 of %s is %s, want %s", r.Data, got, r.Hash)
		}
	}
}

// TestVectorVotingKeys holds Symbol's key derivation and verification to the
// files of voting keys: a header, then for each epoch, the last one first, a
// private key and the root key's signature of its public key and epoch.
func TestVectorVotingKeys(t *testing.T) {
	type row struct {
		Name           string `json:"name"`
		RootPrivateKey string `json:"rootPrivateKey"`
		StartEpoch     uint64 `json:"startEpoch"`
		EndEpoch       uint64 `json:"endEpoch"`
		File           string `json:"expectedFileHex"`
	}
	le := func(v uint64) []byte {
		b := make([]byte, 8)
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		return b
	}
	for _, r := range vectors[[]row](t, "symbol/7.test-voting-keys-generation.json") {
		rootSeed := must(ParsePrivateKeyText(Symbol, r.RootPrivateKey))
		root := symbolPublicKey(&rootSeed)
		span := slices.Concat(le(r.StartEpoch), le(r.EndEpoch))
		want := slices.Concat(span, bytes.Repeat([]byte{0xFF}, 16), root[:], span)
		file := unhex(t, r.File)
		if !bytes.HasPrefix(file, want) {
			t.Fatalf("%s: header is %X, want %X", r.Name, file[:len(want)], want)
		}
		file = file[len(want):]
		for epoch := r.EndEpoch; epoch >= r.StartEpoch; epoch-- {
			if len(file) < 96 {
				t.Fatalf("%s: the file ends before epoch %d", r.Name, epoch)
			}
			seed, sig := [32]byte(file[:32]), Signature(file[32:96])
			file = file[96:]
			child := symbolPublicKey(&seed)
			message := append(child[:], le(epoch)...)
			if err := Verify(SymbolMainnet, root, message, sig); err != nil {
				t.Errorf("%s, epoch %d: %v", r.Name, epoch, err)
			}
			if again := symbolSign(&rootSeed, message); again != sig {
				t.Errorf("%s, epoch %d: signature is %s, want %s", r.Name, epoch, again, hex.EncodeToString(sig[:]))
			}
		}
		if len(file) != 0 {
			t.Errorf("%s: %d bytes are left over", r.Name, len(file))
		}
	}
}
