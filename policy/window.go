package policy

import (
	"math"
	"math/bits"
)

// window is one key's sum. Positions are held modulo 2^32 everywhere: fewer than
// that live at a time.
type window struct {
	hi, lo     uint64 // the sum; 128 bits cannot overflow
	head, tail uint32 // nodes
	count      uint32
}

// fits tells whether the window has room for an amount under a number.
func (w *window) fits(amount, number uint64) bool {
	sum, carry := bits.Add64(w.lo, amount, 0)
	return w.hi == 0 && carry == 0 && sum <= number
}

// windowKey is everything by which limits tell windows apart.
type windowKey struct {
	destination digest
	customer    digest
	wallet      uint16
	client      uint16
	asset       uint16
}

// only gives the key in the windows of a limit: the parts that it does not
// separate by are zero.
func (k *windowKey) only(per Per) windowKey {
	var some windowKey
	if per.Has(PerWallet) {
		some.wallet = k.wallet
	}
	if per.Has(PerClient) {
		some.client = k.client
	}
	if per.Has(PerAsset) {
		some.asset = k.asset
	}
	if per.Has(PerDestination) {
		some.destination = k.destination
	}
	if per.Has(PerCustomer) {
		some.customer = k.customer
	}
	return some
}

// keys gives every key under which a limit counts something its place among the
// windows. Limits with the same parts and the same window share the places, so
// that a request looks its key up once for all of them. Were the windows of
// different length, the places that the longest keeps would keep the others' empty
// windows, too.
type keys struct {
	places map[windowKey]uint32
	nodes  []uint64 // by place: how many nodes all the limits have there
	free   []uint32 // places to use again
}

// nowhere is the place of a key under which nothing is counted.
const nowhere = math.MaxUint32

func (s *keys) find(k windowKey) uint32 {
	if at, ok := s.places[k]; ok {
		return at
	}
	return nowhere
}

// enter finds or makes the place for one node more.
func (s *keys) enter(k windowKey) uint32 {
	at := s.find(k)
	if at == nowhere {
		if n := len(s.free); n > 0 {
			at, s.free = s.free[n-1], s.free[:n-1]
		} else {
			at = uint32(len(s.nodes))
			s.nodes = append(s.nodes, 0)
		}
		if s.places == nil {
			s.places = map[windowKey]uint32{}
		}
		s.places[k] = at
	}
	s.nodes[at]++
	return at
}

// leave takes a node from its place and gives the place up with the last one.
func (s *keys) leave(k windowKey, at uint32) {
	s.nodes[at]--
	if s.nodes[at] == 0 {
		delete(s.places, k)
		s.free = append(s.free, at)
	}
}
