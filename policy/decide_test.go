package policy_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

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
			Levy: &policy.Levy{Kind: "percentile", Asset: "silver", Fee: 10_000 << 24, Recipient: benchAddress(2).String()},
		}, policy.Asset{ID: "silver", Network: "nis1-testnet", Asset: "mint:silver", Name: "SILVER", Supply: 9_000_000_000_000, Divisibility: 3})
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

// TestOverflowUncounted: what usage cannot count is denied although no limit counts it, or the authorisation would be an
// entry that nobody can fold.
func TestOverflowUncounted(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{
			ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3,
			Levy: &policy.Levy{Kind: "absolute", Asset: "gold", Fee: math.MaxUint64 - 5, Recipient: benchAddress(2).String()},
		})
	})
	in := ask(p, policy.NewUsage(p))
	for amount, want := range map[nem.Amount]string{5: policy.CodeSigned, 6: policy.CodeAmountOverflow} {
		in.Request.Withdrawal.Assets = []statement.AssetAmount{{Asset: "mint:gold", Amount: amount}}
		if d := policy.Decide(in); d.Code != want {
			t.Errorf("%d: %s, want %s", amount, d.Code, want)
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

// TestHoursWithinADay: from is in, to is out.
func TestHoursWithinADay(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Rules[0].When.Hours = &policy.Hours{Offset: "+00:00", Days: []string{"mon"}, From: "09:00", To: "18:00"}
	})
	u := policy.NewUsage(p)
	// base is Monday 00:00 UTC.
	for after, want := range map[int64]policy.Outcome{
		9*hour - 1: policy.Deny, 9 * hour: policy.Sign, 18*hour - 1: policy.Sign, 18 * hour: policy.Deny, 33 * hour: policy.Deny,
	} {
		in := ask(p, u)
		in.Now = policy.Now{Clock: base + after, Time: base + after}
		if d := policy.Decide(in); d.Outcome != want {
			t.Errorf("%d minutes after: %v, want %v", after/minute, d.Outcome, want)
		}
	}
}

// TestLastDayOfARule: on its last day a rule still matches, a millisecond later no more.
func TestLastDayOfARule(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		d.Rules[0].LastDay = policy.Day(time.UnixMilli(base).UTC().Format(time.DateOnly))
	})
	u := policy.NewUsage(p)
	for after, want := range map[int64]policy.Outcome{0: policy.Sign, day - 1: policy.Sign, day: policy.Deny} {
		for _, now := range []policy.Now{{Clock: base + after, Time: base}, {Clock: base, Time: base + after}} {
			in := ask(p, u)
			in.Now = now
			if d := policy.Decide(in); d.Outcome != want {
				t.Errorf("%+v: %v, want %v", now, d.Outcome, want)
			}
		}
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

// TestApprovalAboveALimit: what the approvers of one limit let through needs room in every other one, and is
// counted afterwards by those alone that are marked always.
func TestApprovalAboveALimit(t *testing.T) {
	p := small(t, func(d *policy.Document) {
		approve, usual, always := amountLimit(1_000_000, hour, "approve"), amountLimit(9_000_000, hour, "deny"), amountLimit(12_000_000, hour, "deny")
		approve.ID, usual.ID, always.ID, always.Always = "approve", "usual", "always", true
		approve.Approval = &policy.Approval{
			AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "director", Count: 1}}}}, Expiry: policy.Millis(hour), Rejections: 1,
		}
		d.Clients[0].Operators = nil
		d.Limits = []policy.Limit{approve, usual, always}
	})
	u := policy.NewUsage(p)
	pay := func(amount nem.Amount) policy.Decision {
		in := ask(p, u)
		in.Request.Withdrawal.Assets[0].Amount = amount
		in.Verdicts = []policy.Verdict{{
			By: policy.Actor{Kind: policy.PersonActor, ID: "bob"}, Key: statement.Key(worldKey("bob")), Kind: statement.Approve, Policy: p.Hash(), At: base,
		}}
		d := policy.Decide(in)
		if d.Outcome == policy.Sign {
			e, err := d.Event(p, in.Request.Withdrawal, "c1", base)
			if err == nil {
				err = u.Add(e)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	if d := pay(10_000_000); d.Code != policy.CodeLimit {
		t.Errorf("above a limit that its approvers do not lift: %v, %s", d.Outcome, d.Code)
	}
	for range 2 {
		d := pay(5_000_000)
		if d.Outcome != policy.Sign || !d.Quorum || d.Limits[1].Limit != "usual" || d.Limits[1].Before != 0 {
			t.Errorf("approved: %v, %s, %+v", d.Outcome, d.Code, d.Limits)
		}
	}
	if d := pay(5_000_000); d.Code != policy.CodeLimit || !d.Limits[1].Fits || d.Limits[2].Fits {
		t.Errorf("above the limit that is always counted: %v, %s, %+v", d.Outcome, d.Code, d.Limits)
	}
}
