package policy

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"kura/nem"
)

// BlastOptions says for what a blast radius is computed.
type BlastOptions struct {
	Stolen Stolen
	Span   Millis // in which it reaches the chain
	// Book, if not nil, bounds limits per destination by how many are listed.
	Book *Book
	// CosignedFirst: witnesses elsewhere cosign each head before anything leaves that
	// it covers (the signer's cosign_before_release), so that a rollback of the whole
	// host repeats nothing. Witnesses who cosign behind the answers bound nothing.
	CosignedFirst bool

	// lists remembers how many addresses some books hold on a network.
	lists map[listKey]int
}

type listKey struct {
	books   uint64
	network nem.Network
}

// rollback tells whether the whole host can be put back to an older state.
func (o *BlastOptions) rollback() bool { return o.Stolen.Database && o.Stolen.AnchorFile }

// Blast is the most that can reach the chain. It is an upper bound: the adversary
// of package adversary never exceeds it.
type Blast struct {
	Stolen string     `json:"stolen"`
	Within Millis     `json:"within"`
	Rows   []BlastRow `json:"rows"`
	// Totals bound each asset over all wallets of its network together.
	Totals []BlastRow `json:"totals"`
	// UnboundedFrom is the time after the theft from which nothing bounds it any
	// more (a quorum's time-lock ends), 0 if there is none or nothing bounds it at once.
	UnboundedFrom Millis   `json:"unboundedFrom"`
	Notes         []string `json:"notes"`
}

// BlastRow is the bound for one wallet and asset.
type BlastRow struct {
	Wallet    WalletID `json:"wallet"` // "" in totals
	Asset     AssetRef `json:"asset"`
	Bound     string   `json:"bound"` // smallest units, decimal; "" if unbounded
	Unbounded bool     `json:"unbounded"`
	// Listed: only destinations of the address books can be paid.
	Listed   bool     `json:"listed"`
	Binding  []string `json:"binding"` // the limits that make the bound
	Formula  string   `json:"formula"`
	Schedule string   `json:"schedule"`
}

// way is a way by which money leaves: a stolen client, asking one wallet, alone
// or with the stolen quorum.
type way struct {
	wallet int
	client int
	quorum bool
}

// radius carries one computation.
type radius struct {
	p   *Policy
	opt BlastOptions
}

// BlastRadius computes the most that can reach the chain within a span if a set
// of things is stolen. Start state: every limit is empty, and requests that wait
// are the thief's. A window w with limit A admits in an interval T = span + life
// of the transaction (a signed one can be announced later) at most A for each
// full w in T and A, or what the other limits admit, in the rest.
func BlastRadius(p *Policy, opt BlastOptions) Blast {
	r := &radius{p: p, opt: opt}
	b := Blast{Stolen: opt.Stolen.String(), Within: opt.Span}
	ways := r.ways()
	open := b.governance(r)
	switch {
	case opt.rollback() && opt.CosignedFirst:
		b.Notes = append(b.Notes, "a rollback of this host repeats nothing: witnesses elsewhere have cosigned whatever left, and none of them cosigns a journal that does not extend it")
	case opt.rollback():
		// A witness that never heard of a payment does not miss it at the next start, and every start renews the
		// token's anchor: what one rollback repeats has a bound, how many there are has none.
		b.Notes = append(b.Notes, "rollback of this host: unbounded; it is put back again and again, and each time the limits count from there; witnesses elsewhere who cosign before anything leaves (cosign_before_release) bound it")
		open = "the host is put back to before each payment, and pays again"
	}
	for i := range p.doc.Wallets {
		for k := range p.doc.Assets {
			if p.assetList[k].network != p.walletList[i].network {
				continue
			}
			mine := slices.DeleteFunc(slices.Clone(ways), func(w way) bool { return w.wallet != i })
			row := r.row(mine, k, open)
			row.Wallet = p.doc.Wallets[i].ID
			b.Rows = append(b.Rows, row)
		}
	}
	for k := range p.doc.Assets {
		here := slices.DeleteFunc(slices.Clone(ways), func(w way) bool { return p.walletList[w.wallet].network != p.assetList[k].network })
		row := r.row(here, k, open)
		b.Totals = append(b.Totals, row)
	}
	if asked, missing := r.programs(); len(missing) > 0 {
		b.Notes = append(b.Notes, fmt.Sprintf("for %s the stolen set lacks a program's approval only, and a program approves by itself what passes its check: "+
			"if the thief's requests pass, the bound is that of the same set with service:%s", strings.Join(asked, ", "), strings.Join(missing, ",service:")))
	}
	switch {
	case r.timeless():
		b.Notes = append(b.Notes, "the stolen set has the clock and is a quorum for resuming: it says how late it is, so that every window has room again and every time-lock ends whenever it likes")
	case opt.Stolen.Clock:
		b.Notes = append(b.Notes, "with the clock: policy time runs at most 1 in 1000 fast, and 20 minutes ahead after a long run and a start, as long as no quorum of the witnesses is the thief's too; and under a clock that is ahead, payments are signed that the chain takes later only: count the span from when the clock was stolen")
	case opt.Stolen.Network:
		b.Notes = append(b.Notes, "with the network: a host that believes what the network says of the time (plain NTP, one source) has its clock stolen with it; then add clock")
	}
	return b
}

// governance gives the worst that the stolen set does if it can change the rules
// within the span, "" if it cannot.
func (b *Blast) governance(r *radius) string {
	g := &r.p.doc.Governance
	open, earliest := "", Millis(math.MaxInt64)
	reach := func(what string, anyOf []Quorum, lock Millis, rest string) {
		if !r.fills(anyOf, nil) {
			return
		}
		lock = r.wait(lock)
		if !r.timeless() {
			earliest = min(earliest, lock)
		}
		word := "bounded until the time-lock ends after " + lock.String() + ", then unbounded" + rest
		if r.timeless() {
			word = "unbounded at once, since the time-lock of " + lock.String() + " ends when it says so"
		}
		b.Notes = append(b.Notes, fmt.Sprintf("the stolen set is a quorum for %s: %s", what, word))
		switch {
		case open != "":
		case r.timeless():
			open = fmt.Sprintf("the thief proposes and approves %s, turns the clock past its time-lock of %s, vouches for it, and then takes everything", what, lock)
		case r.outwaits(lock):
			open = fmt.Sprintf("the thief proposes and approves %s, waits out its time-lock of %s, and then takes everything", what, lock)
		}
	}
	reach("a new policy", g.Policy.AnyOf, g.Policy.TimeLock, fmt.Sprintf(", unless %d directors veto", g.Veto))
	if g.Recovery != nil {
		reach("a recovery", g.Recovery.AnyOf, g.Recovery.TimeLock, ", unless a quorum of directors vetoes")
	}
	if earliest < math.MaxInt64 {
		b.UnboundedFrom = earliest
	}
	if r.fills(g.Addresses.AnyOf, nil) {
		after := "after " + r.wait(g.Addresses.TimeLock).String()
		if r.timeless() {
			after = "at once"
		}
		b.Notes = append(b.Notes, "the stolen set is a quorum for addresses: "+after+" listed destinations can be the thief's")
	}
	if r.fills(g.Unfreeze.AnyOf, nil) {
		b.Notes = append(b.Notes, "the stolen set is a quorum for unfreezing: it can lift freezes, and sweep wallets, but only to their rescue addresses; "+
			"each sweep pays a fee, and levies, that no limit counts and that stand in no number here")
	}
	return open
}

// programs gives the rules and limits that the stolen set lacks only services for,
// and those: nobody has to steal what approves by itself.
func (r *radius) programs() (asked, missing []string) {
	all := &radius{p: r.p, opt: r.opt}
	all.opt.Stolen.Services = names(r.p.doc.Services, func(x Service) string { return x.ID })
	e := electorate{policy: r.p}
	ask := func(id string, clients set, a *Approval) {
		for _, name := range r.opt.Stolen.Clients {
			i := r.p.clients[name]
			c := &r.p.doc.Clients[i]
			if a == nil || !clients.has(i) || r.fills(a.AnyOf, c) || !all.fills(a.AnyOf, c) {
				continue
			}
			asked = append(asked, id)
			for _, s := range all.opt.Stolen.Services {
				if e.mayAny(Actor{ServiceActor, s}, a.AnyOf) && !slices.Contains(r.opt.Stolen.Services, s) && !slices.Contains(missing, s) {
					missing = append(missing, s)
				}
			}
			return
		}
	}
	for i, x := range r.p.doc.Rules {
		ask(x.ID, r.p.rules[i].clients, x.Approval)
	}
	for i, x := range r.p.doc.Limits {
		ask(x.ID, r.p.limits[i].clients, x.Approval)
	}
	return asked, missing
}

// How far policy time gets ahead under a stolen clock: milliseconds, ten minutes after a start of the machine and ten that
// a long run lets it, and 1 in so many.
const (
	aheadAtOnce = 20 * minute
	aheadRate   = 1000
)

// wait is how long a time-lock keeps the thief at least, who does not say how late it is: a stolen clock runs fast.
func (r *radius) wait(lock Millis) Millis {
	if !r.opt.Stolen.Clock || r.timeless() {
		return lock
	}
	return max(0, lock-aheadAtOnce-lock/aheadRate-1) / minute * minute
}

// timeless tells whether the thief says how late it is: policy time goes where the clock stands and a quorum for
// resuming vouches for it, and neither waits for anybody's veto.
func (r *radius) timeless() bool {
	return r.opt.Stolen.Clock && r.fills(r.p.doc.Governance.Resume.AnyOf, nil)
}

// fills tells whether the stolen parties complete a quorum, for a client if one
// is given (its operators do not count).
func (r *radius) fills(anyOf []Quorum, c *Client) bool {
	e := electorate{policy: r.p}
	if c != nil {
		e.barred = c.Operators
	}
	var stolen []Verdict
	for _, id := range r.opt.Stolen.People {
		stolen = append(stolen, Verdict{By: Actor{PersonActor, string(id)}})
	}
	for _, id := range r.opt.Stolen.Services {
		stolen = append(stolen, Verdict{By: Actor{ServiceActor, id}})
	}
	return slices.ContainsFunc(anyOf, func(q Quorum) bool {
		filled, wanted := e.fill(q, stolen)
		return filled == wanted
	})
}

// usable tells whether the stolen set can use a rule of a client.
func (r *radius) usable(x *rule, c *Client) bool {
	return x.then == thenSign || (x.then == thenApprove && r.fills(x.approval.AnyOf, c))
}

// pays tells whether a rule can match a wallet's and client's payment of an asset.
func (r *radius) pays(x *rule, wallet, client, asset int) bool {
	return x.wallets.has(wallet) && x.clients.has(client) && x.assets.has(asset) &&
		r.p.assetList[asset].network == r.p.walletList[wallet].network && (!x.listed || r.listed(x.books[0], wallet) > 0 || r.writesLists())
}

// writesLists tells whether the thief's own addresses can be listed before the span is over: as many as the thief likes, since
// what was paid can make room for others.
func (r *radius) writesLists() bool {
	g := &r.p.doc.Governance.Addresses
	return r.fills(g.AnyOf, nil) && (r.timeless() || r.outwaits(r.wait(g.TimeLock)))
}

// outwaits tells whether what the thief proposes acts before the span is over, if it waits so long. What is signed before the
// span counts, so the waiting may begin there.
func (r *radius) outwaits(wait Millis) bool {
	longest := Millis(0)
	for i := range r.p.doc.Wallets {
		longest = max(longest, r.p.doc.Wallets[i].Life)
	}
	return r.opt.Span+longest >= wait
}

// listed counts the addresses that some books hold on a wallet's network; 1 stands
// for some if no book was given.
func (r *radius) listed(books uint64, wallet int) int {
	if r.opt.Book == nil {
		return 1
	}
	key := listKey{books, r.p.walletList[wallet].network}
	if n, ok := r.opt.lists[key]; ok {
		return n
	}
	seen := map[nem.Address]bool{}
	for _, e := range r.opt.Book.Entries() {
		i, ok := r.p.books[e.Book]
		if !ok || books&(1<<i) == 0 {
			continue
		}
		if a, err := nem.ParseAddress(key.network, e.Address); err == nil {
			seen[a] = true
		}
	}
	if r.opt.lists == nil {
		r.opt.lists = map[listKey]int{}
	}
	r.opt.lists[key] = len(seen)
	return len(seen)
}

// ways lists by which ways anything leaves. A quorum way opens when one rule or
// limit can be approved for any asset of the wallet: a withdrawal of two assets
// then takes the other one along, uncounted by limits that are not always.
func (r *radius) ways() []way {
	var all []way
	for i := range r.p.doc.Wallets {
		for _, id := range r.opt.Stolen.Clients {
			c := r.p.clients[id]
			alone, quorum := false, false
			for k := range r.p.rules {
				x := &r.p.rules[k]
				for a := range r.p.assetList {
					if r.pays(x, i, c, a) && r.usable(x, &r.p.doc.Clients[c]) {
						alone = alone || x.then == thenSign
						quorum = quorum || x.then == thenApprove
					}
				}
			}
			for k := range r.p.limits {
				l := &r.p.limits[k]
				if alone && l.at == atApprove && l.wallets.has(i) && l.clients.has(c) &&
					r.fills(r.p.doc.Limits[k].Approval.AnyOf, &r.p.doc.Clients[c]) {
					quorum = true
				}
			}
			if alone {
				all = append(all, way{i, c, false})
			}
			if quorum {
				all = append(all, way{i, c, true})
			}
		}
	}
	return all
}

// takes lists the assets whose withdrawal by a way takes something of the asset:
// itself, those that pay fees in it, those with a levy in it.
func (r *radius) takes(w way, asset int) []int {
	var out []int
	currency := r.p.assetList[asset].id == nem.Currency(r.p.walletList[w.wallet].network)
	for a := range r.p.assetList {
		if a != asset && !currency && r.p.assetList[a].levy != asset {
			continue
		}
		for k := range r.p.rules {
			x := &r.p.rules[k]
			if r.pays(x, w.wallet, w.client, a) && r.usable(x, &r.p.doc.Clients[w.client]) {
				out = append(out, a)
				break
			}
		}
	}
	return out
}

// onlyListed tells whether what takes something of the asset by a way goes to
// listed destinations only.
func (r *radius) onlyListed(w way, asset int) bool {
	return !slices.ContainsFunc(r.openers(w, asset), func(x *rule) bool { return !x.listed })
}

// openers lists the rules that let a way pay what takes something of the asset.
func (r *radius) openers(w way, asset int) []*rule {
	var out []*rule
	assets := r.takes(w, asset)
	for k := range r.p.rules {
		x := &r.p.rules[k]
		if r.usable(x, &r.p.doc.Clients[w.client]) &&
			slices.ContainsFunc(assets, func(a int) bool { return r.pays(x, w.wallet, w.client, a) }) {
			out = append(out, x)
		}
	}
	return out
}

// perPayment is the most of the asset that one withdrawal by a way takes, nil if
// nothing bounds it.
func (r *radius) perPayment(w way, asset int) *big.Int {
	total := new(big.Int)
	if r.p.assetList[asset].id == nem.Currency(r.p.walletList[w.wallet].network) {
		total.SetUint64(uint64(r.p.doc.Wallets[w.wallet].MaxFee))
	}
	for _, a := range r.takes(w, asset) {
		levied := r.p.assetList[a].levy == asset
		if a != asset && !levied {
			continue // its fee is counted
		}
		most := r.largest(w, a)
		if a == asset {
			if most == nil {
				return nil
			}
			total.Add(total, most)
		}
		if levied {
			part := r.levyOf(a, most)
			if part == nil {
				return nil
			}
			total.Add(total, part)
		}
	}
	return total
}

// levyOf is what a levy takes beside the largest payment of an asset.
func (r *radius) levyOf(asset int, most *big.Int) *big.Int {
	levy := r.p.doc.Assets[asset].Levy
	fee := new(big.Int).SetUint64(uint64(levy.Fee))
	if levy.Kind == "absolute" {
		return fee
	}
	if most == nil {
		return nil
	}
	return fee.Mul(fee, most).Div(fee, big.NewInt(10_000))
}

// largest is the most that one withdrawal moves of an asset itself, nil if nothing
// bounds it. Rules are read in order: what one takes that gives the thief nothing, no
// later one pays.
func (r *radius) largest(w way, asset int) *big.Int {
	most := new(big.Int)
	var end *big.Int // of what is left for later rules
	for k := range r.p.rules {
		x := &r.p.rules[k]
		switch {
		case !r.usable(x, &r.p.doc.Clients[w.client]):
			if above := x.takesAbove(w.wallet, w.client, asset); above != nil && (end == nil || above.Cmp(end) < 0) {
				end = above
			}
		case r.pays(x, w.wallet, w.client, asset):
			up := end
			if x.amount != nil && x.amount.UpTo != nil {
				up = new(big.Int).SetUint64(uint64(*x.amount.UpTo))
				if end != nil && end.Cmp(up) < 0 {
					up = end
				}
			}
			if up == nil {
				return nil
			}
			if up.Cmp(most) > 0 {
				most = up
			}
		}
	}
	return most
}

// BlastTable computes the default table: every single key (clients, persons,
// services), every pair of them, beside a pair that lacks only services for some
// approval the same with those, and the set of January 2018: all of a client,
// gateway, database and network, for each client.
func BlastTable(p *Policy, opt BlastOptions) []Blast {
	var parts []func(*Stolen)
	for _, c := range p.doc.Clients {
		parts = append(parts, func(s *Stolen) { s.Clients = append(s.Clients, c.ID) })
	}
	for _, x := range p.doc.People {
		parts = append(parts, func(s *Stolen) { s.People = append(s.People, x.ID) })
	}
	for _, x := range p.doc.Services {
		parts = append(parts, func(s *Stolen) { s.Services = append(s.Services, x.ID) })
	}
	opt.lists = map[listKey]int{}
	var table []Blast
	compute := func(stolen Stolen) {
		one := opt
		one.Stolen = stolen
		table = append(table, BlastRadius(p, one))
	}
	for i := range parts {
		var s Stolen
		parts[i](&s)
		compute(s)
	}
	for i := range parts {
		for k := i + 1; k < len(parts); k++ {
			var s Stolen
			parts[i](&s)
			parts[k](&s)
			compute(s)
			if _, missing := (&radius{p: p, opt: BlastOptions{Stolen: s}}).programs(); len(missing) > 0 {
				s.Services = append(s.Services, missing...)
				compute(s)
			}
		}
	}
	for _, c := range p.doc.Clients {
		compute(Stolen{Clients: []ClientID{c.ID}, Gateway: true, Database: true, Network: true})
	}
	return table
}
