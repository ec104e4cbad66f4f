package nem

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var cmpTransfers = cmp.AllowUnexported(Address{}, AssetID{}, Message{})

// pay is a transfer that builds, for tests to change one thing of.
func pay(n Network) Transfer {
	t := Transfer{
		Network: n, Signer: PublicKey{1}, Recipient: PublicKey{2}.Address(n),
		Assets: []AssetAmount{{Currency(n), 1_500_000}}, Message: must(TextMessage("invoice 42")),
		Fee: 100_000, Timestamp: 300_000_000, Deadline: 300_001_800,
	}
	if n.Chain() == Symbol {
		t.Timestamp = 0
	}
	return t
}

func TestBuildTransfer(t *testing.T) {
	coin := AssetAmount{must(ParseAssetID(NIS1, "dim:coin")), 7}
	mosaic := AssetAmount{must(ParseAssetID(Symbol, "0AB1C2D3E4F50617")), 7}
	for _, c := range []struct {
		name    string
		network Network
		change  func(*Transfer)
		version uint8
		amount  Amount
		order   []string
	}{
		{"XEM is version 1", NIS1Mainnet, func(*Transfer) {}, 1, 1_500_000, nil},
		{"a mosaic is version 2", NIS1Testnet, func(x *Transfer) { x.Assets = []AssetAmount{coin} }, 2, 1_000_000, []string{"dim:coin"}},
		{"XEM beside a mosaic is a mosaic", NIS1Mijin, func(x *Transfer) { x.Assets = append(x.Assets, coin) }, 2, 1_000_000, []string{"dim:coin", "nem:xem"}},
		{"Symbol", SymbolTestnet, func(*Transfer) {}, 1, 0, []string{"72C0212E67A08BCE"}},
		{"Symbol, sorted", SymbolMainnet, func(x *Transfer) { x.Assets = append(x.Assets, mosaic) }, 1, 0, []string{"0AB1C2D3E4F50617", "6BED913FA20223F8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := pay(c.network)
			c.change(&want)
			given := slices.Clone(want.Assets)
			b, err := BuildTransfer(want)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(given, want.Assets) {
				t.Error("the caller's assets were put in order")
			}
			tx := must(Decode(c.network, b))
			body, _ := tx.TransferBody()
			var order []string
			for _, a := range body.Mosaics {
				order = append(order, a.ID.String())
			}
			if tx.Version() != c.version || body.Amount != c.amount || !slices.Equal(order, c.order) || tx.Signature() != (Signature{}) {
				t.Errorf("version %d, amount %d, mosaics %v, want %d, %d, %v", tx.Version(), body.Amount, order, c.version, c.amount, c.order)
			}
			got, ok := tx.Transfer()
			slices.SortFunc(want.Assets, compareAssets)
			if diff := cmp.Diff(want, got, cmpTransfers); !ok || diff != "" {
				t.Errorf("%v: what was built says otherwise (-want +got):\n%s", ok, diff)
			}
			signed := must(Attach(c.network, b, Signature{1, 2, 3}))
			whole := must(Decode(c.network, signed))
			if _, ok := whole.Transfer(); !ok {
				t.Error("signed, it is no longer what was built")
			}
		})
	}
}

func TestBuildTransferRefuses(t *testing.T) {
	for _, c := range []struct {
		network Network
		change  func(*Transfer)
		want    string
	}{
		{NIS1Mainnet, func(x *Transfer) { x.Network = 0 }, "no network"},
		{SymbolMainnet, func(x *Transfer) { x.Network = SymbolPrivate }, "not known here"},
		{NIS1Mainnet, func(x *Transfer) { x.Signer = PublicKey{} }, "signer is all zero"},
		{NIS1Mainnet, func(x *Transfer) { x.Recipient = Address{} }, "no recipient"},
		{NIS1Mainnet, func(x *Transfer) { x.Recipient = PublicKey{2}.Address(SymbolTestnet) }, "this is a Symbol testnet address; the wallet is NIS1 mainnet"},
		{SymbolMainnet, func(x *Transfer) { x.Assets = nil }, "no asset"},
		{SymbolMainnet, func(x *Transfer) { x.Assets[0].Amount = 0 }, "is zero"},
		{SymbolMainnet, func(x *Transfer) { x.Assets[0].ID = xem }, `"nem:xem" is not one of Symbol mainnet`},
		{NIS1Mainnet, func(x *Transfer) { x.Assets[0].ID = AssetID{} }, `"" is not one of NIS1 mainnet`},
		{SymbolMainnet, func(x *Transfer) { x.Assets = append(x.Assets, x.Assets[0]) }, "listed twice"},
		{NIS1Mainnet, func(x *Transfer) { x.Assets = append(x.Assets, x.Assets[0]) }, "listed twice"},
		{NIS1Mainnet, func(x *Transfer) { x.Assets = make([]AssetAmount, 11) }, "want at most 10"},
		{SymbolMainnet, func(x *Transfer) { x.Assets = make([]AssetAmount, 256) }, "want at most 255"},
		{NIS1Mainnet, func(x *Transfer) { x.Assets[0].Amount = nis1MaxQuantity + 1 }, "want at most 9000000000000000"},
		{NIS1Mainnet, func(x *Transfer) { x.Message = messageOf(NIS1, "sealed", true) }, "is encrypted"},
		{SymbolMainnet, func(x *Transfer) { x.Message = must(HexMessage([]byte{1, 2})) }, "read as encrypted"},
		{SymbolMainnet, func(x *Transfer) { x.Message = must(TextMessage(strings.Repeat("a", 1024))) }, "1025 bytes on the chain"},
		{SymbolMainnet, func(x *Transfer) { x.Timestamp = 1 }, "Symbol has none"},
		{SymbolMainnet, func(x *Transfer) { x.Deadline = 0 }, "deadline is 0"},
		{NIS1Mainnet, func(x *Transfer) { x.Deadline = x.Timestamp }, "not after the timestamp"},
		{NIS1Mainnet, func(x *Transfer) { x.Deadline = x.Timestamp + 86_401 }, "86401 s after the timestamp"},
		{NIS1Mainnet, func(x *Transfer) { x.Deadline = 1 << 31 }, "signed 32 bits"},
	} {
		x := pay(c.network)
		c.change(&x)
		if b, err := BuildTransfer(x); !contains(err, c.want) || b != nil {
			t.Errorf("%s: %v, want %q", c.network, err, c.want)
		}
		// The fee is told before the times are chosen, and does not depend on them.
		aboutTimes := strings.Contains(c.want, "timestamp") || strings.Contains(c.want, "deadline") || strings.Contains(c.want, "32 bits") || c.want == "Symbol has none"
		if _, err := FeeFor(x, nil, 100); (err == nil) != aboutTimes {
			t.Errorf("%s, %s: FeeFor says %v", c.network, c.want, err)
		}
	}
}

// TestOnlyBuiltTransfersAreTransfers: what Kura never builds is not passed off
// as an intent that it would build.
func TestOnlyBuiltTransfersAreTransfers(t *testing.T) {
	for _, x := range loadExamples(t).NIS1 {
		tx := must(Decode(x.network(t, NIS1), unhex(t, x.Data)))
		transfer, ok := tx.Transfer()
		// m2 is multiplied by two, m3 is version 2 without need, t3 is encrypted.
		if want := strings.Contains("t1 t2 t4 m1", x.Name[:2]); ok != want {
			t.Errorf("%s: %v, want %v", x.Name, ok, want)
		}
		if ok && !bytes.Equal(must(BuildTransfer(transfer)), unhex(t, x.Data)) {
			t.Errorf("%s: it builds otherwise", x.Name)
		}
	}
	for _, x := range loadExamples(t).Symbol {
		if x.Payload == "" {
			continue
		}
		tx := must(Decode(x.network(t, Symbol), unhex(t, x.Payload)))
		if _, ok := tx.Transfer(); ok != strings.HasPrefix(x.Kind, "transfer") {
			t.Errorf("%s: %v", x.Name, ok)
		}
		if body, isAggregate := tx.Body().(AggregateBody); isAggregate {
			if _, ok := body.Embedded[0].Transfer(); ok {
				t.Errorf("%s: what is embedded passes for a transfer of its own", x.Name)
			}
		}
	}
}

func TestFill(t *testing.T) {
	const now, life = 1_800_000_000_999, 30 * 60 * 1000
	for n, want := range map[Network]Transfer{
		NIS1Mainnet:   {Timestamp: 372_412_415, Deadline: 372_414_215, Fee: 100_000},
		SymbolMainnet: {Deadline: 184_148_615_999, Fee: 187 * 25},
	} {
		x := pay(n)
		got, err := x.Fill(now, life, nil, 25)
		if err != nil || got.Timestamp != want.Timestamp || got.Deadline != want.Deadline || got.Fee != want.Fee {
			t.Errorf("%s: %d, %d, %d, %v, want %d, %d, %d", n, got.Timestamp, got.Deadline, got.Fee, err, want.Timestamp, want.Deadline, want.Fee)
		}
		if b, err := BuildTransfer(got); err != nil || n.Chain() == Symbol && len(b) != 187 {
			t.Errorf("%s: %d bytes, %v", n, len(b), err)
		}
		if UnixMillis(n, got.Deadline) > now+life || UnixMillis(n, got.Timestamp) > now {
			t.Errorf("%s: the times are ahead", n)
		}
		for _, c := range []struct {
			now, life int64
			want      string
		}{{now, 0, "life is 0 ms"}, {now, MaxLife(n) + 1, "life is"}, {0, life, "before the epoch"}} {
			if _, err := x.Fill(c.now, c.life, nil, 25); !contains(err, c.want) {
				t.Errorf("%s at %d for %d: %v, want %q", n, c.now, c.life, err, c.want)
			}
		}
		x.Assets = nil
		if _, err := x.Fill(now, life, nil, 25); !contains(err, "no asset") {
			t.Errorf("%s: %v", n, err)
		}
	}
	x := pay(NIS1Mainnet)
	if _, err := x.Fill(1_800_000_000_000, 999, nil, 25); !contains(err, "not after the timestamp") {
		t.Errorf("a life shorter than a second: %v", err)
	}
}
