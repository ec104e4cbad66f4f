package nem

import (
	"crypto/ed25519"
	"crypto/sha512"
	"testing"

	"filippo.io/edwards25519"
)

// benchTransfers are one usual transfer of each chain, with a message, signed.
type benchTransfer struct {
	network Network
	bytes   []byte
	message []byte // what is signed
	sig     Signature
	seed    [32]byte
	pub     PublicKey
	assets  Assets
}

func benchTransfers(tb testing.TB) map[string]*benchTransfer {
	tb.Helper()
	all := map[string]*benchTransfer{}
	for name, x := range map[string]struct {
		network Network
		assets  []AssetAmount
	}{
		"nis1":        {NIS1Mainnet, []AssetAmount{{xem, 1_500_000}}},
		"nis1mosaics": {NIS1Mainnet, []AssetAmount{{xem, 5}, {must(ParseAssetID(NIS1, "dim:coin")), 7}}},
		"symbol":      {SymbolMainnet, []AssetAmount{{Currency(SymbolMainnet), 1_500_000}}},
	} {
		b := &benchTransfer{network: x.network, seed: [32]byte{1, 2, 3}, assets: Assets{}}
		b.pub = NIS1PublicKey(&b.seed)
		if x.network.Chain() == Symbol {
			b.pub = symbolPublicKey(&b.seed)
		}
		t := Transfer{
			Network: x.network, Signer: b.pub, Recipient: PublicKey{9}.Address(x.network), Assets: x.assets,
			Message: must(TextMessage("invoice 42")), Fee: 100_000, Timestamp: 300_000_000, Deadline: 300_001_800,
		}
		if x.network.Chain() == Symbol {
			t.Timestamp = 0
		}
		for _, a := range x.assets {
			b.assets[a.ID] = Asset{ID: a.ID}
		}
		b.bytes = must(BuildTransfer(t))
		b.message = must(SigningBytes(x.network, b.bytes))
		if x.network.Chain() == Symbol {
			b.sig = symbolSign(&b.seed, b.message)
		} else {
			b.sig = must(SignNIS1(&b.seed, b.pub, b.message))
		}
		b.bytes = must(Attach(x.network, b.bytes, b.sig))
		all[name] = b
	}
	return all
}

// judge is what the hot path does with every transaction that leaves.
func (b *benchTransfer) judge() (Hash, Effect, error) {
	tx, err := Decode(b.network, b.bytes)
	if err != nil {
		return Hash{}, Effect{}, err
	}
	e := Effects(tx, b.assets)
	h, err := HashOf(b.network, b.bytes, b.sig)
	return h, e, err
}

// TestJudgingAllocatesLittle holds decode, effects and hash of a transfer to
// three allocations: the immutable copy, the mosaics, the outflows.
func TestJudgingAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	for name, b := range benchTransfers(t) {
		if _, e, err := b.judge(); err != nil || e.Control {
			t.Fatalf("%s: %+v, %v", name, e, err)
		}
		if n := testing.AllocsPerRun(200, func() { _, _, _ = b.judge() }); n > 3 {
			t.Errorf("%s: %v allocations, want at most 3", name, n)
		}
	}
}

func BenchmarkDecodeEffectsHash(b *testing.B) {
	for name, x := range benchTransfers(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := x.judge(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, x := range benchTransfers(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(x.network, x.bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEffects(b *testing.B) {
	for name, x := range benchTransfers(b) {
		tx := must(Decode(x.network, x.bytes))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if e := Effects(tx, x.assets); e.Control {
					b.Fatal(e.Why)
				}
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	for name, x := range benchTransfers(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := HashOf(x.network, x.bytes, x.sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for name, x := range benchTransfers(b) {
		tx := must(Decode(x.network, x.bytes))
		transfer, _ := tx.Transfer()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := BuildTransfer(transfer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAddress(b *testing.B) {
	for name, x := range benchTransfers(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := x.pub.Address(x.network); a.IsZero() {
					b.Fatal("no address")
				}
			}
		})
	}
}

// BenchmarkSign signs NIS1 as the sealed custody does. Symbol's signing is the
// token's; Go's own Ed25519 stands here for comparison.
func BenchmarkSign(b *testing.B) {
	all := benchTransfers(b)
	nis1, symbol := all["nis1"], all["symbol"]
	b.Run("nis1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := SignNIS1(&nis1.seed, nis1.pub, nis1.message); err != nil {
				b.Fatal(err)
			}
		}
	})
	key := ed25519.NewKeyFromSeed(symbol.seed[:])
	b.Run("symbol-go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = ed25519.Sign(key, symbol.message)
		}
	})
}

// BenchmarkVerifyingKey is what a key costs once: its point, and in Symbol the
// test that it is in the prime-order subgroup.
func BenchmarkVerifyingKey(b *testing.B) {
	for name, x := range benchTransfers(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewVerifyingKey(x.network.Chain(), x.pub); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify verifies with the key decoded before, with a key decoded each
// time, and does the bare curve operations of each: the floor that verification
// is held to, in the same run.
func BenchmarkVerify(b *testing.B) {
	for name, x := range benchTransfers(b) {
		key := must(NewVerifyingKey(x.network.Chain(), x.pub))
		b.Run(name+"/key-at-hand", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := key.Verify(x.message, x.sig); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/key-each-time", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Verify(x.network, x.pub, x.message, x.sig); err != nil {
					b.Fatal(err)
				}
			}
		})
		digest := sha512.Sum512(x.message)
		k := must(edwards25519.NewScalar().SetUniformBytes(digest[:]))
		s := must(edwards25519.NewScalar().SetCanonicalBytes(x.sig[32:]))
		minusA := new(edwards25519.Point).Negate(must(new(edwards25519.Point).SetBytes(x.pub[:])))
		b.Run(name+"/bare-curve", func(b *testing.B) {
			for b.Loop() {
				var R edwards25519.Point
				_ = R.VarTimeDoubleScalarBaseMult(k, minusA, s).Bytes()
			}
		})
		b.Run(name+"/bare-curve-and-key", func(b *testing.B) {
			for b.Loop() {
				A, err := new(edwards25519.Point).SetBytes(x.pub[:])
				if err != nil {
					b.Fatal(err)
				}
				var R edwards25519.Point
				_ = R.VarTimeDoubleScalarBaseMult(k, A.Negate(A), s).Bytes()
			}
		})
	}
}
