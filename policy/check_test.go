package policy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/nem"
	"kura/policy"
	"kura/statement"
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

func TestDiff(t *testing.T) {
	old := republic(t, func(d *policy.Document) {
		d.Tripwires.CanaryAddresses = []policy.Canary{{Salt: strings.Repeat("0a", 16), Hash: strings.Repeat("0b", 32)}}
		d.Tripwires.Refusals = policy.Refusals{Codes: []string{policy.CodeWalletUnknown}, Count: 3, Window: policy.Millis(10 * minute), Suspend: policy.Millis(hour)}
		d.Anchor = policy.Anchor{Every: policy.Millis(hour), Values: []policy.Value{{Asset: "xem", Amount: 5_000_000}}}
	})
	cases := []struct {
		effect policy.Effect
		want   string
		change func(*policy.Document)
	}{
		{policy.Loosens, "limit most is raised from 100 XEM to 200 XEM", func(d *policy.Document) { d.Limits[0].Max *= 2 }},
		{policy.Tightens, "limit most is lowered from 100 XEM to 50 XEM", func(d *policy.Document) { d.Limits[0].Max /= 2 }},
		{policy.Loosens, "limit most frees sooner: within 30m instead of 1h", func(d *policy.Document) { d.Limits[0].Window /= 2 }},
		{policy.Tightens, "limit most holds longer: within 2h instead of 1h", func(d *policy.Document) { d.Limits[0].Window *= 2 }},
		{policy.Tightens, "limit most binds what a quorum approved, too", func(d *policy.Document) { d.Limits[0].Always = true }},
		{policy.Alters, "limit most changes", func(d *policy.Document) { d.Limits[0].At = "wait" }},
		{policy.Loosens, "limit most is gone: at most 100 XEM in any 1h", func(d *policy.Document) { d.Limits = nil }},
		{policy.Tightens, "limit pace is new: at most 5 withdrawals in any 1h", func(d *policy.Document) {
			d.Limits = append(d.Limits, policy.Limit{ID: "pace", Of: "count", Per: []string{}, Max: 5, Window: policy.Millis(hour), At: "wait"})
		}},
		{policy.Alters, "1 rejection; what is approved beyond it fills no limit but those marked always", func(d *policy.Document) {
			d.Limits = append(d.Limits, policy.Limit{ID: "pace", Of: "count", Client: []policy.ClientID{"c1"}, Per: []string{"customer"}, Max: 5, Window: policy.Millis(hour), At: "approve", Approval: &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}, CoolingOff: policy.Millis(minute), Expiry: policy.Millis(hour), Rejections: 1}})
		}},
		{policy.Loosens, "dan becomes director", func(d *policy.Document) { d.People[3].Roles = append(d.People[3].Roles, "director") }},
		{policy.Tightens, "cat is director no more", func(d *policy.Document) { d.People[2].Roles = nil; d.Governance.Veto = 1 }},
		{policy.Loosens, `fay ("Fay") comes in, with the roles treasury: can now approve up to 7 XEM (rule mid)`, func(d *policy.Document) {
			d.People = append(d.People, policy.Person{ID: "fay", Name: "Fay", Keys: []string{worldKey("fay")}, Roles: []string{"treasury"}})
			d.Rules = append(d.Rules, policy.Rule{ID: "mid", Then: "approve", When: policy.When{Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{UpTo: units(7_000_000)}}, Approval: &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}})
		}},
		{policy.Tightens, `dan ("") is out`, func(d *policy.Document) { d.People = slices.Delete(d.People, 3, 4) }},
		{policy.Loosens, "person dan gets a key: SHA256:", func(d *policy.Document) { d.People[3].Keys = append(d.People[3].Keys, worldKey("dan 2")) }},
		{policy.Tightens, "person dan loses a key: SHA256:", func(d *policy.Document) { d.People[3].Keys = nil }},
		{policy.Tightens, "the grant of person dan ends on 2027-01-01 instead of never", func(d *policy.Document) { d.People[3].LastDay = "2027-01-01" }},
		{policy.Alters, `dan is called "Dan" instead of ""`, func(d *policy.Document) { d.People[3].Name = "Dan" }},
		{policy.Loosens, "service kyt", func(d *policy.Document) {
			d.Services = append(d.Services, policy.Service{ID: "kyt", Keys: []string{worldKey("kyt")}})
		}},
		{policy.Alters, "service aml is out", func(d *policy.Document) { d.Services = nil }},
		{policy.Alters, "service aml: ", func(d *policy.Document) { d.Services[0].Name = "New" }},
		{policy.Alters, "sentinel pager is out", func(d *policy.Document) { d.Sentinels = nil }},
		{policy.Alters, "sentinel dog", func(d *policy.Document) {
			d.Sentinels = append(d.Sentinels, policy.Sentinel{ID: "dog", Keys: []string{worldKey("dog")}})
		}},
		{policy.Alters, "sentinel pager: ", func(d *policy.Document) { d.Sentinels[0].Name = "New" }},
		{policy.Loosens, "client c2", func(d *policy.Document) {
			c := d.Clients[0]
			c.ID, c.Keys = "c2", []string{worldKey("c2")}
			d.Clients = append(d.Clients, c)
		}},
		{policy.Tightens, "client c1 is out", func(d *policy.Document) {
			d.Clients = []policy.Client{}
		}},
		{policy.Tightens, "bob operates client c1", func(d *policy.Document) { d.Clients[0].Operators = []policy.PersonID{"ann", "bob"} }},
		{policy.Loosens, "ann does not operate client c1 any more", func(d *policy.Document) { d.Clients[0].Operators = nil }},
		{policy.Alters, "client c1 may write 9 entries", func(d *policy.Document) { d.Clients[0].Budget.Entries = 9 }},
		{policy.Alters, "client c1: ", func(d *policy.Document) { d.Clients[0].Name = "New" }},
		{policy.Loosens, "wallet w2 enters", func(d *policy.Document) {
			w := d.Wallets[0]
			w.ID, w.PublicKey = "w2", account("w2").String()
			d.Wallets = append(d.Wallets, w)
		}},
		{policy.Tightens, "wallet w1 is out", func(d *policy.Document) { d.Wallets = nil }},
		{policy.Loosens, "the rescue address of w1 becomes", func(d *policy.Document) { d.Wallets[0].Rescue = benchAddress(4).String() }},
		{policy.Loosens, "transactions of w1 stay valid longer: 1h instead of 30m", func(d *policy.Document) { d.Wallets[0].Life *= 2 }},
		{policy.Loosens, "wallet w1 may pay fees up to 2 XEM instead of 1 XEM", func(d *policy.Document) { d.Wallets[0].MaxFee *= 2 }},
		{policy.Tightens, "wallet w1 may pay fees up to 0.5 XEM instead of 1 XEM", func(d *policy.Document) { d.Wallets[0].MaxFee /= 2 }},
		{policy.Loosens, "asset gold", func(d *policy.Document) {
			d.Assets = append(d.Assets, policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD"})
		}},
		{policy.Alters, "asset xem: ", func(d *policy.Document) { d.Assets[0].Supply = 1 }},
		{policy.Alters, "book family is new", func(d *policy.Document) { d.Books = append(slices.Clone(d.Books), "family") }},
		{policy.Alters, "book shops is gone", func(d *policy.Document) { d.Books = d.Books[:1] }},
		{policy.Alters, "tools put new entries into book shops instead of friends", func(d *policy.Document) { d.Books = []string{"shops", "friends"} }},
		{policy.Tightens, "rule no is new, behind pay: anything: deny", func(d *policy.Document) { d.Rules = append(d.Rules, policy.Rule{ID: "no", Then: "deny"}) }},
		{policy.Tightens, "rule no is new, the first: anything: deny", func(d *policy.Document) { d.Rules = slices.Insert(d.Rules, 0, policy.Rule{ID: "no", Then: "deny"}) }},
		{policy.Tightens, "rule pay is gone: to any destination: sign", func(d *policy.Document) { d.Rules = nil }},
		{policy.Alters, "rule pay changes: it was: to any destination: sign; it becomes: to a destination of friends, message none, mon from 09:00 to 18:00 at UTC+09:00: sign", func(d *policy.Document) {
			d.Rules[0].When = policy.When{Destination: []string{"friends"}, Message: []string{"none"}, Hours: &policy.Hours{Offset: "+09:00", Days: []string{"mon"}, From: "09:00", To: "18:00"}}
		}},
		{policy.Alters, "to any destination, until 2027-01-01: sign", func(d *policy.Document) { d.Rules[0].LastDay = "2027-01-01" }},
		{policy.Tightens, "changes of policy are decided by 3 of director instead of 2 of director", func(d *policy.Document) { d.Governance.Policy.AnyOf[0].AllOf[0].Count = 3 }},
		{policy.Loosens, "proposals to resume are decided by 1 of director instead of 2 of director", func(d *policy.Document) { d.Governance.Resume.AnyOf[0].AllOf[0].Count = 1 }},
		{policy.Loosens, "unfreezing and evacuations are decided by 2 of director, or 1 of treasury instead of 2 of director", func(d *policy.Document) {
			d.Governance.Unfreeze.AnyOf = append(d.Governance.Unfreeze.AnyOf, policy.Quorum{AllOf: []policy.Need{{Group: "treasury", Count: 1}}})
		}},
		{policy.Alters, "unfreezing and evacuations are decided by 1 of treasury instead of 2 of director", func(d *policy.Document) {
			d.Governance.Unfreeze.AnyOf[0].AllOf[0] = policy.Need{Group: "treasury", Count: 1}
		}},
		{policy.Loosens, "changes of addresses act after 1h instead of 1d", func(d *policy.Document) { d.Governance.Addresses.TimeLock = policy.Millis(hour) }},
		{policy.Tightens, "changes of recovery act after 20d instead of 14d", func(d *policy.Document) { d.Governance.Recovery.TimeLock = 20 * policy.Millis(day) }},
		{policy.Tightens, "no recovery is possible", func(d *policy.Document) { d.Governance.Recovery = nil }},
		{policy.Loosens, "a veto takes 3 directors", func(d *policy.Document) { d.Governance.Veto = 3 }},
		{policy.Loosens, "a canary key is gone: what it signs freezes nothing any more: " + statement.Key(worldKey("canary")).Fingerprint(), func(d *policy.Document) { d.Tripwires.CanaryKeys[0] = worldKey("canary 2") }},
		{policy.Tightens, "a canary key is new: whatever it signs freezes everything: " + statement.Key(worldKey("canary 2")).Fingerprint(), func(d *policy.Document) { d.Tripwires.CanaryKeys[0] = worldKey("canary 2") }},
		{policy.Loosens, "asking to pay it suspends nobody any more: hash " + strings.Repeat("0b", 32), func(d *policy.Document) { d.Tripwires.CanaryAddresses = nil }},
		{policy.Tightens, "asking to pay it suspends the client: hash " + strings.Repeat("0c", 32), func(d *policy.Document) { d.Tripwires.CanaryAddresses[0].Hash = strings.Repeat("0c", 32) }},
		{policy.Alters, "refusals: they suspend nobody, instead of: a client that is refused 3 times within 10m for wallet_unknown is suspended for 1h", func(d *policy.Document) { d.Tripwires.Refusals = policy.Refusals{Codes: []string{}} }},
		{policy.Alters, "the token's copy of the log's head: renewed after 1d or when more than 5 XEM was authorised, instead of: renewed after 1h or when more than 5 XEM was authorised", func(d *policy.Document) { d.Anchor.Every = policy.Millis(day) }},
		{policy.Loosens, "withdrawals may get older", func(d *policy.Document) { d.WithdrawalLife *= 2 }},
		{policy.Alters, `the title becomes "new"`, func(d *policy.Document) { d.Title = "new" }},
	}
	for _, c := range cases {
		next := successor(t, old, c.change)
		got := policy.Diff(old, next)
		if !slices.ContainsFunc(got, func(x policy.PolicyChange) bool { return x.Effect == c.effect && strings.Contains(x.Text, c.want) }) {
			t.Errorf("no %q that %s in\n%v", c.want, c.effect, got)
		}
	}
	// Of what comes in, all is told: whose key it is, above all, and where an evacuation sweeps to.
	all := fmt.Sprint(policy.Diff(new(policy.Policy), old))
	for _, want := range []string{
		"person ann gets a key: SHA256:", "service aml gets a key: SHA256:", "sentinel pager gets a key: SHA256:", "client c1 gets a key: SHA256:",
		"ann operates client c1", "client c1 may write ", "the rescue address of w1 becomes \"" + old.Document().Wallets[0].Rescue + "\"",
		"wallet w1 may pay fees up to 1 XEM instead of 0 XEM", "transactions of w1 stay valid longer: 30m", `"divisibility":6`,
		"changes of policy are decided by 2 of director instead of nobody",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in what comes in:\n%s", want, all)
		}
	}
	if got := policy.Diff(old, successor(t, old, nil)); len(got) != 0 {
		t.Errorf("nothing changed, and: %v", got)
	}
	raised := republic(t, func(d *policy.Document) {
		d.Rules[0].When = policy.When{Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{UpTo: units(1_000_000)}}
		d.Rules = append(d.Rules, policy.Rule{ID: "second", Then: "deny"})
	})
	got := policy.Diff(raised, successor(t, raised, func(d *policy.Document) {
		d.Rules[0].When.Amount.UpTo = units(3_000_000)
		slices.Reverse(d.Rules)
	}))
	if len(got) != 2 || got[0].Text != "rule pay (sign) is raised from up to 1 XEM to up to 3 XEM" || !strings.Contains(got[1].Text, "another order: second, pay") {
		t.Errorf("%v", got)
	}
}

// TestDiffOfTiers: whoever takes a rule's amounts when it goes or shrinks says which way that points, and where they
// are signed without anybody it does not tighten.
func TestDiffOfTiers(t *testing.T) {
	xem := []policy.AssetRef{"xem"}
	approve := func(r policy.Rule) policy.Rule {
		r.Then = "approve"
		r.Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}
		return r
	}
	asked := func(above, upTo uint64) policy.Rule {
		return approve(policy.Rule{ID: "asked", When: policy.When{Asset: xem, Amount: &policy.Range{Above: units(above), UpTo: units(upTo)}}})
	}
	all := policy.Rule{ID: "all", Then: "sign", When: policy.When{Asset: xem}}
	more := approve(policy.Rule{ID: "more", When: policy.When{Asset: xem, Amount: &policy.Range{Above: units(5_000_000)}}})
	none := policy.Rule{ID: "none", Then: "deny", When: policy.When{Asset: xem}}
	few := policy.Rule{ID: "few", Then: "sign", When: policy.When{Asset: xem, Amount: &policy.Range{UpTo: units(1_000_000)}}}
	fewer := policy.Rule{ID: "few", Then: "sign", When: policy.When{Asset: xem, Amount: &policy.Range{UpTo: units(500_000)}}}
	cases := []struct {
		name      string
		old, next []policy.Rule
		effect    policy.Effect
		want      string
	}{
		{"gone above a rule that signs", []policy.Rule{asked(1, 9_000_000), all}, []policy.Rule{all}, policy.Loosens, "1 rejection; that is left to all (sign)"},
		{"what signed, gone above people", []policy.Rule{few, asked(1, 9_000_000)}, []policy.Rule{asked(1, 9_000_000)}, policy.Alters, "sign; that is left to asked (approve)"},
		{"what signed, lowered above what signs", []policy.Rule{few, all}, []policy.Rule{fewer, all}, policy.Tightens, "to up to 0.5 XEM; that is left to all (sign)"},
		{"gone above nothing", []policy.Rule{asked(1, 9_000_000)}, []policy.Rule{few}, policy.Tightens, "1 rejection"},
		{"gone above a refusal", []policy.Rule{asked(1, 9_000_000), none, all}, []policy.Rule{none, all}, policy.Tightens, "1 rejection"},
		{"gone above other people", []policy.Rule{asked(1, 9_000_000), more}, []policy.Rule{more}, policy.Alters, "; that is left to more (approve)"},
		{"lowered above a rule that signs", []policy.Rule{asked(1, 9_000_000), all}, []policy.Rule{asked(1, 8_000_000), all}, policy.Loosens, "lowered from up to 9 XEM to up to 8 XEM; that is left to all (sign)"},
		{"lowered above other people", []policy.Rule{asked(1, 9_000_000), more}, []policy.Rule{asked(1, 8_000_000), more}, policy.Alters, "to up to 8 XEM; that is left to more (approve)"},
		{"lowered, and others begin higher", []policy.Rule{asked(1, 4_000_000), more}, []policy.Rule{asked(1, 3_000_000), more}, policy.Tightens, "to up to 3 XEM"},
		{"raised into a rule that signs", []policy.Rule{asked(1, 2_000_000), all}, []policy.Rule{asked(1, 3_000_000), all}, policy.Alters, "to up to 3 XEM; it takes that from all (sign)"},
		{"raised into nothing", []policy.Rule{asked(1, 2_000_000), few}, []policy.Rule{asked(1, 3_000_000), few}, policy.Loosens, "to up to 3 XEM"},
		{"raised into other people", []policy.Rule{asked(1, 5_000_000), more}, []policy.Rule{asked(1, 6_000_000), more}, policy.Loosens, "to up to 6 XEM; it takes that from more (approve)"},
		{"new above a rule that signs", []policy.Rule{all}, []policy.Rule{asked(1, 2_000_000), all}, policy.Alters, "1 rejection; it takes that from all (sign)"},
		{"new behind a rule that signs all", []policy.Rule{all}, []policy.Rule{all, asked(1, 2_000_000)}, policy.Loosens, "1 rejection"},
	}
	for _, c := range cases {
		old := republic(t, func(d *policy.Document) { d.Rules = c.old })
		got := policy.Diff(old, successor(t, old, func(d *policy.Document) { d.Rules = c.next }))
		if !slices.ContainsFunc(got, func(x policy.PolicyChange) bool { return x.Effect == c.effect && strings.HasSuffix(x.Text, c.want) }) {
			t.Errorf("%s: no %q that %s in\n%v", c.name, c.want, c.effect, got)
		}
	}
}

func TestSimulate(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Limits[0].Max = 12_000_000
		d.Limits[0].At = "approve"
		d.Limits[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}
		d.Limits = append(d.Limits, policy.Limit{ID: "idle", Of: "count", Asset: []policy.AssetRef{"xem"}, Client: []policy.ClientID{"c1"}, Per: []string{"customer"}, Max: 100, Window: policy.Millis(hour), At: "deny"})
	})
	var history []policy.Recorded
	for i := range int64(4) {
		in := ask(p, nil)
		in.Request.Withdrawal.Customer = "=danger"
		now := at(base + i*minute)
		r := policy.Recorded{Request: in.Request, First: now, Last: now, Outcome: policy.Sign, Code: policy.CodeSigned}
		r.Request.Hash = statement.Hash{0: byte(i)}
		if i == 3 { // held then, and approved by the treasury under the old policy
			r.Last = at(base + i*minute + minute)
			r.Verdicts = []policy.Verdict{{By: person("dan"), Key: statement.Key(worldKey("dan")), Kind: statement.Approve, At: r.Last.Time}}
		}
		history = append(history, r)
	}
	s, err := policy.Simulate(p, nil, history)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, r := range s.Rows {
		outcomes = append(outcomes, r.Simulated.Outcome.String()+" "+r.Simulated.Code)
	}
	if want := []string{"sign signed", "sign signed", "hold needs_approval", "sign approved"}; !slices.Equal(outcomes, want) {
		t.Errorf("%v, want %v", outcomes, want)
	}
	if s.Total != 4 || s.Differs != 1 || len(s.Rows[3].Needs) != 1 || s.Rows[3].Needs[0].Group != "treasury" {
		t.Errorf("%+v", s)
	}
	if s.Limits[0].Peak != 10_200_000 || s.Limits[0].Refused == 0 {
		t.Errorf("%+v", s.Limits)
	}
	table, sheet := s.Table(p), s.CSV()
	for _, want := range []string{"APPROVAL OF", "2 withdrawals", "4 withdrawals, 1 would have come out otherwise", "5 XEM", "1 of treasury (most)", "10.2 XEM", "12 XEM"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if lines := strings.Count(sheet, "\n"); lines != 5 {
		t.Errorf("%d lines of CSV", lines)
	}
	if _, err := json.Marshal(&s, json.Deterministic(true)); err != nil {
		t.Error(err)
	}
}
