package policy_test

import (
	"errors"
	"testing"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

func freeze(action statement.FreezeAction, kind statement.TargetKind, name string) *statement.Freeze {
	return &statement.Freeze{Action: action, Target: statement.Target{Kind: kind, Name: name}}
}

func lower(name string, amount uint64) *statement.Freeze {
	a := nem.Amount(amount)
	f := freeze(statement.ActionLower, statement.TargetLimit, name)
	f.Amount = &a
	return f
}

func TestOverlayRefuses(t *testing.T) {
	p := republic(t, func(d *policy.Document) { d.People[3].LastDay = "2026-01-04" })
	fingerprint := func(name string) string { return statement.Key(worldKey(name)).Fingerprint() }
	pager := policy.Actor{Kind: policy.SentinelActor, ID: "pager"}
	cases := []struct {
		name string
		by   policy.Actor
		f    *statement.Freeze
		code string
	}{
		{"everything", person("ann"), freeze("freeze", "all", ""), ""},
		{"everything, by a sentinel", pager, freeze("freeze", "all", ""), ""},
		{"by a client", policy.Actor{Kind: policy.ClientActor, ID: "c1"}, freeze("freeze", "all", ""), policy.CodeNotEntitled},
		{"after the last day", person("dan"), freeze("freeze", "all", ""), policy.CodeNotEntitled},
		{"a wallet", person("ann"), freeze("freeze", "wallet", "w1"), ""},
		{"no wallet", person("ann"), freeze("freeze", "wallet", "w9"), policy.CodeUnknownTarget},
		{"a client", person("ann"), freeze("freeze", "client", "c1"), ""},
		{"no client", person("ann"), freeze("suspend", "client", "c9"), policy.CodeUnknownTarget},
		{"a person", person("ann"), freeze("suspend", "person", "bob"), ""},
		{"no person", person("ann"), freeze("suspend", "person", "zoe"), policy.CodeUnknownTarget},
		{"a person, by a sentinel", pager, freeze("suspend", "person", "bob"), policy.CodeNotEntitled},
		{"a person's key, by a sentinel", pager, freeze("suspend", "key", fingerprint("bob")), policy.CodeNotEntitled},
		{"a client's key, by a sentinel", pager, freeze("suspend", "key", fingerprint("c1")), ""},
		{"a sentinel's key", person("ann"), freeze("suspend", "key", fingerprint("pager")), policy.CodeNotEntitled},
		{"a canary's key", person("ann"), freeze("suspend", "key", fingerprint("canary")), policy.CodeNotEntitled},
		{"no key", person("ann"), freeze("suspend", "key", "SHA256:x"), policy.CodeUnknownTarget},
		{"an address", person("ann"), freeze("suspend", "address", benchAddress(3).String()), ""},
		{"an address of another chain", person("ann"), freeze("suspend", "address", account("x").Address(nem.SymbolTestnet).String()), policy.CodeUnknownTarget},
		{"an address in another form", person("ann"), freeze("suspend", "address", benchAddress(3).Pretty()), policy.CodeUnknownTarget},
		{"a lower number", person("ann"), lower("most", 1), ""},
		{"no lower number", person("ann"), lower("most", 100_000_000), policy.CodeNotLower},
		{"no limit", person("ann"), lower("least", 1), policy.CodeUnknownTarget},
		{"nothing", person("ann"), freeze("freeze", "moon", ""), policy.CodeUnknownTarget},
	}
	for i, c := range cases {
		var o policy.Overlay
		next, err := o.Apply(p, c.f, statement.Hash{1: byte(i)}, c.by, at(base))
		if c.code == "" {
			if err != nil || len(next.Stops()) != 1 || len(o.Stops()) != 0 {
				t.Errorf("%s: %v, %d in force", c.name, err, len(next.Stops()))
			}
			continue
		}
		refusal, ok := errors.AsType[*policy.Refusal](err)
		if !ok || refusal.Code != c.code || len(next.Stops()) != 0 || (refusal.Error() == refusal.Msg) != (refusal.Field == "") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestOverlayInForce(t *testing.T) {
	p := republic(t, nil)
	var o policy.Overlay
	apply := func(by string, f *statement.Freeze, want string) statement.Hash {
		t.Helper()
		hash := statement.Hash{0: byte(len(o.Stops()) + 1), 1: by[0]}
		next, err := o.Apply(p, f, hash, person(by), at(base))
		code := ""
		if refusal, ok := errors.AsType[*policy.Refusal](err); ok {
			code = refusal.Code
		}
		if code != want {
			t.Fatalf("%v by %s: %v", f, by, err)
		}
		o = next
		return hash
	}
	first := apply("ann", freeze("suspend", "person", "bob"), "")
	apply("ann", freeze("suspend", "person", "bob"), policy.CodeAlreadyInForce)
	apply("ann", freeze("suspend", "person", "cat"), policy.CodeTooMany)
	apply("ann", freeze("suspend", "key", statement.Key(worldKey("cat")).Fingerprint()), policy.CodeTooMany)
	apply("ann", freeze("suspend", "key", statement.Key(worldKey("bob")).Fingerprint()), "")
	apply("ann", lower("most", 50), "")
	apply("ann", lower("most", 50), policy.CodeNotLower)
	apply("ann", lower("most", 40), "")

	// Suspended, bob neither approves nor lifts, but vetoes until a second person confirms.
	next := successor(t, p, nil)
	in := proposal(p, statement.ProposePolicy, string(next.Text()))
	in.Overlay = o
	in.Verdicts = says(p, statement.Approve, base, "ann", "bob")
	if d := policy.JudgeProposal(in); d.State != policy.ProposalOpen {
		t.Error("a suspended director approves")
	}
	in.Adopted, in.AdoptedAt = true, base
	in.Verdicts = says(p, statement.Veto, base, "bob", "cat")
	if d := policy.JudgeProposal(in); d.State != policy.ProposalVetoed {
		t.Error("one person silenced a director's veto")
	}
	apply("cat", freeze("suspend", "person", "bob"), "")
	in.Overlay = o
	if d := policy.JudgeProposal(in); d.State == policy.ProposalVetoed || d.Vetoes != 1 {
		t.Error("two persons did not silence a director's veto")
	}

	lift := func(want bool, who ...string) {
		t.Helper()
		if got, waits := policy.JudgeLift(p, o, says(p, statement.Lift, base, who...), at(base)); got != want || got == (len(waits) > 0) {
			t.Errorf("lift by %v: %v, %v", who, got, waits)
		}
	}
	lift(false, "ann", "bob")
	lift(false, "ann", "dan")
	lift(true, "ann", "cat")
	lifted, ok := o.Lift(first)
	if !ok || len(lifted.Stops()) != len(o.Stops())-1 {
		t.Error("not lifted")
	}
	if _, ok := o.Lift(statement.Hash{9: 9}); ok {
		t.Error("lifted what nobody stopped")
	}
	if s, ok := o.Find(first); !ok || s.Name != "bob" {
		t.Error("the first stop is not found")
	}
	if _, ok := lifted.Find(first); ok {
		t.Error("still found")
	}

	// The next version replaces what was there when it was proposed, but no freeze.
	apply("dan", freeze("freeze", "all", ""), "")
	apply("dan", freeze("freeze", "wallet", "w1"), "")
	if kept := o.Next(next, base+1).Stops(); len(kept) != 2 {
		t.Errorf("kept %v", kept)
	}
	if kept := o.Next(next, base).Stops(); len(kept) != len(o.Stops()) {
		t.Error("a policy that was proposed before a stop replaced it")
	}
	gone := successor(t, p, func(d *policy.Document) {
		d.People = append(d.People[:1], d.People[2:]...)
		d.Limits = nil
		d.Clients[0].Operators = []policy.PersonID{"dan"}
		d.Governance.Veto = 1
	})
	if kept := o.Next(gone, base).Stops(); len(kept) != 2 {
		t.Errorf("what has no target any more was kept: %v", kept)
	}

	noClient := successor(t, p, func(d *policy.Document) { d.Clients = []policy.Client{} })
	stopped := policy.NewOverlay([]policy.Stop{{Action: statement.ActionFreeze, Kind: statement.TargetClient, Name: "c1", At: base}})
	if len(stopped.Next(p, base).Stops()) != 1 || len(stopped.Next(noClient, base).Stops()) != 0 {
		t.Error("a freeze stays as long as its client, and no longer")
	}

	// One party holds a hundred; freezing everything still works.
	for range 100 {
		apply("eve", freeze("suspend", "address", benchAddress(len(o.Stops())).String()), "")
	}
	apply("eve", freeze("suspend", "address", benchAddress(0).String()), policy.CodeTooMany)
	apply("eve", freeze("freeze", "all", ""), "")

	trip := policy.NewOverlay(nil).Trip(policy.Stop{Action: "suspend", Kind: "client", Name: "c1", Until: base + hour})
	if _, stopped := trip.ClientStopped("c1", base+hour-1); !stopped || len(trip.Expire(base+hour-1).Stops()) != 1 {
		t.Error("a tripwire's suspension ended early")
	}
	if _, stopped := trip.ClientStopped("c1", base+hour); stopped || len(trip.Expire(base+hour).Stops()) != 0 {
		t.Error("a tripwire's suspension does not end")
	}
}

// TestStopsDoNotStandInForOthers: each stop stops what it names, by kind and name, and counts against its own
// party alone.
func TestStopsDoNotStandInForOthers(t *testing.T) {
	p := republic(t, nil)
	fingerprint := func(name string) string { return statement.Key(worldKey(name)).Fingerprint() }
	in := func(stops ...policy.Stop) policy.Overlay { return policy.NewOverlay(stops) }
	held := func(by string, f *statement.Freeze) policy.Overlay {
		t.Helper()
		o, err := (policy.Overlay{}).Apply(p, f, statement.Hash{}, person(by), at(base))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, c := range []struct {
		name  string
		there policy.Overlay
		by    string
		f     *statement.Freeze
		code  string
	}{
		{"suspending the client that one froze", held("ann", freeze("freeze", "client", "c1")), "ann", freeze("suspend", "client", "c1"), ""},
		{"freezing what a stop of another kind names", in(policy.Stop{Action: "freeze", Kind: "wallet", Name: "c1", By: person("ann")}), "ann", freeze("freeze", "client", "c1"), ""},
		{"a person, by one who froze a wallet", held("ann", freeze("freeze", "wallet", "w1")), "ann", freeze("suspend", "person", "bob"), ""},
		{"a person, where another suspends another", held("ann", freeze("suspend", "person", "bob")), "cat", freeze("suspend", "person", "ann"), ""},
		{"a person, by one who holds another's key", held("ann", freeze("suspend", "key", fingerprint("bob"))), "ann", freeze("suspend", "person", "cat"), policy.CodeTooMany},
		{"a person, by one who holds a client's key", held("ann", freeze("suspend", "key", fingerprint("c1"))), "ann", freeze("suspend", "person", "cat"), ""},
	} {
		_, err := c.there.Apply(p, c.f, statement.Hash{1: 1}, person(c.by), at(base))
		if refusal, ok := errors.AsType[*policy.Refusal](err); ok != (c.code != "") || (ok && refusal.Code != c.code) {
			t.Errorf("%s: %v", c.name, err)
		}
	}

	// What other stops are called keeps nobody from approving, and lowers no limit.
	small := small(t, func(d *policy.Document) { d.Limits = []policy.Limit{amountLimit(100_000_000, hour, "deny")} })
	request := ask(small, policy.NewUsage(small))
	request.Overlay = in(policy.Stop{Action: "suspend", Kind: "client", Name: "most"}, policy.Stop{Action: "lower", Kind: "limit", Name: "least", Amount: 1},
		policy.Stop{Action: "lower", Kind: "client", Name: "most", Amount: 1})
	if d := policy.Decide(request); d.Outcome != policy.Sign {
		t.Errorf("%v %s", d.Outcome, d.Code)
	}
	next := successor(t, p, nil)
	change := proposal(p, statement.ProposePolicy, string(next.Text()))
	change.Overlay = in(policy.Stop{Action: "suspend", Kind: "client", Name: "ann"}, policy.Stop{Action: "suspend", Kind: "person", Name: "cat"})
	change.Verdicts = says(p, statement.Approve, base, "ann", "bob")
	if d := policy.JudgeProposal(change); d.State != policy.ProposalAdopted {
		t.Errorf("two directors approved: %v", d.State)
	}

	// Two persons who suspend a key take the veto that it signs, and no other.
	change.Adopted, change.AdoptedAt = true, base
	change.Verdicts = says(p, statement.Veto, base, "bob", "cat")
	for name, want := range map[string]policy.ProposalState{"bob": policy.ProposalAdopted, "eve": policy.ProposalVetoed} {
		change.Overlay = in(
			policy.Stop{Action: "suspend", Kind: "key", Name: fingerprint(name), By: person("ann")},
			policy.Stop{Action: "suspend", Kind: "key", Name: fingerprint(name), By: person("cat")},
		)
		if d := policy.JudgeProposal(change); d.State != want {
			t.Errorf("the key of %s suspended by two: %v, want %v", name, d.State, want)
		}
	}
}

func TestCheckVerdict(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Rules[0].Then = "approve"
		d.Rules[0].Approval = &policy.Approval{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "treasury", Count: 1}, {Group: "director", Count: 1}}}}, Expiry: policy.Millis(day), Rejections: 1}
		d.People[3].LastDay = "2026-01-05"
	})
	in := ask(p, policy.NewUsage(p))
	one := func(kind statement.VerdictKind, id string) policy.Verdict { return says(p, kind, base, id)[0] }
	old := one(statement.Approve, "bob")
	old.Policy = policy.Hash{}
	cases := []struct {
		name string
		v    policy.Verdict
		in   func(policy.Input) policy.Input
		code string
	}{
		{"approval", one(statement.Approve, "bob"), nil, ""},
		{"rejection", one(statement.Reject, "dan"), nil, ""},
		{"operator", one(statement.Approve, "ann"), nil, policy.CodeOperator}, // benchDocument: ann operates c1
		{"outsider", one(statement.Approve, "eve"), nil, policy.CodeNotEntitled},
		{"other policy", old, nil, policy.CodeOtherPolicy},
		{"veto", one(statement.Veto, "bob"), nil, policy.CodeNotEntitled},
		{"client's cancel", policy.Verdict{By: policy.Actor{Kind: policy.ClientActor, ID: "c1"}, Kind: statement.Cancel}, nil, ""},
		{"client's approval", policy.Verdict{By: policy.Actor{Kind: policy.ClientActor, ID: "c1"}, Kind: statement.Approve}, nil, policy.CodeNotEntitled},
		{"last day over", one(statement.Approve, "dan"), func(in policy.Input) policy.Input { in.Now = at(base + day); in.Request.Since = base + day; return in }, policy.CodeLastDay},
		{"suspended", one(statement.Approve, "bob"), func(in policy.Input) policy.Input {
			in.Overlay = in.Overlay.Trip(policy.Stop{Action: "suspend", Kind: "person", Name: "bob"})
			return in
		}, policy.CodeSuspended},
		{"over", one(statement.Approve, "bob"), func(in policy.Input) policy.Input { in.Now.Clock = in.Request.Withdrawal.Expires + 1; return in }, policy.CodeExpired},
		{"under a freeze that came later", one(statement.Approve, "bob"), func(in policy.Input) policy.Input {
			in.Overlay = in.Overlay.Trip(policy.Stop{Action: "freeze", Kind: "all", At: in.Request.Since + 1})
			return in
		}, ""},
		{"under a freeze that was first", one(statement.Approve, "bob"), func(in policy.Input) policy.Input {
			in.Overlay = in.Overlay.Trip(policy.Stop{Action: "freeze", Kind: "all", At: in.Request.Since})
			return in
		}, policy.CodeFrozen},
		{"of a stopped client", one(statement.Approve, "bob"), func(in policy.Input) policy.Input {
			in.Overlay = in.Overlay.Trip(policy.Stop{Action: "suspend", Kind: "client", Name: "c1"})
			return in
		}, policy.CodeClientStopped},
	}
	for _, c := range cases {
		this := in
		if c.in != nil {
			this = c.in(in)
		}
		refusal := policy.CheckVerdict(this, c.v)
		if (refusal == nil) != (c.code == "") || (refusal != nil && refusal.Code != c.code) {
			t.Errorf("%s: %v", c.name, refusal)
		}
	}

	open := proposal(p, statement.ProposePolicy, string(successor(t, p, nil).Text()))
	adopted := open
	adopted.Adopted = true
	muted := adopted
	muted.Overlay = muted.Overlay.Trip(policy.Stop{Action: "suspend", Kind: "person", Name: "bob", By: person("ann")}).Trip(policy.Stop{Action: "suspend", Kind: "person", Name: "bob", By: person("cat")})
	for _, c := range []struct {
		name string
		in   policy.ProposalInput
		v    policy.Verdict
		code string
	}{
		{"approve", open, one(statement.Approve, "bob"), ""},
		{"approve by no director", open, one(statement.Approve, "dan"), policy.CodeNotEntitled},
		{"reject", open, one(statement.Reject, "bob"), ""},
		{"reject by no director", open, one(statement.Reject, "dan"), policy.CodeNotEntitled},
		{"veto too early", open, one(statement.Veto, "bob"), policy.CodeNotEntitled},
		{"cancel", open, one(statement.Cancel, "dan"), ""},
		{"cancel by another", open, one(statement.Cancel, "bob"), policy.CodeNotEntitled},
		{"veto", adopted, one(statement.Veto, "bob"), ""},
		{"approve too late", adopted, one(statement.Approve, "bob"), policy.CodeNotEntitled},
		{"muted", muted, one(statement.Veto, "bob"), policy.CodeSuspended},
	} {
		refusal := policy.CheckProposalVerdict(c.in, c.v)
		if (refusal == nil) != (c.code == "") || (refusal != nil && refusal.Code != c.code) {
			t.Errorf("proposal, %s: %v", c.name, refusal)
		}
	}
	if refusal := policy.CheckLift(p, policy.Overlay{}, one(statement.Lift, "bob"), at(base)); refusal != nil {
		t.Error(refusal)
	}
	if refusal := policy.CheckLift(p, policy.Overlay{}, one(statement.Lift, "dan"), at(base)); refusal == nil {
		t.Error("anybody lifts")
	}
}
