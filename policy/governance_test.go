package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// republic is a policy with three directors (ann, bob, cat), dan in the treasury,
// a service, a sentinel, a recovery key, and a wallet.
func republic(t testing.TB, change func(*policy.Document)) *policy.Policy {
	t.Helper()
	return small(t, func(d *policy.Document) {
		d.People = nil
		for _, x := range []struct {
			id    policy.PersonID
			roles []string
		}{{"ann", []string{"director"}}, {"bob", []string{"director"}}, {"cat", []string{"director"}}, {"dan", []string{"treasury"}}, {"eve", []string{"recovery"}}} {
			d.People = append(d.People, policy.Person{ID: x.id, Keys: []string{worldKey(string(x.id))}, Roles: x.roles})
		}
		d.Services = []policy.Service{{ID: "aml", Keys: []string{worldKey("aml")}}}
		d.Sentinels = []policy.Sentinel{{ID: "pager", Keys: []string{worldKey("pager")}}}
		d.Tripwires.CanaryKeys = []string{worldKey("canary")}
		d.Governance.Recovery = &policy.Change{AnyOf: []policy.Quorum{{AllOf: []policy.Need{{Group: "recovery", Count: 1}}}}, TimeLock: 14 * policy.Millis(day)}
		d.Wallets[0].Rescue = benchAddress(7).String()
		d.Limits = []policy.Limit{amountLimit(100_000_000, hour, "deny")}
		if change != nil {
			change(d)
		}
	})
}

func person(id string) policy.Actor { return policy.Actor{Kind: policy.PersonActor, ID: id} }

func says(p *policy.Policy, kind statement.VerdictKind, at int64, ids ...string) []policy.Verdict {
	var out []policy.Verdict
	for _, id := range ids {
		out = append(out, policy.Verdict{By: person(id), Key: statement.Key(worldKey(id)), Kind: kind, Policy: p.Hash(), At: at})
	}
	return out
}

func at(time int64) policy.Now { return policy.Now{Clock: time, Time: time} }

// successor is the next version with a change.
func successor(t testing.TB, p *policy.Policy, change func(*policy.Document)) *policy.Policy {
	t.Helper()
	var d policy.Document
	if err := json.Unmarshal(p.Text(), &d); err != nil {
		t.Fatal(err)
	}
	d.Version, d.Previous = d.Version+1, p.Hash().String()
	if change != nil {
		change(&d)
	}
	next, err := policy.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func proposal(p *policy.Policy, kind statement.ProposalKind, document string) policy.ProposalInput {
	return policy.ProposalInput{
		Policy: p, Proposal: &statement.Proposal{Proposes: kind, Base: p.Hash(), Document: document, Expires: base + 60*day},
		By: person("dan"), Since: base, Now: at(base),
	}
}

func TestPolicyProposal(t *testing.T) {
	p := republic(t, nil)
	next := successor(t, p, func(d *policy.Document) { d.Limits[0].Max *= 2 })
	in := proposal(p, statement.ProposePolicy, string(next.Text()))
	expect := func(want policy.ProposalState, code string) policy.ProposalDecision {
		t.Helper()
		d := policy.JudgeProposal(in)
		if d.State != want || d.Code != code {
			t.Errorf("%v (%s, %s), want %v (%s)", d.State, d.Code, d.Problem, want, code)
		}
		return d
	}
	if d := expect(policy.ProposalOpen, policy.CodeNeedsApproval); len(d.Waits) != 1 || d.Waits[0].Need != 2 || d.Waits[0].Have != 0 || len(d.Waits[0].Who) != 3 {
		t.Errorf("%+v", d.Waits)
	}
	in.Verdicts = says(p, statement.Approve, base, "ann", "dan") // dan is no director
	expect(policy.ProposalOpen, policy.CodeNeedsApproval)
	in.Verdicts = append(in.Verdicts, says(p, statement.Approve, base, "ann")...) // the same person again
	expect(policy.ProposalOpen, policy.CodeNeedsApproval)
	in.Verdicts = append(in.Verdicts, says(p, statement.Approve, base+hour, "bob")...)
	in.Now = at(base + hour)
	if d := expect(policy.ProposalAdopted, policy.CodeTimeLock); d.Effective != base+hour+day {
		t.Errorf("effective after %d h", (d.Effective-base)/hour)
	}

	in.Adopted, in.AdoptedAt = true, base+hour
	in.Now = at(base + hour + day - 1)
	expect(policy.ProposalAdopted, policy.CodeTimeLock)
	in.Verdicts = append(in.Verdicts, says(p, statement.Veto, base+2*hour, "cat", "dan", "cat")...)
	if d := expect(policy.ProposalAdopted, policy.CodeTimeLock); d.Vetoes != 1 {
		t.Errorf("%d vetoes of one director", d.Vetoes)
	}
	quiet := in
	in.Verdicts = append(in.Verdicts, says(p, statement.Veto, base+2*hour, "bob")...)
	expect(policy.ProposalVetoed, policy.CodeVetoed)
	in = quiet
	in.Now = at(base + hour + day)
	expect(policy.ProposalInForce, policy.CodeInForce)
	in.Policy = next // another one came into force meanwhile
	expect(policy.ProposalLapsed, policy.CodeBaseNotInForce)
}

func TestProposalEndsEarly(t *testing.T) {
	p := republic(t, nil)
	text := string(successor(t, p, nil).Text())
	cases := []struct {
		name   string
		change func(*policy.ProposalInput)
		state  policy.ProposalState
		code   string
	}{
		{"by a client", func(in *policy.ProposalInput) { in.By = policy.Actor{Kind: policy.ClientActor, ID: "c1"} }, policy.ProposalRefused, policy.CodeNotEntitled},
		{"by nobody known", func(in *policy.ProposalInput) { in.By = person("zoe") }, policy.ProposalRefused, policy.CodeNotEntitled},
		{"expired", func(in *policy.ProposalInput) { in.Now.Clock = base + 61*day }, policy.ProposalLapsed, policy.CodeExpired},
		{"on another base", func(in *policy.ProposalInput) { in.Proposal.Base = policy.Hash{} }, policy.ProposalRefused, policy.CodeBaseNotInForce},
		{"base gone later", func(in *policy.ProposalInput) { in.Proposal.Base = policy.Hash{}; in.Now = at(base + 1) }, policy.ProposalLapsed, policy.CodeBaseNotInForce},
		{"cancelled by its proposer", func(in *policy.ProposalInput) { in.Verdicts = says(p, statement.Cancel, base, "dan") }, policy.ProposalLapsed, policy.CodeCancelled},
		{"cancelled by another", func(in *policy.ProposalInput) { in.Verdicts = says(p, statement.Cancel, base, "ann") }, policy.ProposalOpen, policy.CodeNeedsApproval},
		{"rejected by two directors", func(in *policy.ProposalInput) { in.Verdicts = says(p, statement.Reject, base, "ann", "bob") }, policy.ProposalRefused, policy.CodeRejected},
		{"rejected by one", func(in *policy.ProposalInput) { in.Verdicts = says(p, statement.Reject, base, "ann", "dan") }, policy.ProposalOpen, policy.CodeNeedsApproval},
		{"no policy", func(in *policy.ProposalInput) { in.Proposal.Document = "{}" }, policy.ProposalRefused, policy.CodeBadDocument},
		{"nothing that is proposed", func(in *policy.ProposalInput) { in.Proposal.Proposes = "lunch" }, policy.ProposalRefused, policy.CodeBadDocument},
		{"bad addresses beside it", func(in *policy.ProposalInput) { in.Proposal.Addresses = "{}" }, policy.ProposalRefused, policy.CodeBadDocument},
	}
	for _, c := range cases {
		in := proposal(p, statement.ProposePolicy, text)
		c.change(&in)
		if d := policy.JudgeProposal(in); d.State != c.state || d.Code != c.code {
			t.Errorf("%s: %v (%s): %s", c.name, d.State, d.Code, d.Problem)
		}
	}
	if s, _ := policy.ProposalState(99).MarshalText(); string(s) != "refused" {
		t.Error("an unknown state is something")
	}
}

func TestSuccessor(t *testing.T) {
	p := republic(t, nil)
	cases := []struct {
		name   string
		change func(*policy.Document)
		code   string
	}{
		{"fine", func(*policy.Document) {}, ""},
		{"version", func(d *policy.Document) { d.Version++ }, policy.CodeBadDocument},
		{"previous", func(d *policy.Document) { d.Previous = strings.Repeat("0", 64) }, policy.CodeBadDocument},
		{"a key changes its owner", func(d *policy.Document) { d.People[0].Keys, d.People[3].Keys = d.People[3].Keys, d.People[0].Keys }, policy.CodeKeyReturns},
		{"a key that was out", func(d *policy.Document) { d.People[0].Keys = append(d.People[0].Keys, worldKey("old")) }, policy.CodeKeyReturns},
		{"a new key", func(d *policy.Document) { d.People[0].Keys = []string{worldKey("new")} }, ""},
		{"canaries in another order", func(d *policy.Document) { d.Tripwires.CanaryKeys = []string{worldKey("canary 2"), worldKey("canary")} }, ""},
		{"another wallet under the name", func(d *policy.Document) { d.Wallets[0].PublicKey = account("other").String() }, policy.CodeBadDocument},
	}
	for _, c := range cases {
		next := successor(t, p, c.change)
		refusal := policy.CheckSuccessor(p, next, func(k statement.Key) bool { return string(k) == worldKey("old") })
		if (refusal == nil) != (c.code == "") || (refusal != nil && refusal.Code != c.code) {
			t.Errorf("%s: %v", c.name, refusal)
		}
	}
}

func TestBeforeTheFirstWallet(t *testing.T) {
	p := republic(t, func(d *policy.Document) { d.Version, d.Previous, d.Wallets = 1, "", []policy.Wallet{} })
	next := successor(t, p, func(d *policy.Document) {
		d.Wallets = []policy.Wallet{{ID: "w1", Network: "nis1-testnet", PublicKey: account("w1").String(), Custody: "sealed", Life: policy.Millis(30 * minute), MaxFee: 1_000_000}}
	})
	in := proposal(p, statement.ProposePolicy, string(next.Text()))
	change := policy.BookChange{Remove: []policy.EntryName{}, Add: []policy.Entry{{Book: "friends", Name: "x", Network: "nis1-testnet", Address: benchAddress(1).String(), Message: policy.MessageRule{Rule: "any"}}}}
	in.Proposal.Addresses = string(change.Text())
	in.Verdicts = says(p, statement.Approve, base, "ann", "bob")
	d := policy.JudgeProposal(in)
	if d.State != policy.ProposalAdopted || d.Effective != base {
		t.Fatalf("%v %s %s, effective after %d", d.State, d.Code, d.Problem, d.Effective-base)
	}
	in.Adopted, in.AdoptedAt = true, base
	if d := policy.JudgeProposal(in); d.State != policy.ProposalInForce {
		t.Errorf("%v %s", d.State, d.Code)
	}

	if refusal := policy.JudgeGenesis(p, says(p, statement.Approve, base, "ann", "cat"), at(base)); refusal != nil {
		t.Error(refusal)
	}
	if refusal := policy.JudgeGenesis(p, says(p, statement.Approve, base, "ann", "dan"), at(base)); refusal == nil {
		t.Error("a genesis with one director's approval")
	}
	if refusal := policy.JudgeGenesis(next, says(next, statement.Approve, base, "ann", "cat"), at(base)); refusal == nil {
		t.Error("a genesis of version 2")
	}
}

func TestAddressProposal(t *testing.T) {
	p := republic(t, nil)
	change := policy.BookChange{Remove: []policy.EntryName{}, Add: []policy.Entry{{Book: "friends", Name: "x", Network: "nis1-testnet", Address: benchAddress(1).String(), Message: policy.MessageRule{Rule: "any"}}}}
	in := proposal(p, statement.ProposeAddresses, string(change.Text()))
	in.Verdicts = says(p, statement.Approve, base, "ann", "bob")
	if d := policy.JudgeProposal(in); d.State != policy.ProposalAdopted || d.Effective != base+day {
		t.Errorf("%v %s %s", d.State, d.Code, d.Problem)
	}
	in.Adopted, in.AdoptedAt = true, base
	in.Now = at(base + day)
	if d := policy.JudgeProposal(in); d.State != policy.ProposalInForce {
		t.Errorf("%v %s %s", d.State, d.Code, d.Problem)
	}
	// The same entry came in by another proposal meanwhile.
	var err error
	if in.Book, err = in.Book.Apply(&change); err != nil {
		t.Fatal(err)
	}
	if d := policy.JudgeProposal(in); d.State != policy.ProposalLapsed || d.Code != policy.CodeBadDocument {
		t.Errorf("%v %s %s", d.State, d.Code, d.Problem)
	}
	change.Add[0].Book = "unknown"
	in = proposal(p, statement.ProposeAddresses, string(change.Text()))
	if d := policy.JudgeProposal(in); d.State != policy.ProposalRefused || !strings.Contains(d.Problem, "unknown") {
		t.Errorf("%v %s", d.State, d.Problem)
	}
}

func TestRecovery(t *testing.T) {
	p := republic(t, nil)
	next := successor(t, p, func(d *policy.Document) {
		for i, id := range []string{"new ann", "new bob", "new cat"} {
			d.People[i] = policy.Person{ID: policy.PersonID(fmt.Sprintf("new-%d", i)), Keys: []string{worldKey(id)}, Roles: []string{"director"}}
		}
		d.Clients[0].Operators = []policy.PersonID{"new-0"}
	})
	in := proposal(p, statement.ProposeRecovery, string(next.Text()))
	in.Verdicts = says(p, statement.Approve, base, "eve")
	if d := policy.JudgeProposal(in); d.State != policy.ProposalAdopted || d.Effective != base+14*day {
		t.Errorf("%v %s %s", d.State, d.Code, d.Problem)
	}
	in.Adopted, in.AdoptedAt = true, base
	in.Now = at(base + 13*day)
	in.Verdicts = append(in.Verdicts, says(p, statement.Veto, base+day, "ann")...)
	if d := policy.JudgeProposal(in); d.State != policy.ProposalAdopted {
		t.Errorf("one director stops a recovery: %v", d.State)
	}
	in.Verdicts = append(in.Verdicts, says(p, statement.Veto, base+day, "bob")...)
	if d := policy.JudgeProposal(in); d.State != policy.ProposalVetoed {
		t.Errorf("a quorum of directors does not stop a recovery: %v", d.State)
	}
	sneaky := successor(t, p, func(d *policy.Document) { d.Limits[0].Max++ })
	in = proposal(p, statement.ProposeRecovery, string(sneaky.Text()))
	if d := policy.JudgeProposal(in); d.State != policy.ProposalRefused || d.Code != policy.CodeBadDocument {
		t.Errorf("a recovery that changes a limit: %v %s", d.State, d.Code)
	}
	none := republic(t, func(d *policy.Document) { d.Governance.Recovery = nil })
	in = proposal(none, statement.ProposeRecovery, string(next.Text()))
	if d := policy.JudgeProposal(in); d.State != policy.ProposalRefused || d.Code != policy.CodeNotEntitled {
		t.Errorf("a recovery without one: %v %s", d.State, d.Code)
	}
	in.Adopted = true // whatever the caller says, it is total
	in.Now = at(base + 100*day)
	if d := policy.JudgeProposal(in); d.State == policy.ProposalInForce {
		t.Error("a recovery without one came into force")
	}
}

func TestEvacuationAndResume(t *testing.T) {
	p := republic(t, nil)
	in := proposal(p, statement.ProposeEvacuation, `{"wallet":"w1","assets":[{"asset":"xem","amount":"5000000"}],"maxFee":"100000"}`)
	in.Verdicts = says(p, statement.Approve, base, "ann", "bob")
	if d := policy.JudgeProposal(in); d.State != policy.ProposalAdopted || d.Effective != base {
		t.Errorf("%v %s %s", d.State, d.Code, d.Problem)
	}
	e, err := policy.ParseEvacuation([]byte(in.Proposal.Document))
	if err != nil {
		t.Fatal(err)
	}
	transfer, err := e.Transfer(p)
	if err != nil || transfer.Recipient != benchAddress(7) || transfer.Fee == 0 || transfer.Assets[0].Amount != 5_000_000 {
		t.Errorf("%+v: %v", transfer, err)
	}
	for _, bad := range []string{
		`{"wallet":"w2","assets":[{"asset":"xem","amount":"5"}],"maxFee":"100000"}`,
		`{"wallet":"w1","assets":[],"maxFee":"100000"}`,
		`{"wallet":"w1","assets":[{"asset":"xem","amount":"0"}],"maxFee":"100000"}`,
		`{"wallet":"w1","assets":[{"asset":"xem","amount":"5"},{"asset":"xem","amount":"5"}],"maxFee":"100000"}`,
		`{"wallet":"w1","assets":[{"asset":"gold","amount":"5"}],"maxFee":"100000"}`,
		`{"wallet":"w1","assets":[{"asset":"xem","amount":"5"}],"maxFee":"1"}`,
		`{"wallet":"w1", "assets":[{"asset":"xem","amount":"5"}],"maxFee":"100000"}`,
		`{"wallet":"w1","assets":[{"asset":"xem","amount":"5"}],"maxFee":"100000","to":"me"}`,
	} {
		in := proposal(p, statement.ProposeEvacuation, bad)
		if d := policy.JudgeProposal(in); d.State != policy.ProposalRefused {
			t.Errorf("%s: %v", bad, d.State)
		}
	}
	homeless := republic(t, func(d *policy.Document) { d.Wallets[0].Rescue = "" })
	if _, err := e.Transfer(homeless); err == nil {
		t.Error("an evacuation to nowhere")
	}
	in = proposal(p, statement.ProposeResume, `{"time":1767225600000}`)
	in.Verdicts = says(p, statement.Approve, base, "ann", "bob")
	if d := policy.JudgeProposal(in); d.State != policy.ProposalAdopted {
		t.Errorf("%v %s", d.State, d.Problem)
	}
	for _, bad := range []string{`{"time":"now"}`, `{"time": 1}`, `{}`} {
		if d := policy.JudgeProposal(proposal(p, statement.ProposeResume, bad)); d.State != policy.ProposalRefused {
			t.Errorf("%s: %v", bad, d.State)
		}
	}
}

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
		if !ok || refusal.Code != c.code || len(next.Stops()) != 0 || refusal.Error() == "" {
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
		if got, waits := policy.JudgeLift(p, o, first, says(p, statement.Lift, base, who...), at(base)); got != want || got == (len(waits) > 0) {
			t.Errorf("lift by %v: %v, %v", who, got, waits)
		}
	}
	lift(false, "ann", "bob")
	lift(false, "ann", "dan")
	lift(true, "ann", "cat")
	if ok, _ := policy.JudgeLift(p, o, statement.Hash{9}, says(p, statement.Lift, base, "ann", "cat"), at(base)); ok {
		t.Error("what is not in force was lifted")
	}
	lifted, ok := o.Lift(first)
	if !ok || len(lifted.Stops()) != len(o.Stops())-1 {
		t.Error("not lifted")
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

	for range 200 { // however many one holds, freezing everything still works
		next, err := o.Apply(p, freeze("suspend", "address", benchAddress(len(o.Stops())).String()), statement.Hash{}, person("eve"), at(base))
		if err != nil {
			if refusal, ok := errors.AsType[*policy.Refusal](err); !ok || refusal.Code != policy.CodeTooMany {
				t.Fatal(err)
			}
			break
		}
		o = next
	}
	apply("eve", freeze("freeze", "all", ""), "")

	trip := policy.NewOverlay(nil).Trip(policy.Stop{Action: "suspend", Kind: "client", Name: "c1", Until: base + hour})
	if _, stopped := trip.ClientStopped("c1", base+hour-1); !stopped || len(trip.Expire(base+hour-1).Stops()) != 1 {
		t.Error("a tripwire's suspension ended early")
	}
	if _, stopped := trip.ClientStopped("c1", base+hour); stopped || len(trip.Expire(base+hour).Stops()) != 0 {
		t.Error("a tripwire's suspension does not end")
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
		{"nothing to decide", one(statement.Approve, "bob"), func(in policy.Input) policy.Input { in.Now.Clock = in.Request.Withdrawal.Expires + 1; return in }, policy.CodeNothingToDecide},
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
