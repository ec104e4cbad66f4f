package nem

import (
	"fmt"
	"math"
)

// Chain is one of the two chains. The zero value is no chain.
type Chain uint8

const (
	// NIS1 is the first NEM chain, whose currency is XEM.
	NIS1 Chain = iota + 1
	// Symbol is the second, whose currency is XYM.
	Symbol
)

// String returns "nis1", "symbol" or, for no chain, "none".
func (c Chain) String() string {
	switch c {
	case NIS1:
		return "nis1"
	case Symbol:
		return "symbol"
	}
	return "none"
}

// Network is one network of one chain. The zero value is no network: nothing
// parses, verifies or is built for it.
type Network uint8

const (
	NIS1Mainnet Network = iota + 1
	NIS1Testnet
	NIS1Mijin
	SymbolMainnet
	SymbolTestnet
	// SymbolPrivate and SymbolPrivateTest are whatever their operators make of
	// them: their generation hash, epoch and currency are not known here, so
	// they have addresses but nothing can be signed or built for them.
	SymbolPrivate
	SymbolPrivateTest
	networkEnd
)

// network holds what tells one network from another.
type network struct {
	name  string // as people write it: nis1-mainnet
	label string // as sentences say it: NIS1 mainnet
	chain Chain
	id    byte // the network byte in addresses and transactions

	epoch    int64  // Unix seconds of chain time 0; 0 if not known
	seed     Hash   // Symbol: the generation hash seed; zero if not known
	currency uint64 // Symbol: the mosaic id of XYM; 0 if not known
}

const nis1Epoch = 1427587585 // 2015-03-29 00:06:25 UTC, all NIS1 networks

var networks = [networkEnd]network{
	NIS1Mainnet: {name: "nis1-mainnet", label: "NIS1 mainnet", chain: NIS1, id: 0x68, epoch: nis1Epoch},
	NIS1Testnet: {name: "nis1-testnet", label: "NIS1 testnet", chain: NIS1, id: 0x98, epoch: nis1Epoch},
	NIS1Mijin:   {name: "nis1-mijin", label: "NIS1 mijin", chain: NIS1, id: 0x60, epoch: nis1Epoch},
	SymbolMainnet: {name: "symbol-mainnet", label: "Symbol mainnet", chain: Symbol, id: 0x68,
		epoch:    1615853185,
		seed:     mustHash("57F7DA205008026C776CB6AED843393F04CD458E0AA2D9F1D5F31A402072B2D6"),
		currency: 0x6BED913FA20223F8},
	SymbolTestnet: {name: "symbol-testnet", label: "Symbol testnet", chain: Symbol, id: 0x98,
		epoch:    1667250467,
		seed:     mustHash("49D6E1CE276A85B70EAFE52349AACCA389302E7A9754BCF1221E79494FC665A4"),
		currency: 0x72C0212E67A08BCE},
	SymbolPrivate:     {name: "symbol-private", label: "Symbol private", chain: Symbol, id: 0x78},
	SymbolPrivateTest: {name: "symbol-private-test", label: "Symbol private test", chain: Symbol, id: 0xA8},
}

func (n Network) info() *network {
	if n >= networkEnd {
		n = 0
	}
	return &networks[n]
}

// ParseNetwork reads a network's name: nis1-mainnet, nis1-testnet, nis1-mijin,
// symbol-mainnet, symbol-testnet, symbol-private or symbol-private-test.
func ParseNetwork(name string) (Network, error) {
	for n := NIS1Mainnet; n < networkEnd; n++ {
		if networks[n].name == name {
			return n, nil
		}
	}
	return 0, fmt.Errorf("network %.40q is not known: want nis1-mainnet, nis1-testnet, nis1-mijin, symbol-mainnet, symbol-testnet, symbol-private or symbol-private-test", name)
}

// String returns the name that ParseNetwork reads, or "none".
func (n Network) String() string {
	if name := n.info().name; name != "" {
		return name
	}
	return "none"
}

// Label returns the name for use in sentences: "NIS1 mainnet".
func (n Network) Label() string {
	if label := n.info().label; label != "" {
		return label
	}
	return "no network"
}

// Chain returns the chain that the network belongs to.
func (n Network) Chain() Chain { return n.info().chain }

// IsMainnet reports whether the network's currency is worth money.
func (n Network) IsMainnet() bool { return n == NIS1Mainnet || n == SymbolMainnet }

// networkByID finds the network of a chain that has this byte.
func networkByID(c Chain, id byte) Network {
	for n := NIS1Mainnet; n < networkEnd; n++ {
		if networks[n].chain == c && networks[n].id == id {
			return n
		}
	}
	return 0
}

// buildable reports why nothing can be built or signed for the network.
func (n Network) buildable() error {
	switch {
	case n.Chain() == 0:
		return fmt.Errorf("no network is given")
	case n.info().epoch == 0:
		return fmt.Errorf("%s: its generation hash, epoch and currency are not known here, so nothing can be built or verified for it", n.Label())
	}
	return nil
}

// maxNIS1Time keeps chain time inside the node's signed 32-bit field.
const maxNIS1Time = math.MaxInt32

// ChainTime converts milliseconds of Unix time to the network's chain time
// (NIS1 seconds, Symbol milliseconds, since the network's epoch), rounded down
// so that it is never ahead. Times before the epoch, and NIS1 times that do
// not fit the node's signed 32 bits, are errors.
func ChainTime(n Network, unixMillis int64) (uint64, error) {
	if err := n.buildable(); err != nil {
		return 0, err
	}
	since := unixMillis - n.info().epoch*1000
	if unixMillis < 0 || since < 0 {
		return 0, fmt.Errorf("unix time %d ms is before the epoch of %s", unixMillis, n.Label())
	}
	t := uint64(since / DeadlineUnit(n))
	if n.Chain() == NIS1 && t > maxNIS1Time {
		return 0, fmt.Errorf("unix time %d ms is past what %s can write (signed 32-bit seconds)", unixMillis, n.Label())
	}
	return t, nil
}

// UnixMillis converts chain time to milliseconds of Unix time. What does not
// fit, and every time of a network whose epoch is not known, is the largest
// value: a deadline taken for later than it is errs on the safe side.
func UnixMillis(n Network, chainTime uint64) int64 {
	if n.buildable() != nil {
		return math.MaxInt64
	}
	epoch, unit := n.info().epoch*1000, DeadlineUnit(n)
	if chainTime > uint64((math.MaxInt64-epoch)/unit) {
		return math.MaxInt64
	}
	return epoch + int64(chainTime)*unit
}

// DeadlineUnit is the smallest step of the network's chain time in
// milliseconds: 1000 in NIS1, 1 in Symbol, 0 for no network.
func DeadlineUnit(n Network) int64 {
	switch n.Chain() {
	case NIS1:
		return 1000
	case Symbol:
		return 1
	}
	return 0
}

// MaxLife is the longest that a signed transfer can still enter a block, in
// milliseconds: 24 hours in NIS1, 6 hours in Symbol's public networks.
func MaxLife(n Network) int64 {
	const hour = 3600 * 1000
	switch n.Chain() {
	case NIS1:
		return 24 * hour
	case Symbol:
		return 6 * hour
	}
	return 0
}
