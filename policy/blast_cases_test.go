package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/policy"
	"kura/statement"
)

func stolen(t *testing.T, p *policy.Policy, text string) policy.Stolen {
	t.Helper()
	s, err := p.ParseStolen(text)
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != text {
		t.Errorf("%q is written back as %q", text, s)
	}
	return s
}

// TestBlastRadius holds the bound to numbers worked out by hand.
func TestBlastRadius(t *testing.T) {
	hours := func(n int64) policy.Millis { return policy.Millis(n * hour) }
	levied := func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{
			ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3,
			Levy: &policy.Levy{Kind: "percentile", Asset: "gold", Fee: 1000, Recipient: benchAddress(2).String()},
		})
		d.Rules[0].When = policy.When{Asset: []policy.AssetRef{"gold"}, Amount: &policy.Range{UpTo: units(10_000)}}
		d.Limits = []policy.Limit{{ID: "pace", Of: "count", Asset: []policy.AssetRef{"gold"}, Per: []string{"wallet"}, Max: 3, Window: hours(1), At: "deny"}}
	}
	approve := func(d *policy.Document) {
		d.Rules[0].Then = "approve"
		d.Rules[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}, {Group: "aml", Count: 1}}}}, Expiry: hours(24), Rejections: 1}
		always := amountLimit(50_000_000, 24*hour, "deny")
		always.ID, always.Always = "always", true
		d.Limits = append(d.Limits, always)
	}
	countedBehind := func(d *policy.Document, earlier policy.Rule) {
		d.Rules = slices.Insert(d.Rules, 0, earlier)
		d.Limits = []policy.Limit{{ID: "pace", Of: "count", Per: []string{}, Max: 3, Window: hours(1), At: "wait"}}
	}
	cases := []struct {
		name   string
		change func(*policy.Document)
		stolen string
		span   policy.Millis
		asset  policy.AssetRef
		want   string // "" for unbounded
		says   string // in formula, schedule or notes
	}{
		{"one limit", nil, "client:c1", hours(24), "xem", "2500000000", "(floor((1d + 30m) / 1h) + 1) × 100 XEM = 2,500 XEM"},
		{"a short span", nil, "client:c1", hours(0) + 1, "xem", "100000000", "+ 1) × 100 XEM"},
		{"an exact multiple", func(d *policy.Document) { d.Wallets[0].Life = hours(1) }, "client:c1", hours(1), "xem", "300000000", ""},
		{"nobody", nil, "gateway,network,database", hours(24), "xem", "0", "no rule lets the stolen set pay it"},
		{"the clock", nil, "client:c1,clock", hours(24), "xem", "2500000000", "1 in 1000 fast"},
		{"the clock that brings one window more", nil, "client:c1,clock", hours(24) + policy.Millis(10*minute), "xem", "2600000000", "(floor((1450m + 30m + 1 in 1000 + 20m) / 1h) + 1) × 100 XEM = 2,600 XEM"},
		{"two limits", func(d *policy.Document) {
			l := amountLimit(300_000_000, 24*hour, "deny")
			l.ID = "day"
			d.Limits = append(d.Limits, l)
		}, "client:c1", hours(24), "xem", "400000000", "1 × 300 XEM (day) + 1 × 100 XEM (most)"},
		{"per customer alone", func(d *policy.Document) { d.Limits[0].Per = []string{"customer"} }, "client:c1", hours(1), "xem", "", "no limit counts it"},
		{"per destination, open", func(d *policy.Document) { d.Limits[0].Per = []string{"destination"} }, "client:c1", hours(1), "xem", "", ""},
		{"of another client", func(d *policy.Document) {
			c := d.Clients[0]
			c.ID, c.Keys = "c2", []string{worldKey("c2")}
			d.Clients = append(d.Clients, c)
			d.Limits[0].Client = []policy.ClientID{"c2"}
		}, "client:c1", hours(1), "xem", "", ""},
		{"two clients, a limit each", func(d *policy.Document) {
			c := d.Clients[0]
			c.ID, c.Keys = "c2", []string{worldKey("c2")}
			d.Clients = append(d.Clients, c)
			d.Limits[0].Per = []string{"client"}
		}, "client:c1,client:c2", hours(1), "xem", "400000000", "2 windows × 100 XEM"},
		{"a count", func(d *policy.Document) {
			d.Rules[0].When = policy.When{Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{UpTo: units(5_000_000)}}
			d.Limits = []policy.Limit{{ID: "pace", Of: "count", Per: []string{}, Max: 3, Window: hours(1), At: "wait"}}
		}, "client:c1", hours(1), "xem", "36000000", "3 × 6 XEM"}, // 5 XEM and the wallet's highest fee
		{"a count of what has no upper end", func(d *policy.Document) {
			d.Limits = []policy.Limit{{ID: "pace", Of: "count", Per: []string{}, Max: 3, Window: hours(1), At: "wait"}}
		}, "client:c1", hours(1), "xem", "", ""},
		{"a count of what only a later rule pays", func(d *policy.Document) {
			more := policy.Rule{ID: "more", Then: "deny", When: policy.When{Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{Above: units(5_000_000)}}}
			countedBehind(d, more)
		}, "client:c1", hours(1), "xem", "36000000", "3 × 6 XEM"},
		{"a count of what a later rule pays by night", func(d *policy.Document) {
			more := policy.Rule{ID: "more", Then: "deny", When: policy.When{Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{Above: units(5_000_000)},
				Hours: &policy.Hours{Offset: "+00:00", Days: []string{"mon"}, From: "09:00", To: "18:00"}}}
			countedBehind(d, more)
		}, "client:c1", hours(1), "xem", "", ""},
		{"a count of what an earlier rule denies another client", func(d *policy.Document) {
			other := d.Clients[0]
			other.ID, other.Keys = "c2", []string{worldKey("c2")}
			d.Clients = append(d.Clients, other)
			more := policy.Rule{ID: "more", Then: "deny", When: policy.When{Client: []policy.ClientID{"c2"}, Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{Above: units(5_000_000)}}}
			countedBehind(d, more)
		}, "client:c1", hours(1), "xem", "", ""},
		{"a count of what an earlier rule denies another wallet", func(d *policy.Document) {
			other := d.Wallets[0]
			other.ID, other.PublicKey = "w2", account("w2").String()
			d.Wallets = append(d.Wallets, other)
			more := policy.Rule{ID: "more", Then: "deny", When: policy.When{Wallet: []policy.WalletID{"w2"}, Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{Above: units(5_000_000)}}}
			countedBehind(d, more)
		}, "client:c1", hours(1), "xem", "", ""},
		{"a count of what the thief approves", func(d *policy.Document) {
			more := policy.Rule{ID: "more", Then: "approve", When: policy.When{Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{Above: units(5_000_000)}},
				Approval: &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}, Expiry: hours(24), Rejections: 1}}
			countedBehind(d, more)
			d.Limits[0].Always = true
		}, "client:c1,officer:dan", hours(1), "xem", "", ""},
		{"a levy in itself", levied, "client:c1", hours(1), "gold", "66000", "3 × 11 GOLD"}, // 10 and a tenth, twice three times
		{"fees of another asset", levied, "client:c1", hours(1), "xem", "6000000", "3 × 1 XEM"},
		{"without the quorum", approve, "client:c1,officer:dan", hours(24), "xem", "0", ""},
		{"a program's approval alone is missing", approve, "client:c1,officer:dan", hours(24), "xem", "0", "the same set with service:aml"},
		{"with the quorum", approve, "client:c1,officer:dan,service:aml", hours(24), "xem", "100000000", "always"},
		{"escalation that the thief approves", func(d *policy.Document) {
			d.Limits[0].At = "approve"
			d.Limits[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}, Expiry: hours(24), Rejections: 1}
		}, "client:c1,officer:dan", hours(1), "xem", "", ""},
		{"operators approve nothing", func(d *policy.Document) {
			d.Rules[0].Then = "approve"
			d.Rules[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 1}}}}, Expiry: hours(24), Rejections: 1}
		}, "client:c1,officer:ann", hours(24), "xem", "0", ""},
		{"directors before the time-lock", nil, "officer:bob,officer:cat", hours(24) - policy.Millis(30*minute) - 1, "xem", "0", "bounded until the time-lock ends after 1d, then unbounded, unless 2 directors veto"},
		{"directors who proposed when a payment was signed that is announced within the span", nil, "officer:bob,officer:cat", hours(24) - policy.Millis(30*minute), "xem", "", "waits out its time-lock of 1d"},
		{"directors after the time-lock", nil, "officer:bob,officer:cat", hours(25), "xem", "", "quorum for unfreezing"},
		{"resuming without the clock", nil, "client:c1,officer:bob,officer:cat", hours(1), "xem", "200000000", ""},
		{"directors with the clock, which ends the time-lock sooner", func(d *policy.Document) {
			d.Governance.Resume.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}
		}, "officer:bob,officer:cat,clock", hours(24), "xem", "", "ends after 1418m"},
		{"the same of addresses", func(d *policy.Document) {
			d.Governance.Resume.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}
			d.Governance.Addresses.TimeLock = hours(12)
		}, "officer:bob,officer:cat,clock", hours(1), "xem", "0", "quorum for addresses: after 699m listed"},
		{"resuming with the clock", nil, "officer:bob,officer:cat,clock", hours(1), "xem", "", "turns the clock past its time-lock of 1d"},
		{"resuming with the clock, and no more", func(d *policy.Document) {
			d.Governance.Resume.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}
		}, "client:c1,officer:dan,clock", hours(1), "xem", "", "each time every window has room"},
		{"resuming with the clock, and no way", func(d *policy.Document) {
			d.Governance.Resume.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}
		}, "officer:dan,clock", hours(1), "xem", "0", "it says how late it is"},
		{"recovery", nil, "officer:eve", hours(15 * 24), "xem", "", "a recovery"},
		{"rollback without a witness", nil, "client:c1,database,anchor-file", hours(1), "xem", "", "it is put back again and again"},
	}
	for _, c := range cases {
		p := republic(t, c.change)
		b := policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen(t, p, c.stolen), Span: c.span})
		i := slices.IndexFunc(b.Rows, func(r policy.BlastRow) bool { return r.Asset == c.asset })
		row := b.Rows[i]
		if row.Bound != c.want || row.Unbounded != (c.want == "") {
			t.Errorf("%s: %s (unbounded %v), want %s: %s", c.name, row.Bound, row.Unbounded, c.want, row.Formula)
		}
		if all := row.Formula + row.Schedule + strings.Join(b.Notes, "\n") + strings.Join(row.Binding, " "); !strings.Contains(all, c.says) {
			t.Errorf("%s: no %q in %s", c.name, c.says, all)
		}
		if row.Unbounded && c.want == "" && strings.HasPrefix(c.name, "directors after") && b.UnboundedFrom != hours(24) {
			t.Errorf("%s: unbounded from %s", c.name, b.UnboundedFrom)
		}
	}

	// What needs no waiting is not bounded for as long as a recovery's time-lock.
	at := policy.BlastRadius(republic(t, func(d *policy.Document) { d.Governance.Policy.TimeLock = 0 }),
		policy.BlastOptions{Stolen: policy.Stolen{People: []policy.PersonID{"bob", "cat", "eve"}}, Span: hours(1)})
	if !at.Rows[0].Unbounded || at.UnboundedFrom != 0 {
		t.Errorf("unbounded from %s", at.UnboundedFrom)
	}

	// Witnesses who cosign first leave a rollback nothing to repeat, whoever carries their cosignatures.
	p := republic(t, nil)
	without := policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen(t, p, "client:c1"), Span: hours(1), CosignedFirst: true})
	for _, parts := range []string{"client:c1,database,anchor-file", "client:c1,gateway,network,database,anchor-file"} {
		b := policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen(t, p, parts), Span: hours(1), CosignedFirst: true})
		if !cmp.Equal(b.Rows, without.Rows) || !cmp.Equal(b.Totals, without.Totals) {
			t.Errorf("%s, cosigned first: %s", parts, cmp.Diff(without, b))
		}
		if !strings.Contains(strings.Join(b.Notes, "\n"), "a rollback of this host repeats nothing") {
			t.Errorf("notes: %v", b.Notes)
		}
	}
}

// TestBlastPerDestination: with the book given, listed destinations can be counted.
func TestBlastPerDestination(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Rules[0].When.Destination = []string{"friends"}
		d.Limits[0].Per = []string{"destination"}
	})
	var book *policy.Book
	book, err := book.Apply(&policy.BookChange{Add: []policy.Entry{entry("a", 1), entry("b", 2), entry("c", 3)}})
	if err != nil {
		t.Fatal(err)
	}
	opt := policy.BlastOptions{Stolen: stolen(t, p, "client:c1"), Span: policy.Millis(hour), Book: book}
	b := policy.BlastRadius(p, opt)
	if b.Rows[0].Bound != "600000000" || !b.Rows[0].Listed {
		t.Errorf("%+v", b.Rows[0])
	}
	// Those who write addresses need their time-lock of a day for it; what is signed half an hour before the span counts.
	opt.Stolen = stolen(t, p, "client:c1,officer:bob,officer:cat")
	if b := policy.BlastRadius(p, opt); !strings.Contains(strings.Join(b.Notes, " "), "after 1d listed destinations can be the thief's") || b.Rows[0].Bound != "600000000" {
		t.Errorf("%+v", b)
	}
	opt.Span = policy.Millis(day - 30*minute)
	if b := policy.BlastRadius(p, opt); !b.Rows[0].Unbounded {
		t.Errorf("%+v", b)
	}
	// So does a quorum that makes a first list.
	opt.Book = new(policy.Book)
	if b := policy.BlastRadius(p, opt); !b.Rows[0].Unbounded {
		t.Errorf("%+v", b)
	}
	opt.Span--
	if b := policy.BlastRadius(p, opt); b.Rows[0].Bound != "0" {
		t.Errorf("%+v", b)
	}
	opt.Span = policy.Millis(hour)
	opt.Book, opt.Stolen = nil, stolen(t, p, "client:c1")
	if b := policy.BlastRadius(p, opt); !b.Rows[0].Unbounded || !strings.Contains(b.Rows[0].Formula, "it was not given") {
		t.Errorf("%+v", b.Rows[0])
	}
}

// twoClients are two clients of one policy, each with a rule of its own.
func twoClients(d *policy.Document) {
	c := d.Clients[0]
	c.ID, c.Keys = "c2", []string{worldKey("c2")}
	d.Clients = append(d.Clients, c)
	r := d.Rules[0]
	r.ID, r.When.Client = "second", []policy.ClientID{"c2"}
	d.Rules[0].When.Client = []policy.ClientID{"c1"}
	d.Rules = append(d.Rules, r)
}

// TestBlastPerDestinationOfTwo: what two clients can pay adds up, if their lists are different ones.
func TestBlastPerDestinationOfTwo(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		twoClients(d)
		d.Books = []string{"friends", "shops"}
		d.Rules[0].When.Destination, d.Rules[1].When.Destination = []string{"friends"}, []string{"shops"}
		d.Limits[0].Per = []string{"destination"}
	})
	shop := entry("b", 2)
	shop.Book = "shops"
	var book *policy.Book
	book, err := book.Apply(&policy.BookChange{Add: []policy.Entry{entry("a", 1), shop}})
	if err != nil {
		t.Fatal(err)
	}
	b := policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen(t, p, "client:c1,client:c2"), Span: policy.Millis(hour), Book: book})
	if row := b.Rows[0]; row.Bound != "400000000" {
		t.Errorf("%s, want 2 windows of 100 XEM, twice: %s", row.Bound, row.Formula)
	}

	// One list that both pay is counted once.
	p = republic(t, func(d *policy.Document) {
		twoClients(d)
		d.Rules[0].When.Destination, d.Rules[1].When.Destination = []string{"friends"}, []string{"friends"}
		d.Limits[0].Per = []string{"destination"}
	})
	if book, err = new(policy.Book).Apply(&policy.BookChange{Add: []policy.Entry{entry("a", 1), entry("b", 2)}}); err != nil {
		t.Fatal(err)
	}
	b = policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen(t, p, "client:c1,client:c2"), Span: policy.Millis(hour), Book: book})
	if row := b.Rows[0]; row.Bound != "400000000" {
		t.Errorf("%s, want 2 windows of 100 XEM, twice: %s", row.Bound, row.Formula)
	}
}

// TestBlastPerDestinationOfOneAsset: what goes to listed destinations only is bounded for each of them, wherever something
// else may go.
func TestBlastPerDestinationOfOneAsset(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3})
		d.Rules[0].When.Asset = []policy.AssetRef{"xem"}
		d.Rules = append(d.Rules, policy.Rule{ID: "gold", Then: "sign", When: policy.When{Asset: []policy.AssetRef{"gold"}, Destination: []string{"friends"}}})
		l := amountLimit(5_000, hour, "deny")
		l.ID, l.Asset, l.Per = "each", []policy.AssetRef{"gold"}, []string{"destination"}
		d.Limits = append(d.Limits, l)
	})
	var book *policy.Book
	book, err := book.Apply(&policy.BookChange{Add: []policy.Entry{entry("a", 1), entry("b", 2)}})
	if err != nil {
		t.Fatal(err)
	}
	b := policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen(t, p, "client:c1"), Span: policy.Millis(hour), Book: book})
	if xem, gold := b.Rows[0], b.Rows[1]; xem.Listed || gold.Bound != "20000" || !gold.Listed {
		t.Errorf("%+v", b.Rows)
	}
	for _, f := range policy.Check(p, book, at(base)) {
		if f.Code == "limit_on_what_the_client_writes" {
			t.Errorf("a false alarm: %s", f.Text)
		}
	}
}

// TestBlastPerAssetOfTwo: a count has a window for each asset that any of the clients pays.
func TestBlastPerAssetOfTwo(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		twoClients(d)
		d.Assets = append(d.Assets, policy.Asset{
			ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3,
			Levy: &policy.Levy{Kind: "absolute", Asset: "xem", Fee: 9_000_000, Recipient: benchAddress(2).String()},
		})
		d.Rules[0].When.Asset, d.Rules[0].When.Amount = []policy.AssetRef{"xem"}, &policy.Range{UpTo: units(5_000_000)}
		d.Rules[1].When.Asset = []policy.AssetRef{"gold"}
		d.Limits = []policy.Limit{{ID: "pace", Of: "count", Per: []string{"asset"}, Max: 3, Window: policy.Millis(hour), At: "deny"}}
	})
	b := policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen(t, p, "client:c1,client:c2"), Span: policy.Millis(hour)})
	if row := b.Rows[0]; row.Bound != "96000000" {
		t.Errorf("%s, want 2 windows of 3 × 6 XEM and 3 × 10 XEM: %s", row.Bound, row.Formula)
	}
}

func TestBlastTable(t *testing.T) {
	p := republic(t, nil)
	table := policy.BlastTable(p, policy.BlastOptions{Span: policy.Millis(day)})
	// 1 client, 5 persons, 1 service: 7 alone, 21 pairs, and 2018.
	if len(table) != 29 || table[28].Stolen != "client:c1,gateway,network,database" {
		t.Errorf("%d rows, the last %s", len(table), table[len(table)-1].Stolen)
	}
	asked := republic(t, func(d *policy.Document) {
		d.Rules[0].Then = "approve"
		d.Rules[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}, {Group: "aml", Count: 1}}}}, Expiry: policy.Millis(hour), Rejections: 1}
	})
	i := slices.IndexFunc(policy.BlastTable(asked, policy.BlastOptions{Span: policy.Millis(day)}), func(b policy.Blast) bool {
		return b.Stolen == "client:c1,officer:dan,service:aml" && b.Totals[0].Unbounded
	})
	if i < 0 {
		t.Error("the table does not count a program that approves by itself")
	}
	if table[0].Rows[0].Bound != "2500000000" || table[0].Totals[0].Bound != "2500000000" {
		t.Errorf("%+v", table[0])
	}
}

// TestManyWays: more ways than are divided exhaustively are still bounded.
func TestManyWays(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		for i := range 12 {
			c := d.Clients[0]
			c.ID = policy.ClientID("more" + string(rune('a'+i)))
			c.Keys = []string{worldKey(string(c.ID))}
			d.Clients = append(d.Clients, c)
		}
	})
	s := policy.Stolen{}
	for _, c := range p.Document().Clients {
		s.Clients = append(s.Clients, c.ID)
	}
	b := policy.BlastRadius(p, policy.BlastOptions{Stolen: s, Span: policy.Millis(hour)})
	if b.Rows[0].Bound != "200000000" {
		t.Errorf("%+v", b.Rows[0])
	}
}

func TestParseStolen(t *testing.T) {
	p := republic(t, nil)
	for _, bad := range []string{"client:zoe", "officer:c1", "service:director", "moon", "key:ann", "client"} {
		if _, err := p.ParseStolen(bad); err == nil {
			t.Errorf("%s: taken", bad)
		}
	}
	if s, err := p.ParseStolen("director:ann, person:bob ,,"); err != nil || len(s.People) != 2 {
		t.Errorf("%v %v", s, err)
	}
}

// TestStolenTwice: a person who is named twice is no quorum of two.
func TestStolenTwice(t *testing.T) {
	p := republic(t, nil)
	s, err := p.ParseStolen("officer:bob,director:bob,client:c1,client:c1,service:aml,service:aml")
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != "client:c1,officer:bob,service:aml" {
		t.Errorf("%s", s)
	}
	if b := policy.BlastRadius(p, policy.BlastOptions{Stolen: s, Span: 2 * policy.Millis(day)}); b.UnboundedFrom != 0 {
		t.Errorf("%+v", b)
	}
}

func TestAttribute(t *testing.T) {
	p := republic(t, func(d *policy.Document) { d.People[3].LastDay = "2026-01-05" })
	for name, want := range map[string]policy.Actor{
		"ann": person("ann"), "aml": {Kind: policy.ServiceActor, ID: "aml"}, "pager": {Kind: policy.SentinelActor, ID: "pager"},
		"c1": {Kind: policy.ClientActor, ID: "c1"}, "canary": {Kind: policy.CanaryActor, ID: "1"},
	} {
		got, ok := p.Attribute(statement.Key(worldKey(name)))
		if !ok || got != want {
			t.Errorf("%s: %v", name, got)
		}
		text, err := got.Kind.MarshalText()
		var back policy.ActorKind
		if err != nil || back.UnmarshalText(text) != nil || back != got.Kind {
			t.Errorf("%s: %s", name, text)
		}
		if p.UserVerification(got) {
			t.Errorf("%s must verify", name)
		}
	}
	if _, ok := p.Attribute(statement.Key(worldKey("stranger"))); ok {
		t.Error("a stranger's key is somebody's")
	}
	dan := person("dan")
	if !p.Active(dan, at(base+day-1)) || p.Active(dan, at(base+day)) || p.Active(dan, policy.Now{Clock: base + day, Time: base}) || p.Active(person("zoe"), at(base)) {
		t.Error("last days are not judged by the later time")
	}
	var none policy.ActorKind
	if none.UnmarshalText([]byte("king")) == nil || policy.ActorKind(77).String() != "nobody" || (policy.Actor{ID: "host"}).String() != "host" {
		t.Error("an unknown kind is something")
	}
}
