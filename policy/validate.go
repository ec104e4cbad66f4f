package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"kura/nem"
	"kura/statement"
)

// The bounds within which semantics 1 judges. They are wide; what a policy of
// one's own should be is Check's business.
const (
	// MaxWindow is the longest window of a limit, and how long Usage remembers:
	// any later limit thus starts from the true history.
	MaxWindow Millis = 31 * day
	// MaxWithdrawalLife is the oldest a withdrawal statement can get under any policy.
	MaxWithdrawalLife Millis = 7 * day
	// MinRecoveryLock is the shortest time-lock of a recovery.
	MinRecoveryLock Millis = 14 * day
	maxTimeLock     Millis = 90 * day
	maxExpiry       Millis = 30 * day
	minWalletLife   Millis = minute
	maxNeed                = 32
	// currencyDivisibility is that of XEM and of XYM.
	currencyDivisibility = 6
	// maxPending is how many requests of a client can wait: all of them are judged
	// again whenever one's time comes.
	maxPending = 1000

	minute Millis = 60_000
	hour          = 60 * minute
	day           = 24 * hour
)

// The words that documents use.
const (
	thenDeny    = "deny"
	thenSign    = "sign"
	thenApprove = "approve"

	atDeny    = "deny"
	atApprove = "approve"
	atWait    = "wait"

	ofAmount = "amount"
	ofCount  = "count"

	// DirectorRole is the role that governs.
	DirectorRole = "director"
)

var (
	namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	dayNames    = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	perNames    = []string{"wallet", "client", "asset", "destination", "customer"}
	messageKind = []string{"none", "text", "hex"}
)

// validator reads a document into a Policy and gathers every mistake.
type validator struct {
	p    *Policy
	errs Errors
}

func (v *validator) fail(path, want, what string, args ...any) {
	v.errs = append(v.errs, &Error{Path: path, What: fmt.Sprintf(what, args...), Want: want})
}

func (v *validator) document() {
	d := &v.p.doc
	if d.Semantics != 1 {
		v.fail("semantics", "want 1", "semantics %d is not known to this program", d.Semantics)
	}
	if d.Version < 1 {
		v.fail("version", "want 1 or more", "version %d", d.Version)
	}
	if d.Version == 1 && len(d.Wallets) > 0 {
		v.fail("wallets", "want [] in version 1; wallets enter by version 2, when their keys are made", "policy 1 stands in the genesis, before any wallet exists")
	}
	switch {
	case d.Version == 1 && d.Previous != "":
		v.fail("previous", `want ""`, "version 1 has no predecessor")
	case d.Version > 1:
		if _, err := ParseHash(d.Previous); err != nil {
			v.fail("previous", "want the hash of the policy that this one replaces, 64 lower-case hex digits (kura policy compile prints it)", "%s is no hash", quoted(d.Previous))
		}
	}
	v.line("title", d.Title, 200)
	v.span("withdrawalLife", d.WithdrawalLife, minute, MaxWithdrawalLife)
	v.parties()
	v.assets()
	v.wallets()
	v.bookNames()
	v.rules()
	v.limits()
	v.governance()
	v.tripwires()
	v.anchor()
}

// parties reads people, services, sentinels and clients, and whose each key is.
func (v *validator) parties() {
	p, d := v.p, &v.p.doc
	p.keys = map[statement.Key]Actor{}
	p.fingerprints = map[string]Actor{}
	p.lastDays = map[Actor]Day{}
	p.people = map[PersonID]int{}
	p.clients = map[ClientID]int{}
	p.groups = map[string][]Actor{}
	for i, x := range d.People {
		path := fmt.Sprintf("people[%d]", i)
		actor := Actor{PersonActor, string(x.ID)}
		v.party(path, actor, x.Name, x.Keys, x.LastDay)
		p.people[x.ID] = i
		for j, role := range x.Roles {
			at := fmt.Sprintf("%s.roles[%d]", path, j)
			v.name(at, role)
			if slices.Contains(x.Roles[:j], role) {
				v.fail(at, "name each role once", "role %s stands twice", quoted(role))
			}
			p.groups[role] = append(p.groups[role], actor)
		}
		for j, key := range x.Keys {
			if x.UserVerification && !strings.HasPrefix(key, "sk-") {
				v.fail(fmt.Sprintf("%s.keys[%d]", path, j), "want a security key (sk-ssh-ed25519@openssh.com …), or userVerification: false", "only a security key can verify its user")
			}
		}
	}
	for i, x := range d.Services {
		path := fmt.Sprintf("services[%d]", i)
		actor := Actor{ServiceActor, x.ID}
		v.party(path, actor, x.Name, x.Keys, x.LastDay)
		if len(p.groups[x.ID]) > 0 {
			v.fail(path+".id", "give the service a name of its own", "%s is already a role or another service", quoted(x.ID))
		}
		p.groups[x.ID] = append(p.groups[x.ID], actor)
	}
	for i, x := range d.Sentinels {
		v.party(fmt.Sprintf("sentinels[%d]", i), Actor{SentinelActor, x.ID}, x.Name, x.Keys, x.LastDay)
	}
	for i, x := range d.Clients {
		path := fmt.Sprintf("clients[%d]", i)
		v.party(path, Actor{ClientActor, string(x.ID)}, x.Name, x.Keys, x.LastDay)
		p.clients[x.ID] = i
		for j, person := range x.Operators {
			if _, ok := p.people[person]; !ok {
				v.unknown(fmt.Sprintf("%s.operators[%d]", path, j), "person", string(person), names(d.People, func(x Person) string { return string(x.ID) }))
			}
		}
		v.count(path+".budget.entries", x.Budget.Entries, 1, 10_000_000)
		v.span(path+".budget.window", x.Budget.Window, 1000, day)
		v.count(path+".budget.pending", x.Budget.Pending, 0, maxPending)
	}
}

// party reads what every kind of party has.
func (v *validator) party(path string, actor Actor, name string, keys []string, lastDay Day) {
	v.name(path+".id", actor.ID)
	v.line(path+".name", name, 100)
	if _, ok := v.p.lastDays[actor]; ok {
		v.fail(path+".id", "each stands once", "%s stands twice", actor)
	}
	v.p.lastDays[actor] = lastDay
	if lastDay != "" {
		if _, err := lastDay.end(); err != nil {
			v.fail(path+".lastDay", `want a day as 2027-01-31, or "" for no end`, "%s is no day", quoted(string(lastDay)))
		}
	}
	for i, text := range keys {
		v.key(fmt.Sprintf("%s.keys[%d]", path, i), text, actor)
	}
}

func (v *validator) key(path, text string, owner Actor) {
	key, err := statement.ParseKey(text)
	if err != nil {
		what := err.Error()
		if e, ok := errors.AsType[*statement.Error](err); ok {
			what = e.Msg // it says what would be right, too
		}
		v.fail(path, "it is the first two fields of the .pub file", "%s", what)
		return
	}
	if other, taken := v.p.keys[key]; taken {
		v.fail(path, "a key stands once in a policy, for one party", "this key already belongs to %s", other)
		return
	}
	v.p.keys[key] = owner
	v.p.fingerprints[key.Fingerprint()] = owner
}

// assets reads the registry; levies refer within it, so they come second.
func (v *validator) assets() {
	p, d := v.p, &v.p.doc
	p.assetIndex = map[assetKey]int{}
	p.registry = map[nem.Network]nem.Assets{}
	p.assetList = make([]assetFacts, len(d.Assets))
	for i, x := range d.Assets {
		path := fmt.Sprintf("assets[%d]", i)
		v.name(path+".id", string(x.ID))
		if slices.ContainsFunc(d.Assets[:i], func(y Asset) bool { return y.ID == x.ID }) {
			v.fail(path+".id", "each stands once", "asset %s stands twice", quoted(string(x.ID)))
		}
		v.line(path+".name", x.Name, 20)
		if x.Name == "" || strings.ContainsAny(x.Name, " \t") {
			v.fail(path+".name", `want the unit that people write, such as "XEM"`, "%s is no unit", quoted(x.Name))
		}
		if x.Divisibility > 6 {
			v.fail(path+".divisibility", "want 0 to 6", "divisibility %d", x.Divisibility)
		}
		if x.Supply > 9_000_000_000_000_000 {
			v.fail(path+".supply", "want the supply in whole units", "%d is more than any asset has", x.Supply)
		}
		network, ok := v.network(path+".network", x.Network)
		if !ok {
			continue
		}
		id, err := nem.ParseAssetID(network.Chain(), x.Asset)
		if err != nil {
			v.fail(path+".asset", `want "nem:xem" or "namespace:mosaic" on NIS1, 16 upper-case hex digits on Symbol`, "%v", err)
			continue
		}
		if id == nem.Currency(network) && x.Divisibility != currencyDivisibility {
			v.fail(path+".divisibility", fmt.Sprintf("want %d, or every amount of it is another than it seems", currencyDivisibility), "divisibility %d of the currency of %s", x.Divisibility, x.Network)
		}
		key := assetKey{network, id}
		if _, taken := p.assetIndex[key]; taken {
			v.fail(path+".asset", "each stands once", "%s of %s stands twice", x.Asset, x.Network)
		}
		p.assetIndex[key] = i
		p.assetList[i] = assetFacts{assetKey: key, levy: -1}
		if p.registry[network] == nil {
			p.registry[network] = nem.Assets{}
		}
		p.registry[network][id] = nem.Asset{ID: id, Supply: uint64(x.Supply), Divisibility: x.Divisibility}
	}
	for i, x := range d.Assets {
		if x.Levy != nil {
			v.levy(fmt.Sprintf("assets[%d].levy", i), i, x.Levy)
		}
	}
}

func (v *validator) levy(path string, i int, levy *Levy) {
	p := v.p
	facts := &p.assetList[i]
	if facts.network.Chain() != nem.NIS1 {
		v.fail(path, "leave levy out", "only NIS1 mosaics have levies")
		return
	}
	j := v.assetRef(path+".asset", levy.Asset)
	if j < 0 {
		return
	}
	if p.assetList[j].network != facts.network {
		v.fail(path+".asset", "want an asset of the same network", "%s is of another network", levy.Asset)
		return
	}
	recipient, err := nem.ParseAddress(facts.network, levy.Recipient)
	if err != nil {
		v.fail(path+".recipient", "want the address that the mosaic's definition names", "%v", err)
		return
	}
	kind := nem.LevyAbsolute
	switch levy.Kind {
	case "absolute":
	case "percentile":
		kind = nem.LevyPercentile
	default:
		v.fail(path+".kind", `want "absolute" or "percentile"`, "kind %s is not known", quoted(levy.Kind))
		return
	}
	facts.levy = j
	facts.terms = &nem.Levy{Kind: kind, Asset: p.assetList[j].id, Fee: nem.Amount(levy.Fee), Recipient: recipient}
	entry := p.registry[facts.network][facts.id]
	entry.Levy = facts.terms
	p.registry[facts.network][facts.id] = entry
}

func (v *validator) wallets() {
	p, d := v.p, &v.p.doc
	p.wallets = map[WalletID]int{}
	p.walletList = make([]walletFacts, len(d.Wallets))
	for i, x := range d.Wallets {
		path := fmt.Sprintf("wallets[%d]", i)
		v.name(path+".id", string(x.ID))
		if _, taken := p.wallets[x.ID]; taken {
			v.fail(path+".id", "each stands once", "wallet %s stands twice", quoted(string(x.ID)))
		}
		p.wallets[x.ID] = i
		network, ok := v.network(path+".network", x.Network)
		if !ok {
			continue
		}
		facts := &p.walletList[i]
		facts.network = network
		facts.currency = indexOr(p.assetIndex, assetKey{network, nem.Currency(network)})
		v.span(path+".life", x.Life, minWalletLife, Millis(nem.MaxLife(network)))
		want, multiplier := "sealed", x.FeeMultiplier == 0
		if network.Chain() == nem.Symbol {
			want, multiplier = "token", x.FeeMultiplier > 0
		}
		if x.Custody != want {
			v.fail(path+".custody", fmt.Sprintf("want %q", want), "a wallet on %s cannot have custody %s", x.Network, quoted(x.Custody))
		}
		if !multiplier {
			v.fail(path+".feeMultiplier", "want 0 on NIS1, at least 1 on Symbol (100 is common)", "multiplier %d on %s", x.FeeMultiplier, x.Network)
		}
		key, err := nem.ParsePublicKey(x.PublicKey)
		if err != nil {
			v.fail(path+".publicKey", "want the public key that kura-signer wallet create printed", "%v", err)
			continue
		}
		facts.key, facts.address = key, key.Address(network)
		facts.text = facts.address.String()
		if key.String() != x.PublicKey {
			v.fail(path+".publicKey", "want "+key.String(), "the key is not in upper case")
		}
		for j := range i {
			if p.walletList[j].key == key {
				v.fail(path+".publicKey", "want one wallet for each key", "wallet %s has the same key", d.Wallets[j].ID)
			}
		}
		if x.Rescue == "" {
			continue
		}
		facts.rescue, err = nem.ParseAddress(network, x.Rescue)
		if err != nil {
			v.fail(path+".rescue", `want an address of this wallet's network, or ""`, "%v", err)
		} else if facts.rescue == facts.address {
			v.fail(path+".rescue", "want an address whose key is elsewhere", "the rescue address is the wallet itself")
		}
	}
}

func (v *validator) bookNames() {
	v.p.books = map[string]int{}
	for i, name := range v.p.doc.Books {
		path := fmt.Sprintf("books[%d]", i)
		v.name(path, name)
		if _, taken := v.p.books[name]; taken {
			v.fail(path, "each stands once", "book %s stands twice", quoted(name))
		}
		v.p.books[name] = i
	}
	if len(v.p.doc.Books) > 64 {
		v.fail("books", "want at most 64", "%d books", len(v.p.doc.Books))
	}
}
