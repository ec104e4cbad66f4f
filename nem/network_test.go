package nem

import (
	"math"
	"testing"
)

func TestNetworksHaveNames(t *testing.T) {
	for n := NIS1Mainnet; n < networkEnd; n++ {
		if back, err := ParseNetwork(n.String()); err != nil || back != n || n.Chain() == 0 || networkByID(n.Chain(), n.info().id) != n {
			t.Errorf("%s: %v, %v", n, back, err)
		}
	}
	for _, name := range []string{"", "none", "NIS1-mainnet", "mainnet", "nis1-mainnet "} {
		if n, err := ParseNetwork(name); err == nil {
			t.Errorf("%q is taken for %s", name, n)
		}
	}
	for _, n := range []Network{0, networkEnd, 200} {
		if n.Chain() != 0 || n.String() != "none" || n.IsMainnet() || MaxLife(n) != 0 || DeadlineUnit(n) != 0 || Currency(n) != (AssetID{}) {
			t.Errorf("network %d is not none", uint8(n))
		}
	}
}

func TestChainTime(t *testing.T) {
	for _, c := range []struct {
		network Network
		unix    int64
		want    uint64
		err     string
	}{
		{NIS1Mainnet, 1427587585_000, 0, ""},
		{NIS1Testnet, 1427587585_999, 0, ""}, // floor: never ahead
		{NIS1Mainnet, 1427587586_000, 1, ""},
		{NIS1Mainnet, 1427587584_999, 0, "before the epoch"},
		{NIS1Mainnet, (1427587585 + math.MaxInt32) * 1000, math.MaxInt32, ""},
		{NIS1Mainnet, (1427587585+math.MaxInt32)*1000 + 1000, 0, "signed 32-bit"},
		{SymbolMainnet, 1615853185_001, 1, ""},
		{SymbolTestnet, 1667250467_000, 0, ""},
		{SymbolTestnet, 1667250466_999, 0, "before the epoch"},
		{SymbolMainnet, math.MinInt64, 0, "before the epoch"},
		{SymbolPrivate, 1667250467_000, 0, "not known here"},
		{0, 1667250467_000, 0, "no network"},
	} {
		got, err := ChainTime(c.network, c.unix)
		if got != c.want || (err != nil) != (c.err != "") || c.err != "" && !contains(err, c.err) {
			t.Errorf("%s at %d: %d, %v, want %d, %q", c.network, c.unix, got, err, c.want, c.err)
		}
		if err == nil && UnixMillis(c.network, got) != c.unix-(c.unix-c.network.info().epoch*1000)%DeadlineUnit(c.network) {
			t.Errorf("%s: %d goes back to %d", c.network, got, UnixMillis(c.network, got))
		}
	}
	for _, n := range []Network{SymbolPrivate, SymbolMainnet, NIS1Mainnet, 0} {
		if got := UnixMillis(n, math.MaxUint64); got != math.MaxInt64 {
			t.Errorf("%s: the last time is %d", n, got)
		}
	}
}
