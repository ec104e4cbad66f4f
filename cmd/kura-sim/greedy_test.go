package main

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kura/policy"
	"kura/statement"
)

// TestPlanStaysWithinTheBound: whatever the limits, what the planner gets signed is at most the blast radius. It holds
// the bound to account, and the planner to not counting too little.
func TestPlanStaysWithinTheBound(t *testing.T) {
	shop := *played(t, *policyOf(t, "testdata/shop.yaml").Document()).Document()
	rapid.Check(t, func(t *rapid.T) {
		life := rapid.SampledFrom([]policy.Millis{60_000, 1_800_000, 7_200_000}).Draw(t, "life")
		limits := rapid.SliceOfN(rapid.Custom(drawLimit), 1, 3).Draw(t, "limits")
		left, bound := planned(t, shop, life, limits)
		if bound.Unbounded {
			return
		}
		if most, _ := new(big.Int).SetString(bound.Bound, 10); left.Cmp(most) > 0 {
			t.Fatalf("%s left of at most %s (%s)", left, most, bound.Formula)
		}
	})
}

// TestPlanComesCloseToTheBound: the planner finds nearly all that the bound admits. Not so where a limit is less than a
// fee, where it wants more requests than the planner may make, and where one for each destination leaves less to each
// payment than the bound counts: there the bound is far from any plan.
func TestPlanComesCloseToTheBound(t *testing.T) {
	shop := *played(t, *policyOf(t, "testdata/shop.yaml").Document()).Document()
	amount := func(most policy.Units, window policy.Millis, per ...string) policy.Limit {
		return policy.Limit{Of: "amount", Asset: []policy.AssetRef{"xem"}, Per: per, Max: most, Window: window, At: "deny"}
	}
	count := func(most policy.Units, window policy.Millis) policy.Limit {
		return policy.Limit{Of: "count", Max: most, Window: window, At: "deny"}
	}
	hours := func(n int64) policy.Millis { return policy.Millis(n * hour) }
	const xem = 1_000_000
	for _, test := range []struct {
		name   string
		life   policy.Millis
		limits []policy.Limit
	}{
		{"the shop's own", hours(2), shop.Limits},
		{"an amount a day", hours(2), []policy.Limit{amount(1_000*xem, hours(24))}},
		{"an amount an hour", hours(1), []policy.Limit{amount(100*xem, hours(1))}},
		{"an amount every six hours, no hoarding", hours(1) / 60, []policy.Limit{amount(1_000*xem, hours(6))}},
		{"an amount in a longer window than the theft", hours(2), []policy.Limit{amount(1_000*xem, hours(7*24))}},
		{"an hour's and a day's", hours(2), []policy.Limit{amount(200*xem, hours(1)), amount(1_000*xem, hours(24))}},
		{"requests a day", hours(2), []policy.Limit{count(3, hours(24))}},
		{"requests every six hours", hours(1) / 2, []policy.Limit{count(4, hours(6))}},
		{"requests and an amount", hours(2), []policy.Limit{count(10, hours(6)), amount(2_000*xem, hours(24))}},
		{"an amount for each client", hours(2), []policy.Limit{amount(500*xem, hours(24), "client")}},
		{"an amount for each wallet", hours(2), []policy.Limit{amount(500*xem, hours(6), "wallet")}},
		{"an amount that no customer binds", hours(2), []policy.Limit{amount(100*xem, hours(24), "customer"), amount(1_000*xem, hours(24))}},
	} {
		t.Run(test.name, func(t *testing.T) {
			left, bound := planned(t, shop, test.life, test.limits)
			most, _ := new(big.Int).SetString(bound.Bound, 10)
			if bound.Unbounded || most.Sign() == 0 {
				t.Fatalf("the bound is %q (unbounded: %t); want an amount to come close to", bound.Bound, bound.Unbounded)
			}
			if part := new(big.Int).Mul(left, big.NewInt(100)); part.Div(part, most).Cmp(big.NewInt(90)) < 0 {
				t.Errorf("%s left of at most %s (%s), %s %%; want 90 %% or more", left, most, bound.Formula, part)
			}
		})
	}
}

// planned has the planner rob the shop under other limits for a day. It gives what would leave, and the bound.
func planned(t tester, shop policy.Document, life policy.Millis, limits []policy.Limit) (*big.Int, policy.BlastRow) {
	t.Helper()
	d := shop
	d.Wallets = slices.Clone(shop.Wallets)
	d.Wallets[0].Life = life
	d.Limits = slices.Clone(limits)
	for i := range d.Limits {
		d.Limits[i].ID = "limit-" + string(rune('a'+i))
	}
	p, err := policy.New(d)
	if err != nil {
		t.Fatal(err)
	}
	change, err := addressBook(p)
	if err != nil {
		t.Fatal(err)
	}
	book, err := (*policy.Book)(nil).Apply(change)
	if err != nil {
		t.Fatal(err)
	}
	begin, span := theftBegins(), policy.Millis(day)
	bound := policy.BlastRadius(p, policy.BlastOptions{
		Stolen: policy.Stolen{Clients: []policy.ClientID{"till"}}, Span: span, Book: book,
	}).Rows[0]
	planner, err := newPlanner(p, book, "till", begin, begin+int64(span), 100)
	if err != nil {
		t.Fatal(err)
	}
	asks, err := planner.plan()
	if err != nil {
		t.Fatal(err)
	}
	left := new(big.Int)
	for i := range asks {
		w, err := asks[i].withdrawal(p, statement.Hash{}, statement.NewID(asks[i].at, [10]byte{}))
		if err != nil {
			t.Fatal(err)
		}
		transfer, refusal := policy.Transfer(p, w)
		if refusal != nil {
			t.Fatal(refusal)
		}
		left.Add(left, new(big.Int).SetUint64(uint64(asks[i].amount)+uint64(transfer.Fee)))
		if i > 0 && asks[i].at < asks[i-1].at {
			t.Fatalf("request %d is earlier than the one before", i)
		}
		if asks[i].at < begin-int64(life) || asks[i].at > begin+int64(span) {
			t.Fatalf("request %d is outside the theft", i)
		}
	}
	return left, bound
}

func drawLimit(t *rapid.T) policy.Limit {
	l := policy.Limit{
		Of:     rapid.SampledFrom([]string{"amount", "count"}).Draw(t, "of"),
		Window: rapid.SampledFrom([]policy.Millis{600_000, 3_600_000, 5_400_000, 21_600_000, 86_400_000, 604_800_000}).Draw(t, "window"),
		At:     rapid.SampledFrom([]string{"deny", "wait"}).Draw(t, "at"),
		Always: rapid.Bool().Draw(t, "always"),
	}
	for _, part := range []string{"wallet", "client", "destination", "customer"} {
		if rapid.IntRange(0, 4).Draw(t, part) == 0 {
			l.Per = append(l.Per, part)
		}
	}
	l.Max = policy.Units(rapid.Uint64Range(1, 20).Draw(t, "count"))
	if l.Of == "amount" {
		l.Asset = []policy.AssetRef{"xem"}
		l.Max = policy.Units(rapid.Uint64Range(1, 2_000_000_000).Draw(t, "amount"))
	}
	return l
}

// TestPlanKeepsTheBudget: a request beyond the client's budget would be refused, and people would look.
func TestPlanKeepsTheBudget(t *testing.T) {
	d := *played(t, *policyOf(t, "testdata/shop.yaml").Document()).Document()
	d.Clients = slices.Clone(d.Clients)
	for i := range d.Clients {
		d.Clients[i].Budget = policy.Budget{Entries: 3, Window: policy.Millis(hour)}
	}
	p, err := policy.New(d)
	if err != nil {
		t.Fatal(err)
	}
	begin := theftBegins()
	planner, err := newPlanner(p, nil, "till", begin, begin+day, 1000)
	if err != nil {
		t.Fatal(err)
	}
	asks, err := planner.plan()
	if err != nil {
		t.Fatal(err)
	}
	since, entries := int64(0), 0
	for _, a := range asks {
		if a.at >= since+hour {
			since, entries = a.at, 0
		}
		if entries++; entries > 3 {
			t.Fatalf("%d requests in an hour", entries)
		}
	}
	if len(asks) < 20 {
		t.Errorf("only %d requests in a day of three an hour", len(asks))
	}
}
