package policy_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"kura/nem"
	"kura/policy"
	"kura/statement"
	"kura/statement/statementtest"
)

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	// base is a Monday, 2026-01-05 00:00 UTC.
	base = int64(1767571200000)
)

// keyText is the OpenSSH key of a name.
func keyText(name string) string { return string(statementtest.Key(statementtest.Signer(name))) }

// account is the chain key of a name.
func account(name string) nem.PublicKey {
	seed := sha256.Sum256([]byte("kura test account " + name))
	return nem.NIS1PublicKey(&seed)
}

// world is a random policy with everything that decisions depend on. Its numbers
// are few and round, so that edges are met all the time.
type world struct {
	r       *rand.Rand
	p       *policy.Policy
	book    *policy.Book
	entries []policy.Entry
	stops   []policy.Stop
	overlay policy.Overlay
	usage   *policy.Usage
	history []policy.Event
	now     int64
	counter uint64
	fullest bool // conditions are rarer, so that more is signed
}

var (
	personNames = []policy.PersonID{"ann", "bob", "cat", "dan", "eve"}
	roleNames   = []string{"director", "treasury", "audit"}
	worldKeys   = map[string]string{}
)

func worldKey(name string) string {
	if worldKeys[name] == "" {
		worldKeys[name] = keyText(name)
	}
	return worldKeys[name]
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// some gives a random part of the list, at least one; nil by chance.
func some[T any](r *rand.Rand, list []T, absent float64) []T {
	if r.Float64() < absent {
		return nil
	}
	var out []T
	for _, x := range list {
		if r.IntN(2) == 0 {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		out = append(out, pick(r, list))
	}
	return out
}

var (
	walletIDs = []policy.WalletID{"w1", "w2", "w3"}
	clientIDs = []policy.ClientID{"c1", "c2"}
	assetRefs = []policy.AssetRef{"xem", "gold", "xym"}
	bookNames = []string{"friends", "shops"}
)

func (w *world) needs() []policy.Quorum {
	alternatives := 1 + w.r.IntN(2)
	var out []policy.Quorum
	for range alternatives {
		var q policy.Quorum
		for _, group := range some(w.r, []string{"treasury", "audit", "director"}, 0) {
			q.AllOf = append(q.AllOf, policy.Need{Group: group, Count: 1 + w.r.IntN(2)})
		}
		if w.r.IntN(4) == 0 {
			q.AllOf = append(q.AllOf, policy.Need{Group: "aml", Count: 1})
		}
		out = append(out, q)
	}
	return out
}

func (w *world) approval() *policy.Approval {
	return &policy.Approval{
		AnyOf: w.needs(), CoolingOff: policy.Millis(pick(w.r, []int64{0, 0, 10 * minute, hour})),
		Expiry: policy.Millis(pick(w.r, []int64{2 * hour, 6 * hour})), Rejections: 1 + w.r.IntN(2),
	}
}

func units(n uint64) *policy.Units { u := policy.Units(n); return &u }

func (w *world) document() policy.Document {
	r := w.r
	d := policy.Document{
		Semantics: 1, Version: 2, Previous: fmt.Sprintf("%064x", 1), Title: "random", WithdrawalLife: policy.Millis(day),
		People: []policy.Person{}, Books: bookNames,
	}
	for _, id := range personNames {
		p := policy.Person{ID: id, Keys: []string{worldKey(string(id))}, Roles: some(r, roleNames, 0), LastDay: pick(r, []policy.Day{"", "", "", "", "2026-01-05", "2026-01-04"})}
		d.People = append(d.People, p)
	}
	// Each role has two holders whatever comes, so that counts of two stand.
	for i, role := range roleNames {
		for k := range 2 {
			p := &d.People[(i+k)%len(d.People)]
			if !slices.Contains(p.Roles, role) {
				p.Roles = append(p.Roles, role)
			}
		}
	}
	d.Services = []policy.Service{{ID: "aml", Keys: []string{worldKey("aml")}}}
	for _, id := range clientIDs {
		d.Clients = append(d.Clients, policy.Client{
			ID: id, Keys: []string{worldKey(string(id))}, Operators: []policy.PersonID{pick(r, personNames)},
			LastDay: pick(r, []policy.Day{"", "", "", "", "", "", "", "", "", "2026-01-05"}), Budget: policy.Budget{Entries: 10, Window: policy.Millis(hour), Pending: 3},
		})
	}
	d.Wallets = []policy.Wallet{
		{ID: "w1", Network: "nis1-testnet", PublicKey: account("w1").String(), Custody: "sealed", Life: policy.Millis(30 * minute), MaxFee: 1_000_000},
		{ID: "w2", Network: "symbol-testnet", PublicKey: account("w2").String(), Custody: "token", Life: policy.Millis(30 * minute), MaxFee: 100_000, FeeMultiplier: 100},
		{ID: "w3", Network: "nis1-testnet", PublicKey: account("w3").String(), Custody: "sealed", Life: policy.Millis(30 * minute), MaxFee: 1_000_000},
	}
	d.Assets = []policy.Asset{
		{ID: "xem", Network: "nis1-testnet", Asset: "nem:xem", Name: "XEM", Supply: 8_999_999_999, Divisibility: 6},
		{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3},
		{ID: "xym", Network: "symbol-testnet", Asset: nem.Currency(nem.SymbolTestnet).String(), Name: "XYM", Supply: 7_842_928_625, Divisibility: 6},
	}
	switch r.IntN(3) {
	case 0:
		d.Assets[1].Levy = &policy.Levy{Kind: "absolute", Asset: "xem", Fee: 1_000_000, Recipient: account("mint").Address(nem.NIS1Testnet).String()}
	case 1:
		d.Assets[1].Levy = &policy.Levy{Kind: "percentile", Asset: "gold", Fee: 1000, Recipient: account("mint").Address(nem.NIS1Testnet).String()}
	}
	for i := range 1 + r.IntN(5) {
		d.Rules = append(d.Rules, w.rule(i))
	}
	for i := range 1 + r.IntN(5) {
		d.Limits = append(d.Limits, w.limit(i))
	}
	two := []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 2}}}}
	d.Governance = policy.Governance{
		Policy: policy.Change{AnyOf: two, TimeLock: policy.Millis(day)}, Addresses: policy.Change{AnyOf: two, TimeLock: policy.Millis(day)},
		Unfreeze: policy.Gate{AnyOf: two}, Resume: policy.Gate{AnyOf: two}, Veto: 2,
	}
	d.Tripwires.CanaryAddresses = []policy.Canary{policy.NewCanary([16]byte{}, payee(nem.NIS1Testnet, 9).String())}
	d.Anchor.Every = policy.Millis(hour)
	return d
}

func (w *world) rule(i int) policy.Rule {
	r := w.r
	absent := 0.6
	if w.fullest {
		absent = 0.85
	}
	x := policy.Rule{ID: fmt.Sprintf("r%d", i), Then: pick(r, []string{"sign", "sign", "sign", "approve", "approve", "deny"})}
	x.When = policy.When{
		Wallet: some(r, walletIDs, absent), Client: some(r, clientIDs, absent), Asset: some(r, assetRefs, absent),
		Destination: some(r, bookNames, absent), Message: some(r, []string{"none", "text", "hex"}, 0.8),
	}
	if r.Float64() > absent {
		x.When.Asset = []policy.AssetRef{pick(r, assetRefs)}
		x.When.Amount = pick(r, []*policy.Range{{Above: units(2_000_000)}, {UpTo: units(3_000_000)}, {Above: units(1_000_000), UpTo: units(5_000_000)}})
	}
	if r.Float64() > 0.85 {
		x.When.Hours = &policy.Hours{Offset: pick(r, []string{"+09:00", "+00:00", "-03:30"}), Days: some(r, []string{"mon", "tue", "sun"}, 0), From: pick(r, []string{"09:00", "22:00", "00:00"}), To: pick(r, []string{"18:00", "06:00", "24:00"})}
	}
	if x.Then == "approve" {
		x.Approval = w.approval()
	}
	if r.IntN(10) == 0 {
		x.LastDay = pick(r, []policy.Day{"2026-01-04", "2026-01-05", "2026-01-06"})
	}
	return x
}

func (w *world) limit(i int) policy.Limit {
	r := w.r
	x := policy.Limit{
		ID: fmt.Sprintf("l%d", i), Of: pick(r, []string{"amount", "amount", "count"}),
		Wallet: some(r, walletIDs, 0.6), Client: some(r, clientIDs, 0.6),
		Per: []string{}, Window: policy.Millis(pick(r, []int64{30 * minute, hour, 3 * hour, day})), At: pick(r, []string{"deny", "approve", "wait"}), Always: r.IntN(3) == 0,
	}
	for _, part := range []string{"wallet", "client", "asset", "destination", "customer"} {
		if r.IntN(4) == 0 {
			x.Per = append(x.Per, part)
		}
	}
	if x.Of == "amount" {
		x.Asset = []policy.AssetRef{pick(r, assetRefs)}
		x.Max = policy.Units(pick(r, []uint64{1_000_000, 4_000_000, 4_050_000, 10_000_000, 30_000_000, 100_000_000}))
	} else {
		x.Asset = some(r, assetRefs, 0.5)
		x.Max = policy.Units(r.IntN(12))
	}
	if x.At == "approve" {
		x.Always = false
		x.Approval = w.approval()
	}
	return x
}

// payees are a few addresses on each network.
var payees = map[nem.Network][]nem.Address{}

func payee(n nem.Network, i int) nem.Address {
	if payees[n] == nil {
		for k := range 10 {
			payees[n] = append(payees[n], account(fmt.Sprintf("payee %d", k)).Address(n))
		}
	}
	return payees[n][i]
}

func newWorld(t testing.TB, r *rand.Rand) *world {
	w := &world{r: r, now: base + int64(r.IntN(24))*hour, fullest: r.IntN(2) == 0}
	p, err := policy.New(w.document())
	if err != nil {
		t.Fatalf("random policy: %v", err)
	}
	w.p = p
	change := &policy.BookChange{}
	for i := range 6 {
		network := pick(r, []nem.Network{nem.NIS1Testnet, nem.SymbolTestnet})
		change.Add = append(change.Add, policy.Entry{
			Book: pick(r, []string{"friends", "shops", "elsewhere"}), Name: fmt.Sprintf("entry %d", i), Network: network.String(), Address: payee(network, r.IntN(4)).String(),
			Message: pick(r, []policy.MessageRule{{Rule: "none"}, {Rule: "any"}, {Rule: "any"}, {Rule: "exact", Kind: "text", Value: "1234"}, {Rule: "exact", Kind: "hex", Value: "0031323334"}, {Rule: "pattern", Kind: "text", Value: "[0-9]{3,5}"}}),
			LastDay: pick(r, []policy.Day{"", "", "2026-01-04"}),
		})
	}
	var kept []policy.Entry
	for _, e := range change.Add {
		next, err := w.book.Apply(&policy.BookChange{Add: []policy.Entry{e}})
		if err == nil { // the same address and message rule twice is refused
			w.book = next
			kept = append(kept, e)
		}
	}
	w.entries = kept
	w.usage = policy.NewUsage(p)
	return w
}

// withdrawal is a random request.
func (w *world) withdrawal() policy.Request {
	r := w.r
	wallet := pick(r, w.p.Document().Wallets)
	account, _ := w.p.Account(wallet.ID)
	network := account.Network
	x := &statement.Withdrawal{
		ID: statementtest.ID(w.now, w.counter), Expires: w.now + pick(r, []int64{-second, 0, hour, day}), Wallet: string(wallet.ID), WalletAddress: account.Address.String(),
		Destination: payee(network, r.IntN(5)).String(), MaxFee: pick(r, []nem.Amount{1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 200_000, 50_000, 2_000_000}),
		Customer: pick(r, []string{"", "kim", "lee"}),
		Message:  pick(r, []statement.Message{{Kind: "none"}, {Kind: "none"}, {Kind: "text", Value: "1234"}, {Kind: "text", Value: "12"}, {Kind: "hex", Value: "0031323334"}, {Kind: "hex", Value: "31323334"}}),
	}
	w.counter++
	if x.Expires < w.now && r.IntN(10) > 0 {
		x.Expires = w.now + hour
	}
	assets := []string{"nem:xem"}
	if network.Chain() == nem.Symbol {
		assets = []string{nem.Currency(network).String()}
		x.MaxFee = pick(r, []nem.Amount{100_000, 100_000, 100_000, 100_000, 20_000})
	} else {
		switch r.IntN(6) {
		case 0:
			assets = []string{"mint:gold"}
		case 1:
			assets = []string{"mint:gold", "nem:xem"}
		case 2:
			assets = []string{"nem:xem", "mint:gold"}
		}
	}
	switch r.IntN(60) {
	case 0:
		x.Wallet = "nobody"
	case 1:
		x.WalletAddress = payee(network, 3).String()
	case 2:
		x.Destination = payee(nem.NIS1Testnet, 9).String()
	case 3:
		assets = []string{"mint:lead"}
	case 4:
		x.Destination = payee(nem.SymbolTestnet, 1).String()
	}
	for _, a := range assets {
		x.Assets = append(x.Assets, statement.AssetAmount{Asset: a, Amount: pick(r, []nem.Amount{1, 500_000, 950_000, 1_000_000, 2_000_000, 2_000_001, 3_000_000, 5_000_000})})
	}
	client := pick(r, clientIDs)
	req := policy.Request{Client: client, Key: statement.Key(worldKey(string(client))), Withdrawal: x, Since: w.now - pick(r, []int64{0, 0, 30 * minute, hour, 2 * hour, 6 * hour})}
	if r.IntN(80) == 0 {
		req.Client = "stranger"
	}
	if w.counter%70 == 0 { // no draw: what goldens were drawn from goes on
		req.Key = statement.Key(worldKey(pick(rand.New(rand.NewPCG(w.counter, 3)), []string{"c1", "c2", "ann", "gone"})))
	}
	req.Hash = statement.HashText(fmt.Sprint("request ", w.counter))
	return req
}

func (w *world) verdicts(since int64) []policy.Verdict {
	r := w.r
	var out []policy.Verdict
	for range r.IntN(6) {
		name := string(pick(r, personNames))
		v := policy.Verdict{
			By: policy.Actor{Kind: policy.PersonActor, ID: name}, Kind: pick(r, []statement.VerdictKind{"approve", "approve", "approve", "approve", "approve", "reject"}),
			Policy: w.p.Hash(), At: since + int64(r.IntN(4))*10*minute,
		}
		if r.IntN(5) == 0 {
			v.By, name = policy.Actor{Kind: policy.ServiceActor, ID: "aml"}, "aml"
		}
		v.Key = statement.Key(worldKey(name))
		if r.IntN(12) == 0 {
			v.Policy = policy.Hash{}
		}
		out = append(out, v)
	}
	return out
}

// stop puts a random stop in force.
func (w *world) stop() policy.Stop {
	r := w.r
	s := policy.Stop{By: policy.Actor{Kind: policy.PersonActor, ID: string(pick(r, personNames))}, At: w.now - pick(r, []int64{0, hour, 10 * hour})}
	w.counter++
	s.Hash = statement.HashText(fmt.Sprint("stop ", w.counter))
	switch r.IntN(8) {
	case 0:
		s.Action, s.Kind = statement.ActionFreeze, statement.TargetAll
	case 1:
		s.Action, s.Kind, s.Name = statement.ActionFreeze, statement.TargetWallet, string(pick(r, walletIDs))
	case 2:
		s.Action, s.Kind, s.Name = statement.ActionFreeze, statement.TargetClient, string(pick(r, clientIDs))
	case 3:
		s.Action, s.Kind, s.Name = statement.ActionSuspend, statement.TargetPerson, string(pick(r, personNames))
	case 4:
		s.Action, s.Kind, s.Name, s.Until = statement.ActionSuspend, statement.TargetClient, string(pick(r, clientIDs)), w.now+pick(r, []int64{0, minute})
	case 5:
		s.Action, s.Kind = statement.ActionSuspend, statement.TargetKey
		s.Name = statement.Key(worldKey(pick(r, []string{"ann", "bob", "aml", "c1"}))).Fingerprint()
	case 6:
		network := pick(r, []nem.Network{nem.NIS1Testnet, nem.SymbolTestnet})
		s.Action, s.Kind, s.Name = statement.ActionSuspend, statement.TargetAddress, payee(network, r.IntN(5)).String()
	default:
		s.Action, s.Kind, s.Name, s.Amount = statement.ActionLower, statement.TargetLimit, fmt.Sprintf("l%d", r.IntN(3)), policy.Units(pick(r, []uint64{0, 1, 2, 900_000, 3_000_000}))
	}
	return s
}

// step moves the time on and changes the stops now and then.
func (w *world) step() {
	w.now += pick(w.r, []int64{0, 0, minute, 10 * minute, 30 * minute, hour})
	switch w.r.IntN(6) {
	case 0:
		w.stops = append(w.stops, w.stop())
	case 1, 2, 3:
		w.stops = nil
	}
	w.overlay = policy.NewOverlay(w.stops)
}

func (w *world) input() policy.Input {
	req := w.withdrawal()
	return policy.Input{
		Policy: w.p, Overlay: w.overlay, Book: w.book, Usage: w.usage, Request: req, Verdicts: w.verdicts(req.Since),
		Now: policy.Now{Clock: w.now + pick(w.r, []int64{0, 0, 0, -minute, minute}), Time: w.now},
	}
}

func (w *world) naiveInput(in policy.Input) naiveInput {
	return naiveInput{
		doc: *w.p.Document(), hash: w.p.Hash(), stops: w.stops, entries: w.entries, history: w.history,
		request: in.Request, verdicts: in.Verdicts, now: in.Now,
	}
}

// take authorises what was signed.
func (w *world) take(t testing.TB, in policy.Input, d *policy.Decision) {
	e, err := d.Event(w.p, in.Request.Withdrawal, in.Request.Client, in.Now.Time)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.usage.Add(e); err != nil {
		t.Fatal(err)
	}
	w.history = append(w.history, e)
}
