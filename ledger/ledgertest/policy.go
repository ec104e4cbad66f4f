package ledgertest

import (
	"kura/nem"
	"kura/policy"
)

// Durations in milliseconds.
const (
	Second = 1000
	Minute = 60 * Second
	Hour   = 60 * Minute
	Day    = 24 * Hour
)

// Amounts of the policy that [World] works under, in micro-units.
const (
	Small    = 1_000_000   // signed at once
	SmallMax = 100_000_000 // above: two officers approve
	BigMax   = 900_000_000 // above: denied
	DayMax   = 1_000_000_000
)

// People of the policy, by name, with their roles.
var people = []policy.Person{
	{ID: "alice", Roles: []string{"director", "officer"}},
	{ID: "bob", Roles: []string{"director", "officer"}},
	{ID: "carol", Roles: []string{"director", "officer"}},
	{ID: "dave", Roles: []string{"officer"}},
	{ID: "erin", Roles: []string{}},
}

// document is the policy of the tests: version 1 without wallets, version 2 with both.
func (w *World) document(version int, previous string) policy.Document {
	two := func(group string) []policy.Quorum {
		return []policy.Quorum{{AllOf: []policy.Need{{Group: group, Count: 2}}}}
	}
	doc := policy.Document{
		Semantics: 1, Version: version, Previous: previous, Title: "tests", WithdrawalLife: Day,
		Services: []policy.Service{{ID: "aml", Name: "aml", Keys: []string{w.PublicKey("aml")}}},
		Sentinels: []policy.Sentinel{
			{ID: "watch", Name: "watch", Keys: []string{w.PublicKey("watch")}},
		},
		Clients: []policy.Client{
			{ID: "shop", Name: "shop", Keys: []string{w.PublicKey("shop")}, Operators: []policy.PersonID{"dave"}, Budget: policy.Budget{Entries: 100_000, Window: Hour, Pending: 50}},
			{ID: "desk", Name: "desk", Keys: []string{w.PublicKey("desk")}, Budget: policy.Budget{Entries: 100_000, Window: Hour, Pending: 50}},
		},
		Assets: []policy.Asset{
			{ID: "xem", Network: "nis1-testnet", Asset: "nem:xem", Name: "XEM", Supply: 8_999_999_999, Divisibility: 6},
			{ID: "xym", Network: "symbol-testnet", Asset: nem.Currency(nem.SymbolTestnet).String(), Name: "XYM", Supply: 7_842_928_625, Divisibility: 6},
		},
		Books: []string{"known"},
		Governance: policy.Governance{
			Policy:    policy.Change{AnyOf: two("director"), TimeLock: 24 * Hour},
			Addresses: policy.Change{AnyOf: two("director"), TimeLock: 12 * Hour},
			Unfreeze:  policy.Gate{AnyOf: two("director")},
			Resume:    policy.Gate{AnyOf: two("director")},
			Recovery:  &policy.Change{AnyOf: two("officer"), TimeLock: 14 * Day},
			Veto:      2,
		},
		Tripwires: policy.Tripwires{
			CanaryKeys: []string{w.PublicKey("canary")},
			Refusals:   policy.Refusals{Codes: []string{policy.CodeWalletMismatch}, Count: 3, Window: 10 * Minute, Suspend: 30 * Minute},
		},
		Anchor: policy.Anchor{Every: Hour},
	}
	for _, p := range people {
		p.Name, p.Keys = string(p.ID), []string{w.PublicKey(string(p.ID))}
		doc.People = append(doc.People, p)
	}
	if version == 1 {
		return doc
	}
	for _, x := range w.Wallets {
		doc.Wallets = append(doc.Wallets, policy.Wallet{
			ID: policy.WalletID(x.Name), Network: x.Network.String(), PublicKey: x.Key.String(), Custody: x.Custody,
			Life: 30 * Minute, MaxFee: 10_000_000, FeeMultiplier: x.Multiplier, Rescue: x.Rescue.String(),
		})
	}
	doc.Rules, doc.Limits = rules(), limits()
	return doc
}

func units(n uint64) *policy.Units {
	u := policy.Units(n)
	return &u
}

func rules() []policy.Rule {
	approval := &policy.Approval{
		AnyOf:  []policy.Quorum{{AllOf: []policy.Need{{Group: "officer", Count: 2}}}},
		Expiry: 2 * Hour, Rejections: 1,
	}
	var all []policy.Rule
	for _, asset := range []policy.AssetRef{"xem", "xym"} {
		in := func(above, upTo *policy.Units) policy.When {
			return policy.When{Asset: []policy.AssetRef{asset}, Amount: &policy.Range{Above: above, UpTo: upTo}, Destination: []string{"known"}}
		}
		all = append(all,
			policy.Rule{ID: string(asset) + "-small", When: in(nil, units(SmallMax)), Then: "sign"},
			policy.Rule{ID: string(asset) + "-big", When: in(units(SmallMax), units(BigMax)), Then: "approve", Approval: approval},
		)
	}
	return all
}

func limits() []policy.Limit {
	var all []policy.Limit
	for _, asset := range []policy.AssetRef{"xem", "xym"} {
		all = append(all,
			policy.Limit{ID: string(asset) + "-day", Of: "amount", Asset: []policy.AssetRef{asset}, Max: DayMax, Window: Day, At: "deny", Always: true},
			policy.Limit{ID: string(asset) + "-hour", Of: "amount", Asset: []policy.AssetRef{asset}, Max: 3 * SmallMax, Window: Hour, At: "wait"},
		)
	}
	return all
}

// book is the address-book change that comes with version 2.
func (w *World) book() *policy.BookChange {
	c := &policy.BookChange{}
	for _, x := range w.Wallets {
		c.Add = append(c.Add, policy.Entry{
			Book: "known", Name: "exchange-" + x.Name, Network: x.Network.String(), Address: x.Destination.String(),
			Message: policy.MessageRule{Rule: "any"},
		})
	}
	return c
}
