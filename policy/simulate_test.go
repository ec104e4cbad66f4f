package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/policy"
	"kura/statement"
)

func TestSimulate(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Limits[0].Max = 12_000_000
		d.Limits[0].At = "approve"
		d.Limits[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}
		d.Limits = append(d.Limits, policy.Limit{ID: "idle", Of: "count", Asset: []policy.AssetRef{"xem"}, Client: []policy.ClientID{"c1"}, Per: []string{"customer"}, Max: 100, Window: policy.Millis(hour), At: "deny"})
	})
	var history []policy.Recorded
	for i := range int64(4) {
		in := ask(p, nil)
		in.Request.Withdrawal.Customer, in.Request.Withdrawal.Expires = "=danger", base+hour
		now := policy.Moment{Now: at(base + i*minute)}
		r := policy.Recorded{Request: in.Request, First: now, Last: now, Outcome: policy.Sign, Code: policy.CodeSigned}
		r.Request.Hash = statement.Hash{0: byte(i)}
		if i == 3 { // held then, and approved by the treasury under the old policy
			r.Last.Now, r.Code = at(base+i*minute+minute), policy.CodeApproved
			r.Verdicts = []policy.Verdict{{By: person("dan"), Key: statement.Key(worldKey("dan")), Kind: statement.Approve, At: r.Last.Now.Time}}
		}
		history = append(history, r)
	}
	s, err := policy.Simulate(p, history)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, r := range s.Rows {
		outcomes = append(outcomes, r.Simulated.Outcome.String()+" "+r.Simulated.Code)
	}
	if want := []string{"sign signed", "sign signed", "hold needs_approval", "sign approved"}; !slices.Equal(outcomes, want) {
		t.Errorf("%v, want %v", outcomes, want)
	}
	if s.Total != 4 || s.Differs != 1 || len(s.Rows[3].Needs) != 1 || s.Rows[3].Needs[0].Group != "treasury" {
		t.Errorf("%+v", s)
	}
	if s.Limits[0].Peak != 10_200_000 || s.Limits[0].Refused == 0 {
		t.Errorf("%+v", s.Limits)
	}
	table, sheet := s.Table(p), s.CSV()
	for _, want := range []string{"APPROVAL OF", "2 withdrawals", "4 withdrawals, 1 would have come out otherwise", "5 XEM", "1 of treasury (most)", "10.2 XEM", "12 XEM"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if lines := strings.Count(sheet, "\n"); lines != 5 {
		t.Errorf("%d lines of CSV", lines)
	}
	if _, err := json.Marshal(&s, json.Deterministic(true)); err != nil {
		t.Error(err)
	}
}

// TestSimulateUnderTheSamePolicy: nothing comes out otherwise, whatever stopped a request that is no part of a policy.
func TestSimulateUnderTheSamePolicy(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Rules[0].When.Destination = []string{"friends"}
		d.Limits[0].Max = 12_000_000
		d.WithdrawalLife = policy.Millis(hour)
	})
	listed, err := new(policy.Book).Apply(&policy.BookChange{Add: []policy.Entry{entry("a", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	frozen := policy.NewOverlay([]policy.Stop{{Action: statement.ActionFreeze, Kind: statement.TargetAll, At: base}})
	expires := func(after int64) func(*statement.Withdrawal) {
		return func(w *statement.Withdrawal) { w.Destination, w.Expires = benchAddress(1).String(), w.ID.Born()+after }
	}
	cases := []struct {
		change  func(*statement.Withdrawal)
		moment  policy.Moment
		outcome policy.Outcome
		code    string
	}{
		{expires(hour), policy.Moment{Book: listed, Overlay: frozen}, policy.Deny, policy.CodeFrozen},
		{expires(hour), policy.Moment{}, policy.Deny, policy.CodeDestinationUnlisted}, // it was listed later
		{expires(2 * hour), policy.Moment{Book: listed}, policy.Deny, string(statement.CodeExpiresTooLate)},
		{expires(hour), policy.Moment{Book: listed, Settled: true}, policy.Deny, "wallet_not_ready"},
		{expires(hour), policy.Moment{Book: listed}, policy.Sign, policy.CodeSigned},
		{expires(hour), policy.Moment{Book: listed}, policy.Sign, policy.CodeSigned}, // what was denied filled no limit
		{expires(hour), policy.Moment{Book: listed}, policy.Deny, policy.CodeLimit},
	}
	var history []policy.Recorded
	for i, c := range cases {
		in := ask(p, nil)
		w := *in.Request.Withdrawal
		c.change(&w)
		in.Request.Withdrawal = &w
		c.moment.Now = at(base + int64(i))
		history = append(history, policy.Recorded{Request: in.Request, First: c.moment, Last: c.moment, Outcome: c.outcome, Code: c.code})
	}
	s, err := policy.Simulate(p, history)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range s.Rows {
		if r.Differs || r.Simulated.Code != r.Recorded.Code {
			t.Errorf("%d: %+v instead of %+v", i, r.Simulated, r.Recorded)
		}
	}
	if table := s.Table(p); strings.Contains(table, "WOULD BE") || !strings.Contains(table, "7 withdrawals, 0 would have come out otherwise") {
		t.Error(table)
	}
}

// TestSimulateWithoutPeople: what people approved, and the other policy signs without them, comes out otherwise.
func TestSimulateWithoutPeople(t *testing.T) {
	p := republic(t, nil)
	in := ask(p, nil)
	in.Request.Withdrawal.Expires = base + hour
	moment := policy.Moment{Now: at(base)}
	s, err := policy.Simulate(p, []policy.Recorded{{Request: in.Request, First: moment, Last: moment, Outcome: policy.Sign, Code: policy.CodeApproved}})
	if err != nil {
		t.Fatal(err)
	}
	if table := s.Table(p); s.Differs != 1 || !strings.Contains(table, "approved  signed") {
		t.Errorf("%+v\n%s", s, table)
	}
}
