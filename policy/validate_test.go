package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/nem"
	"kura/policy"
)

// TestValidate: what the YAML examples do not show; each mistake is named at its
// path.
func TestValidate(t *testing.T) {
	gold := policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1000, Divisibility: 3}
	levy := func(change func(*policy.Levy)) func(*policy.Document) {
		return func(d *policy.Document) {
			g := gold
			g.Levy = &policy.Levy{Kind: "absolute", Asset: "xem", Fee: 1, Recipient: benchAddress(2).String()}
			change(g.Levy)
			d.Assets = append(d.Assets, g)
		}
	}
	hours := func(change func(*policy.Hours)) func(*policy.Document) {
		return func(d *policy.Document) {
			d.Rules[0].When.Hours = &policy.Hours{Offset: "+00:00", Days: []string{"mon"}, From: "09:00", To: "18:00"}
			change(d.Rules[0].When.Hours)
		}
	}
	cases := []struct {
		path   string
		change func(*policy.Document)
	}{
		{"people[0].roles[1]", func(d *policy.Document) { d.People[0].Roles = []string{"director", "director"} }},
		{"people[0].roles[0]", func(d *policy.Document) { d.People[0].Roles[0] = "The Boss" }},
		{"people[1].id", func(d *policy.Document) { d.People[1].ID = "ann" }},
		{"people[0].name", func(d *policy.Document) { d.People[0].Name = "two\nlines" }},
		{"people[0].name", func(d *policy.Document) { d.People[0].Name = strings.Repeat("x", 101) }},
		{"services[0].id", func(d *policy.Document) { d.Services[0].ID = "director" }},
		{"clients[0].budget.entries", func(d *policy.Document) { d.Clients[0].Budget.Entries = 0 }},
		{"clients[0].budget.window", func(d *policy.Document) { d.Clients[0].Budget.Window = 0 }},
		{"assets[1].id", func(d *policy.Document) { g := gold; g.ID = "xem"; d.Assets = append(d.Assets, g) }},
		{"assets[1].asset", func(d *policy.Document) { g := gold; g.Asset = "nem:xem"; d.Assets = append(d.Assets, g) }},
		{"assets[1].asset", func(d *policy.Document) { g := gold; g.Asset = "6BED913FA20223F8"; d.Assets = append(d.Assets, g) }},
		{"assets[1].network", func(d *policy.Document) { g := gold; g.Network = "symbol-private"; d.Assets = append(d.Assets, g) }},
		{"assets[1].name", func(d *policy.Document) { g := gold; g.Name = "a b"; d.Assets = append(d.Assets, g) }},
		{"assets[1].divisibility", func(d *policy.Document) { g := gold; g.Divisibility = 7; d.Assets = append(d.Assets, g) }},
		{"assets[1].supply", func(d *policy.Document) { g := gold; g.Supply = 1 << 60; d.Assets = append(d.Assets, g) }},
		{"assets[1].levy", func(d *policy.Document) {
			d.Assets = append(d.Assets, policy.Asset{ID: "xym", Network: "symbol-testnet", Asset: nem.Currency(nem.SymbolTestnet).String(), Name: "XYM", Levy: &policy.Levy{}})
		}},
		{"assets[1].levy.asset", levy(func(l *policy.Levy) { l.Asset = "lead" })},
		{"assets[1].levy.kind", levy(func(l *policy.Levy) { l.Kind = "relative" })},
		{"assets[1].levy.recipient", levy(func(l *policy.Levy) { l.Recipient = "x" })},
		{"assets[1].levy.asset", func(d *policy.Document) {
			levy(func(l *policy.Levy) { l.Asset = "far" })(d)
			d.Assets = append(d.Assets, policy.Asset{ID: "far", Network: "nis1-mainnet", Asset: "nem:xem", Name: "XEM"})
		}},
		{"wallets[1].id", func(d *policy.Document) {
			w := d.Wallets[0]
			w.PublicKey = account("w2").String()
			d.Wallets = append(d.Wallets, w)
		}},
		{"wallets[1].publicKey", func(d *policy.Document) { w := d.Wallets[0]; w.ID = "w2"; d.Wallets = append(d.Wallets, w) }},
		{"wallets[0].publicKey", func(d *policy.Document) { d.Wallets[0].PublicKey = strings.ToLower(d.Wallets[0].PublicKey) }},
		{"wallets[0].publicKey", func(d *policy.Document) { d.Wallets[0].PublicKey = "12" }},
		{"wallets[0].network", func(d *policy.Document) { d.Wallets[0].Network = "moon" }},
		{"wallets[0].feeMultiplier", func(d *policy.Document) { d.Wallets[0].FeeMultiplier = 1 }},
		{"books[1]", func(d *policy.Document) { d.Books = []string{"a", "a"} }},
		{"books", func(d *policy.Document) {
			for i := range 65 {
				d.Books = append(slices.Clone(d.Books), fmt.Sprint("b", i))
			}
		}},
		{"rules[0].when.message[0]", func(d *policy.Document) { d.Rules[0].When.Message = []string{"txt"} }},
		{"rules[0].when.message", func(d *policy.Document) { d.Rules[0].When.Message = []string{} }},
		{"rules[0].when.wallet[1]", func(d *policy.Document) { d.Rules[0].When.Wallet = []policy.WalletID{"w1", "w1"} }},
		{"rules[0].when.amount", func(d *policy.Document) { d.Rules[0].When.Amount = &policy.Range{UpTo: units(1)} }},
		{"rules[0].when.hours.days", func(d *policy.Document) {
			d.Rules[0].When.Hours = &policy.Hours{Offset: "+00:00", From: "09:00", To: "10:00"}
		}},
		{"rules[0].when.hours.to", func(d *policy.Document) {
			d.Rules[0].When.Hours = &policy.Hours{Offset: "+00:00", Days: []string{"mon"}, From: "09:00", To: "24:01"}
		}},
		{"rules[0].when.hours.from", func(d *policy.Document) {
			d.Rules[0].When.Hours = &policy.Hours{Offset: "+00:00", Days: []string{"mon"}, From: "xx:00", To: "24:00"}
		}},
		{"rules[0].when.hours.from", hours(func(h *policy.Hours) { h.From = "09.00" })},
		{"rules[0].when.hours.from", hours(func(h *policy.Hours) { h.From = "09:000" })},
		{"rules[0].when.hours.from", hours(func(h *policy.Hours) { h.From = "09:60" })},
		{"rules[0].when.hours.from", hours(func(h *policy.Hours) { h.From = "09:xx" })},
		{"rules[0].when.hours.from", hours(func(h *policy.Hours) { h.From = "24:00" })},
		{"rules[0].when.hours.to", hours(func(h *policy.Hours) { h.To = h.From })},
		{"rules[0].when.hours.offset", hours(func(h *policy.Hours) { h.Offset = "009:00" })},
		{"rules[0].when.hours.offset", hours(func(h *policy.Hours) { h.Offset = "+9:00" })},
		{"rules[0].when.amount", func(d *policy.Document) {
			d.Rules[0].When.Asset = []policy.AssetRef{"xem"}
			d.Rules[0].When.Amount = &policy.Range{Above: units(5), UpTo: units(5)}
		}},
		{"rules", func(d *policy.Document) {
			for i := range 1001 {
				d.Rules = append(d.Rules, policy.Rule{ID: fmt.Sprint("r", i), Then: "deny"})
			}
		}},
		{"limits", func(d *policy.Document) {
			for i := range 251 {
				l := amountLimit(1, hour, "deny")
				l.ID = fmt.Sprint("l", i)
				d.Limits = append(d.Limits, l)
			}
		}},
		{"limits[0].asset", func(d *policy.Document) { d.Limits[0].Asset = nil }},
		{"limits[0].per[1]", func(d *policy.Document) { d.Limits[0].Per = []string{"wallet", "wallet"} }},
		{"governance.recovery.timeLock", func(d *policy.Document) { d.Governance.Recovery.TimeLock = policy.Millis(13 * day) }},
		{"governance.resume.anyOf", func(d *policy.Document) { d.Governance.Resume.AnyOf = nil }},
		{"governance.resume.anyOf[0].allOf", func(d *policy.Document) { d.Governance.Resume.AnyOf = []policy.Quorum{{}} }},
		{"governance.unfreeze.anyOf[0].allOf", func(d *policy.Document) {
			d.Governance.Unfreeze.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "aml", Count: 1}}}}
		}},
		{"people", func(d *policy.Document) {
			for i := range d.People {
				d.People[i].Roles = []string{"clerk"}
			}
		}},
		{"tripwires.canaryKeys[0]", func(d *policy.Document) { d.Tripwires.CanaryKeys = []string{worldKey("ann")} }},
		{"tripwires.canaryAddresses[0].salt", func(d *policy.Document) {
			d.Tripwires.CanaryAddresses = []policy.Canary{{Salt: "00", Hash: strings.Repeat("0", 64)}}
		}},
		{"tripwires.canaryAddresses[0].hash", func(d *policy.Document) {
			d.Tripwires.CanaryAddresses = []policy.Canary{{Salt: strings.Repeat("0", 32), Hash: strings.Repeat("A", 64)}}
		}},
		{"tripwires.refusals.count", func(d *policy.Document) { d.Tripwires.Refusals.Codes = []string{policy.CodeNoRule} }},
		{"anchor.every", func(d *policy.Document) { d.Anchor.Every = 0 }},
		{"anchor.values[0].asset", func(d *policy.Document) { d.Anchor.Values = []policy.Value{{Asset: "lead"}} }},
		{"anchor.values[1].asset", func(d *policy.Document) { d.Anchor.Values = []policy.Value{{Asset: "xem"}, {Asset: "xem"}} }},
		{"withdrawalLife", func(d *policy.Document) { d.WithdrawalLife = policy.Millis(8 * day) }},
		{"version", func(d *policy.Document) { d.Version = 0 }},
		{"", func(d *policy.Document) { d.Title = "\xff" }},
	}
	for i, c := range cases {
		var d policy.Document
		if err := json.Unmarshal(republic(t, nil).Text(), &d); err != nil {
			t.Fatal(err)
		}
		c.change(&d)
		_, err := policy.New(d)
		mistakes, ok := errors.AsType[policy.Errors](err)
		if !ok || !slices.ContainsFunc(mistakes, func(e *policy.Error) bool { return e.Path == c.path && e.What != "" }) {
			t.Errorf("case %d: no mistake at %q: %v", i, c.path, err)
		}
	}
}

// TestAddressWhereABookBelongs: who writes an address into a rule is told where it goes; a misspelt book is one.
func TestAddressWhereABookBelongs(t *testing.T) {
	for name, want := range map[string]string{
		"TALICELROONSJCPHC63F52V6FY3SDMSVAEUGHMB7": "kura addresses propose",
		"friends-of-the-house":                     "no book is called",
	} {
		var d policy.Document
		if err := json.Unmarshal(republic(t, nil).Text(), &d); err != nil {
			t.Fatal(err)
		}
		d.Rules[0].When.Destination = []string{name}
		if _, err := policy.New(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestValidateTakesTheBounds: what is exactly as much as may be is taken.
func TestValidateTakesTheBounds(t *testing.T) {
	small(t, func(d *policy.Document) {
		d.Rules[0].When.Hours = &policy.Hours{Offset: "-14:00", Days: []string{"mon"}, From: "23:59", To: "24:00"}
		d.Rules[0].When.Asset = []policy.AssetRef{"xem"}
		d.Rules[0].When.Amount = &policy.Range{Above: units(4), UpTo: units(5)}
		for i := len(d.Rules); i < 1000; i++ {
			d.Rules = append(d.Rules, policy.Rule{ID: fmt.Sprint("r", i), Then: "deny"})
		}
	})
}
