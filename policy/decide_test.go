package policy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// small is a policy with one wallet, one rule that signs and the limits given.
func small(t testing.TB, change func(*policy.Document)) *policy.Policy {
	t.Helper()
	d := benchDocument()
	d.Rules = []policy.Rule{{ID: "pay", Then: "sign"}}
	d.Limits = nil
	if change != nil {
		change(&d)
	}
	p, err := policy.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask is a request of 5 XEM under a policy, at base.
func ask(p *policy.Policy, u *policy.Usage) policy.Input {
	in := benchInput(p, nil, u, benchAddress(1))
	in.Now = policy.Now{Clock: base, Time: base}
	in.Request.Since = base
	return in
}

func amountLimit(max uint64, window int64, at string) policy.Limit {
	return policy.Limit{ID: "most", Of: "amount", Asset: []policy.AssetRef{"xem"}, Per: []string{}, Max: policy.Units(max), Window: policy.Millis(window), At: at}
}

func TestDecideRefusesWhatDoesNotBelongTogether(t *testing.T) {
	p := small(t, nil)
	other := small(t, func(d *policy.Document) { d.Title = "another" })
	for name, in := range map[string]policy.Input{
		"nothing":                    {},
		"no usage":                   ask(p, nil),
		"usage of nothing":           ask(p, &policy.Usage{}),
		"usage under another policy": ask(p, policy.NewUsage(other)),
		"no withdrawal":              {Policy: p, Usage: policy.NewUsage(p)},
	} {
		if d := policy.Decide(in); d.Outcome != policy.Deny || d.Code != policy.CodeUnusable {
			t.Errorf("%s: %v, %s", name, d.Outcome, d.Code)
		}
	}
	if d := (policy.Decision{}); d.Outcome == policy.Sign || d.Outcome.String() != "undecided" {
		t.Error("the zero decision is something")
	}
}

func TestWindowEdges(t *testing.T) {
	p := small(t, func(d *policy.Document) { d.Limits = []policy.Limit{amountLimit(10_000_000, hour, "deny")} })
	u := policy.NewUsage(p)
	in := ask(p, u)
	in.Request.Withdrawal.Assets[0].Amount = 9_000_000
	d := policy.Decide(in)
	if d.Outcome != policy.Sign {
		t.Fatal(d.Code)
	}
	e, err := d.Event(p, in.Request.Withdrawal, "c1", base)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Add(e); err != nil {
		t.Fatal(err)
	}
	// One millisecond before the window ends it still counts, then no more.
	for _, c := range []struct {
		after int64
		want  policy.Outcome
	}{{0, policy.Deny}, {hour - 1, policy.Deny}, {hour, policy.Sign}} {
		in.Now = policy.Now{Clock: base + c.after, Time: base + c.after}
		d := policy.Decide(in)
		if d.Outcome != c.want {
			t.Errorf("after %d ms: %v", c.after, d.Outcome)
		}
		if c.want == policy.Deny && (d.Code != policy.CodeLimit || d.Limits[0].FreesAt != base+hour) {
			t.Errorf("after %d ms: %s, frees at %d", c.after, d.Code, d.Limits[0].FreesAt-base)
		}
	}
	// Exactly full fits: 10 XEM with its fee.
	in.Request.Withdrawal.Assets[0].Amount = 10_000_000 - nem.Amount(d.Fee)
	if d := policy.Decide(in); d.Outcome != policy.Sign || d.Limits[0].After != 10_000_000 {
		t.Errorf("exactly full: %s, %d", d.Code, d.Limits[0].After)
	}
	in.Request.Withdrawal.Assets[0].Amount++
	if d := policy.Decide(in); d.Code != policy.CodeLimit || d.Limits[0].FreesAt != 0 {
		t.Errorf("one too many: %s, frees at %d", d.Code, d.Limits[0].FreesAt)
	}
}

func TestTransferIsWhatDecideCounts(t *testing.T) {
	p := small(t, nil)
	in := ask(p, policy.NewUsage(p))
	transfer, refusal := policy.Transfer(p, in.Request.Withdrawal)
	if refusal != nil {
		t.Fatal(refusal)
	}
	d := policy.Decide(in)
	if policy.Units(transfer.Fee) != d.Fee || transfer.Recipient != benchAddress(1) || transfer.Timestamp != 0 || transfer.Deadline != 0 {
		t.Errorf("%+v", transfer)
	}
	in.Request.Withdrawal.Wallet = "nowhere"
	if _, refusal := policy.Transfer(p, in.Request.Withdrawal); refusal == nil || refusal.Code != policy.CodeWalletUnknown {
		t.Errorf("%v", refusal)
	}
	if _, err := d.Event(p, in.Request.Withdrawal, "c1", base); err == nil {
		t.Error("an event of an unknown wallet")
	}
}

func TestEventOfRecordedDecision(t *testing.T) {
	p := small(t, nil)
	in := ask(p, policy.NewUsage(p))
	d := policy.Decide(in)
	text, err := json.Marshal(&d, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	var recorded policy.Decision
	if err := json.Unmarshal(text, &recorded, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b nem.AssetID) bool { return a == b })
	addresses := cmp.Comparer(func(a, b nem.Address) bool { return a == b })
	want, err1 := d.Event(p, in.Request.Withdrawal, "c1", base)
	got, err2 := recorded.Event(p, in.Request.Withdrawal, "c1", base)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if diff := cmp.Diff(want, got, same, addresses); diff != "" {
		t.Error(diff)
	}
	recorded.Outflows[0].Asset = "lead"
	if _, err := recorded.Event(p, in.Request.Withdrawal, "c1", base); err == nil {
		t.Error("an asset that the policy does not have was counted")
	}
	for _, bad := range []string{`{"outcome":"perhaps"}`, `{"rules":[{"held":"wallet,moon"}]}`, `{"limits":[{"per":"day"}]}`} {
		if err := json.Unmarshal([]byte(bad), &recorded); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestFeesAndLevies(t *testing.T) {
	gold := policy.Asset{ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3}
	levy := func(kind string, asset policy.AssetRef, fee policy.Units) *policy.Levy {
		return &policy.Levy{Kind: kind, Asset: asset, Fee: fee, Recipient: benchAddress(2).String()}
	}
	cases := []struct {
		name   string
		change func(*policy.Document)
		asset  string
		want   string
	}{
		{"levy counts in its asset", func(d *policy.Document) {
			gold.Levy = levy("absolute", "xem", 11_000_000)
			d.Assets = append(d.Assets, gold)
		}, "mint:gold", policy.CodeLimit},
		{"levy of a share", func(d *policy.Document) {
			gold.Levy = levy("percentile", "xem", 30_000)
			d.Assets = append(d.Assets, gold)
		}, "mint:gold", policy.CodeLimit},
		{"small levy", func(d *policy.Document) {
			gold.Levy = levy("percentile", "xem", 1)
			d.Assets = append(d.Assets, gold)
		}, "mint:gold", policy.CodeSigned},
		{"levy of more than there can be", func(d *policy.Document) {
			gold.Levy = levy("percentile", "gold", math.MaxUint64)
			d.Assets = append(d.Assets, gold)
		}, "mint:gold", policy.CodeAmountOverflow},
		{"levy and amount overflow together", func(d *policy.Document) {
			gold.Levy = levy("absolute", "gold", math.MaxUint64)
			d.Assets = append(d.Assets, gold)
			d.Limits[0].Asset = []policy.AssetRef{"gold"}
			d.Limits[0].Max = math.MaxUint64
		}, "mint:gold", policy.CodeAmountOverflow},
		{"the currency must be registered", func(d *policy.Document) {
			gold.Levy = nil
			d.Assets = []policy.Asset{gold}
			d.Limits = nil
		}, "mint:gold", policy.CodeAssetNotRegistered},
		{"a fee that cannot be known", func(d *policy.Document) {
			gold.Levy, gold.Supply = nil, 0
			d.Assets = append(d.Assets, gold)
		}, "mint:gold", policy.CodeBadValue},
	}
	for _, c := range cases {
		p := small(t, func(d *policy.Document) {
			d.Limits = []policy.Limit{amountLimit(10_000_000, hour, "deny")}
			c.change(d)
		})
		in := ask(p, policy.NewUsage(p))
		in.Request.Withdrawal.Assets[0].Asset = c.asset
		if d := policy.Decide(in); d.Code != c.want {
			t.Errorf("%s: %s\n%s", c.name, d.Code, policy.Explain(p, in.Request.Withdrawal, &d))
		}
	}
}

// TestMostOutflows: ten mosaics, each with a levy, and the fee.
func TestMostOutflows(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		for i := range 10 {
			d.Assets = append(d.Assets, policy.Asset{
				ID: policy.AssetRef(fmt.Sprint("gold", i)), Network: "nis1-testnet", Asset: fmt.Sprint("mint:gold", i), Name: "GOLD", Supply: 1_000_000,
				Levy: &policy.Levy{Kind: "absolute", Asset: "xem", Fee: 1_000_000, Recipient: benchAddress(2).String()},
			})
		}
		d.Wallets[0].MaxFee = 100_000_000
		d.Limits = []policy.Limit{amountLimit(100_000_000, hour, "deny")}
	})
	in := ask(p, policy.NewUsage(p))
	in.Request.Withdrawal.MaxFee = 100_000_000
	in.Request.Withdrawal.Assets = nil
	for i := range 10 {
		in.Request.Withdrawal.Assets = append(in.Request.Withdrawal.Assets, statement.AssetAmount{Asset: fmt.Sprint("mint:gold", i), Amount: 1})
	}
	d := policy.Decide(in)
	if d.Outcome != policy.Sign || len(d.Outflows) != 21 || d.Limits[0].After != 10_000_000+d.Fee {
		t.Errorf("%v %s: %d outflows, %+v", d.Outcome, d.Code, len(d.Outflows), d.Limits)
	}
}

// TestLevyAtTheEdge: a levy of exactly 2^64 is one too many.
func TestLevyAtTheEdge(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{
			ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 9_000_000_000_000, Divisibility: 3,
			Levy: &policy.Levy{Kind: "percentile", Asset: "gold", Fee: 10_000 << 24, Recipient: benchAddress(2).String()},
		})
		d.Wallets[0].MaxFee = 100_000_000
	})
	in := ask(p, policy.NewUsage(p))
	in.Request.Withdrawal.MaxFee = 100_000_000
	for amount, want := range map[nem.Amount]string{1 << 40: policy.CodeAmountOverflow, 1<<40 - 1: policy.CodeSigned} {
		in.Request.Withdrawal.Assets = []statement.AssetAmount{{Asset: "mint:gold", Amount: amount}}
		if d := policy.Decide(in); d.Code != want {
			t.Errorf("%d: %s", amount, d.Code)
		}
	}
}

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
			_, _, address, _, _ := p.WalletAccount("w2")
			in.Request.Withdrawal.Wallet, in.Request.Withdrawal.WalletAddress = "w2", address.String()
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

func TestTooManyAssets(t *testing.T) {
	p := small(t, nil)
	in := ask(p, policy.NewUsage(p))
	for i := range 10 {
		in.Request.Withdrawal.Assets = append(in.Request.Withdrawal.Assets, statement.AssetAmount{Asset: fmt.Sprintf("mint:gold%d", i), Amount: 1})
	}
	if d := policy.Decide(in); d.Code != policy.CodeBadValue || d.Field != "assets" {
		t.Errorf("%s, %s", d.Code, d.Field)
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
	if u.Len() != 1 || u.Policy() != p {
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
		for i := 0; i < 1<<16+1 && err == nil; i++ {
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
			if err = u.Add(e); err != nil && i < 1<<16 {
				t.Fatalf("%s %d: %v", kind, i, err)
			}
		}
		if err == nil {
			t.Errorf("65,537 names of a %s were numbered", kind)
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

func TestHoursAcrossMidnight(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Rules[0].When.Hours = &policy.Hours{Offset: "-05:00", Days: []string{"sun", "mon"}, From: "22:00", To: "06:00"}
	})
	u := policy.NewUsage(p)
	// base is Monday 00:00 UTC, Sunday 19:00 at UTC-5.
	for after, want := range map[int64]policy.Outcome{
		0: policy.Deny, 3*hour - 1: policy.Deny, 3 * hour: policy.Sign, 11*hour - 1: policy.Sign, 11 * hour: policy.Deny,
		27 * hour: policy.Sign, 29*hour - 1: policy.Sign, 29 * hour: policy.Deny, // Tuesday begins there
	} {
		in := ask(p, u)
		in.Now = policy.Now{Clock: base + after, Time: base + after}
		in.Request.Withdrawal.Expires = base + 3*day
		if d := policy.Decide(in); d.Outcome != want {
			t.Errorf("%d minutes after: %v, want %v", after/minute, d.Outcome, want)
		}
	}
	in := ask(p, u)
	in.Now = policy.Now{Clock: -1, Time: -3 * hour} // before 1970 nothing breaks: a Wednesday
	if d := policy.Decide(in); d.Outcome != policy.Deny {
		t.Error(d.Code)
	}
}

func TestExplainShowsEverything(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Limits = []policy.Limit{amountLimit(4_000_000, hour, "wait"), {ID: "pace", Of: "count", Per: []string{"customer"}, Max: 1, Window: policy.Millis(hour), At: "wait"}}
		d.Rules = []policy.Rule{{ID: "large", Then: "approve", When: policy.When{Asset: []policy.AssetRef{"xem"}, Amount: &policy.Range{Above: units(1)}}, Approval: &policy.Approval{
			AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1,
		}}}
	})
	in := ask(p, policy.NewUsage(p))
	in.Request.Withdrawal.Message.Value = "evil\u202eline\n"
	d := policy.Decide(in)
	got := policy.Explain(p, in.Request.Withdrawal, &d)
	for _, want := range []string{
		"HOLD: held: it waits for approvals", "5 XEM (5000000 of nem:xem)", `text "evil\u202eline\n"`, "large", "matches (holds: asset, amount)",
		"4 XEM in any 1h", "lifted by the quorum", "1 of director for large, has 0; may still approve: bob; lapses 2026-01-06 00:00:00 UTC", "fee     0.1 XEM",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.ContainsRune(got, '\u202e') {
		t.Error("a bidirectional character came through")
	}
	d.Tripwires = []string{policy.CanaryAddressTripwire}
	d.Field = "destination"
	d.Waits = []policy.Wait{{Kind: policy.WaitTime, For: "large", Until: base}, {Kind: policy.WaitLimit, For: "most", Until: base}, {Kind: policy.WaitUnfreeze, For: "x"}, {Kind: policy.WaitToken}, {Kind: "other"}, {Kind: policy.WaitApproval, Alternative: 1, Group: "aml", Need: 1}}
	d.Limits[0].Binds, d.Limits[0].FreesAt = true, base
	d.Limits[1].Fits, d.Limits[1].Binds = false, true
	got = policy.Explain(p, in.Request.Withdrawal, &d)
	for _, want := range []string{"TRIPWIRE", "(destination)", "cooling-off of large", "room in limit most", "lift of freeze x", "the token", "or 1 of aml", "it would fit from 2026-01-05", "NEVER FITS"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if policy.Words("something_new") != "something_new" {
		t.Error("an unknown code has words")
	}
}
