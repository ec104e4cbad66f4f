package policy_test

import (
	"fmt"
	"runtime"
	"testing"

	"kura/nem"
	"kura/policy"
	"kura/statement"
	"kura/statement/statementtest"
)

// Sizes of the benchmark: what a large exchange would have.
const (
	benchRules   = 50
	benchEntries = 10_000
	benchLimits  = 20
	benchEvents  = 1_000_000
)

// benchDocument has 50 rules, of which the last one signs, and 20 limits that all
// count everything, with one window for all or for each of some part.
func benchDocument() policy.Document {
	two := []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 2}}}}
	d := policy.Document{
		Semantics: 1, Version: 2, Previous: fmt.Sprintf("%064x", 1), Title: "benchmark", WithdrawalLife: policy.Millis(day),
		People: []policy.Person{
			{ID: "ann", Keys: []string{worldKey("ann")}, Roles: []string{"director"}},
			{ID: "bob", Keys: []string{worldKey("bob")}, Roles: []string{"director"}},
		},
		Clients: []policy.Client{{ID: "c1", Keys: []string{worldKey("c1")}, Operators: []policy.PersonID{"ann"}, Budget: policy.Budget{Entries: 1, Window: policy.Millis(hour)}}},
		Wallets: []policy.Wallet{{ID: "w1", Network: "nis1-testnet", PublicKey: account("w1").String(), Custody: "sealed", Life: policy.Millis(30 * minute), MaxFee: 1_000_000}},
		Assets:  []policy.Asset{{ID: "xem", Network: "nis1-testnet", Asset: "nem:xem", Name: "XEM", Supply: 8_999_999_999, Divisibility: 6}},
		Books:   []string{"friends", "shops"},
		Governance: policy.Governance{
			Policy: policy.Change{AnyOf: two, TimeLock: policy.Millis(day)}, Addresses: policy.Change{AnyOf: two, TimeLock: policy.Millis(day)},
			Unfreeze: policy.Gate{AnyOf: two}, Resume: policy.Gate{AnyOf: two}, Veto: 2,
		},
		Anchor: policy.Anchor{Every: policy.Millis(hour)},
	}
	for i := range benchRules {
		amount := &policy.Range{Above: units(uint64(1000-i) * 1_000_000_000)}
		if i == benchRules-1 {
			amount = &policy.Range{UpTo: units(1_000_000_000)}
		}
		d.Rules = append(d.Rules, policy.Rule{ID: fmt.Sprintf("rule-%d", i), Then: "sign", When: policy.When{
			Wallet: []policy.WalletID{"w1"}, Client: []policy.ClientID{"c1"}, Asset: []policy.AssetRef{"xem"}, Destination: []string{"friends"}, Amount: amount,
		}})
	}
	per := [][]string{{}, {"wallet"}, {"client"}, {"destination"}, {"customer"}, {"wallet", "client", "asset", "destination", "customer"}}
	for i := range benchLimits {
		d.Limits = append(d.Limits, policy.Limit{
			ID: fmt.Sprintf("limit-%d", i), Of: "amount", Asset: []policy.AssetRef{"xem"}, Per: per[i%len(per)],
			Max: 1 << 62, Window: policy.Millis(30 * day), At: "deny", Always: i%2 == 0,
		})
	}
	return d
}

func benchAddress(i int) nem.Address {
	return account(fmt.Sprintf("bench %d", i)).Address(nem.NIS1Testnet)
}

func benchBook(b testing.TB) (*policy.Book, []nem.Address) {
	change := &policy.BookChange{}
	addresses := make([]nem.Address, benchEntries)
	for i := range benchEntries {
		addresses[i] = benchAddress(i)
		change.Add = append(change.Add, policy.Entry{
			Book: "friends", Name: fmt.Sprint("entry ", i), Network: "nis1-testnet", Address: addresses[i].String(), Message: policy.MessageRule{Rule: "any"},
		})
	}
	var empty *policy.Book
	book, err := empty.Apply(change)
	if err != nil {
		b.Fatal(err)
	}
	return book, addresses
}

// benchUsage fills usage with events and reports its memory.
func benchUsage(b testing.TB, p *policy.Policy, addresses []nem.Address) (u *policy.Usage, bytesPerEvent float64) {
	before := heap()
	u = policy.NewUsage(p)
	e := policy.Event{
		Network: nem.NIS1Testnet, Wallet: "w1", Client: "c1",
		Outflows: []policy.Outflow{{Asset: "xem", ID: nem.Currency(nem.NIS1Testnet), Amount: 1_000_000, Kind: policy.TransferOutflow}, {Asset: "xem", ID: nem.Currency(nem.NIS1Testnet), Amount: 50_000, Kind: policy.FeeOutflow}},
	}
	for i := range benchEvents {
		e.Time = base + int64(i)
		e.Destination = addresses[i%len(addresses)]
		e.Customer = fmt.Sprint("customer ", i%10_000)
		if err := u.Add(e); err != nil {
			b.Fatal(err)
		}
	}
	return u, float64(heap()-before) / benchEvents
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func benchInput(p *policy.Policy, book *policy.Book, u *policy.Usage, to nem.Address) policy.Input {
	account, _ := p.Account("w1")
	w := &statement.Withdrawal{
		ID: statementtest.ID(base, 1), Expires: base + 2*day, Wallet: "w1", WalletAddress: account.Address.String(), Destination: to.String(),
		Assets: []statement.AssetAmount{{Asset: "nem:xem", Amount: 5_000_000}}, Message: statement.Message{Kind: "text", Value: "1029384756"}, MaxFee: 1_000_000, Customer: "customer 77",
	}
	now := base + benchEvents + 10
	return policy.Input{Policy: p, Book: book, Usage: u, Request: policy.Request{Client: "c1", Key: statement.Key(p.Document().Clients[0].Keys[0]), Withdrawal: w, Since: now}, Now: policy.Now{Clock: now, Time: now}}
}

// BenchmarkDecide signs one withdrawal under 50 rules, 10,000 entries, 20 limits
// and 1,000,000 requests in their windows.
func BenchmarkDecide(b *testing.B) {
	p, err := policy.New(benchDocument())
	if err != nil {
		b.Fatal(err)
	}
	book, addresses := benchBook(b)
	u, _ := benchUsage(b, p, addresses)
	in := benchInput(p, book, u, addresses[123])
	if d := policy.Decide(in); d.Outcome != policy.Sign || len(d.Limits) != benchLimits || len(d.Rules) != benchRules {
		b.Fatalf("not the case that is meant: %+v", d)
	}
	b.ReportAllocs()
	for b.Loop() {
		policy.Decide(in)
	}
}

// TestDecideAllocates: signing under the benchmark's rules, books and limits takes
// fewer than ten allocations, however full the windows are.
func TestDecideAllocates(t *testing.T) {
	p, err := policy.New(benchDocument())
	if err != nil {
		t.Fatal(err)
	}
	book, addresses := benchBook(t)
	in := benchInput(p, book, policy.NewUsage(p), addresses[123])
	if d := policy.Decide(in); d.Outcome != policy.Sign {
		t.Fatalf("not the case that is meant: %+v", d)
	}
	if n := testing.AllocsPerRun(100, func() { policy.Decide(in) }); n >= 10 {
		t.Errorf("%v allocations, want fewer than 10", n)
	}
}

// BenchmarkParse loads the benchmark's policy.
func BenchmarkParse(b *testing.B) {
	p, err := policy.New(benchDocument())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := policy.Parse(p.Text()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUsageAdd adds to full windows, with the memory that each event takes.
func BenchmarkUsageAdd(b *testing.B) {
	p, err := policy.New(benchDocument())
	if err != nil {
		b.Fatal(err)
	}
	_, addresses := benchBook(b)
	u, perEvent := benchUsage(b, p, addresses)
	none := benchDocument()
	none.Limits = nil
	bare, err := policy.New(none)
	if err != nil {
		b.Fatal(err)
	}
	_, bareEvent := benchUsage(b, bare, addresses)
	e := policy.Event{
		Network: nem.NIS1Testnet, Wallet: "w1", Client: "c1", Destination: addresses[0], Customer: "x",
		Outflows: []policy.Outflow{{Asset: "xem", ID: nem.Currency(nem.NIS1Testnet), Amount: 1, Kind: policy.TransferOutflow}},
	}
	at := base + benchEvents
	for b.Loop() {
		at++
		e.Time = at
		if err := u.Add(e); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(bareEvent, "B/request")
	b.ReportMetric((perEvent-bareEvent)/benchLimits, "B/request/limit")
}
