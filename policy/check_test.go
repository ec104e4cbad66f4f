package policy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"kura/nem"
	"kura/policy"
)

func codesOf(findings []policy.Finding) []string {
	var out []string
	for _, f := range findings {
		if !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	return out
}

func TestCheck(t *testing.T) {
	now := at(base)
	closed := func(d *policy.Document) {
		d.Limits = []policy.Limit{amountLimit(100_000_000, hour, "deny")}
		d.Wallets[0].Rescue = benchAddress(3).String()
	}
	if got := policy.Check(republic(t, nil), nil, now); slices.ContainsFunc(got, func(f policy.Finding) bool { return f.Level == policy.Danger }) {
		t.Errorf("a sound policy is in danger: %v", got)
	}
	before, unchanged := policy.Check(republic(t, closed), nil, now), republic(t, closed).Hash()
	cases := []struct {
		want   string
		change func(*policy.Document)
	}{
		{"person_without_key", func(d *policy.Document) { d.People[3].Keys = nil }},
		{"person_without_role", func(d *policy.Document) { d.People[3].Roles = nil }},
		{"role_unused", func(d *policy.Document) { d.People[3].Roles = []string{"kitchen"} }},
		{"service_unused", func(*policy.Document) {}},
		{"client_without_key", func(d *policy.Document) { d.Clients[0].Keys = nil }},
		{"client_without_operator", func(d *policy.Document) { d.Clients[0].Operators = nil }},
		{"no_sentinel", func(d *policy.Document) { d.Sentinels = nil }},
		{"no_rescue_address", func(d *policy.Document) { d.Wallets[0].Rescue = "" }},
		{"fee_asset_not_registered", func(d *policy.Document) {
			d.Assets[0].Asset, d.Assets[0].Divisibility = "mint:gold", 3
		}},
		{"fee_asset_without_limit", func(d *policy.Document) { d.Limits = nil }},
		{"unlimited_path", func(d *policy.Document) { d.Limits[0].Per = []string{"customer"} }},
		{"limit_on_what_the_client_writes", func(d *policy.Document) { d.Limits[0].Per = []string{"customer"} }},
		{"limit_on_what_the_client_writes", func(d *policy.Document) { d.Limits[0].Per = []string{"destination"} }},
		{"wallet_without_rule", func(d *policy.Document) { d.Rules[0].Then = "deny" }},
		{"rule_never_matches", func(d *policy.Document) { d.Rules = append(d.Rules, policy.Rule{ID: "late", Then: "deny"}) }},
		{"rule_never_matches", func(d *policy.Document) {
			d.Assets = append(d.Assets, policy.Asset{ID: "xym", Network: "symbol-testnet", Asset: nem.Currency(nem.SymbolTestnet).String(), Name: "XYM", Divisibility: 6})
			d.Rules = slices.Insert(d.Rules, 0, policy.Rule{ID: "odd", Then: "sign", When: policy.When{Asset: []policy.AssetRef{"xym"}}})
		}},
		{"limit_never_binds", func(d *policy.Document) {
			l := amountLimit(200_000_000, hour, "deny")
			l.ID = "loose"
			d.Limits = append(d.Limits, l)
		}},
		{"rule_too_late", func(d *policy.Document) {
			d.Rules = append(d.Rules, policy.Rule{ID: "blocked", Then: "deny", When: policy.When{Destination: []string{"friends"}}})
		}},
		{"cooling_off_too_long", func(d *policy.Document) {
			d.WithdrawalLife = policy.Millis(hour)
			d.Rules[0].Then = "approve"
			d.Rules[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 1}}}}, CoolingOff: policy.Millis(hour), Expiry: policy.Millis(day), Rejections: 1}
		}},
		{"cooling_off_too_long", func(d *policy.Document) {
			d.WithdrawalLife = policy.Millis(hour)
			d.Limits[0].At = "approve"
			d.Limits[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 1}}}}, CoolingOff: policy.Millis(hour), Expiry: policy.Millis(day), Rejections: 1}
		}},
		{"limit_admits_nothing", func(d *policy.Document) { d.Limits[0].Max = 0 }},
		{"limit_never_binds", func(d *policy.Document) { d.Limits[0].Max = 9_000_000_000_000_000 }},
		{"limit_never_binds", func(d *policy.Document) { // of another network's asset
			d.Assets = append(d.Assets, policy.Asset{ID: "xym", Network: "symbol-testnet", Asset: nem.Currency(nem.SymbolTestnet).String(), Name: "XYM", Divisibility: 6})
			l := amountLimit(200_000_000, hour, "deny")
			l.ID, l.Asset = "odd", []policy.AssetRef{"xym"}
			d.Limits = append(d.Limits, l)
		}},
		{"limit_never_binds", func(d *policy.Document) {
			d.Rules[0].Then = "approve"
			d.Rules[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}
		}},
		{"limit_never_binds", func(d *policy.Document) { // of a client that only a quorum pays for
			c := d.Clients[0]
			c.ID, c.Keys = "c2", []string{worldKey("c2")}
			d.Clients = append(d.Clients, c)
			asked := policy.Rule{ID: "asked", Then: "approve", When: policy.When{Client: []policy.ClientID{"c2"}}}
			asked.Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}
			d.Rules[0].When.Client = []policy.ClientID{"c1"}
			d.Rules = append(d.Rules, asked)
			l := amountLimit(50_000_000, hour, "deny")
			l.ID, l.Client = "idle", []policy.ClientID{"c2"}
			d.Limits = append(d.Limits, l)
		}},
		{"limit_never_binds", func(d *policy.Document) { // of an asset that no rule pays
			d.Assets = append(d.Assets, policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1000, Divisibility: 3})
			d.Rules[0].When.Asset = []policy.AssetRef{"xem"}
			l := amountLimit(50_000, hour, "deny")
			l.ID, l.Asset = "idle", []policy.AssetRef{"gold"}
			d.Limits = append(d.Limits, l)
		}},
		{"book_unused", func(*policy.Document) {}},
		{"quorum_unreachable", func(d *policy.Document) { d.People[0].LastDay, d.People[1].LastDay = "2025-01-01", "2025-01-01" }},
		{"quorum_unreachable", func(d *policy.Document) { // one person for two places
			d.People[3].Roles, d.People[4].Roles = []string{"a", "b"}, []string{"recovery"}
			d.Governance.Unfreeze.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "a", Count: 1}, {Group: "b", Count: 1}}}}
		}},
		{"quorum_survives_no_loss", func(d *policy.Document) { d.Governance.Policy.AnyOf[0].AllOf[0].Count = 3 }},
		{"quorum_survives", func(*policy.Document) {}},
		{"veto_out_of_reach", func(*policy.Document) {}},
		{"no_recovery", func(d *policy.Document) { d.Governance.Recovery = nil }},
		{"no_canary", func(d *policy.Document) { d.Tripwires.CanaryKeys = nil }},
		{"stale_grant", func(d *policy.Document) { d.Clients[0].LastDay = "2026-01-04" }},
		{"stale_grant", func(d *policy.Document) { d.Rules[0].LastDay = "2026-01-04" }},
		{"grant_ends_soon", func(d *policy.Document) { d.Clients[0].LastDay = "2026-01-20" }},
		{"grant_without_end", func(*policy.Document) {}},
		{"short_time_lock", func(d *policy.Document) {
			d.Wallets[0].Network, d.Assets[0].Network = "nis1-mainnet", "nis1-mainnet"
			d.Wallets[0].Rescue = ""
			d.Governance.Policy.TimeLock = policy.Millis(hour)
		}},
	}
	for i, c := range cases {
		p := republic(t, func(d *policy.Document) { closed(d); c.change(d) })
		got := policy.Check(p, nil, now)
		found := slices.ContainsFunc(got, func(f policy.Finding) bool {
			return f.Code == c.want && (p.Hash() == unchanged || !slices.Contains(before, f))
		})
		if !found {
			t.Errorf("case %d: no new %s in %v", i, c.want, got)
		}
		if !slices.IsSortedFunc(got, func(a, b policy.Finding) int { return severity(a) - severity(b) }) {
			t.Errorf("case %d: the worst do not come first: %v", i, got)
		}
	}
}

// TestRefusalsInTime: a refusal of addresses that stands above whoever pays any, or below other refusals and lists, is no finding.
func TestRefusalsInTime(t *testing.T) {
	blocked := policy.Rule{ID: "blocked", Then: "deny", When: policy.When{Destination: []string{"friends"}}}
	listed := policy.Rule{ID: "listed", Then: "sign", When: policy.When{Destination: []string{"shops"}}}
	gold := policy.Rule{ID: "gold", Then: "deny", When: policy.When{Message: []string{"hex"}}}
	p := republic(t, func(d *policy.Document) { d.Rules = []policy.Rule{listed, gold, blocked, d.Rules[0]} })
	if got := policy.Check(p, nil, at(base)); slices.Contains(codesOf(got), "rule_too_late") {
		t.Error(got)
	}
}

// TestLimitsWithOtherApprovers: what exceeds both of two limits needs the approvers of both, so that the looser one binds, too.
func TestLimitsWithOtherApprovers(t *testing.T) {
	for group, never := range map[string]bool{"director": false, "treasury": true} {
		p := republic(t, func(d *policy.Document) {
			approval := func(group string) *policy.Approval {
				return &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: group, Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}
			}
			l := amountLimit(100_000_000, day, "approve")
			l.Approval = approval("treasury")
			o := amountLimit(900_000_000, day, "approve")
			o.ID, o.Approval = "more", approval(group)
			d.Limits = []policy.Limit{l, o}
		})
		if got := policy.Check(p, nil, at(base)); slices.Contains(codesOf(got), "limit_never_binds") != never {
			t.Errorf("%s: %v", group, got)
		}
	}
}

// TestLimitsThatBindOnFees: a limit of the currency binds where only mosaics are paid, by their fees and levies.
func TestLimitsThatBindOnFees(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1000, Divisibility: 3})
		d.Rules[0].When.Asset = []policy.AssetRef{"gold"}
	})
	if got := policy.Check(p, nil, at(base)); slices.Contains(codesOf(got), "limit_never_binds") {
		t.Error(got)
	}
}

func severity(f policy.Finding) int {
	return slices.Index([]policy.Level{policy.Danger, policy.Warning, policy.Note}, f.Level)
}

// TestRulesThatNeverMatch: by one rule above, by several between them, and what
// only looks like it.
func TestRulesThatNeverMatch(t *testing.T) {
	xem := []policy.AssetRef{"xem"}
	upTo := func(above, upTo uint64) *policy.Range {
		r := &policy.Range{}
		if above > 0 {
			r.Above = units(above)
		}
		if upTo > 0 {
			r.UpTo = units(upTo)
		}
		return r
	}
	friday := func(from string) *policy.Hours {
		return &policy.Hours{Offset: "+00:00", Days: []string{"fri"}, From: from, To: "18:00"}
	}
	cases := []struct {
		name  string
		says  string // "" if the last rule can match
		rules []policy.When
		last  func(*policy.Rule)
	}{
		{"the same", "rule r0 above it", []policy.When{{}, {}}, nil},
		{"tiers without a gap", "the rules r0, r1 above it", []policy.When{{Asset: xem, Amount: upTo(0, 5)}, {Asset: xem, Amount: upTo(5, 0)}, {}}, nil},
		{"tiers with a gap", "", []policy.When{{Asset: xem, Amount: upTo(0, 5)}, {Asset: xem, Amount: upTo(6, 0)}, {}}, nil},
		{"a tier above every amount", "no amount is in its range", []policy.When{{Asset: xem, Amount: upTo(math.MaxUint64, 0)}}, nil},
		{"a tier within", "rule r0 above it", []policy.When{{Asset: xem, Amount: upTo(1, 9)}, {Asset: xem, Amount: upTo(2, 9)}}, nil},
		{"kinds of message", "the rules r0, r1 above it", []policy.When{{Message: []string{"none", "hex"}}, {Message: []string{"text"}}, {}}, nil},
		{"not every kind", "", []policy.When{{Message: []string{"none"}}, {Message: []string{"text"}}, {}}, nil},
		{"books", "the rules r0, r1 above it", []policy.When{{Destination: []string{"friends"}}, {Destination: []string{"shops"}}, {Destination: []string{"friends", "shops"}}}, nil},
		{"books, and what is in none", "", []policy.When{{Destination: []string{"friends"}}, {Destination: []string{"shops"}}, {}}, nil},
		{"a refusal looks at the address alone", "", []policy.When{{Destination: []string{"friends"}}, {Destination: []string{"friends"}}}, func(r *policy.Rule) { r.Then = "deny" }},
		{"the same hours", "rule r0 above it", []policy.When{{Hours: friday("09:00")}, {Hours: friday("09:00")}}, nil},
		{"other hours", "", []policy.When{{Hours: friday("09:00")}, {Hours: friday("08:00")}}, nil},
		{"no rule for ever", "", []policy.When{{}, {}}, func(r *policy.Rule) { r.ID = "until" }},
	}
	for _, c := range cases {
		p := republic(t, func(d *policy.Document) {
			d.Rules = nil
			for i, when := range c.rules {
				d.Rules = append(d.Rules, policy.Rule{ID: fmt.Sprint("r", i), Then: "sign", When: when})
			}
			if c.name == "no rule for ever" {
				d.Rules[0].LastDay = "2027-01-01"
			}
			if c.last != nil {
				c.last(&d.Rules[len(d.Rules)-1])
			}
		})
		var says []string
		for _, f := range policy.Check(p, nil, at(base)) {
			if f.Code == "rule_never_matches" {
				says = append(says, f.Path+" "+f.Text)
			}
		}
		if (c.says == "") != (says == nil) || (c.says != "" && (len(says) != 1 || !strings.HasPrefix(says[0], fmt.Sprintf("rules[%d]", len(c.rules)-1)) || !strings.Contains(says[0], c.says))) {
			t.Errorf("%s: %q, want %q", c.name, says, c.says)
		}
	}
}

// TestRulesBeforeClients: as long as nobody can ask, a rule is not to blame.
func TestRulesBeforeClients(t *testing.T) {
	p := republic(t, func(d *policy.Document) { d.Clients = nil })
	if got := codesOf(policy.Check(p, nil, at(base))); slices.Contains(got, "rule_never_matches") {
		t.Error(got)
	}
}

// TestRulesThatNeverMatchNeverDo: what is said to match nothing decides nothing,
// whatever is asked.
func TestRulesThatNeverMatchNeverDo(t *testing.T) {
	found := 0
	for seed := range uint64(100) {
		w := newWorld(t, rand.New(rand.NewPCG(seed, 3)))
		never := map[string]bool{}
		for _, f := range policy.Check(w.p, nil, at(base)) {
			if f.Code == "rule_never_matches" {
				found++
				never[strings.Fields(f.Text)[1]] = true
			}
		}
		if len(never) == 0 {
			continue
		}
		for range 100 {
			w.step()
			in := w.input()
			d := policy.Decide(in)
			// (Of what is denied anyway, for a client that is none, the rest is worked out all the same.)
			if never[d.Rule] && (d.Outcome != policy.Deny || d.Code == policy.CodeDeniedByRule) {
				t.Fatalf("world %d: rule %s matches\n%s\n%s", seed, d.Rule, w.p.Text(), policy.Explain(w.p, in.Request.Withdrawal, &d))
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d rules were found", found)
	}
}

func TestCheckBook(t *testing.T) {
	p := republic(t, func(d *policy.Document) { d.Rules[0].When.Destination = []string{"shops"} })
	var book *policy.Book
	book, err := book.Apply(&policy.BookChange{Add: []policy.Entry{
		{Book: "friends", Name: "a", Network: "nis1-testnet", Address: benchAddress(1).String(), Message: policy.MessageRule{Rule: "any"}, LastDay: "2025-01-01"},
		{Book: "strangers", Name: "b", Network: "symbol-testnet", Address: account("x").Address(nem.SymbolTestnet).String(), Message: policy.MessageRule{Rule: "any"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := codesOf(policy.Check(p, book, at(base)))
	for _, want := range []string{"book_empty", "entry_of_unknown_book", "entry_of_wrong_network", "stale_grant", "wallet_without_rule"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %v", want, got)
		}
	}
}

// TestSurvives: a person with two keys loses nothing with one.
func TestSurvives(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Governance.Policy.AnyOf[0].AllOf[0].Count = 3
		for i := range 3 {
			d.People[i].Keys = append(d.People[i].Keys, worldKey("spare "+string(d.People[i].ID)))
		}
	})
	for _, f := range policy.Check(p, nil, at(base)) {
		if f.Path == "governance.policy" && !strings.Contains(f.Text, "survives the loss of any 1") {
			t.Errorf("%+v", f)
		}
	}
}

// TestSurvivesOfMany: with a hundred people the losses are still counted, and soon.
func TestSurvivesOfMany(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		for i := range 100 {
			id := fmt.Sprint("many", i)
			d.People = append(d.People, policy.Person{ID: policy.PersonID(id), Keys: []string{worldKey(id)}, Roles: []string{"crowd"}})
		}
		d.Governance.Unfreeze.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "crowd", Count: 32}}}}
		d.Governance.Resume.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "crowd", Count: 32}, {Group: "director", Count: 1}}}}
	})
	said := 0
	for _, f := range policy.Check(p, nil, at(base)) {
		if f.Path == "governance.unfreeze" && strings.Contains(f.Text, "any 3") || f.Path == "governance.resume" && strings.Contains(f.Text, "any 2") {
			said++
		}
	}
	if said != 2 {
		t.Errorf("%v", policy.Check(p, nil, at(base)))
	}
}
