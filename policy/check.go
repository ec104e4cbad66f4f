package policy

import (
	"fmt"
	"slices"

	"kura/nem"
)

// Level says how much a finding matters.
type Level string

// The levels. What is wrong outright is no finding: Parse refuses it.
const (
	Danger  Level = "danger"  // money can be lost, or the service cannot work
	Warning Level = "warning" // most likely not meant
	Note    Level = "note"    // good to know
)

// Finding is something unwise in a policy.
type Finding struct {
	Level Level  `json:"level"`
	Code  string `json:"code"`
	Path  string `json:"path"`
	Text  string `json:"text"`
}

// checker gathers findings.
type checker struct {
	p    *Policy
	book *Book
	now  Now
	// lists is shared by all blast radii that are computed.
	lists map[listKey]int
	out   []Finding
}

func (c *checker) find(level Level, code, path, text string, args ...any) {
	c.out = append(c.out, Finding{level, code, path, fmt.Sprintf(text, args...)})
}

// Check looks for what is unwise: rules that never match, limits that never
// bind, quorums that cannot be reached or that few losses make unreachable,
// wallets without rescue, paths that nothing bounds, grants that are stale. book
// may be nil; now says which last days are over. The worst come first.
func Check(p *Policy, book *Book, now Now) []Finding {
	c := &checker{p: p, book: book, now: now, lists: map[listKey]int{}}
	c.parties()
	c.wallets()
	c.rules()
	c.limits()
	c.quorums()
	c.governance()
	c.entries()
	worst := []Level{Danger, Warning, Note}
	slices.SortStableFunc(c.out, func(a, b Finding) int { return slices.Index(worst, a.Level) - slices.Index(worst, b.Level) })
	return c.out
}

func (c *checker) parties() {
	d := &c.p.doc
	for i, x := range d.People {
		path := fmt.Sprintf("people[%d]", i)
		if len(x.Keys) == 0 {
			c.find(Danger, "person_without_key", path+".keys", "%s has no key and can do nothing", x.ID)
		}
		if len(x.Roles) == 0 {
			c.find(Note, "person_without_role", path+".roles", "%s has no role: they can freeze and nothing else", x.ID)
		}
		for _, role := range x.Roles {
			if role != DirectorRole && !c.mentioned(role) {
				c.find(Note, "role_unused", path+".roles", "role %s is asked for nowhere", role)
			}
		}
	}
	for i, x := range d.Services {
		if !c.mentioned(x.ID) {
			c.find(Note, "service_unused", fmt.Sprintf("services[%d]", i), "service %s is asked for nowhere", x.ID)
		}
	}
	for i, x := range d.Clients {
		path := fmt.Sprintf("clients[%d]", i)
		if len(x.Keys) == 0 {
			c.find(Danger, "client_without_key", path+".keys", "%s has no key and can ask for nothing", x.ID)
		}
		if len(x.Operators) == 0 {
			c.find(Warning, "client_without_operator", path+".operators", "nobody is named as operating %s, so whoever does may approve for it", x.ID)
		}
	}
	c.out = append(c.out, Stale(c.p, c.now)...)
	if len(d.Sentinels) == 0 {
		c.find(Note, "no_sentinel", "sentinels", "no program can freeze by itself when something is wrong at night")
	}
}

func (c *checker) wallets() {
	d := &c.p.doc
	for i, w := range d.Wallets {
		path := fmt.Sprintf("wallets[%d]", i)
		facts := &c.p.walletList[i]
		if w.Rescue == "" {
			c.find(Danger, "no_rescue_address", path+".rescue", "wallet %s has nowhere to be swept to in an emergency", w.ID)
		}
		currency, ok := c.p.assetIndex[assetKey{facts.network, nem.Currency(facts.network)}]
		if !ok {
			c.find(Danger, "fee_asset_not_registered", path, "the currency of %s is not in the registry, so no fee can be paid and nothing signed", w.Network)
			continue
		}
		if len(d.Rules) > 0 && !c.paid(i) {
			c.find(Warning, "wallet_without_rule", path, "no rule ever pays from wallet %s", w.ID)
			continue
		}
		if !slices.ContainsFunc(c.p.limits, func(l limit) bool {
			return !l.count && l.assets.has(currency) && l.wallets.has(i) && !l.per.Has(PerCustomer) && !l.per.Has(PerDestination)
		}) {
			c.find(Danger, "fee_asset_without_limit", path, "no limit counts the %s that wallet %s pays as fees", d.Assets[currency].Name, w.ID)
		}
		c.emptied(path, i)
	}
}

func (c *checker) paid(wallet int) bool {
	r := &radius{p: c.p, opt: BlastOptions{Book: c.book, lists: c.lists}}
	for k := range c.p.rules {
		for client := range c.p.doc.Clients {
			for a := range c.p.assetList {
				if c.p.rules[k].then != thenDeny && r.pays(&c.p.rules[k], wallet, client, a) {
					return true
				}
			}
		}
	}
	return false
}

// emptied finds what one stolen client key could take without end.
func (c *checker) emptied(path string, wallet int) {
	for _, client := range c.p.doc.Clients {
		b := BlastRadius(c.p, BlastOptions{Stolen: Stolen{Clients: []ClientID{client.ID}}, Span: day, Book: c.book, lists: c.lists})
		for _, row := range b.Rows {
			if row.Wallet != c.p.doc.Wallets[wallet].ID || !row.Unbounded {
				continue
			}
			where := "to any destination"
			if row.Listed {
				where = "to listed destinations"
			}
			c.find(Danger, "unlimited_path", path, "client %s alone can empty wallet %s of %s %s: a rule signs it and no limit that a thief cannot get around counts it", client.ID, row.Wallet, row.Asset, where)
		}
	}
}

func (c *checker) rules() {
	d := &c.p.doc
	for i := range c.p.rules {
		r := &c.p.rules[i]
		path := fmt.Sprintf("rules[%d]", i)
		if len(d.Wallets) > 0 && len(d.Clients) > 0 {
			c.neverMatches(i)
			c.tooLate(i)
		}
		if a := r.approval; a != nil {
			c.coolingOff(path, a)
		}
		if r.listed && c.book != nil && c.book.Len() > 0 && !slices.ContainsFunc(c.book.Entries(), func(e Entry) bool {
			at, ok := c.p.books[e.Book]
			return ok && r.books.has(at)
		}) {
			c.find(Note, "book_empty", path, "the books of rule %s are empty", r.id)
		}
	}
	for i, book := range d.Books {
		if !slices.ContainsFunc(d.Rules, func(r Rule) bool { return slices.Contains(r.When.Destination, book) }) {
			c.find(Note, "book_unused", fmt.Sprintf("books[%d]", i), "no rule refers to book %s; its entries still say which message their addresses need", book)
		}
	}
}

// coolingOff finds an approval that nothing lives to see the end of.
func (c *checker) coolingOff(path string, a *Approval) {
	if life := c.p.doc.WithdrawalLife; a.CoolingOff >= life {
		c.find(Danger, "cooling_off_too_long", path+".approval.coolingOff", "nothing is ever signed by it: the cooling-off takes %s, and a withdrawal lives %s", a.CoolingOff, life)
	}
}

func (c *checker) limits() {
	d := &c.p.doc
	for i := range c.p.limits {
		l := &c.p.limits[i]
		path := fmt.Sprintf("limits[%d]", i)
		if a := d.Limits[i].Approval; a != nil {
			c.coolingOff(path, a)
		}
		if l.max == 0 && l.at != atApprove {
			c.find(Warning, "limit_admits_nothing", path+".max", "limit %s admits nothing: whatever it counts is denied", l.id)
		}
		if !c.countable(l) {
			c.find(Warning, "limit_never_binds", path, "limit %s never binds: none of its wallets and assets are on one network", l.id)
			continue
		}
		switch signed, approved := c.fills(l); {
		case len(c.p.doc.Rules) == 0 || len(c.p.doc.Clients) == 0:
		case !signed && !approved:
			c.find(Warning, "limit_never_binds", path, "limit %s never binds: no rule pays anything that it counts", l.id)
			continue
		case !signed && !l.always:
			c.find(Warning, "limit_never_binds", path, "limit %s never binds: every rule that pays what it counts asks for a quorum, and only always limits count what a quorum approves", l.id)
			continue
		}
		if l.per.Has(PerCustomer) {
			c.find(Note, "limit_on_what_the_client_writes", path, "limit %s binds per customer, and the client writes who that is: it guards against a customer's account being taken over, not against a stolen client", l.id)
		}
		if open := c.open(l); l.per.Has(PerDestination) && open != "" {
			c.find(Note, "limit_on_what_the_client_writes", path, "limit %s binds per destination, and rule %s pays destinations that are in no list: a thief writes a new one each time", l.id, open)
		}
		for k := range c.p.limits {
			if o := &c.p.limits[k]; k != i && o.dominates(l) && (k < i || !l.dominates(o)) {
				c.find(Warning, "limit_never_binds", path, "limit %s never binds: limit %s allows no more in at least as long a window, and counts at least as much", l.id, o.id)
				break
			}
		}
		c.supply(path, l)
	}
}

// supply finds amounts that exceed everything there is.
func (c *checker) supply(path string, l *limit) {
	if l.count {
		return
	}
	for a, asset := range c.p.doc.Assets {
		if !l.assets.has(a) || asset.Supply == 0 {
			continue
		}
		whole := l.max
		for range asset.Divisibility {
			whole /= 10
		}
		if whole >= uint64(asset.Supply) {
			c.find(Warning, "limit_never_binds", path+".max", "limit %s allows all %s that exist", l.id, asset.Name)
		}
	}
}

func (c *checker) countable(l *limit) bool {
	for i := range c.p.walletList {
		for a := range c.p.assetList {
			if l.wallets.has(i) && l.assets.has(a) && c.p.walletList[i].network == c.p.assetList[a].network {
				return true
			}
		}
	}
	return len(c.p.walletList) == 0
}

// fills tells whether rules that sign, and rules that ask for approval, pay anything that a limit counts.
func (c *checker) fills(l *limit) (signed, approved bool) {
	for k := range c.p.rules {
		if x := &c.p.rules[k]; x.then != thenDeny && c.counts(l, x) {
			signed, approved = signed || x.then == thenSign, approved || x.then == thenApprove
		}
	}
	return signed, approved
}

// open names a rule that pays something that a limit counts to any destination, "" if none does.
func (c *checker) open(l *limit) string {
	i := slices.IndexFunc(c.p.rules, func(x rule) bool { return x.then != thenDeny && !x.listed && c.counts(l, &x) })
	if i < 0 {
		return ""
	}
	return c.p.rules[i].id
}

// counts tells whether a limit counts anything that a rule can match: fees and levies are amounts, too.
func (c *checker) counts(l *limit, x *rule) bool {
	r := &radius{p: c.p}
	for wallet := range c.p.walletList {
		for client := range c.p.doc.Clients {
			for a := range c.p.assetList {
				counted := l.assets.has(a)
				if fee, levy := c.p.walletList[wallet].currency, c.p.assetList[a].levy; !l.count {
					counted = counted || (fee >= 0 && l.assets.has(fee)) || (levy >= 0 && l.assets.has(levy))
				}
				if counted && l.wallets.has(wallet) && l.clients.has(client) && r.pays(x, wallet, client, a) {
					return true
				}
			}
		}
	}
	return false
}

// dominates tells whether this limit stops at least whatever the other stops,
// at least as strictly.
func (l *limit) dominates(o *limit) bool {
	strict := map[string]int{atWait: 0, atApprove: 0, atDeny: 1}
	return l.count == o.count && l.max <= o.max && l.window >= o.window && (l.always || !o.always) &&
		l.per&^o.per == 0 && (strict[l.at] > strict[o.at] || l.at == o.at && (l.at != atApprove || sameApproval(l.approval, o.approval))) &&
		equalOrAll(l.wallets, o.wallets) && equalOrAll(l.clients, o.clients) && equalOrAll(l.assets, o.assets)
}

// sameApproval: whoever lets one through lets the other through, and a second limit with other approvers asks for more.
func sameApproval(a, b *Approval) bool { return text(*a) == text(*b) }

func equalOrAll(outer, inner set) bool { return outer == nil || slices.Equal(outer, inner) }

func (c *checker) governance() {
	d := &c.p.doc
	real := slices.ContainsFunc(c.p.walletList, func(w walletFacts) bool { return w.network.IsMainnet() })
	if real {
		for _, x := range []struct {
			path string
			lock Millis
		}{{"governance.policy.timeLock", d.Governance.Policy.TimeLock}, {"governance.addresses.timeLock", d.Governance.Addresses.TimeLock}} {
			if x.lock < day {
				c.find(Warning, "short_time_lock", x.path, "a change acts after %s: too soon for everybody to see it coming and veto", x.lock)
			}
		}
	}
	c.veto()
	if d.Governance.Recovery == nil {
		c.find(Note, "no_recovery", "governance", "if the directors' keys are lost, nothing replaces them")
	}
	if len(d.Tripwires.CanaryKeys) == 0 && len(d.Tripwires.CanaryAddresses) == 0 {
		c.find(Note, "no_canary", "tripwires", "no canary key or address: an intruder who looks around sets off nothing")
	}
}

// veto finds a stolen quorum that nobody is left to veto.
func (c *checker) veto() {
	g := &c.p.doc.Governance
	directors := len(c.p.groups[DirectorRole])
	for _, q := range g.Policy.AnyOf {
		for _, n := range q.AllOf {
			if left := directors - n.Count; n.Group == DirectorRole && left < g.Veto {
				c.find(Warning, "veto_out_of_reach", "governance.veto", "if the keys of %s are stolen, those left are %d, and a veto takes %d: what the thief adopts waits out its time-lock and acts", plural(n.Count, "director"), left, g.Veto)
				return
			}
		}
	}
}

// entries finds destinations that no wallet can pay, and books that the policy does not know.
func (c *checker) entries() {
	if c.book == nil {
		return
	}
	for _, e := range c.book.Entries() {
		path := "book " + e.Book + ", " + quoted(e.Name)
		if _, ok := c.p.books[e.Book]; !ok {
			c.find(Note, "entry_of_unknown_book", path, "the policy has no book %s", e.Book)
		}
		if !slices.ContainsFunc(c.p.doc.Wallets, func(w Wallet) bool { return w.Network == e.Network }) {
			c.find(Warning, "entry_of_wrong_network", path, "no wallet is on %s", e.Network)
		}
		if e.LastDay.Past(c.now.latest()) {
			c.find(Note, "stale_grant", path, "its last day was %s", e.LastDay)
		}
	}
}
