package nem

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestParseAssetID(t *testing.T) {
	for text, chain := range map[string]Chain{
		"nem:xem": NIS1, "a.b.c:x": NIS1, "abc.def:g h": NIS1, "a-_1:b'-_ 1": NIS1,
		strings.Repeat("a", 16) + "." + strings.Repeat("b", 64) + "." + strings.Repeat("c", 64) + ":" + strings.Repeat("d", 32): NIS1,
		"6BED913FA20223F8": Symbol, "0000000000000001": Symbol,
	} {
		if id, err := ParseAssetID(chain, text); err != nil || id.String() != text || id.Chain() != chain {
			t.Errorf("%q: %v, %v", text, id, err)
		}
	}
	for _, c := range []struct {
		chain Chain
		text  string
		want  string
	}{
		{NIS1, "nem", "want namespace:name"},
		{NIS1, ":xem", "namespace"},
		{NIS1, "nem:", "mosaic name"},
		{NIS1, "NEM:xem", "namespace"},
		{NIS1, "nem:XEM", "mosaic name"},
		{NIS1, "nem:a  b", "mosaic name"},
		{NIS1, "nem:a ", "mosaic name"},
		{NIS1, "nem: a", "mosaic name"},
		{NIS1, "nem:a:b", "mosaic name"},
		{NIS1, "a..b:x", "part 2"},
		{NIS1, "a.b.c.:x", "more than 3 parts"},
		{NIS1, "a.b.c.d:x", "more than 3 parts"},
		{NIS1, "a.b.:x", "part 3"},
		{NIS1, ".a:x", "part 1"},
		{NIS1, "-a:x", "part 1"},
		{NIS1, strings.Repeat("a", 17) + ":x", "1 to 16"},
		{NIS1, "a." + strings.Repeat("a", 65) + ":x", "1 to 64"},
		{NIS1, "a:" + strings.Repeat("a", 33), "1 to 32"},
		{Symbol, "6bed913fa20223f8", "upper-case"},
		{Symbol, "6BED913FA20223F", "16 upper-case"},
		{Symbol, "+BED913FA20223F8", "16 upper-case"},
		{Symbol, "E74B99BA41F4AFEE", "namespace alias"},
		{Symbol, "0000000000000000", "zero"},
		{Symbol, "nem:xem", "16 upper-case"},
		{0, "nem:xem", "no chain"},
	} {
		if id, err := ParseAssetID(c.chain, c.text); !contains(err, c.want) || id != (AssetID{}) {
			t.Errorf("%q: %v, %v, want %q", c.text, id, err, c.want)
		}
	}
}

func TestNIS1OrderIsThatOfTheWholeText(t *testing.T) {
	// . and digits come before the colon, letters after it; a blank ends a name.
	want := []string{"a.b:x", "a1:x", "a:x", "a:x y", "a:x'", "a:x-", "a:x1", "ab:x"}
	var list []AssetAmount
	for _, text := range want {
		list = append(list, AssetAmount{ID: must(ParseAssetID(NIS1, text))})
	}
	slices.Reverse(list)
	slices.SortFunc(list, compareAssets)
	for i, a := range list {
		if a.ID.String() != want[i] {
			t.Errorf("position %d is %s, want %s", i, a.ID, want[i])
		}
	}
}

func TestAmounts(t *testing.T) {
	for _, text := range []string{"0", "1", "18446744073709551615"} {
		if a, err := ParseAmount(text); err != nil || a.String() != text {
			t.Errorf("%q: %v, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "00", "01", "+1", "-1", "1.0", "1e3", " 1", "1_0", "١", "18446744073709551616", "999999999999999999999"} {
		if a, err := ParseAmount(text); err == nil {
			t.Errorf("%q is taken for %v", text, a)
		}
	}
	const most = Amount(math.MaxUint64)
	if s, ok := Amount(1).Add(2); s != 3 || !ok {
		t.Error("1 + 2")
	}
	if _, ok := most.Add(1); ok {
		t.Error("an overflow passes")
	}
	if d, ok := Amount(3).Sub(3); d != 0 || !ok {
		t.Error("3 - 3")
	}
	if _, ok := Amount(0).Sub(1); ok {
		t.Error("an underflow passes")
	}
}
