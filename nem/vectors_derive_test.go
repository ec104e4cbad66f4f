package nem

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// Kura makes no encrypted message and derives no key from a mnemonic. What the
// vectors of both say is composed here from libraries, so that the claims that
// rest on it (which bytes are reversed, which hash makes the scalar, what an
// encrypted payload looks like) are held to them.

// scalarOf is the clamped scalar of a seed.
func scalarOf(chain Chain, seed *[32]byte) *edwards25519.Scalar {
	if chain == NIS1 {
		var x secrets
		if err := x.expand(newKeccak512(), seed); err != nil {
			panic(err)
		}
		return &x.a
	}
	digest := sha512.Sum512(seed[:])
	return must(edwards25519.NewScalar().SetBytesWithClamping(digest[:32]))
}

func sharedPoint(t *testing.T, chain Chain, privateKey, otherPublicKey string) []byte {
	t.Helper()
	seed := must(ParsePrivateKeyText(chain, privateKey))
	point, err := new(edwards25519.Point).SetBytes(unhex(t, otherPublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return new(edwards25519.Point).ScalarMult(scalarOf(chain, &seed), point).Bytes()
}

func sharedKey(chain Chain, point []byte) []byte {
	info := "catapult"
	if chain == NIS1 {
		info = "nem-nis1"
	}
	return must(hkdf.Key(sha256.New, point, nil, info, 32))
}

// deprecatedSharedKey is the one of NIS1's older wallets.
func deprecatedSharedKey(point, salt []byte) []byte {
	mixed := slices.Clone(point)
	for i := range mixed {
		mixed[i] ^= salt[i]
	}
	key := keccak256(mixed)
	return key[:]
}

type deriveRow struct {
	PrivateKey     string `json:"privateKey"`
	OtherPublicKey string `json:"otherPublicKey"`
	Salt           string `json:"salt"`
	ScalarMul      string `json:"scalarMulResult"`
	SharedKey      string `json:"sharedKey"`
	Tag            string `json:"tag"`
	IV             string `json:"iv"`
	CipherText     string `json:"cipherText"`
	ClearText      string `json:"clearText"`
}

func TestVectorSharedKeys(t *testing.T) {
	for chain, files := range map[Chain][]string{
		NIS1:   {"nis1/3.test-derive-deprecated.json", "nis1/3.test-derive-hkdf.json"},
		Symbol: {"symbol/3.test-derive-hkdf.json"},
	} {
		for _, file := range files {
			for _, r := range vectors[[]deriveRow](t, file) {
				point := sharedPoint(t, chain, r.PrivateKey, r.OtherPublicKey)
				if upperHex(point) != r.ScalarMul {
					t.Errorf("%s: a·P is %X, want %s", file, point, r.ScalarMul)
				}
				key := sharedKey(chain, point)
				if r.Salt != "" {
					key = deprecatedSharedKey(point, unhex(t, r.Salt))
				}
				if upperHex(key) != r.SharedKey {
					t.Errorf("%s: shared key is %X, want %s", file, key, r.SharedKey)
				}
			}
		}
	}
}

// TestVectorCiphers decrypts every row, and has the payload that a transaction
// would carry recognised as encrypted, neither text nor raw bytes.
func TestVectorCiphers(t *testing.T) {
	for chain, file := range map[Chain]string{NIS1: "nis1/4.test-cipher.json", Symbol: "symbol/4.test-cipher.json"} {
		for _, r := range vectors[[]deriveRow](t, file) {
			block := must(aes.NewCipher(sharedKey(chain, sharedPoint(t, chain, r.PrivateKey, r.OtherPublicKey))))
			sealed := append(unhex(t, r.CipherText), unhex(t, r.Tag)...)
			clear, err := must(cipher.NewGCM(block)).Open(nil, unhex(t, r.IV), sealed, nil)
			if err != nil || upperHex(clear) != r.ClearText {
				t.Errorf("%s: clear text is %X, %v, want %s", file, clear, err, r.ClearText)
			}
			payload := r.Tag + r.IV + r.CipherText
			if chain == Symbol {
				payload = "01" + payload
			}
			if m := messageOf(chain, string(unhex(t, payload)), chain == NIS1); m.Kind() != MessageEncrypted {
				t.Errorf("%s: payload is taken for %s", file, m.Kind())
			}
		}
	}
	for _, r := range vectors[[]deriveRow](t, "nis1/4.test-cipher-deprecated.json") {
		point := sharedPoint(t, NIS1, r.PrivateKey, r.OtherPublicKey)
		block := must(aes.NewCipher(deprecatedSharedKey(point, unhex(t, r.Salt))))
		clear := unhex(t, r.CipherText)
		cipher.NewCBCDecrypter(block, unhex(t, r.IV)).CryptBlocks(clear, clear)
		clear = clear[:len(clear)-int(clear[len(clear)-1])]
		if upperHex(clear) != r.ClearText {
			t.Errorf("clear text is %X, want %s", clear, r.ClearText)
		}
		if m := messageOf(NIS1, string(unhex(t, r.Salt+r.IV+r.CipherText)), true); m.Kind() != MessageEncrypted || m.size(NIS1) < 64 {
			t.Errorf("payload is taken for %s of %d bytes", m.Kind(), m.size(NIS1))
		}
	}
}

// TestVectorHD derives SLIP-10 keys over ed25519, which both chains use with
// their own curve name. The 32 bytes are the seed as they are: reversing them,
// as NIS1 texts are, would miss every public key.
func TestVectorHD(t *testing.T) {
	type account struct {
		Path      []uint32 `json:"path"`
		PublicKey string   `json:"publicKey"`
	}
	type root struct {
		Seed          string    `json:"seed"`
		RootPublicKey string    `json:"rootPublicKey"`
		Children      []account `json:"childAccounts"`
	}
	for chain, curve := range map[Chain]string{NIS1: "ed25519-keccak seed", Symbol: "ed25519 seed"} {
		derive := func(seed []byte, path []uint32) string {
			mac := func(key, data []byte) []byte {
				h := hmac.New(sha512.New, key)
				h.Write(data)
				return h.Sum(nil)
			}
			node := mac([]byte(curve), seed)
			for _, index := range path {
				data := append([]byte{0}, node[:32]...)
				node = mac(node[32:], binary.BigEndian.AppendUint32(data, index|1<<31))
			}
			key := [32]byte(node[:32])
			if chain == NIS1 && len(path) == 0 {
				// The file's makers printed the root as if it were a key text.
				slices.Reverse(key[:])
			}
			if chain == NIS1 {
				return NIS1PublicKey(&key).String()
			}
			return symbolPublicKey(&key).String()
		}
		for name, roots := range vectors[map[string][]root](t, chain.String()+"/6.test-hd-derivation.json") {
			for _, r := range roots {
				seed := unhex(t, r.Seed)
				if got := derive(seed, nil); got != r.RootPublicKey {
					t.Errorf("%s %s: root key is %s, want %s", chain, name, got, r.RootPublicKey)
				}
				for _, c := range r.Children {
					if got := derive(seed, c.Path); got != c.PublicKey {
						t.Errorf("%s %s %v: key is %s, want %s", chain, name, c.Path, got, c.PublicKey)
					}
				}
			}
		}
	}
}
