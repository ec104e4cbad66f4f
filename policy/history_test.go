package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/nem"
	"kura/policy"
)

// TestHistory: a usage that was written down and read again decides the same.
func TestHistory(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, rand.New(rand.NewPCG(seed, 7)))
		for range 50 {
			w.step()
			in := w.input()
			if d := policy.Decide(in); d.Outcome == policy.Sign {
				w.take(t, in, &d)
			}
		}
		again, err := policy.RestoreUsage(w.p, w.usage.History())
		if err != nil {
			t.Fatal(err)
		}
		if again.Len() != w.usage.History().Length {
			t.Errorf("%d records of %d", again.Len(), w.usage.History().Length)
		}
		for range 20 {
			w.step()
			in := w.input()
			want := policy.Decide(in)
			in.Usage = again
			got := policy.Decide(in)
			if diff := cmp.Diff(policy.Explain(w.p, in.Request.Withdrawal, &want), policy.Explain(w.p, in.Request.Withdrawal, &got)); diff != "" {
				t.Fatalf("world %d:\n%s", seed, diff)
			}
		}
	}
}

// TestHistoryRefuses: what no usage can hold is no history.
func TestHistoryRefuses(t *testing.T) {
	p := small(t, nil)
	record := policy.HistoryRecord{Time: base, Amount: 1, Flags: 1}
	good := func() policy.History {
		return policy.History{
			Last: base, Wallets: []policy.WalletID{"w1"}, Clients: []policy.ClientID{"c1"},
			Assets: []policy.HistoryAsset{{Network: nem.NIS1Testnet, ID: nem.Currency(nem.NIS1Testnet)}},
		}
	}
	of := func(change func(*policy.HistoryRecord)) func(*policy.History) {
		return func(h *policy.History) {
			r := record
			change(&r)
			h.Records = slices.Values([]policy.HistoryRecord{r})
		}
	}
	many := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprint(i)
		}
		return out
	}
	for name, change := range map[string]func(*policy.History){
		"a record after the last": of(func(r *policy.HistoryRecord) { r.Time = base + 1 }),
		"an unknown wallet":       of(func(r *policy.HistoryRecord) { r.Wallet = 1 }),
		"an unknown client":       of(func(r *policy.HistoryRecord) { r.Client = 1 }),
		"an unknown asset":        of(func(r *policy.HistoryRecord) { r.Asset = 1 }),
		"unknown flags":           of(func(r *policy.HistoryRecord) { r.Flags = 9 }),
		"a beginning within":      of(func(r *policy.HistoryRecord) { r.Flags = 2 }),
		"time that goes back": func(h *policy.History) {
			before := record
			before.Time--
			h.Records = slices.Values([]policy.HistoryRecord{record, before})
		},
		"a wallet twice": func(h *policy.History) { h.Wallets = append(h.Wallets, "w1") },
		"too many wallets": func(h *policy.History) {
			for _, name := range many(1<<16 + 1) {
				h.Wallets = append(h.Wallets, policy.WalletID(name))
			}
		},
		"too many clients": func(h *policy.History) {
			for _, name := range many(1<<16 + 1) {
				h.Clients = append(h.Clients, policy.ClientID(name))
			}
		},
		"too many assets": func(h *policy.History) {
			for i := range 1<<16 + 1 {
				id, err := nem.ParseAssetID(nem.Symbol, fmt.Sprintf("%016X", i+1))
				if err != nil {
					t.Fatal(err)
				}
				h.Assets = append(h.Assets, policy.HistoryAsset{Network: nem.SymbolTestnet, ID: id})
			}
		},
	} {
		h := good()
		of(func(*policy.HistoryRecord) {})(&h)
		if _, err := policy.RestoreUsage(p, h); err != nil {
			t.Fatal(err)
		}
		change(&h)
		if _, err := policy.RestoreUsage(p, h); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	usage, err := policy.RestoreUsage(p, func() policy.History { h := good(); of(func(*policy.HistoryRecord) {})(&h); return h }())
	if err != nil {
		t.Fatal(err)
	}
	for range usage.History().Records {
		break // whoever ranges may stop
	}
}

// TestBookHistory: a book that was written down and read again holds the same, in
// the same order.
func TestBookHistory(t *testing.T) {
	var none *policy.Book
	if again, err := policy.RestoreBook(none.Listed(), none.Hash()); err != nil || again != nil {
		t.Errorf("no book became %v, %v", again, err)
	}
	book := none
	for change := range 2 { // enough for the book to lay some of it down
		var add []policy.Entry
		for i := range 1100 {
			add = append(add, entry(fmt.Sprintf("e%d-%d", change, i), 1100*change+i))
		}
		next, err := book.Apply(&policy.BookChange{Add: add})
		if err != nil {
			t.Fatal(err)
		}
		book = next
	}
	again, err := policy.RestoreBook(book.Listed(), book.Hash())
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != book.Hash() {
		t.Error("another hash")
	}
	if diff := cmp.Diff(book.Listed(), again.Listed()); diff != "" {
		t.Error(diff)
	}
	if _, err := policy.RestoreBook(book.Listed(), policy.Hash{}); err == nil {
		t.Error("entries without a history were taken")
	}
	twice := append(book.Listed(), book.Listed()[0])
	if _, err := policy.RestoreBook(twice, book.Hash()); err == nil {
		t.Error("an entry was taken twice")
	}
}
