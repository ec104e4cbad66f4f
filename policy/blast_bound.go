package policy

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// bounding is a limit as it bounds some ways of an asset: at most amount within any
// window.
type bounding struct {
	limit  string
	amount *big.Int
	window int64
	words  string
}

// bound is an amount with how it came about.
type bound struct {
	amount   *big.Int // nil: unbounded
	limits   []string
	formula  []string
	schedule []string
}

// row bounds an asset over some ways; open, if not "", is why nothing does.
func (r *radius) row(ways []way, asset int, open string) BlastRow {
	row := BlastRow{Asset: r.p.doc.Assets[asset].ID}
	ways = slices.DeleteFunc(slices.Clone(ways), func(w way) bool { return len(r.takes(w, asset)) == 0 })
	if open != "" {
		row.Unbounded, row.Formula, row.Schedule = true, "unbounded", open
		return row
	}
	if len(ways) == 0 {
		row.Bound, row.Formula = "0", "0: no rule lets the stolen set pay it"
		return row
	}
	row.Listed = !slices.ContainsFunc(ways, func(w way) bool { return !r.onlyListed(w, asset) })
	if r.timeless() {
		row.Unbounded, row.Formula, row.Schedule = true, "unbounded", "the thief turns the clock on and vouches for it, again and again, and each time every window has room"
		return row
	}
	b := r.split(ways, asset)
	if b.amount == nil {
		row.Unbounded, row.Formula, row.Schedule = true, "unbounded: no limit counts it", "everything at once"
		if r.opt.Book == nil && row.Listed && slices.ContainsFunc(r.p.limits, func(l limit) bool { return l.per.Has(PerDestination) }) {
			row.Formula += ", or one per destination does, whose number the address book says: it was not given"
		}
		return row
	}
	row.Bound, row.Binding = b.amount.String(), b.limits
	row.Formula = strings.Join(b.formula, " + ") + " = " + r.show(asset, b.amount)
	row.Schedule = strings.Join(b.schedule, "; ")
	return row
}

// split finds the cheapest way to divide the ways among limits: ways that share
// a limit share its bound, and the sum over the parts bounds the whole. Up to ten
// ways every division is tried, more are taken together or one by one.
func (r *radius) split(ways []way, asset int) bound {
	const exhaustive = 10
	n := len(ways)
	if n > exhaustive {
		together := r.together(ways, asset)
		apart := bound{amount: new(big.Int)}
		for _, w := range ways {
			apart = apart.plus(r.together([]way{w}, asset))
		}
		return cheaper(together, apart)
	}
	best := make([]bound, 1<<n)
	best[0] = bound{amount: new(big.Int)}
	for set := 1; set < 1<<n; set++ {
		low := set & -set
		// The part that holds the lowest way, and the best division of the rest.
		for part := set; part > 0; part = (part - 1) & set {
			if part&low == 0 {
				continue
			}
			var some []way
			for i := range n {
				if part&(1<<i) != 0 {
					some = append(some, ways[i])
				}
			}
			candidate := r.together(some, asset).plus(best[set&^part])
			if part == set {
				best[set] = candidate
			} else {
				best[set] = cheaper(best[set], candidate)
			}
		}
	}
	return best[1<<n-1]
}

func (b bound) plus(other bound) bound {
	if b.amount == nil || other.amount == nil {
		return bound{}
	}
	return bound{
		amount:   new(big.Int).Add(b.amount, other.amount),
		limits:   slices.Concat(b.limits, other.limits),
		formula:  slices.Concat(b.formula, other.formula),
		schedule: slices.Concat(b.schedule, other.schedule),
	}
}

// cheaper gives the smaller bound, the first of equals.
func cheaper(a, b bound) bound {
	if a.amount == nil || (b.amount != nil && b.amount.Cmp(a.amount) < 0) {
		return b
	}
	return a
}

// together bounds ways by the limits that count all of them.
func (r *radius) together(ways []way, asset int) bound {
	var caps []bounding
	for k := range r.p.limits {
		if c, ok := r.bounding(&r.p.limits[k], ways, asset); ok {
			caps = append(caps, c)
		}
	}
	if len(caps) == 0 {
		return bound{}
	}
	life := Millis(0)
	for _, w := range ways {
		life = max(life, r.p.doc.Wallets[w.wallet].Life)
	}
	return r.nested(caps, life)
}

// bounding gives the limit as it bounds the ways, false if it does not: it must
// count every one of them, and its windows must not multiply with what the thief
// writes.
func (r *radius) bounding(l *limit, ways []way, asset int) (bounding, bool) {
	if l.per.Has(PerCustomer) {
		return bounding{}, false
	}
	clients, wallets, assets := map[int]bool{}, map[int]bool{}, map[int]bool{}
	perPayment := new(big.Int)
	for _, w := range ways {
		if !l.wallets.has(w.wallet) || !l.clients.has(w.client) || (w.quorum && !l.always) {
			return bounding{}, false
		}
		if !w.quorum && l.at == atApprove && r.approvable(l, w) {
			return bounding{}, false // above it the stolen quorum approves
		}
		if l.count {
			for _, a := range r.takes(w, asset) {
				if !l.assets.has(a) {
					return bounding{}, false
				}
				assets[a] = true
			}
			one := r.perPayment(w, asset)
			if one == nil {
				return bounding{}, false
			}
			if one.Cmp(perPayment) > 0 {
				perPayment = one
			}
		} else if !l.assets.has(asset) {
			return bounding{}, false
		}
		clients[w.client], wallets[w.wallet] = true, true
	}
	keys := int64(1)
	if l.per.Has(PerClient) {
		keys *= int64(len(clients))
	}
	if l.per.Has(PerWallet) {
		keys *= int64(len(wallets))
	}
	if l.per.Has(PerAsset) && l.count {
		keys *= int64(len(assets))
	}
	if l.per.Has(PerDestination) {
		n, ok := r.destinations(ways, asset)
		if !ok {
			return bounding{}, false
		}
		keys *= n
	}
	c := bounding{limit: l.id, window: l.window, amount: new(big.Int).SetUint64(l.max)}
	c.words = r.show(asset, c.amount)
	if l.count {
		c.words = fmt.Sprintf("%d × %s", l.max, r.show(asset, perPayment))
		c.amount.Mul(c.amount, perPayment)
	}
	if keys != 1 {
		c.words = fmt.Sprintf("%d windows × %s", keys, c.words)
		c.amount.Mul(c.amount, big.NewInt(keys))
	}
	return c, true
}

// approvable tells whether the stolen set approves what exceeds a limit.
func (r *radius) approvable(l *limit, w way) bool {
	source, _ := r.p.Limit(l.id)
	return r.fills(source.Approval.AnyOf, &r.p.doc.Clients[w.client])
}

// destinations counts those to which the ways can pay what takes something of the
// asset, false if they are not known to be listed.
func (r *radius) destinations(ways []way, asset int) (int64, bool) {
	if r.opt.Book == nil || r.writesLists() {
		return 0, false
	}
	books := uint64(0)
	for _, w := range ways {
		for _, x := range r.openers(w, asset) {
			if !x.listed {
				return 0, false
			}
			books |= x.books[0]
		}
	}
	return int64(r.listed(books, ways[0].wallet)), true // all ways are on one network
}

// term is a limit taken a number of times.
type term struct {
	cap   *bounding
	times int64
}

// nested bounds an interval by several rolling windows at once. An interval of
// at least a limit's window splits into so many stretches of the window, each of
// which admits its amount, and a rest that is bounded in the same way; a shorter
// one admits the amount once. The least over all choices is the bound. With one
// limit it is (floor((span + life) / window) + 1) · amount.
func (r *radius) nested(caps []bounding, life Millis) bound {
	interval := int64(r.opt.Span) + int64(life)
	length := fmt.Sprintf("%s + %s", r.opt.Span, life)
	if r.opt.Stolen.Clock {
		interval += interval/aheadRate + int64(aheadAtOnce)
		length += fmt.Sprintf(" + 1 in %d + %s", aheadRate, aheadAtOnce)
	}
	amount, terms := least(caps, interval, 0)
	b := bound{amount: amount}
	var words []string
	for _, t := range terms {
		b.limits = append(b.limits, t.cap.limit)
		words = append(words, fmt.Sprintf("%d × %s (%s)", t.times, t.cap.words, t.cap.limit))
	}
	first := terms[0].cap
	b.schedule = []string{fmt.Sprintf("%s: filled at once", first.limit)}
	if len(terms) == 1 {
		words = []string{fmt.Sprintf("(floor((%s) / %s) + 1) × %s", length, Millis(first.window), first.words)}
	} else {
		b.schedule = []string{fmt.Sprintf("%s: filled as fast as %s lets it", first.limit, terms[1].cap.limit)}
	}
	b.formula = []string{strings.Join(words, " + ")}
	b.schedule[0] += fmt.Sprintf(", and again whenever its window of %s has room; what is signed in the last %s before the span is announced within it", Millis(first.window), life)
	return b
}

// least finds the choice with the least sum. Each split leaves a rest shorter
// than the window it split by, so the depth is at most the number of limits; a
// few levels are all that policies have use for, and stopping early only makes
// the bound larger.
func least(caps []bounding, interval int64, depth int) (*big.Int, []term) {
	const deepest = 4
	var best *big.Int
	var terms []term
	for i := range caps {
		c := &caps[i]
		amount, choice := c.amount, []term{{c, 1}}
		if full := interval / c.window; full > 0 {
			rest, inner := c.amount, []term{{c, 1}}
			if depth < deepest {
				if a, t := least(caps, interval-full*c.window, depth+1); a.Cmp(rest) < 0 {
					rest, inner = a, t
				}
			}
			amount = new(big.Int).Mul(c.amount, big.NewInt(full))
			amount.Add(amount, rest)
			choice = append([]term{{c, full}}, inner...)
			if inner[0].cap == c {
				choice = []term{{c, full + 1}}
			}
		}
		if best == nil || amount.Cmp(best) < 0 {
			best, terms = amount, choice
		}
	}
	return best, terms
}

// show writes an amount in whole units.
func (r *radius) show(asset int, amount *big.Int) string {
	a := &r.p.doc.Assets[asset]
	return decimal(amount.String(), int(a.Divisibility)) + " " + a.Name
}
