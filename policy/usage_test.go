package policy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/nem"
	"kura/policy"
)

// TestUnseenNames: a wallet, client or asset that usage has never seen has an
// empty window, and not that of the first one that it has.
func TestUnseenNames(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3})
		second := d.Clients[0]
		second.ID, second.Keys = "c2", []string{worldKey("c2")}
		d.Clients = append(d.Clients, second)
		other := d.Wallets[0]
		other.ID, other.PublicKey = "w2", account("w2").String()
		d.Wallets = append(d.Wallets, other)
		for i, per := range [][]string{{"wallet"}, {"client"}, {"asset"}, {"wallet", "client"}, {"client", "asset"}, {"wallet", "asset"}} {
			d.Limits = append(d.Limits, policy.Limit{ID: fmt.Sprint("l", i), Of: "count", Per: per, Max: 9, Window: policy.Millis(hour), At: "deny"})
		}
	})
	u := policy.NewUsage(p)
	in := ask(p, u)
	d := policy.Decide(in)
	e, err := d.Event(p, in.Request.Withdrawal, "c1", base)
	if err == nil {
		err = u.Add(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := func(change func(*policy.Input)) []policy.Units {
		in := ask(p, u)
		change(&in)
		var out []policy.Units
		for _, l := range policy.Decide(in).Limits {
			out = append(out, l.Before)
		}
		return out
	}
	cases := map[string]struct {
		change func(*policy.Input)
		want   []policy.Units
	}{
		"the same": {func(*policy.Input) {}, []policy.Units{1, 1, 1, 1, 1, 1}},
		"another wallet": {func(in *policy.Input) {
			account, _ := p.Account("w2")
			in.Request.Withdrawal.Wallet, in.Request.Withdrawal.WalletAddress = "w2", account.Address.String()
		}, []policy.Units{0, 1, 1, 0, 1, 0}},
		"another client": {func(in *policy.Input) { in.Request.Client = "c2" }, []policy.Units{1, 0, 1, 0, 0, 1}},
		"another asset":  {func(in *policy.Input) { in.Request.Withdrawal.Assets[0].Asset = "mint:gold" }, []policy.Units{1, 1, 0, 1, 0, 0}},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, before(c.change)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestUsageRefuses(t *testing.T) {
	p := small(t, nil)
	u := policy.NewUsage(p)
	e := policy.Event{Time: base, Network: nem.NIS1Testnet, Wallet: "w1", Client: "c1", Destination: benchAddress(1)}
	if err := u.Add(e); err == nil {
		t.Error("an event without outflow was counted")
	}
	xem := nem.Currency(nem.NIS1Testnet)
	e.Outflows = []policy.Outflow{{Asset: "xem", ID: xem, Amount: math.MaxUint64, Kind: policy.TransferOutflow}, {Asset: "xem", ID: xem, Amount: 1, Kind: policy.FeeOutflow}}
	if err := u.Add(e); err == nil {
		t.Error("an overflow was counted")
	}
	e.Outflows = e.Outflows[1:]
	if err := u.Add(e); err != nil {
		t.Fatal(err)
	}
	e.Time--
	if err := u.Add(e); err == nil {
		t.Error("an older event was counted")
	}
	if u.Len() != 1 {
		t.Errorf("%d records after one event", u.Len())
	}
}

// TestUsageNames: more names than a record can number are refused, each kind.
func TestUsageNames(t *testing.T) {
	p := small(t, nil)
	xem := nem.Currency(nem.NIS1Testnet)
	for _, kind := range []string{"wallet", "client", "asset"} {
		u := policy.NewUsage(p)
		var err error
		for i := 0; i < 1<<16 && err == nil; i++ {
			e := policy.Event{Time: base + int64(i)*day, Network: nem.NIS1Testnet, Wallet: "w1", Client: "c1", Outflows: []policy.Outflow{{Asset: "xem", ID: xem, Amount: 1}}}
			switch kind {
			case "wallet":
				e.Wallet = policy.WalletID(fmt.Sprint("w", i))
			case "client":
				e.Client = policy.ClientID(fmt.Sprint("c", i))
			default:
				id, parse := nem.ParseAssetID(nem.NIS1, fmt.Sprint("mint:gold", i))
				if parse != nil {
					t.Fatal(parse)
				}
				e.Outflows[0].ID = id
			}
			if err = u.Add(e); err != nil && i < 1<<16-1 {
				t.Fatalf("%s %d: %v", kind, i, err)
			}
		}
		if err == nil {
			t.Errorf("65,536 names of a %s were numbered", kind)
		}
		if u.Len() > 31 {
			t.Errorf("%d records held: what is older than every window stays", u.Len())
		}
	}
}

// TestSumsPastSixtyFourBits: history before a limit existed can be larger than
// any number; the sum is then full, and not small.
func TestSumsPastSixtyFourBits(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Limits = []policy.Limit{amountLimit(math.MaxUint64, hour, "wait")}
	})
	u := policy.NewUsage(p)
	e := policy.Event{Network: nem.NIS1Testnet, Wallet: "w1", Client: "c1", Outflows: []policy.Outflow{{Asset: "xem", ID: nem.Currency(nem.NIS1Testnet), Amount: math.MaxUint64 - 5, Kind: policy.TransferOutflow}}}
	for i := range int64(3) {
		e.Time = base - 3 + i
		if err := u.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	in := ask(p, u)
	d := policy.Decide(in)
	if d.Outcome != policy.Hold || d.Limits[0].Before != math.MaxUint64 || d.Limits[0].After != math.MaxUint64 {
		t.Fatalf("%v %s: %+v", d.Outcome, d.Code, d.Limits)
	}
	// All three must leave before 5 XEM and a fee fit again.
	if want := e.Time + hour; d.Limits[0].FreesAt != want || d.Waits[0].Until != want {
		t.Errorf("frees at %d, want %d", d.Limits[0].FreesAt, want)
	}
}

func TestFill(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Limits = []policy.Limit{amountLimit(10_000_000, hour, "deny"), {ID: "pace", Of: "count", Per: []string{"client"}, Max: 5, Window: policy.Millis(2 * hour), At: "wait"}}
	})
	u := policy.NewUsage(p)
	u.Fill(base)
	if u.Filled() != base {
		t.Errorf("filled at %d, said %d", base, u.Filled())
	}
	in := ask(p, u)
	d := policy.Decide(in)
	if d.Outcome != policy.Deny || d.Limits[0].Before != 10_000_000 || d.Limits[0].FreesAt != base+hour || d.Limits[1].FreesAt != base+2*hour {
		t.Errorf("after a restore: %v %+v", d.Outcome, d.Limits)
	}
	in.Request.Withdrawal.Assets[0].Amount = 10_000_000 - nem.Amount(d.Fee) // all that there is room for
	if d := policy.Decide(in); d.Limits[0].FreesAt != base+hour {
		t.Error("what just fits is said never to fit")
	}
	in.Request.Withdrawal.Assets[0].Amount = 20_000_000
	if d := policy.Decide(in); d.Limits[0].FreesAt != 0 {
		t.Error("what never fits is said to fit once")
	}
	in = ask(p, u)
	in.Now = policy.Now{Clock: base + hour, Time: base + hour}
	if d := policy.Decide(in); d.Outcome != policy.Hold || d.Code != policy.CodeWaitsForRoom {
		t.Errorf("an hour later: %v %s", d.Outcome, d.Code)
	}
	in.Now = policy.Now{Clock: base + 2*hour, Time: base + 2*hour}
	if d := policy.Decide(in); d.Outcome != policy.Sign {
		t.Errorf("two hours later: %v %s", d.Outcome, d.Code)
	}
}

// TestNewLimitStartsFromHistory: usage that was counted under a policy without a
// limit, wallets that are gone included, is there when the limit comes.
func TestNewLimitStartsFromHistory(t *testing.T) {
	before := small(t, nil)
	u := policy.NewUsage(before)
	for _, wallet := range []policy.WalletID{"w1", "gone"} {
		e := policy.Event{Time: base, Network: nem.NIS1Testnet, Wallet: wallet, Client: "c1", Outflows: []policy.Outflow{
			{Asset: "xem", ID: nem.Currency(nem.NIS1Testnet), Amount: 4_000_000, Kind: policy.TransferOutflow},
			{Asset: "xym", ID: nem.Currency(nem.SymbolTestnet), Amount: 4_000_000, Kind: policy.TransferOutflow},
		}}
		if err := u.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	after := small(t, func(d *policy.Document) {
		d.Limits = []policy.Limit{amountLimit(9_000_000, 30*day, "deny"), amountLimit(9_000_000, 30*day, "deny")}
		d.Limits[1].ID, d.Limits[1].Wallet = "of-w1", []policy.WalletID{"w1"}
	})
	u.Bind(after)
	in := ask(after, u)
	in.Now = policy.Now{Clock: base + 29*day, Time: base + 29*day}
	in.Request.Withdrawal.Expires = base + 31*day
	d := policy.Decide(in)
	if d.Outcome != policy.Deny || d.Limits[0].Before != 8_000_000 || d.Limits[1].Before != 4_000_000 {
		t.Errorf("%v %s %+v", d.Outcome, d.Code, d.Limits)
	}
}

// TestLongHistory: over months, with much that is forgotten, every sum is what
// history says.
func TestLongHistory(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Limits = []policy.Limit{amountLimit(math.MaxUint64, day, "deny"), amountLimit(math.MaxUint64, 31*day, "deny"), amountLimit(math.MaxUint64, 3*day, "deny")}
		d.Limits[1].ID, d.Limits[2].ID = "month", "customer"
		d.Limits[2].Per = []string{"customer"}
	})
	u := policy.NewUsage(p)
	var history []policy.Event
	r := rand.New(rand.NewPCG(1, 2))
	now := base
	for range 5000 {
		now += int64(r.IntN(int(hour)))
		e := policy.Event{Time: now, Network: nem.NIS1Testnet, Wallet: "w1", Client: "c1", Customer: pick(r, []string{"kim", "lee", "customer 77"}), Outflows: []policy.Outflow{
			{Asset: "xem", ID: nem.Currency(nem.NIS1Testnet), Amount: policy.Units(r.IntN(1000)), Kind: policy.TransferOutflow},
		}}
		if err := u.Add(e); err != nil {
			t.Fatal(err)
		}
		history = append(history, e)
		if r.IntN(50) > 0 {
			continue
		}
		in := ask(p, u)
		in.Now = at(now + int64(r.IntN(int(day))))
		in.Request.Withdrawal.Expires = now + 2*day
		want := []policy.Units{0, 0, 0}
		for _, e := range history {
			for i, window := range []int64{day, 31 * day, 3 * day} {
				if e.Time > in.Now.Time-window && (i < 2 || e.Customer == "customer 77") {
					want[i] += e.Outflows[0].Amount
				}
			}
		}
		var got []policy.Units
		for _, l := range policy.Decide(in).Limits {
			got = append(got, l.Before)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("after %d events:\n%s", len(history), diff)
		}
	}
	if held := u.Len(); held > 2000 {
		t.Errorf("%d events are held of about 1,500 in 31 days", held)
	}
}
