package nem

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Generators of everything that Compose takes.

var networksBuilt = []Network{NIS1Mainnet, NIS1Testnet, NIS1Mijin, SymbolMainnet, SymbolTestnet}

func drawArray[T ~[32]byte](t *rapid.T, label string) T {
	b := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, label)
	b[0] |= 1 // never zero
	return T(b)
}

func drawAsset(t *rapid.T, n Network) AssetAmount {
	a := AssetAmount{ID: Currency(n), Amount: Amount(rapid.Uint64().Draw(t, "amount"))}
	switch {
	case rapid.Bool().Draw(t, "currency"):
	case n.Chain() == Symbol:
		a.ID.mosaic = rapid.Uint64Range(1, 1<<63-1).Draw(t, "mosaic")
	default:
		text := rapid.StringMatching(`[a-z0-9][a-z0-9_-]{0,15}(\.[a-z0-9][a-z0-9_-]{0,20}){0,2}:[a-z0-9][a-z0-9'_-]{0,10}( [a-z0-9'_-]{1,10})?`).Draw(t, "asset")
		a.ID = must(ParseAssetID(NIS1, text))
	}
	return a
}

func drawMessage(t *rapid.T, n Network) Message {
	b := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "message")
	if len(b) == 0 {
		return NoMessage()
	}
	// As it would be read: one payload has one reading.
	return messageOf(n.Chain(), string(b), rapid.Bool().Draw(t, "encrypted"))
}

func drawTransferBody(t *rapid.T, n Network) TransferBody {
	b := TransferBody{Recipient: drawArray[PublicKey](t, "recipient").Address(n), Message: drawMessage(t, n)}
	if n.Chain() == NIS1 {
		b.Amount = Amount(rapid.Uint64().Draw(t, "amount field"))
	}
	for range rapid.IntRange(0, 4).Draw(t, "mosaics") {
		a := drawAsset(t, n)
		a.Amount >>= 8 // so that merging cannot overflow
		b.Mosaics = append(b.Mosaics, a)
	}
	return b
}

func drawHeader(t *rapid.T, n Network, signer PublicKey) Header {
	h := Header{Network: n, Signer: signer, Fee: Amount(rapid.Uint64().Draw(t, "fee"))}
	if n.Chain() == Symbol {
		h.Deadline = rapid.Uint64().Draw(t, "deadline")
		return h
	}
	h.Timestamp = rapid.Uint64Range(0, maxNIS1Time).Draw(t, "timestamp")
	h.Deadline = rapid.Uint64Range(0, maxNIS1Time).Draw(t, "deadline")
	return h
}

func drawModification(t *rapid.T) ModificationBody {
	b := ModificationBody{HasRelativeChange: true, RelativeChange: rapid.Int32().Draw(t, "relative")}
	for range rapid.IntRange(0, 5).Draw(t, "changes") {
		kind := rapid.SampledFrom([]ChangeKind{AddCosignatory, DeleteCosignatory}).Draw(t, "kind")
		c := CosignatoryChange{kind, drawArray[PublicKey](t, "cosignatory")}
		if !slices.Contains(b.Changes, c) {
			b.Changes = append(b.Changes, c)
		}
	}
	return b
}

func drawBody(t *rapid.T, n Network) Body {
	if n.Chain() == NIS1 {
		switch rapid.IntRange(0, 4).Draw(t, "type") {
		case 0:
			return drawModification(t)
		case 1:
			return CosignatureBody{drawArray[Hash](t, "hash"), drawArray[PublicKey](t, "account").Address(n)}
		case 2:
			var body Body = drawTransferBody(t, n)
			if rapid.Bool().Draw(t, "modification inside") {
				body = drawModification(t)
			}
			return MultisigBody{must(Compose(drawHeader(t, n, drawArray[PublicKey](t, "inner signer")), body))}
		}
		return drawTransferBody(t, n)
	}
	switch rapid.IntRange(0, 3).Draw(t, "type") {
	case 0:
		return drawHashLock(t, n)
	case 1:
		b := AggregateBody{Bonded: rapid.Bool().Draw(t, "bonded")}
		for range rapid.IntRange(1, 4).Draw(t, "embedded") {
			var body Body = drawTransferBody(t, n)
			if rapid.IntRange(0, 9).Draw(t, "lock inside") == 0 {
				body = drawHashLock(t, n)
			}
			b.Embedded = append(b.Embedded, must(Compose(Header{Network: n, Signer: drawArray[PublicKey](t, "embedded signer"), Embedded: true}, body)))
		}
		return b
	}
	return drawTransferBody(t, n)
}

func drawHashLock(t *rapid.T, n Network) HashLockBody {
	return HashLockBody{drawAsset(t, n), rapid.Uint64().Draw(t, "duration"), drawArray[Hash](t, "hash")}
}

// drawSigned is a random transaction, signed, and cosigned if it is an aggregate.
func drawSigned(t *rapid.T) (Network, Transaction, []byte, Signature) {
	n := rapid.SampledFrom(networksBuilt).Draw(t, "network")
	seed := drawArray[[32]byte](t, "seed")
	sign := func(message []byte) Signature { return symbolSign(&seed, message) }
	signer := symbolPublicKey(&seed)
	if n.Chain() == NIS1 {
		signer = NIS1PublicKey(&seed)
		sign = func(message []byte) Signature { return must(SignNIS1(&seed, signer, message)) }
	}
	header, body := drawHeader(t, n, signer), drawBody(t, n)
	tx, err := Compose(header, body)
	if err != nil {
		t.Fatalf("compose %+v: %v", body, err)
	}
	sig := sign(must(SigningBytes(n, tx.Encode())))
	if aggregate, ok := tx.Body().(AggregateBody); ok && rapid.Bool().Draw(t, "cosigned") {
		hash := must(HashOf(n, tx.Encode(), sig))
		aggregate.Cosignatures = []AggregateCosignature{{signer, sign(hash[:])}}
		tx = must(Compose(header, aggregate))
	}
	return n, tx, must(Attach(n, tx.Encode(), sig)), sig
}

// TestIntentsComeBack: what BuildTransfer takes is what its bytes say, but for
// the order of the assets and for which of two readings a raw message has.
func TestIntentsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom(networksBuilt).Draw(t, "network")
		h := drawHeader(t, n, drawArray[PublicKey](t, "signer"))
		want := Transfer{
			Network: n, Signer: h.Signer, Recipient: drawArray[PublicKey](t, "recipient").Address(n),
			Assets: []AssetAmount{drawAsset(t, n)}, Fee: h.Fee, Timestamp: h.Timestamp, Deadline: h.Deadline,
		}
		if b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "message"); len(b) > 0 {
			want.Message = must(HexMessage(b))
		}
		if a := &want.Assets[0]; n.Chain() == NIS1 {
			a.Amount %= nis1MaxQuantity
			want.Timestamp /= 2
			want.Deadline = want.Timestamp + 1 + want.Deadline%nis1MaxLife
		}
		want.Assets[0].Amount |= 1
		want.Deadline = max(want.Deadline, 1)
		b, err := BuildTransfer(want)
		if contains(err, "read as encrypted") {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		tx := must(Decode(n, b))
		got, ok := tx.Transfer()
		if !ok || !bytes.Equal(got.Message.Payload(n.Chain()), want.Message.Payload(n.Chain())) {
			t.Fatalf("%v: message is %X, want %X", ok, got.Message.Payload(n.Chain()), want.Message.Payload(n.Chain()))
		}
		got.Message = want.Message
		if diff := cmp.Diff(want, got, cmpTransfers); diff != "" {
			t.Fatalf("what was built says otherwise (-want +got):\n%s", diff)
		}
	})
}

func TestWhatIsComposedDecodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, composed, b, sig := drawSigned(t)
		tx, err := Decode(n, b)
		if err != nil {
			t.Fatal(err)
		}
		if again := tx.Encode(); !bytes.Equal(again, b) {
			t.Fatalf("encodes to %X, want %X", again, b)
		}
		composed.signature = tx.signature
		if diff := cmp.Diff(composed.Body(), tx.Body(), cmp.AllowUnexported(Transaction{}, Address{}, AssetID{}, Message{})); diff != "" {
			t.Fatalf("body (-composed +decoded):\n%s", diff)
		}
		if err := VerifyTransaction(n, b, sig); err != nil {
			t.Fatal(err)
		}
		checkEffect(t, &tx)
	})
}

// checkEffect holds what Effects promises of every transaction: with every
// asset in the registry or none, it is control or has outflows, a fee among
// them, and whatever moves by name is listed.
func checkEffect(t interface{ Fatalf(string, ...any) }, tx *Transaction) {
	for _, assets := range []Assets{nil, tx.allAssets(nil)} {
		e := Effects(*tx, assets)
		if e.Control == (len(e.Outflows) > 0) || e.Control == (e.Why == "") {
			t.Fatalf("effect is %+v", e)
		}
		fees := 0
		for _, o := range e.Outflows {
			if o.Kind == OutflowFee {
				fees++
			} else if _, listed := assets[o.Asset]; !listed {
				t.Fatalf("%s moves and is not in the registry", o.Asset)
			}
			if o.Payer == (PublicKey{}) || o.Asset == (AssetID{}) {
				t.Fatalf("outflow is %+v", o)
			}
		}
		if !e.Control && fees == 0 {
			t.Fatalf("no fee among %+v", e.Outflows)
		}
	}
}

// TestMutations flips any bit of a signed transaction, or of its signature:
// either it no longer decodes, or it no longer verifies.
func TestMutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, _, b, sig := drawSigned(t)
		for range 20 {
			at := rapid.IntRange(0, 8*(len(b)+len(sig))-1).Draw(t, "bit")
			checkMutation(t, n, b, sig, at)
		}
	})
}

// TestEveryMutationOfTheExamples flips every bit of the worked examples.
func TestEveryMutationOfTheExamples(t *testing.T) {
	all := loadExamples(t)
	for chain, list := range map[Chain][]example{NIS1: all.NIS1, Symbol: all.Symbol} {
		for _, x := range list {
			b, sig := unhex(t, x.Data+x.Payload), must(ParseSignature(x.Signature+strings128(x.Signature)))
			if len(b) == 0 {
				continue // a detached cosignature
			}
			step := 1
			if testing.Short() || raceEnabled {
				step = 31
			}
			for at := 0; at < 8*(len(b)+len(sig)); at += step {
				checkMutation(t, x.network(t, chain), b, sig, at)
			}
		}
	}
}

// strings128 stands in for the signature that a detached cosignature lacks.
func strings128(sig string) string {
	if sig != "" {
		return ""
	}
	return Signature{}.String()
}

func checkMutation(t interface{ Fatalf(string, ...any) }, n Network, b []byte, sig Signature, at int) {
	changed := slices.Concat(b, sig[:])
	changed[at/8] ^= 1 << (at % 8)
	mutant, mutantSig := changed[:len(b)], Signature(changed[len(b):])
	if n.Chain() == Symbol && at < 8*len(b) {
		mutantSig = Signature(mutant[signatureOffset:signerOffset])
	}
	if err := VerifyTransaction(n, mutant, mutantSig); err == nil {
		t.Fatalf("bit %d of %X changed, it still verifies", at, b)
	}
}

// TestChangedAddressesAreRefused: one changed character is never another address of
// the same network, whatever the chain.
func TestChangedAddressesAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]Network{NIS1Mainnet, NIS1Testnet, NIS1Mijin, SymbolMainnet, SymbolTestnet, SymbolPrivate, SymbolPrivateTest}).Draw(t, "network")
		a := drawArray[PublicKey](t, "key").Address(n)
		text := []byte(a.String())
		at := rapid.IntRange(0, len(text)-1).Draw(t, "position")
		text[at] = rapid.SampledFrom([]byte(base32Alphabet)).Draw(t, "character")
		got, err := ParseAddress(n, string(text))
		if (err == nil) != (got == a) || (string(text) == a.String()) != (err == nil) {
			t.Fatalf("%s for %s: %v, %v", text, a, got, err)
		}
	})
}
