package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A way is a kind of payment that the intruder can ask for.
type way struct {
	wallet  policy.WalletID
	asset   policy.AssetRef
	network nem.Network
	to      nem.Address // a listed address, or the intruder's own for the next request
	listed  bool
	message statement.MessageKind
	from    int64          // from when a transaction lives on until the theft
	sizes   []policy.Units // amounts to try, the largest first
}

// A planner finds what an intruder with a client's key would ask for, by asking the very engine that will judge it: as
// much as a request can carry, again whenever a limit's window has room, the first as long before the theft as a signed
// transaction lives, to be announced with the rest. Package adversary searches for the worst sequence among a great many
// decisions; this one makes a plan that a real token can sign: few requests, within the client's budget, and none that
// would be refused, so that nothing is set off.
type planner struct {
	policy *policy.Policy
	book   *policy.Book
	client policy.ClientID
	usage  *policy.Usage
	theft  int64
	end    int64
	most   int // requests for one asset of one wallet
	ways   []*way
	times  map[int64]bool            // at which to look for room
	stock  map[stockKey]uint64       // what the wallet can hold at most
	least  map[stockKey]policy.Units // what is less is not worth a request
	count  map[stockKey]int
	asks   []ask
	capped bool
	window struct { // of the client's budget
		since   int64
		entries int
	}
}

type stockKey struct {
	wallet policy.WalletID
	asset  policy.AssetRef
}

// newPlanner prepares a plan for a theft that lasts from one unix time to another.
func newPlanner(p *policy.Policy, book *policy.Book, client policy.ClientID, theft, end int64, most int) (*planner, error) {
	x := &planner{
		policy: p, book: book, client: client, usage: policy.NewUsage(p), theft: theft, end: end, most: most,
		times: map[int64]bool{}, stock: map[stockKey]uint64{}, least: map[stockKey]policy.Units{}, count: map[stockKey]int{},
	}
	for at := theft; at <= end; at += hour {
		x.times[at] = true // a rule may have hours
	}
	for _, w := range p.Document().Wallets {
		from := theft - int64(w.Life)
		x.times[from] = true
		for _, a := range p.Document().Assets {
			if a.Network == w.Network {
				if err := x.addWays(&w, &a, from); err != nil {
					return nil, err
				}
			}
		}
	}
	return x, x.largestFirst()
}

// largestFirst puts the ways that carry most before the others where a limit counts requests: there a small request
// takes the place of a large one. Elsewhere the intruder's own addresses stay first.
func (x *planner) largestFirst() error {
	counted := func(l policy.Limit) bool { return l.Of == "count" }
	if !slices.ContainsFunc(x.policy.Document().Limits, counted) {
		return nil
	}
	carries := map[*way]policy.Units{}
	for _, w := range x.ways {
		a, _, err := x.largest(w, w.from)
		if err != nil {
			return err
		}
		carries[w] = a.amount
	}
	slices.SortStableFunc(x.ways, func(a, b *way) int { return cmp.Compare(carries[b], carries[a]) })
	return nil
}

// mostUnits is more than any account holds of anything: both chains end below it.
const mostUnits = 9_000_000_000_000_000

// inUnits turns whole units into the smallest ones, at most mostUnits.
func inUnits(whole uint64, divisibility uint8) uint64 {
	units := min(whole, mostUnits)
	for range divisibility {
		units = min(10*units, mostUnits)
	}
	return units
}

// addWays lists the ways to ask a wallet for an asset: to addresses of one's own first.
func (x *planner) addWays(w *policy.Wallet, a *policy.Asset, from int64) error {
	n, err := nem.ParseNetwork(w.Network)
	if err != nil {
		return err
	}
	everything := inUnits(uint64(a.Supply), a.Divisibility)
	x.stock[stockKey{w.ID, a.ID}] = everything
	sizes := map[policy.Units]bool{policy.Units(everything): true}
	for _, r := range x.policy.Document().Rules {
		if r.When.Amount != nil && r.When.Amount.UpTo != nil && names(r.When.Asset, a.ID) {
			sizes[*r.When.Amount.UpTo] = true
		}
	}
	largestFirst := slices.Sorted(maps.Keys(sizes))
	slices.Reverse(largestFirst)
	to := []nem.Address{{}} // zero stands for the intruder's own
	for _, e := range x.book.Entries() {
		if e.Network == w.Network {
			address, err := nem.ParseAddress(n, e.Address)
			if err != nil {
				return err
			}
			to = append(to, address)
		}
	}
	for _, address := range to {
		w := way{wallet: w.ID, asset: a.ID, network: n, to: address, listed: true, from: from, sizes: largestFirst}
		// A message of one's own makes payments to one address differ. Equal ones get earlier deadlines, and those
		// that were hoarded would be over when the theft begins.
		kinds := []statement.MessageKind{statement.MessageText, statement.MessageNone}
		if address.IsZero() {
			w.to, w.listed = throwAway(n), false
			slices.Reverse(kinds)
		}
		for _, w.message = range kinds {
			each := w
			x.ways = append(x.ways, &each)
		}
	}
	return nil
}

// plan gives the requests in the order of time.
func (x *planner) plan() ([]ask, error) {
	for len(x.times) > 0 {
		at := slices.Min(slices.Collect(maps.Keys(x.times)))
		delete(x.times, at)
		if at > x.end {
			continue
		}
		for _, w := range x.ways {
			if at >= w.from {
				if err := x.fill(w, at); err != nil {
					return nil, err
				}
			}
		}
	}
	return x.asks, nil
}

// fill asks by one way until nothing worth it fits any more.
func (x *planner) fill(w *way, at int64) error {
	key := stockKey{w.wallet, w.asset}
	for {
		if !x.mayWrite(at) {
			return nil
		}
		a, d, err := x.largest(w, at)
		if err != nil || a.amount == 0 {
			return err
		}
		if x.count[key] == x.most {
			x.capped = true
			return nil
		}
		withdrawal, err := x.statement(&a)
		if err != nil {
			return err
		}
		event, err := d.Event(x.policy, withdrawal, x.client, at)
		if err != nil {
			return err
		}
		if err := x.usage.Add(event); err != nil {
			return err
		}
		for _, o := range d.Outflows {
			k := stockKey{w.wallet, o.Asset}
			x.stock[k] -= min(x.stock[k], uint64(o.Amount))
		}
		for _, l := range x.policy.Document().Limits {
			x.times[at+int64(l.Window)] = true
		}
		x.least[key] = max(x.least[key], a.amount/10_000)
		x.window.entries++
		x.count[key]++
		x.asks = append(x.asks, a)
		if !w.listed {
			w.to = throwAway(w.network) // a new one each time: a limit for each destination then never binds
		}
	}
}

// mayWrite holds the intruder to the client's budget of entries, counted as the ledger counts it.
func (x *planner) mayWrite(at int64) bool {
	c, _ := x.policy.Client(x.client)
	if at >= x.window.since+int64(c.Budget.Window) {
		x.window.since, x.window.entries = at, 0
	}
	if x.window.entries < c.Budget.Entries {
		return true
	}
	x.times[x.window.since+int64(c.Budget.Window)] = true
	return false
}

// largest finds the largest amount that is signed at once, and its decision; amount 0 if there is none.
func (x *planner) largest(w *way, at int64) (ask, *policy.Decision, error) {
	a := ask{
		at: at, announce: max(at, x.theft), wallet: w.wallet, asset: w.asset, to: w.to, listed: w.listed,
		message: w.message, customer: "c-" + strconv.Itoa(len(x.asks)+1),
	}
	const narrowings = 6 // a smaller amount can meet another rule, whose limits are others
	for _, size := range w.sizes {
		a.amount = min(size, policy.Units(x.stock[stockKey{w.wallet, w.asset}]))
		for range narrowings {
			if a.amount == 0 || a.amount < x.least[stockKey{w.wallet, w.asset}] {
				break
			}
			d, err := x.decide(&a)
			if err != nil {
				return a, nil, err
			}
			if d.Outcome == policy.Sign {
				return a, &d, nil
			}
			a.amount = x.fitting(&d, &a)
		}
	}
	a.amount = 0
	return a, nil, nil
}

func (x *planner) statement(a *ask) (*statement.Withdrawal, error) {
	return a.withdrawal(x.policy, statement.Hash{}, statement.NewID(a.at, [10]byte{}))
}

func (x *planner) decide(a *ask) (policy.Decision, error) {
	w, err := x.statement(a)
	if err != nil {
		return policy.Decision{}, err
	}
	client, ok := x.policy.Client(x.client)
	if !ok {
		return policy.Decision{}, fmt.Errorf("the policy has no client %q", x.client)
	}
	return policy.Decide(policy.Input{
		Policy: x.policy, Book: x.book, Usage: x.usage, Now: policy.Now{Clock: a.at, Time: a.at},
		Request: policy.Request{Client: x.client, Key: statement.Key(client.Keys[0]), Withdrawal: w, Since: a.at},
	}), nil
}

// fitting is the amount that the limits which stood against a larger one would admit, 0 if it is not that.
func (x *planner) fitting(d *policy.Decision, a *ask) policy.Units {
	fits := a.amount
	for _, t := range d.Limits {
		if t.Fits || !t.Binds {
			continue
		}
		l, ok := x.policy.Limit(t.Limit)
		if !ok || l.Of != "amount" || !names(l.Asset, a.asset) {
			return 0 // asking for less would not help
		}
		beside := t.After - t.Before - a.amount // fees and levies in the same asset
		if t.After-t.Before < a.amount || t.Max <= t.Before || t.Max-t.Before <= beside {
			return 0
		}
		fits = min(fits, t.Max-t.Before-beside)
	}
	if fits == a.amount {
		return 0
	}
	return fits
}
