package nem

import (
	"crypto/sha3"
	"testing"
)

// TestTransactionsHashOfOddLevels repeats the last node, as the chain's Merkle
// tree does, spelt out for each size.
func TestTransactionsHashOfOddLevels(t *testing.T) {
	var leaves []Hash
	var embedded []Transaction
	for i := range 5 {
		tx := must(Compose(Header{Network: SymbolTestnet, Signer: PublicKey{byte(i + 1)}, Embedded: true},
			TransferBody{Recipient: PublicKey{9}.Address(SymbolTestnet), Message: must(HexMessage(make([]byte, i+1)))}))
		embedded = append(embedded, tx)
		leaves = append(leaves, sha3.Sum256(tx.Encode())) // without padding
	}
	node := func(left, right Hash) Hash { return sha3.Sum256(append(left[:], right[:]...)) }
	l01, l23 := node(leaves[0], leaves[1]), node(leaves[2], leaves[3])
	l44 := node(leaves[4], leaves[4])
	for n, want := range map[int]Hash{
		0: {}, 1: leaves[0], 2: l01, 3: node(l01, node(leaves[2], leaves[2])), 4: node(l01, l23),
		5: node(node(l01, l23), node(l44, l44)),
	} {
		if got := transactionsHash(embedded[:n]); got != want {
			t.Errorf("hash of %d is %s, want %s", n, got, want)
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	nis1 := Header{Network: NIS1Mainnet, Signer: PublicKey{1}, Timestamp: 1, Deadline: 2}
	symbol := Header{Network: SymbolMainnet, Signer: PublicKey{1}, Deadline: 2}
	with := func(h Header, change func(*Header)) Header { change(&h); return h }
	body := func(n Network, mosaics ...AssetAmount) TransferBody {
		return TransferBody{Recipient: PublicKey{2}.Address(n), Mosaics: mosaics}
	}
	half := AssetAmount{coin, 1 << 63}
	for _, c := range []struct {
		header Header
		body   Body
		want   string
	}{
		{nis1, ControlBody{}, "cannot be composed"},
		{nis1, nil, "cannot be composed"},
		{nis1, body(SymbolMainnet), "recipient is one of Symbol mainnet, want NIS1 mainnet"},
		{nis1, body(NIS1Mainnet, AssetAmount{Currency(SymbolMainnet), 1}), "is not one of nis1"},
		{nis1, body(NIS1Mainnet, half, half), "overflow"},
		{nis1, HashLockBody{}, "not a NIS1 transaction type"},
		{symbol, MultisigBody{}, "not a Symbol transaction type"},
		{with(nis1, func(h *Header) { h.Embedded = true }), body(NIS1Mainnet), "NIS1 embeds nothing"},
		{with(nis1, func(h *Header) { h.Deadline = 1 << 31 }), body(NIS1Mainnet), "signed 32-bit times"},
		{with(nis1, func(h *Header) { h.Version = 3 }), body(NIS1Mainnet), "is 3, want 1 to 2"},
		{with(symbol, func(h *Header) { h.Timestamp = 1 }), body(SymbolMainnet), "Symbol has no timestamp"},
		{with(symbol, func(h *Header) { h.Embedded = true }), body(SymbolMainnet), "no fee or deadline"},
		{with(symbol, func(h *Header) { h.Embedded, h.Deadline = true, 0 }), AggregateBody{}, "cannot stand inside an aggregate"},
		{with(symbol, func(h *Header) { h.Signer = PublicKey{} }), body(SymbolMainnet), "all zero"},
		{symbol, AggregateBody{}, "at least one embedded"},
	} {
		if _, err := Compose(c.header, c.body); !contains(err, c.want) {
			t.Errorf("%T: %v, want %q", c.body, err, c.want)
		}
	}
	merged := must(Compose(nis1, body(NIS1Mainnet, AssetAmount{xem, 2}, AssetAmount{coin, 3}, AssetAmount{xem, 5})))
	if got, _ := merged.TransferBody(); len(got.Mosaics) != 2 || got.Mosaics[0] != (AssetAmount{coin, 3}) || got.Mosaics[1] != (AssetAmount{xem, 7}) {
		t.Errorf("merged to %v", got.Mosaics)
	}
	for n, want := range map[Network]uint8{SymbolMainnet: 2, SymbolTestnet: 2, NIS1Mainnet: 0} {
		if got := n.AggregateVersion(); got != want {
			t.Errorf("%s: aggregates are of version %d, want %d", n, got, want)
		}
	}
}
