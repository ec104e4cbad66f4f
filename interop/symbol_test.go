package interop

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"testing"

	"kura/nem"
)

func symbolAccount(r *rand.Rand) account {
	a := account{text: fmt.Sprintf("%X", randomBytes(r, 32))}
	a.seed = must(nem.ParsePrivateKeyText(nem.Symbol, a.text))
	a.pub = nem.PublicKey(a.key().Public().(ed25519.PublicKey))
	return a
}

// key is the account's in the form of Go's own Ed25519.
func (a *account) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(a.seed[:]) }

func (a *account) sign(message []byte) nem.Signature {
	return nem.Signature(ed25519.Sign(a.key(), message))
}

func randomSymbol(r *rand.Rand) *example {
	x := &example{network: nem.SymbolTestnet, signer: symbolAccount(r)}
	if r.IntN(2) == 0 {
		x.network = nem.SymbolMainnet
	}
	x.header = nem.Header{
		Network: x.network, Signer: x.signer.pub, Fee: nem.Amount(r.Uint64()), Deadline: r.Uint64(),
	}
	x.fields = fields{Signer: x.signer.pub.String(), Fee: x.header.Fee.String(), Deadline: x.header.Deadline, Version: 1}
	switch r.IntN(10) {
	case 0:
		x.hashLock(r)
	case 1, 2, 3:
		x.aggregate(r)
	default:
		x.symbolTransfer(r)
	}
	x.tx = must(nem.Compose(x.header, x.body))
	x.attach()
	return x
}

// attach signs the transaction, and the aggregate's cosignatories its hash.
func (x *example) attach() {
	unsigned := x.tx.Encode()
	x.sig = x.signer.sign(must(nem.SigningBytes(x.network, unsigned)))
	x.data = must(nem.Attach(x.network, unsigned, x.sig))
	body, ok := x.body.(nem.AggregateBody)
	if !ok {
		return
	}
	hash := must(nem.HashOf(x.network, x.data, x.sig))
	for _, c := range x.cosigns {
		body.Cosignatures = append(body.Cosignatures, nem.AggregateCosignature{Cosigner: c.pub, Signature: c.sign(hash[:])})
	}
	x.tx = must(nem.Compose(x.header, body))
	x.data = must(nem.Attach(x.network, x.tx.Encode(), x.sig))
}

func randomMosaic(r *rand.Rand) nem.AssetAmount {
	id := must(nem.ParseAssetID(nem.Symbol, fmt.Sprintf("%016X", 1+r.Uint64N(1<<63-1))))
	return nem.AssetAmount{ID: id, Amount: nem.Amount(r.Uint64())}
}

func (x *example) symbolTransfer(r *rand.Rand) {
	b := nem.TransferBody{Recipient: randomKey(r).Address(x.network)}
	for range r.IntN(5) {
		b.Mosaics = append(b.Mosaics, randomMosaic(r))
	}
	b.Message = x.message(r)
	f := &x.fields
	f.Kind, f.Recipient, f.Mosaics = "transfer", b.Recipient.String(), []mosaic{}
	for _, a := range b.Mosaics {
		f.Mosaics = append(f.Mosaics, mosaic{ID: a.ID.String(), Amount: a.Amount.String()})
	}
	x.body = b
}

func (x *example) hashLock(r *rand.Rand) {
	b := nem.HashLockBody{Deposit: randomMosaic(r), Duration: r.Uint64N(5760), Hash: nem.Hash(randomBytes(r, 32))}
	f := &x.fields
	f.Kind, f.Hash, f.Duration = "hash_lock", b.Hash.String(), b.Duration
	f.Mosaics = []mosaic{{ID: b.Deposit.ID.String(), Amount: b.Deposit.Amount.String()}}
	x.body = b
}

func (x *example) aggregate(r *rand.Rand) {
	b := nem.AggregateBody{Bonded: r.IntN(2) == 0}
	f := &x.fields
	f.Kind = "aggregate_complete"
	if b.Bonded {
		f.Kind = "aggregate_bonded"
	}
	x.header.Version = uint8(1 + r.IntN(3))
	f.Version = x.header.Version
	for range 1 + r.IntN(6) {
		e := &example{network: x.network, signer: symbolAccount(r)}
		e.fields = fields{Signer: e.signer.pub.String(), Embedded: true, Version: 1}
		e.symbolTransfer(r)
		b.Embedded = append(b.Embedded, must(nem.Compose(nem.Header{Network: x.network, Signer: e.signer.pub, Embedded: true}, e.body)))
		f.Embeds = append(f.Embeds, e.fields)
	}
	for range r.IntN(3) {
		x.cosigns = append(x.cosigns, symbolAccount(r))
	}
	x.body = b
}

func TestSymbol(t *testing.T) {
	o := startOracle(t)
	n, r := campaign(t)
	kinds := map[string]int{}
	for done := 0; done < n; {
		var examples []*example
		var requests []request
		for range min(batch, n-done) {
			x := randomSymbol(r)
			var cosigners []string
			for _, c := range x.cosigns {
				cosigners = append(cosigners, c.text)
			}
			examples = append(examples, x)
			requests = append(requests,
				request{Action: "symbol-build", Network: x.networkName(), Fields: &x.fields, PrivateKey: x.signer.text, Cosigners: cosigners},
				request{Action: "symbol-read", Network: x.networkName(), Data: fmt.Sprintf("%X", x.data)})
			done++
		}
		answers := o.ask(t, requests)
		for i, x := range examples {
			kinds[x.fields.Kind]++
			checkSymbol(t, x, answers[2*i], answers[2*i+1])
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%v exchanged", kinds)
}

func checkSymbol(t *testing.T, x *example, built, read answer) {
	t.Helper()
	ours, hash := fmt.Sprintf("%X", x.data), must(nem.HashOf(x.network, x.data, x.sig)).String()
	root := ""
	if body, ok := x.tx.Body().(nem.AggregateBody); ok {
		root = body.TransactionsHash.String()
	}
	if want := (answer{Data: ours, Hash: hash, Valid: true, Root: root}); read != want {
		t.Errorf("symbol-sdk reads %+v, want %+v", read, want)
	}
	if built.Data != ours || built.Signature != x.sig.String() || built.Hash != hash || built.Error != "" {
		t.Errorf("symbol-sdk builds %+v, want %s, %s, %s", built, ours, x.sig, hash)
		return
	}
	theirs := unhex(t, built.Data)
	if err := nem.VerifyTransaction(x.network, theirs, must(nem.ParseSignature(built.Signature))); err != nil {
		t.Errorf("what symbol-sdk built: %v", err)
	}
	tx, err := nem.Decode(x.network, theirs)
	if err != nil || !bytes.Equal(tx.Encode(), theirs) {
		t.Errorf("what symbol-sdk built encodes to %X, %v, want %s", tx.Encode(), err, built.Data)
	}
	if fee, err := nem.FeeOf(tx, nil, 100, 0); err != nil || fee.String() != built.Fee {
		t.Errorf("fee is %s, %v, symbol-sdk says %s", fee, err, built.Fee)
	}
}

func TestAddresses(t *testing.T) {
	o := startOracle(t)
	n, r := campaign(t)
	var requests []request
	for range n {
		requests = append(requests, request{Action: "address", Network: []string{"mainnet", "testnet"}[r.IntN(2)], PublicKey: randomKey(r).String()})
	}
	for i, got := range o.ask(t, requests) {
		key := must(nem.ParsePublicKey(requests[i].PublicKey))
		nis1 := key.Address(must(nem.ParseNetwork("nis1-" + requests[i].Network))).String()
		symbol := key.Address(must(nem.ParseNetwork("symbol-" + requests[i].Network))).String()
		if got.NIS1 != nis1 || got.Symbol != symbol {
			t.Errorf("%s: %s and %s, SDK says %s and %s", key, nis1, symbol, got.NIS1, got.Symbol)
		}
	}
}
