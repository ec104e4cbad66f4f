package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

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

// TestQuorumMutesNobody: who wants a change takes away no veto against it, or a stolen quorum would.
func TestQuorumMutesNobody(t *testing.T) {
	p := republic(t, nil)
	in := proposal(p, statement.ProposePolicy, string(successor(t, p, nil).Text())) // dan's
	in.Adopted, in.AdoptedAt = true, base
	in.Verdicts = append(says(p, statement.Approve, base, "ann", "bob"), says(p, statement.Veto, base, "cat")...)
	for _, c := range []struct {
		by     []string
		vetoes int
	}{
		{[]string{"ann", "bob"}, 1}, {[]string{"ann", "eve"}, 1}, {[]string{"dan", "eve"}, 1}, {[]string{"zoe", "eve"}, 0},
	} {
		in.Overlay = policy.Overlay{}
		for _, by := range c.by {
			in.Overlay = in.Overlay.Trip(policy.Stop{Action: "suspend", Kind: "person", Name: "cat", By: person(by)})
		}
		if d := policy.JudgeProposal(in); d.Vetoes != c.vetoes {
			t.Errorf("suspended by %v: %d vetoes, want %d", c.by, d.Vetoes, c.vetoes)
		}
		alone := in
		alone.Verdicts = says(p, statement.Approve, base, "ann", "bob")
		refusal := policy.CheckProposalVerdict(alone, says(p, statement.Veto, base, "cat")[0])
		if (refusal == nil) != (c.vetoes == 1) {
			t.Errorf("suspended by %v: the veto is judged %v", c.by, refusal)
		}
	}
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
		{"no wallet is left", func(d *policy.Document) { d.Wallets = []policy.Wallet{} }, policy.CodeBadDocument},
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
	for _, c := range []struct {
		kind, name string
		hash       byte
		want       policy.ProposalState
	}{
		{"address", benchAddress(7).String(), 1, policy.ProposalAdopted}, // who approves it knew
		{"address", benchAddress(7).String(), 2, policy.ProposalLapsed},
		{"address", benchAddress(8).String(), 2, policy.ProposalAdopted},
		{"wallet", benchAddress(7).String(), 2, policy.ProposalAdopted},
	} {
		in := in
		in.Now = at(in.Since + 2)
		in.Knew = func(stop statement.Hash) bool { return stop == statement.Hash{1} }
		in.Overlay = in.Overlay.Trip(policy.Stop{Hash: statement.Hash{c.hash}, Action: "suspend", Kind: statement.TargetKind(c.kind), Name: c.name, At: in.Since})
		if d := policy.JudgeProposal(in); d.State != c.want || (c.want == policy.ProposalLapsed) != (d.Code == policy.CodeDestinationStopped) {
			t.Errorf("%+v: %v %s", c, d.State, d.Code)
		}
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
