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
	best := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		d := shop
		d.Wallets = slices.Clone(shop.Wallets)
		d.Wallets[0].Life = rapid.SampledFrom([]policy.Millis{60_000, 1_800_000, 7_200_000}).Draw(t, "life")
		d.Limits = rapid.SliceOfN(rapid.Custom(drawLimit), 1, 3).Draw(t, "limits")
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
			if asks[i].at < begin-int64(d.Wallets[0].Life) || asks[i].at > begin+int64(span) {
				t.Fatalf("request %d is outside the theft", i)
			}
		}
		if bound.Unbounded {
			return
		}
		most, _ := new(big.Int).SetString(bound.Bound, 10)
		if left.Cmp(most) > 0 {
			t.Fatalf("%s left of at most %s (%s)", left, most, bound.Formula)
		}
		if most.Sign() > 0 {
			best = max(best, new(big.Int).Div(new(big.Int).Mul(left, big.NewInt(100)), most).Int64())
		}
	})
	if best < 90 {
		t.Errorf("the best plan took only %d %% of its bound", best)
	}
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
