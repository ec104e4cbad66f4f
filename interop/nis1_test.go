package interop

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"kura/nem"
)

func nis1Account(r *rand.Rand) account {
	a := account{text: fmt.Sprintf("%X", randomBytes(r, 32))}
	a.seed = must(nem.ParsePrivateKeyText(nem.NIS1, a.text))
	a.pub = nem.NIS1PublicKey(&a.seed)
	return a
}

// randomKey is a public key whose owner does not matter: any 32 bytes have an
// address.
func randomKey(r *rand.Rand) nem.PublicKey { return nem.PublicKey(randomBytes(r, 32)) }

// example is one random transaction: what both sides are told, what Kura made
// of it, and how.
type example struct {
	network nem.Network
	signer  account
	fields  fields
	header  nem.Header
	body    nem.Body
	tx      nem.Transaction
	data    []byte
	sig     nem.Signature
	assets  nem.Assets
	cosigns []account // Symbol aggregates
}

func (x *example) networkName() string {
	if x.network.IsMainnet() {
		return "mainnet"
	}
	return "testnet"
}

func randomNIS1(r *rand.Rand) *example {
	x := &example{network: nem.NIS1Testnet, signer: nis1Account(r), assets: nem.Assets{}}
	if r.IntN(2) == 0 {
		x.network = nem.NIS1Mainnet
	}
	x.header, x.fields = nis1Header(r, x.network, x.signer.pub)
	switch r.IntN(10) {
	case 0:
		x.modification(r)
	case 1:
		x.cosignature(r)
	case 2, 3:
		inner := &example{network: x.network, signer: nis1Account(r), assets: x.assets}
		inner.header, inner.fields = nis1Header(r, x.network, inner.signer.pub)
		if r.IntN(4) == 0 {
			inner.modification(r)
		} else {
			inner.transfer(r)
		}
		x.fields.Kind, x.fields.Version, x.fields.Inner = "multisig", 1, &inner.fields
		x.body = nem.MultisigBody{Inner: must(nem.Compose(inner.header, inner.body))}
	default:
		x.transfer(r)
	}
	x.tx = must(nem.Compose(x.header, x.body))
	x.data = x.tx.Encode()
	x.sig = must(nem.SignNIS1(&x.signer.seed, x.signer.pub, must(nem.SigningBytes(x.network, x.data))))
	return x
}

func nis1Header(r *rand.Rand, n nem.Network, signer nem.PublicKey) (nem.Header, fields) {
	timestamp := uint64(r.Uint32N(1 << 30))
	h := nem.Header{
		Network: n, Signer: signer, Timestamp: timestamp, Deadline: timestamp + 1 + uint64(r.Uint32N(86_400)),
		// JavaScript's numbers bound what nem-sdk can be told.
		Fee: nem.Amount(r.Uint64N(1 << 53)),
	}
	id := byte(0x98)
	if n.IsMainnet() {
		id = 0x68
	}
	return h, fields{
		NetworkByte: id, Signer: signer.String(), Timestamp: timestamp, Deadline: h.Deadline, Fee: h.Fee.String(),
	}
}

func (x *example) transfer(r *rand.Rand) {
	b := nem.TransferBody{Recipient: randomKey(r).Address(x.network), Amount: nem.Amount(r.Uint64N(1 << 53))}
	f := &x.fields
	x.header.Version = uint8(1 + r.IntN(2))
	if x.header.Version == 2 {
		f.Mosaics = []mosaic{}
		if n := r.IntN(11); n > 0 {
			b.Amount = nem.Amount(r.Uint64N(1<<13)) * 1_000_000
			x.mosaics(r, &b, n)
		}
	}
	b.Message = x.message(r)
	f.Kind, f.Version, f.Recipient, f.Amount = "transfer", x.header.Version, b.Recipient.String(), b.Amount.String()
	x.body = b
}

// message makes a text or raw message of any length. Encrypted ones Kura never
// makes; they come from the other side (see TestNIS1Encrypted).
func (x *example) message(r *rand.Rand) nem.Message {
	var m nem.Message
	switch n := 1 + r.IntN(1022); r.IntN(4) {
	case 0:
		return m
	case 1:
		m = must(nem.TextMessage(strings.Repeat("é5", (n+2)/3)))
	default:
		m = must(nem.HexMessage(randomBytes(r, n)))
	}
	x.fields.Message = &message{Hex: fmt.Sprintf("%X", m.Payload(x.network.Chain()))}
	return m
}

// mosaics adds n different mosaics, told to the SDKs in the node's order, and
// says in the registry what the fee needs.
func (x *example) mosaics(r *rand.Rand, b *nem.TransferBody, n int) {
	for len(b.Mosaics) < n {
		id := nem.Currency(x.network)
		if r.IntN(5) > 0 {
			id = must(nem.ParseAssetID(nem.NIS1, randomName(r, 16)+strings.Repeat("."+randomName(r, 20), r.IntN(3))+":"+randomName(r, 32)))
		}
		if _, twice := x.assets[id]; twice {
			continue
		}
		divisibility := uint8(r.IntN(7))
		scale := uint64(1)
		for range divisibility {
			scale *= 10
		}
		supply := 1 + r.Uint64N(9_000_000_000_000_000/scale)>>r.IntN(50)
		if id == nem.Currency(x.network) {
			divisibility, supply = 6, 8_999_999_999
		}
		x.assets[id] = nem.Asset{ID: id, Supply: supply, Divisibility: divisibility}
		b.Mosaics = append(b.Mosaics, nem.AssetAmount{ID: id, Amount: nem.Amount(r.Uint64N(9_000_000_000_000_000) >> r.IntN(50))})
	}
	sorted := must(nem.Compose(x.header, nem.TransferBody{Recipient: b.Recipient, Amount: b.Amount, Mosaics: b.Mosaics}))
	body, _ := sorted.TransferBody()
	b.Mosaics = body.Mosaics
	for _, a := range b.Mosaics {
		namespace, name, _ := strings.Cut(a.ID.String(), ":")
		x.fields.Mosaics = append(x.fields.Mosaics, mosaic{Namespace: namespace, Name: name, Amount: a.Amount.String()})
	}
}

func randomName(r *rand.Rand, most int) string {
	const first, rest = "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789_-"
	name := []byte{first[r.IntN(len(first))]}
	for range r.IntN(most) {
		name = append(name, rest[r.IntN(len(rest))])
	}
	return string(name)
}

// modification makes changes told to the SDKs in the node's order. symbol-sdk
// puts some of them into another (T1).
func (x *example) modification(r *rand.Rand) {
	var b nem.ModificationBody
	for range 1 + r.IntN(4) {
		b.Changes = append(b.Changes, nem.CosignatoryChange{Kind: nem.AddCosignatory, Cosignatory: randomKey(r)})
	}
	if r.IntN(3) == 0 {
		b.Changes = append(b.Changes, nem.CosignatoryChange{Kind: nem.DeleteCosignatory, Cosignatory: randomKey(r)})
	}
	x.header.Version = uint8(1 + r.IntN(2))
	if x.header.Version == 2 {
		// nem-sdk writes 10 and more wrongly (T12).
		b.HasRelativeChange, b.RelativeChange = true, int32(r.IntN(13)-3)
	}
	sorted := must(nem.Compose(x.header, b))
	b = sorted.Body().(nem.ModificationBody)
	f := &x.fields
	f.Kind, f.Version, f.Relative = "modification", x.header.Version, b.RelativeChange
	for _, c := range b.Changes {
		f.Changes = append(f.Changes, change{Change: c.Kind.String(), Key: c.Cosignatory.String()})
	}
	x.body = b
}

func (x *example) cosignature(r *rand.Rand) {
	b := nem.CosignatureBody{InnerHash: nem.Hash(randomBytes(r, 32)), Account: randomKey(r).Address(x.network)}
	f := &x.fields
	f.Kind, f.Version, f.Hash, f.Recipient = "cosignature", 1, b.InnerHash.String(), b.Account.String()
	x.body = b
}

func TestNIS1(t *testing.T) {
	o := startOracle(t)
	n, r := campaign(t)
	reordered, kinds := 0, map[string]int{}
	for done := 0; done < n; {
		var examples []*example
		var requests []request
		for range min(batch, n-done) {
			x := randomNIS1(r)
			examples = append(examples, x)
			requests = append(requests,
				request{Action: "nis1-build", Network: x.networkName(), Fields: &x.fields, PrivateKey: x.signer.text, Registry: x.registry()},
				request{Action: "nis1-read", Network: x.networkName(), Data: fmt.Sprintf("%X", x.data), Signature: x.sig.String()},
				// nem-sdk takes 10 ms to sign or verify, so it does a tenth of them.
				request{Action: "nem-build", Fields: &x.fields, PrivateKey: x.signer.text, Sign: done%10 == 0, Signature: x.sig.String()})
			done++
		}
		answers := o.ask(t, requests)
		for i, x := range examples {
			kinds[x.fields.Kind]++
			if checkNIS1(t, x, answers[3*i], answers[3*i+1], answers[3*i+2]) {
				reordered++
			}
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%v exchanged; symbol-sdk orders %d modifications unlike the node (T1)", kinds, reordered)
	if kinds["modification"] > 100 && reordered == 0 {
		t.Error("T1: symbol-sdk no longer orders modifications unlike the node")
	}
}

// registry tells the SDK what its fees need, by name.
func (x *example) registry() map[string]asset {
	registry := map[string]asset{}
	for id, a := range x.assets {
		registry[id.String()] = asset{Supply: fmt.Sprint(a.Supply), Divisibility: a.Divisibility}
	}
	return registry
}

// checkNIS1 compares one transaction. It reports whether symbol-sdk ordered its
// modifications unlike the node; then its bytes must be refused for that.
func checkNIS1(t *testing.T, x *example, built, read, nemBuilt answer) (reordered bool) {
	t.Helper()
	hash := must(nem.HashOf(x.network, x.data, x.sig)).String()
	ours := fmt.Sprintf("%X", x.data)
	if strings.ToUpper(nemBuilt.Data) != ours || nemBuilt.Error != "" {
		t.Errorf("nem-sdk builds %s %s, want %s", nemBuilt.Data, nemBuilt.Error, ours)
	}
	if nemBuilt.Signature != "" && (nemBuilt.Signature != x.sig.String() || !nemBuilt.Valid) {
		t.Errorf("nem-sdk signs %s and finds ours %v, want %s, true", nemBuilt.Signature, nemBuilt.Valid, x.sig)
	}
	if read.Error == "elements in array are not sorted" {
		theirs := unhex(t, built.Data)
		_, err := nem.Decode(x.network, theirs)
		if bytes.Equal(theirs, x.data) || err == nil || !strings.Contains(err.Error(), "the node sorts by kind") {
			t.Errorf("T1: symbol-sdk refuses %s and builds %s, which we take: %v", ours, built.Data, err)
		}
		return true
	}
	want := answer{Data: ours, Hash: hash, Valid: true}
	if read != want {
		t.Errorf("symbol-sdk reads %+v, want %+v", read, want)
	}
	if built.Data != ours || built.Signature != x.sig.String() || built.Hash != hash || built.Error != "" {
		t.Errorf("symbol-sdk builds %+v, want %s, %s, %s", built, ours, x.sig, hash)
		return false
	}
	// Their bytes, read as a stranger's.
	theirs, sig := unhex(t, built.Data), must(nem.ParseSignature(built.Signature))
	if err := nem.VerifyTransaction(x.network, theirs, sig); err != nil {
		t.Errorf("what symbol-sdk built: %v", err)
	}
	if fee, err := nem.FeeOf(x.tx, x.assets, 0, 0); err != nil || fee.String() != built.Fee {
		t.Errorf("minimum fee of %s is %s, %v, symbol-sdk says %s", ours, fee, err, built.Fee)
	}
	return false
}

// TestNIS1Encrypted reads what Kura never makes.
func TestNIS1Encrypted(t *testing.T) {
	o := startOracle(t)
	r := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		x := randomNIS1(r)
		if x.fields.Kind != "transfer" {
			continue
		}
		payload := sha256.Sum256(randomBytes(r, 8))
		x.fields.Encrypted, x.fields.Message = true, &message{Hex: fmt.Sprintf("%X", payload)}
		got := o.one(t, request{Action: "nis1-build", Network: x.networkName(), Fields: &x.fields, PrivateKey: x.signer.text})
		tx, err := nem.Decode(x.network, unhex(t, got.Data))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := tx.TransferBody()
		if body.Message.Kind() != nem.MessageEncrypted || !bytes.Equal(body.Message.Payload(nem.NIS1), payload[:]) {
			t.Errorf("message is %s %X, want encrypted %X", body.Message.Kind(), body.Message.Payload(nem.NIS1), payload)
		}
		if _, isOurs := tx.Transfer(); isOurs {
			t.Error("an encrypted message passes for one that Kura makes")
		}
	}
}
