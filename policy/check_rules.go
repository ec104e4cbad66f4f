package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A region is what a rule could match, as far as that can be told from the
// document: every combination of the numbers in its sets, with an amount from
// first to last.
type region struct {
	sets        [5]set // never nil: wallets, clients, assets, kinds of message, and books in which the destination stands
	first, last uint64
}

// regions gives what a rule can match, network by network: a wallet never pays
// another network's assets. A rule that takes any destination has a set of books
// with one more in it, for those that stand in none.
func (c *checker) regions(r *rule) []region {
	whole := c.region(r)
	var all []region
	var seen []int // wallets whose network was looked at
	for i, w := range c.p.walletList {
		if slices.ContainsFunc(seen, func(k int) bool { return c.p.walletList[k].network == w.network }) {
			continue
		}
		seen = append(seen, i)
		here := whole
		here.sets[0] = choose(len(c.p.walletList), func(k int) bool { return whole.sets[0].has(k) && c.p.walletList[k].network == w.network })
		here.sets[2] = choose(len(c.p.assetList), func(k int) bool { return whole.sets[2].has(k) && c.p.assetList[k].network == w.network })
		if !here.empty() {
			all = append(all, here)
		}
	}
	return all
}

// region gives a rule's conditions without looking at networks.
func (c *checker) region(r *rule) region {
	g := region{last: math.MaxUint64}
	d := &c.p.doc
	g.sets[0] = choose(len(d.Wallets), r.wallets.has)
	g.sets[1] = choose(len(d.Clients), r.clients.has)
	g.sets[2] = choose(len(d.Assets), r.assets.has)
	g.sets[3] = choose(len(messageKind), func(k int) bool { return r.messages == nil || slices.Contains(r.messages, messageKind[k]) })
	g.sets[4] = choose(len(d.Books)+1, func(k int) bool { return !r.listed || (k < len(d.Books) && r.books.has(k)) })
	if r.amount != nil && r.amount.Above != nil {
		g.first = uint64(*r.amount.Above) + 1
		if g.first == 0 { // no amount is above that
			g.first, g.last = 1, 0
		}
	}
	if r.amount != nil && r.amount.UpTo != nil {
		g.last = uint64(*r.amount.UpTo)
	}
	return g
}

// choose makes the set of the numbers below n that are wanted.
func choose(n int, want func(int) bool) set {
	s := make(set, (n+63)/64)
	for i := range n {
		if want(i) {
			s[i/64] |= 1 << (i % 64)
		}
	}
	return s
}

func (g *region) empty() bool {
	return g.first > g.last || slices.ContainsFunc(g.sets[:], func(s set) bool { return s.none() })
}

func (s set) none() bool { return !slices.ContainsFunc(s, func(word uint64) bool { return word != 0 }) }

// without gives what the other region leaves of this one, in parts that do not
// overlap.
func (g region) without(other region) []region {
	both := region{first: max(g.first, other.first), last: min(g.last, other.last)}
	for i, s := range g.sets {
		both.sets[i] = choose(64*len(s), func(k int) bool { return s.has(k) && other.sets[i].has(k) })
	}
	if both.empty() {
		return []region{g}
	}
	// From here on g is what both have in the conditions that were gone through, and all of g in the others.
	var left []region
	for i, s := range g.sets {
		part := g
		part.sets[i] = choose(64*len(s), func(k int) bool { return s.has(k) && !other.sets[i].has(k) })
		left = append(left, part)
		g.sets[i] = both.sets[i]
	}
	if g.first < both.first {
		part := g
		part.last = both.first - 1
		left = append(left, part)
	}
	if both.last < g.last {
		part := g
		part.first = both.last + 1
		left = append(left, part)
	}
	return slices.DeleteFunc(left, func(part region) bool { return part.empty() })
}

// covers tells whether, as far as hours and days go, this rule takes whatever
// reaches it at the times of another.
func (r *rule) covers(other *rule) bool {
	switch {
	case r.hours != nil && (other.hours == nil || *r.hours != *other.hours):
		return false
	case r.lastDay != "" && (other.lastDay == "" || other.lastDay > r.lastDay):
		return false
	case r.listed && other.then == thenDeny && r.then != thenDeny:
		return false // a rule that denies looks at the address alone, whatever the message
	}
	return true
}

// mostParts is how many regions are followed: what is cut up more finely is not worth it.
const mostParts = 512

// minus takes a region out of others, and tells whether they had anything of it.
func minus(from []region, out region) (rest []region, touched bool) {
	for _, part := range from {
		parts := part.without(out)
		touched = touched || len(parts) != 1 || !parts[0].same(&part)
		rest = append(rest, parts...)
	}
	return rest, touched
}

// neverMatches finds a rule to which the rules above it leave nothing.
func (c *checker) neverMatches(at int) {
	r := &c.p.rules[at]
	left := c.regions(r)
	path := fmt.Sprintf("rules[%d]", at)
	if len(left) == 0 {
		c.find(Warning, "rule_never_matches", path, "rule %s never matches: none of its wallets and assets are on one network, or no amount is in its range", r.id)
		return
	}
	var takers []string
	for k := range at {
		above := &c.p.rules[k]
		if !above.covers(r) {
			continue
		}
		rest, touched := minus(left, c.region(above))
		if touched {
			takers = append(takers, above.id)
		}
		if left = rest; len(left) == 0 || len(left) > mostParts {
			break
		}
	}
	switch {
	case len(left) > 0:
	case len(takers) == 1:
		c.find(Warning, "rule_never_matches", path, "rule %s never matches: rule %s above it takes everything that it could", r.id, takers[0])
	default:
		c.find(Warning, "rule_never_matches", path, "rule %s never matches: the rules %s above it take everything that it could between them", r.id, strings.Join(takers, ", "))
	}
}

// tooLate finds addresses that a rule denies, and that rules above it pay as they pay any other.
func (c *checker) tooLate(at int) {
	r := &c.p.rules[at]
	if r.then != thenDeny || !r.listed {
		return
	}
	var payers []string
	for k := range at {
		above := &c.p.rules[k]
		if _, touched := minus(c.regions(r), c.region(above)); touched && above.then != thenDeny && !above.listed {
			payers = append(payers, above.id)
		}
	}
	if len(payers) > 0 {
		c.find(Warning, "rule_too_late", fmt.Sprintf("rules[%d]", at), "rule %s denies what was paid already: the first that matches decides, and above it %s pays any destination", r.id, strings.Join(payers, ", "))
	}
}

func (g *region) same(other *region) bool {
	return g.first == other.first && g.last == other.last && slices.EqualFunc(g.sets[:], other.sets[:], slices.Equal[set])
}
