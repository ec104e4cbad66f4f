package nem

import (
	"errors"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// signed is a message signed with a key of each chain.
func signed(t testing.TB, chain Chain) (PublicKey, []byte, Signature) {
	t.Helper()
	seed, message := [32]byte{7, 7, 7}, []byte("what is signed")
	if chain == Symbol {
		return symbolPublicKey(&seed), message, symbolSign(&seed, message)
	}
	pub := NIS1PublicKey(&seed)
	return pub, message, must(SignNIS1(&seed, pub, message))
}

// withS replaces a signature's S by a number.
func withS(sig Signature, s *big.Int) Signature {
	b := s.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	copy(sig[32:], b)
	return sig
}

func TestVerifyHoldsTheNodesRules(t *testing.T) {
	order, _ := new(big.Int).SetString("1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED", 16)
	for chain, n := range map[Chain]Network{NIS1: NIS1Mainnet, Symbol: SymbolMainnet} {
		pub, message, sig := signed(t, chain)
		s := slices.Clone(sig[32:])
		slices.Reverse(s)
		S := new(big.Int).SetBytes(s)
		for _, c := range []struct {
			name    string
			pub     PublicKey
			message []byte
			sig     Signature
			want    string
		}{
			{"as signed", pub, message, sig, ""},
			{"S is zero", pub, message, withS(sig, new(big.Int)), "S is zero"},
			{"S is the order", pub, message, withS(sig, order), "not below the group order"},
			{"S + L", pub, message, withS(sig, new(big.Int).Add(S, order)), "not below the group order"},
			{"S + 1", pub, message, withS(sig, new(big.Int).Add(S, big.NewInt(1))), "not made by this key"},
			{"another message", pub, message[1:], sig, "not made by this key"},
			{"another key", must(ParsePublicKey("C5F54BA980FCBB657DBAAA42700539B207873E134D2375EFEAB5F1AB52F87844")), message, sig, "signature is not valid"},
			{"zero key", PublicKey{}, message, sig, "all zero"},
			{"no point", PublicKey{2}, message, sig, "not a point"},
			{"zero signature", pub, message, Signature{}, "S is zero"},
		} {
			err := Verify(n, c.pub, c.message, c.sig)
			if (err != nil) != (c.want != "") || c.want != "" && (!contains(err, c.want) || !errors.Is(err, ErrSignature)) {
				t.Errorf("%s, %s: %v, want %q", chain, c.name, err, c.want)
			}
		}
		key, err := NewVerifyingKey(chain, pub)
		if err != nil || key.Key() != pub || key.Verify(message, sig) != nil || key.Verify(message[:3], sig) == nil {
			t.Errorf("%s: a verifying key: %v", chain, err)
		}
	}
	if _, err := NewVerifyingKey(0, PublicKey{1}); !contains(err, "no chain") {
		t.Error(err)
	}
}

// TestKeysOutsideTheSubgroup: Symbol's node refuses a key with a part of small
// order, NIS1's does not look. The signature below verifies under such a key
// without cofactor, since its challenge happens to be a multiple of 8.
func TestKeysOutsideTheSubgroup(t *testing.T) {
	// A point of order 8, in the encoding that Ed25519 papers give.
	torsion := must(new(edwards25519.Point).SetBytes(unhex(t, "C7176A703D4DD84FBA3C0B760D10670F2A2053FA2C39CCC64EC7FD7792AC037A")))
	seed := [32]byte{9}
	pub := NIS1PublicKey(&seed)
	mixed := PublicKey(new(edwards25519.Point).Add(must(new(edwards25519.Point).SetBytes(pub[:])), torsion).Bytes())
	if _, err := NewVerifyingKey(NIS1, mixed); err != nil {
		t.Errorf("NIS1 refuses a key with torsion: %v", err)
	}
	for name, key := range map[string]PublicKey{"mixed": mixed, "order 8": PublicKey(torsion.Bytes()), "order 1": {1}, "order 4": {}} {
		if name == "order 4" {
			key = PublicKey{31: 0x80} // y = 0, the other sign: the zero key has its own test
		}
		if _, err := NewVerifyingKey(Symbol, key); !errors.Is(err, ErrSignature) {
			t.Errorf("Symbol takes a key of %s: %v", name, err)
		}
	}
	verified := 0
	for i := range 64 {
		message := []byte{byte(i)}
		sig := must(SignNIS1(&seed, mixed, message))
		if Verify(NIS1Mainnet, mixed, message, sig) == nil {
			verified++
		}
		if Verify(SymbolMainnet, mixed, message, sig) == nil {
			t.Error("Symbol verifies under a key with torsion")
		}
	}
	if verified == 0 || verified == 64 {
		t.Errorf("%d of 64 signatures verify under a key with torsion, want about one in 8: the equation is not the cofactorless one", verified)
	}
}

func TestSigningRefusesTheZeroKey(t *testing.T) {
	if _, err := SignNIS1(new([32]byte), PublicKey{}, nil); !contains(err, "all zero") {
		t.Error(err)
	}
}

// TestSigningWipes looks at what wipe can reach.
func TestSigningWipes(t *testing.T) {
	var x secrets
	h := newKeccak512()
	if err := x.expand(h, &[32]byte{1}); err != nil {
		t.Fatal(err)
	}
	if x == (secrets{}) {
		t.Fatal("nothing to wipe")
	}
	if x.wipe(); x != (secrets{}) {
		t.Error("secrets are left")
	}
}
