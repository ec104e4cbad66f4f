package nem

import (
	"math"
	"strings"
	"testing"
)

func TestMinimumFee(t *testing.T) {
	assets := Assets{
		coin:  {Supply: 9_000_000, Divisibility: 3}, // rebate 0.8·ln(1,000,000) = 11
		taxed: {Supply: 10_000, Divisibility: 0},    // a small business mosaic
		share: {Supply: 10_001, Divisibility: 0},    // not quite one
	}
	const million = 1_000_000
	for _, c := range []struct {
		name    string
		message int
		assets  []AssetAmount
		units   Amount
	}{
		{"least", 0, []AssetAmount{{xem, 1}}, 1},
		{"below 20,000 XEM", 0, []AssetAmount{{xem, 19_999_999_999}}, 1},
		{"20,000 XEM", 0, []AssetAmount{{xem, 20_000 * million}}, 2},
		{"below 250,000 XEM", 0, []AssetAmount{{xem, 249_999_999_999}}, 24},
		{"250,000 XEM", 0, []AssetAmount{{xem, 250_000 * million}}, 25},
		{"all XEM", 0, []AssetAmount{{xem, 8_999_999_999 * million}}, 25},
		{"1 byte", 1, []AssetAmount{{xem, 1}}, 2},
		{"31 bytes", 31, []AssetAmount{{xem, 1}}, 2},
		{"32 bytes", 32, []AssetAmount{{xem, 1}}, 3},
		{"64 bytes", 64, []AssetAmount{{xem, 1}}, 4},
		{"1024 bytes", 1024, []AssetAmount{{xem, 1}}, 34},
		{"T11: 31 and 10 units", 991, []AssetAmount{{xem, 100_000 * million}}, 41},
		{"half of a mosaic: 25 less 11", 0, []AssetAmount{{coin, 4_500_000_000}}, 14},
		{"some of it: not below 1", 0, []AssetAmount{{coin, 1}}, 1},
		{"a rebate of just the fee: not below 1", 0, []AssetAmount{{coin, 110_001}}, 1},
		{"a small business mosaic", 0, []AssetAmount{{taxed, 10_000}}, 1},
		{"one more: 25 less 22", 0, []AssetAmount{{share, 10_001}}, 3},
		{"XEM as a mosaic has no rebate", 0, []AssetAmount{{xem, 30_000 * million}, {taxed, 1}}, 3 + 1},
		{"three mosaics and a message", 33, []AssetAmount{{xem, 1}, {taxed, 1}, {coin, 4_500_000_000}}, 1 + 1 + 14 + 2},
	} {
		x := pay(NIS1Mainnet)
		x.Assets, x.Message = c.assets, NoMessage()
		if c.message > 0 {
			x.Message = must(TextMessage(strings.Repeat("a", c.message)))
		}
		fee, err := MinimumFee(x, assets)
		if err != nil || fee != c.units*50_000 {
			t.Errorf("%s: %d, %v, want %d", c.name, fee, err, c.units*50_000)
		}
		if again, err := FeeFor(x, assets, 100); err != nil || again != fee {
			t.Errorf("%s: Kura pays %d, %v, want %d", c.name, again, err, fee)
		}
	}
}

func TestMinimumFeeNeedsTheRegistry(t *testing.T) {
	for why, asset := range map[string]Asset{
		"does not say the supply": {}, "divisibility 7": {Supply: 1, Divisibility: 7},
		"more than can exist": {Supply: math.MaxUint64, Divisibility: 6},
	} {
		x := pay(NIS1Mainnet)
		x.Assets = []AssetAmount{{coin, 1}}
		if _, err := MinimumFee(x, Assets{coin: asset}); !contains(err, why) {
			t.Errorf("%v, want %q", err, why)
		}
	}
	x := pay(NIS1Mainnet)
	x.Assets = []AssetAmount{{coin, 1}}
	if _, err := MinimumFee(x, nil); !contains(err, "not in the registry") {
		t.Error(err)
	}
	if _, err := MinimumFee(pay(SymbolMainnet), nil); !contains(err, "has none of its own") {
		t.Error(err)
	}
}

func TestSymbolFees(t *testing.T) {
	x := pay(SymbolTestnet)
	size := len(must(BuildTransfer(x)))
	if fee, err := FeeFor(x, nil, 100); err != nil || fee != Amount(size)*100 {
		t.Errorf("%d, %v, want %d", fee, err, size*100)
	}
	if SymbolFee(264+104, 100) != 36_800 || SymbolFee(-1, 100) != 0 {
		t.Error("fee by size")
	}
	lock := must(Decode(SymbolTestnet, unhex(t, exampleBytes(t, "sl1"))))
	for _, n := range []int{-1, 1 << 40} {
		if _, err := FeeOf(lock, nil, 100, n); !contains(err, "cosignatures are to come") {
			t.Errorf("%d cosignatures: %v", n, err)
		}
	}
	for _, e := range loadExamples(t).Symbol {
		// sb1 and sb2 reserve one cosignature in their fee; sl2 pays 50.
		multiplier, cosignatures := uint32(100), 0
		switch e.Name[:3] {
		case "sb1", "sb2":
			cosignatures = 1
		case "sl2":
			multiplier = 50
		case "st3":
			continue // says its fee
		}
		if e.Payload == "" {
			continue
		}
		tx := must(Decode(e.network(t, Symbol), unhex(t, e.Payload)))
		if fee, err := FeeOf(tx, nil, multiplier, cosignatures); err != nil || fee.String() != e.Fee {
			t.Errorf("%s: %s, %v, want %s", e.Name, fee, err, e.Fee)
		}
	}
}

func TestFeeOfEveryNIS1Type(t *testing.T) {
	want := map[string]Amount{"multisig_modification": 500_000, "multisig": 150_000, "cosignature": 150_000}
	for _, e := range loadExamples(t).NIS1 {
		tx := must(Decode(e.network(t, NIS1), unhex(t, e.Data)))
		if fee, ok := want[tx.Type().String()]; ok {
			if got, err := FeeOf(tx, nil, 0, 0); err != nil || got != fee {
				t.Errorf("%s: %d, %v, want %d", e.Name, got, err, fee)
			}
		}
	}
	if _, err := FeeOf(Transaction{}, nil, 0, 0); err == nil {
		t.Error("no transaction has a fee")
	}
}

// TestRebateIsTheNodesLogarithm compares with the node's floating-point rule
// for every whole quotient that the rule can be asked for near a step.
func TestRebateIsTheNodesLogarithm(t *testing.T) {
	const most = 9_000_000_000_000_000
	checked := 0
	for _, step := range supplyThresholds {
		for units := max(1, most/step-50); units <= min(most, most/step+50); units++ {
			v := most / units
			if got, want := supplyRebate(v), uint64(0.8*math.Log(float64(v))); got != want {
				t.Errorf("rebate of %d is %d, want %d", v, got, want)
			}
			checked++
		}
	}
	if checked < 2000 {
		t.Errorf("%d quotients checked", checked)
	}
}
