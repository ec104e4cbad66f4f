package nem

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Amount counts the smallest units of an asset: micro-XEM, micro-XYM, or
// 10^-divisibility of another mosaic.
type Amount uint64

// ParseAmount reads decimal digits: no sign, no point, no leading zero but in
// "0" itself, at most 2^64-1.
func ParseAmount(text string) (Amount, error) {
	if text == "" || len(text) > 20 || (text[0] == '0' && text != "0") {
		return 0, fmt.Errorf("amount %.24q: want decimal digits in the smallest unit, without leading zeros", text)
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, fmt.Errorf("amount %.24q has %q, want decimal digits in the smallest unit", text, text[i])
		}
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("amount %s is above 18446744073709551615", text)
	}
	return Amount(v), nil
}

// Add returns a + b, and false if that overflows.
func (a Amount) Add(b Amount) (Amount, bool) {
	sum, carry := bits.Add64(uint64(a), uint64(b), 0)
	return Amount(sum), carry == 0
}

// Sub returns a - b, and false if that is below zero.
func (a Amount) Sub(b Amount) (Amount, bool) {
	diff, borrow := bits.Sub64(uint64(a), uint64(b), 0)
	return Amount(diff), borrow == 0
}

// String returns the decimal digits that ParseAmount reads.
func (a Amount) String() string { return strconv.FormatUint(uint64(a), 10) }

// mulDiv returns floor(a*b/div), and false if that overflows.
func mulDiv(a, b, div uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= div {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, div)
	return q, true
}

// AssetID names an asset of one chain: a NIS1 mosaic by namespace and name, a
// Symbol mosaic by its 64-bit id. It is comparable; the zero value is no asset.
// Symbol's namespace aliases (top bit set) are not representable, because their
// owner can point them at another mosaic.
type AssetID struct {
	chain     Chain
	mosaic    uint64 // Symbol
	namespace string // NIS1, dotted
	name      string // NIS1
}

// xem is NIS1's currency, the same on all its networks.
var xem = AssetID{chain: NIS1, namespace: "nem", name: "xem"}

// ParseAssetID reads "namespace.sub:name" in NIS1 ("nem:xem" is the currency)
// and 16 upper-case hex digits in Symbol.
func ParseAssetID(c Chain, text string) (AssetID, error) {
	switch c {
	case NIS1:
		namespace, name, found := strings.Cut(text, ":")
		if !found {
			return AssetID{}, fmt.Errorf("asset %.80q: want namespace:name, such as nem:xem", text)
		}
		id := AssetID{chain: NIS1, namespace: strings.Clone(namespace), name: strings.Clone(name)}
		if err := id.checkNIS1(); err != nil {
			return AssetID{}, err
		}
		return id, nil
	case Symbol:
		v, err := strconv.ParseUint(text, 16, 64)
		if len(text) != 16 || err != nil || strings.ToUpper(text) != text {
			return AssetID{}, fmt.Errorf("asset %.40q: want 16 upper-case hex digits, such as 6BED913FA20223F8", text)
		}
		return symbolAsset(v)
	}
	return AssetID{}, fmt.Errorf("asset %.80q: no chain is given", text)
}

func symbolAsset(v uint64) (AssetID, error) {
	if v>>63 != 0 {
		return AssetID{}, fmt.Errorf("mosaic id %016X is a namespace alias (top bit set): its owner can point it at another mosaic at any time; use the mosaic's own id", v)
	}
	if v == 0 {
		return AssetID{}, fmt.Errorf("mosaic id is zero")
	}
	return AssetID{chain: Symbol, mosaic: v}, nil
}

// The node's limits on NIS1 names.
const (
	maxRootNamespace = 16
	maxSubNamespace  = 64
	maxNamespaces    = 3
	maxMosaicName    = 32
)

// checkNIS1 holds namespace and name to the node's patterns: lower-case parts
// of letters, digits, _ and -, the first character a letter or digit; in a
// mosaic's name also ' and single spaces inside.
func (id *AssetID) checkNIS1() error {
	rest, limit := id.namespace, maxRootNamespace
	for part, more := 1, true; more; part++ {
		if part > maxNamespaces {
			return fmt.Errorf("namespace %.160q has more than %d parts", id.namespace, maxNamespaces)
		}
		var name string
		name, rest, more = strings.Cut(rest, ".")
		if !isNIS1Name(name, false) || len(name) > limit {
			return fmt.Errorf("namespace %.160q: part %d must be 1 to %d of a-z, 0-9, _ and -, beginning with a letter or digit", id.namespace, part, limit)
		}
		limit = maxSubNamespace
	}
	if !isNIS1Name(id.name, true) || len(id.name) > maxMosaicName {
		return fmt.Errorf("mosaic name %.40q must be 1 to %d of a-z, 0-9, ', _, - and single spaces inside, beginning with a letter or digit", id.name, maxMosaicName)
	}
	return nil
}

func isNIS1Name(s string, mosaic bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '-'):
		case i > 0 && mosaic && c == '\'':
		case i > 0 && mosaic && c == ' ' && s[i-1] != ' ' && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}

// String returns what ParseAssetID reads, and nothing for no asset.
func (id AssetID) String() string {
	switch id.chain {
	case NIS1:
		return id.namespace + ":" + id.name
	case Symbol:
		return fmt.Sprintf("%016X", id.mosaic)
	}
	return ""
}

// Chain returns the chain that the asset is of.
func (id AssetID) Chain() Chain { return id.chain }

// Currency returns the asset that pays fees on the network: nem:xem, or the
// network's XYM. It is no asset where that is not known.
func Currency(n Network) AssetID {
	switch n.Chain() {
	case NIS1:
		return xem
	case Symbol:
		if id := n.info().currency; id != 0 {
			return AssetID{chain: Symbol, mosaic: id}
		}
	}
	return AssetID{}
}

// AssetAmount is so many smallest units of an asset.
type AssetAmount struct {
	ID     AssetID
	Amount Amount
}

// Asset is what somebody vouched for about an asset. Nothing of it stands in a
// transaction's bytes.
type Asset struct {
	ID           AssetID
	Supply       uint64 // in whole units; 0 if not known
	Divisibility uint8  // decimal places, 0 to 6
	Levy         *Levy  // NIS1 only; nil if the mosaic has none
}

// Levy is what a NIS1 mosaic's creator takes, from the sender and in any
// mosaic, with each transfer of it.
type Levy struct {
	Kind      LevyKind
	Asset     AssetID
	Fee       Amount // absolute: smallest units; percentile: hundredths of a percent of the quantity
	Recipient Address
}

// LevyKind tells how a levy counts. The zero value is no kind.
type LevyKind uint8

const (
	LevyAbsolute LevyKind = iota + 1
	LevyPercentile
)

// String returns "absolute", "percentile" or "none".
func (k LevyKind) String() string {
	switch k {
	case LevyAbsolute:
		return "absolute"
	case LevyPercentile:
		return "percentile"
	}
	return "none"
}

// on returns what the levy takes for a transfer of quantity, and false if that
// overflows or the kind is not known.
func (l *Levy) on(quantity Amount) (Amount, bool) {
	switch l.Kind {
	case LevyAbsolute:
		return l.Fee, true
	case LevyPercentile:
		v, ok := mulDiv(uint64(quantity), uint64(l.Fee), 10_000)
		return Amount(v), ok
	}
	return 0, false
}

// Assets is the registry of one network: the assets that may move.
type Assets map[AssetID]Asset
