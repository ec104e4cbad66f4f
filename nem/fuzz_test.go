package nem

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// Seeds are the worked examples; crashers, when there are any, stand in
// testdata/fuzz and run as tests.

func FuzzDecode(f *testing.F) {
	all := loadExamples(f)
	for _, x := range all.NIS1 {
		f.Add(uint8(x.network(f, NIS1)), unhex(f, x.Data))
	}
	for _, x := range all.Symbol {
		if x.Payload != "" {
			f.Add(uint8(x.network(f, Symbol)), unhex(f, x.Payload))
		}
	}
	for kind, layout := range controlLayouts {
		// The shortest of each type that is only recognised: all counts zero.
		size := symbolHeaderSize
		for _, p := range layout {
			if p.role != each {
				size += p.size
			}
		}
		b := make([]byte, size)
		b[0], b[1], b[72] = byte(size), byte(size>>8), 1
		b[108], b[109], b[110], b[111] = 1, 0x98, byte(kind), byte(kind>>8)
		f.Add(uint8(SymbolTestnet), b)
	}
	f.Fuzz(func(t *testing.T, network uint8, b []byte) {
		n := Network(network)
		tx, err := Decode(n, b)
		if err != nil {
			return
		}
		if again := tx.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("encodes to %X, want %X", again, b)
		}
		checkEffect(t, &tx)
		d := tx.describe()
		if d.Type == "" || d.Control == "" && tx.body == nil && d.Message == nil {
			t.Fatalf("description is %+v", d)
		}
		sig := tx.Signature()
		if _, err := HashOf(n, b, sig); err != nil {
			t.Fatal(err)
		}
		if _, err := SigningBytes(n, b); err != nil {
			t.Fatal(err)
		}
		if whole, err := Attach(n, b, sig); err != nil || !bytes.Equal(whole, b) {
			t.Fatalf("attaching its own signature gives %X, %v", whole, err)
		}
		if transfer, ok := tx.Transfer(); ok {
			built, err := BuildTransfer(transfer)
			if err != nil || !bytes.Equal(must(Attach(n, built, sig)), b) {
				t.Fatalf("its intent builds %X, %v, want %X", built, err, b)
			}
		}
	})
}

func FuzzDetachedCosignature(f *testing.F) {
	for _, x := range loadExamples(f).Symbol {
		if x.Binary != "" {
			f.Add(unhex(f, x.Binary))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := DecodeDetachedCosignature(b); err == nil && !bytes.Equal(c.Encode(), b) {
			t.Fatalf("encodes to %X, want %X", c.Encode(), b)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for n := NIS1Mainnet; n < networkEnd; n++ {
		f.Add(uint8(n), PublicKey{byte(n)}.Address(n).Pretty())
	}
	f.Fuzz(func(t *testing.T, network uint8, text string) {
		n := Network(network)
		a, err := ParseAddress(n, text)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("%v with %v", a, err)
			}
			return
		}
		for _, form := range []string{a.String(), a.Pretty()} {
			if again, err := ParseAddress(n, form); err != nil || again != a {
				t.Fatalf("%q is read as %s and then as %v, %v", text, a, again, err)
			}
		}
		if raw, err := AddressFromRaw(n, a.Raw()); err != nil || raw != a || a.Network() != n {
			t.Fatalf("raw form of %s: %v, %v", a, raw, err)
		}
	})
}

func FuzzParseAssetID(f *testing.F) {
	f.Add(uint8(NIS1), "abc.def:g h")
	f.Add(uint8(Symbol), "6BED913FA20223F8")
	f.Fuzz(func(t *testing.T, chain uint8, text string) {
		id, err := ParseAssetID(Chain(chain), text)
		if err == nil && (id.String() != text || id.Chain() != Chain(chain)) {
			t.Fatalf("%q is read as %q", text, id)
		}
	})
}

func FuzzParseAmount(f *testing.F) {
	f.Add("18446744073709551615")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseAmount(text); err == nil && a.String() != text {
			t.Fatalf("%q is read as %s", text, a)
		}
	})
}

func FuzzParsePrivateKeyText(f *testing.F) {
	f.Add(uint8(NIS1), "00575DBB3062267EFF57C970A336EBBC8FBCFE12C5BD3ED7BC11EB0481D7704CED")
	f.Add(uint8(Symbol), "575DBB3062267EFF57C970A336EBBC8FBCFE12C5BD3ED7BC11EB0481D7704CED")
	f.Fuzz(func(t *testing.T, chain uint8, text string) {
		seed, err := ParsePrivateKeyText(Chain(chain), text)
		if err != nil {
			if seed != ([32]byte{}) {
				t.Fatal("a refused key leaves a seed")
			}
			return
		}
		if Chain(chain) == Symbol && !bytes.Equal(must(hex.DecodeString(text)), seed[:]) {
			t.Fatal("Symbol's key is not read as it stands")
		}
	})
}

func FuzzNodeAnswers(f *testing.F) {
	f.Add(200, []byte(`{"type":1,"code":1,"message":"SUCCESS","transactionHash":{"data":"00"},"innerTransactionHash":{}}`))
	f.Add(202, []byte(`{"message":"packet 9 was pushed to the network via /transactions"}`))
	f.Add(200, []byte(`{"group":"failed","code":"Failure_Core_Past_Deadline","hash":""}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, parse := range []func(int, []byte) (NodeAnswer, error){ParseNIS1Answer, ParseSymbolAnswer, ParseSymbolStatus} {
			if a, err := parse(status, body); err == nil && (a.Code == "" && status != 200 || a.Text == "") {
				t.Fatalf("answer is %+v", a)
			}
		}
	})
}

func FuzzLines(f *testing.F) {
	all := loadExamples(f)
	f.Add(uint8(NIS1Mainnet), []byte(all.NIS1[0].Data))
	f.Add(uint8(NIS1Mainnet), []byte(`{"data":"`+all.NIS1[0].Data+`","signature":"`+all.NIS1[0].Signature+`"}`))
	f.Add(uint8(SymbolTestnet), []byte(`{"payload":"`+all.Symbol[0].Payload+`"}`))
	f.Fuzz(func(t *testing.T, network uint8, line []byte) {
		var out bytes.Buffer
		if _, err := DescribeLine(&out, Network(network), line); err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("%v: %s", err, &out)
		}
		if v := VerifyLine(Network(network), line); v.Valid != (v.Reason == "") || v.Valid && v.Hash == "" {
			t.Fatalf("verification is %+v", v)
		}
	})
}
