package nem

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	coin  = must(ParseAssetID(NIS1, "dim:coin"))
	taxed = must(ParseAssetID(NIS1, "dim:taxed"))
	share = must(ParseAssetID(NIS1, "dim:share"))
)

// flow writes an outflow in short: kind payer asset amount to message.
func flow(o Outflow) string {
	to := "-"
	if !o.To.IsZero() {
		to = o.To.String()[:5]
	}
	return strings.TrimSpace(strings.Join([]string{o.Kind.String(), o.Payer.String()[:2], o.Asset.String(), o.Amount.String(), to, o.Message.Text()}, " "))
}

func flows(e Effect) (all []string) {
	for _, o := range e.Outflows {
		all = append(all, flow(o))
	}
	return all
}

func TestEffects(t *testing.T) {
	n, s := NIS1Mainnet, SymbolMainnet
	xym := Currency(s)
	mosaic := must(ParseAssetID(Symbol, "0AB1C2D3E4F50617"))
	sink := PublicKey{3}.Address(n)
	assets := Assets{
		xem: {ID: xem}, coin: {ID: coin}, xym: {ID: xym}, mosaic: {ID: mosaic},
		taxed: {ID: taxed, Levy: &Levy{Kind: LevyAbsolute, Asset: xem, Fee: 11, Recipient: sink}},
		share: {ID: share, Levy: &Levy{Kind: LevyPercentile, Asset: share, Fee: 25, Recipient: sink}},
	}
	to, toSymbol := PublicKey{2}.Address(n), PublicKey{2}.Address(s)
	hello := must(TextMessage("hello"))
	header := Header{Network: n, Signer: PublicKey{0xA1}, Fee: 50, Timestamp: 1, Deadline: 2}
	symbolHeader := Header{Network: s, Signer: PublicKey{0xA1}, Fee: 50, Deadline: 2}
	nis1 := func(body Body) Transaction { return must(Compose(header, body)) }
	symbol := func(body Body) Transaction { return must(Compose(symbolHeader, body)) }
	inner := func(body Body) Transaction {
		return must(Compose(Header{Network: n, Signer: PublicKey{0xB2}, Fee: 60, Timestamp: 1, Deadline: 2}, body))
	}
	embed := func(key byte, body Body) Transaction {
		return must(Compose(Header{Network: s, Signer: PublicKey{key}, Embedded: key != 0xFF}, body))
	}
	transfer := func(amount Amount, mosaics ...AssetAmount) TransferBody {
		return TransferBody{Recipient: to, Amount: amount, Mosaics: mosaics, Message: hello}
	}
	pays := func(mosaics ...AssetAmount) TransferBody { return TransferBody{Recipient: toSymbol, Mosaics: mosaics} }
	bonded := AggregateBody{Bonded: true, Embedded: []Transaction{embed(0xC3, pays(AssetAmount{xym, 5})), embed(0xD4, pays(AssetAmount{mosaic, 6}))}}

	for _, c := range []struct {
		name string
		tx   Transaction
		want []string
		why  string
	}{
		{"XEM", nis1(transfer(7)), []string{"transfer A1 nem:xem 7 NANJ2 hello", "fee A1 nem:xem 50 -"}, ""},
		{"nothing, for a fee", nis1(transfer(0)), []string{"transfer A1 nem:xem 0 NANJ2 hello", "fee A1 nem:xem 50 -"}, ""},
		{"a mosaic", nis1(transfer(1e6, AssetAmount{coin, 7})), []string{"transfer A1 dim:coin 7 NANJ2 hello", "fee A1 nem:xem 50 -"}, ""},
		{"mosaics, multiplied", nis1(transfer(3e6, AssetAmount{coin, 7}, AssetAmount{xem, 5})),
			[]string{"transfer A1 dim:coin 21 NANJ2 hello", "transfer A1 nem:xem 15 NANJ2 hello", "fee A1 nem:xem 50 -"}, ""},
		{"mosaics times nothing", nis1(transfer(0, AssetAmount{coin, 7})), []string{"transfer A1 dim:coin 0 NANJ2 hello", "fee A1 nem:xem 50 -"}, ""},
		{"an absolute levy", nis1(transfer(1e6, AssetAmount{taxed, 1})),
			[]string{"transfer A1 dim:taxed 1 NANJ2 hello", "levy A1 nem:xem 11 NBODR", "fee A1 nem:xem 50 -"}, ""},
		{"a levy in hundredths of a percent, rounded down", nis1(transfer(2e6, AssetAmount{share, 999})),
			[]string{"transfer A1 dim:share 1998 NANJ2 hello", "levy A1 dim:share 4 NBODR", "fee A1 nem:xem 50 -"}, ""},
		{"multisig: the account pays all", nis1(MultisigBody{Inner: inner(transfer(7))}),
			[]string{"transfer B2 nem:xem 7 NANJ2 hello", "fee B2 nem:xem 60 -", "fee B2 nem:xem 50 -"}, ""},
		{"Symbol", symbol(pays(AssetAmount{xym, 7})), []string{"transfer A1 6BED913FA20223F8 7 NAOE2", "fee A1 6BED913FA20223F8 50 -"}, ""},
		{"Symbol, a message alone", symbol(TransferBody{Recipient: toSymbol, Message: hello}), []string{"fee A1 6BED913FA20223F8 50 -"}, ""},
		{"an aggregate: each signer pays", symbol(bonded),
			[]string{"transfer C3 6BED913FA20223F8 5 NAOE2", "transfer D4 0AB1C2D3E4F50617 6 NAOE2", "fee A1 6BED913FA20223F8 50 -"}, ""},

		{"a mosaic that nobody listed", nis1(transfer(1e6, AssetAmount{must(ParseAssetID(NIS1, "dim:new")), 1})), nil, "moves dim:new, which is not in the registry"},
		{"a factor that is not whole", nis1(transfer(1_500_000, AssetAmount{coin, 2})), nil, "multiplies its mosaics by 1500000 millionths"},
		{"more than can exist", nis1(transfer(2e6, AssetAmount{coin, nis1MaxQuantity})), nil, "moves more of dim:coin than can exist"},
		{"an overflow", nis1(transfer(math.MaxUint64/1_000_000*1_000_000, AssetAmount{coin, math.MaxUint64})), nil, "moves more of dim:coin than can exist"},
		{"a modification", nis1(ModificationBody{HasRelativeChange: true}), nil, "is of type multisig_modification"},
		{"a cosignature", nis1(CosignatureBody{Account: to}), nil, "of which only the hash is known"},
		{"a modification inside a multisig", nis1(MultisigBody{Inner: inner(ModificationBody{HasRelativeChange: true})}), nil, "wraps what is of type multisig_modification"},
		{"a hash lock", symbol(HashLockBody{Deposit: AssetAmount{xym, 1}}), nil, "locks a deposit"},
		{"a hash lock inside an aggregate", symbol(AggregateBody{Embedded: []Transaction{embed(0xC3, pays()), embed(0xD4, HashLockBody{Deposit: AssetAmount{xym, 1}})}}),
			nil, "embeds, as number 2, what locks a deposit"},
		{"an aggregate that names nobody", symbol(AggregateBody{Embedded: []Transaction{embed(0, pays(AssetAmount{xym, 1}))}}), nil, "names no account that pays"},
		{"no transaction", Transaction{}, nil, "no transaction was decoded"},
	} {
		e := Effects(c.tx, assets)
		if e.Control != (c.why != "") || !strings.Contains(e.Why, c.why) {
			t.Errorf("%s: control %v because it %q, want %q", c.name, e.Control, e.Why, c.why)
		}
		if diff := cmp.Diff(c.want, flows(e)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if e := Effects(nis1(transfer(7)), nil); !e.Control {
		t.Error("without a registry XEM moves")
	}
	for name, levy := range map[string]Levy{
		"no kind":           {Asset: xem, Fee: 1},
		"an overflow":       {Kind: LevyPercentile, Asset: xem, Fee: math.MaxUint64},
		"no asset":          {Kind: LevyAbsolute, Fee: 1},
		"one of the others": {Kind: LevyAbsolute, Asset: xym, Fee: 1},
	} {
		assets[taxed] = Asset{ID: taxed, Levy: &levy}
		if e := Effects(nis1(transfer(1e6, AssetAmount{taxed, 1_000_000})), assets); !strings.Contains(e.Why, "whose levy is not one that can be counted") {
			t.Errorf("a levy of %s: %+v", name, e)
		}
	}
	assets[xym] = Asset{ID: xym, Levy: &Levy{Kind: LevyAbsolute, Asset: xem}}
	if e := Effects(symbol(pays(AssetAmount{xym, 7})), assets); !e.Control {
		t.Error("Symbol has levies")
	}
}
