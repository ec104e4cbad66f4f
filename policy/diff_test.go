package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kura/policy"
	"kura/statement"
)

func TestDiff(t *testing.T) {
	old := republic(t, func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{ID: "silver", Network: "nis1-testnet", Asset: "mint:silver", Name: "SILVER", Supply: 1000, Divisibility: 3})
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
		{policy.Loosens, "dan becomes cook: a role that is asked for nowhere", func(d *policy.Document) { d.People[3].Roles = append(d.People[3].Roles, "cook") }},
		{policy.Loosens, `gus ("") comes in, with the roles none: can freeze and approve nothing`, func(d *policy.Document) {
			d.People = append(d.People, policy.Person{ID: "gus", Keys: []string{worldKey("gus")}})
		}},
		{policy.Loosens, `service kyt ("") comes in: asked for nowhere`, func(d *policy.Document) {
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
		{policy.Loosens, "asset gold enters the registry: mint:gold of nis1-testnet, written in GOLD, divisibility 0, supply 0, no levy", func(d *policy.Document) {
			d.Assets = append(d.Assets, policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD"})
		}},
		{policy.Alters, "the supply of asset xem is 1 instead of ", func(d *policy.Document) { d.Assets[0].Supply = 1 }},
		{policy.Alters, "amounts of asset xem are written in NEM instead of XEM", func(d *policy.Document) { d.Assets[0].Name = "NEM" }},
		{policy.Loosens, "the divisibility of asset silver is 0 instead of 3: the same number of SILVER is another amount", func(d *policy.Document) { d.Assets[1].Divisibility = 0 }},
		{policy.Loosens, "asset silver is mint:lead of nis1-testnet instead of mint:silver of nis1-testnet", func(d *policy.Document) { d.Assets[1].Asset = "mint:lead" }},
		{policy.Alters, "asset silver has a levy of 2 XEM to " + benchAddress(2).String() + " instead of no levy", func(d *policy.Document) {
			d.Assets[1].Levy = &policy.Levy{Kind: "absolute", Asset: "xem", Fee: 2_000_000, Recipient: benchAddress(2).String()}
		}},
		{policy.Alters, "asset silver has a levy of 50 ten-thousandths, in silver, to ", func(d *policy.Document) {
			d.Assets[1].Levy = &policy.Levy{Kind: "percentile", Asset: "silver", Fee: 50, Recipient: benchAddress(2).String()}
		}},
		{policy.Tightens, "asset silver leaves the registry", func(d *policy.Document) { d.Assets = d.Assets[:1] }},
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
		"wallet w1 may pay fees up to 1 XEM instead of 0 XEM", "transactions of w1 stay valid longer: 30m", "asset xem enters the registry: nem:xem of nis1-testnet, written in XEM, divisibility 6",
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
