package policy

import (
	"slices"

	"kura/statement"
)

// JudgeGenesis tells whether policy 1's own directors adopted it: their
// approvals of its hash, judged by its own governance.
func JudgeGenesis(p *Policy, verdicts []Verdict, now Now) *Refusal {
	if p.doc.Version != 1 {
		return refuse(CodeBadDocument, "version", "version %d, want 1 in a genesis", p.doc.Version)
	}
	return JudgeSuccession(p, verdicts, now)
}

// JudgeSuccession tells whether the quorum that changes a policy agrees to go on
// under it, unchanged, in a journal that succeeds the one it was in force in.
func JudgeSuccession(p *Policy, verdicts []Verdict, now Now) *Refusal {
	e := electorate{policy: p, now: now}
	b := e.sortVerdicts(verdicts, statement.Approve)
	if _, met := e.met(p.doc.Governance.Policy.AnyOf, b.approved); !met {
		return refuse(CodeNeedsApproval, "", "%d of its directors approved it, and the policy's own governance asks for more", len(b.approved))
	}
	return nil
}

// JudgeGap tells whether the quorum that changes a policy agrees that the journal goes on after entries that it lost.
// Whoever is suspended does not count.
func JudgeGap(p *Policy, o Overlay, verdicts []Verdict, now Now) *Refusal {
	e := electorate{policy: p, overlay: o, now: now}
	b := e.sortVerdicts(verdicts, statement.Approve)
	if _, met := e.met(p.doc.Governance.Policy.AnyOf, b.approved); !met {
		return refuse(CodeNeedsApproval, "", "%d directors approved it, and the policy's governance asks for more", len(b.approved))
	}
	return nil
}

// JudgeLift tells whether a stop may be lifted: by the unfreeze quorum, whose
// lift verdicts these are. If not, the waits say who is missing.
func JudgeLift(p *Policy, o Overlay, verdicts []Verdict, now Now) (bool, []Wait) {
	e := electorate{policy: p, overlay: o, now: now}
	b := e.sortVerdicts(verdicts, statement.Lift)
	anyOf := p.doc.Governance.Unfreeze.AnyOf
	if _, met := e.met(anyOf, b.approved); met {
		return true, nil
	}
	waits := e.missing(anyOf, b)
	for i := range waits {
		waits[i].For = "lift"
	}
	return false, waits
}

// CheckVerdict tells why a verdict about a held withdrawal does not count, nil
// if it does. in is the request as it stands, without this verdict.
func CheckVerdict(in Input, v Verdict) *Refusal {
	if v.By.Kind == ClientActor {
		if v.Kind == statement.Cancel && v.By.ID == string(in.Request.Client) {
			return nil
		}
		return refuse(CodeNotEntitled, "verdict", "a client can cancel its own withdrawals and judge nothing")
	}
	if v.Kind != statement.Approve && v.Kind != statement.Reject {
		return refuse(CodeNotEntitled, "verdict", "%s does not go with a withdrawal", v.Kind)
	}
	j := judge{in: in, p: in.Policy, w: in.Request.Withdrawal}
	j.run()
	if j.d.Outcome == Deny { // whoever judges is told why it would not help: a freeze, a suspended client, its time is over
		return refuse(j.d.Code, "about", "judged now, the withdrawal is denied (%s) and waits for no approval", j.d.Code)
	}
	demands := j.demands()
	if j.d.Outcome != Hold || len(demands) == 0 {
		return refuse(CodeNothingToDecide, "about", "the withdrawal does not wait for an approval")
	}
	if c, ok := in.Policy.Client(in.Request.Client); ok && v.By.Kind == PersonActor && slices.Contains(c.Operators, PersonID(v.By.ID)) {
		return refuse(CodeOperator, "", "%s operates client %s and never judges for it", v.By.ID, c.ID)
	}
	if !slices.ContainsFunc(demands, func(d demand) bool { return j.people.mayAny(v.By, d.approval.AnyOf) }) {
		return refuse(CodeNotEntitled, "", "%s is in none of the groups that this withdrawal waits for", v.By)
	}
	return j.people.standing(v)
}

// CheckProposalVerdict tells why a verdict about a proposal does not count, nil
// if it does. in is the proposal as it stands, without this verdict.
func CheckProposalVerdict(in ProposalInput, v Verdict) *Refusal {
	e := in.electorate()
	if v.Kind == statement.Cancel {
		if v.By != in.By || in.Adopted {
			return refuse(CodeNotEntitled, "verdict", "only the proposer cancels, and only before adoption")
		}
		return nil
	}
	if (v.Kind == statement.Veto) != in.Adopted || v.Kind == statement.Lift {
		return refuse(CodeNotEntitled, "verdict", "%s does not go with it now: approve or reject before adoption, veto after", v.Kind)
	}
	if v.Kind == statement.Approve {
		gates := in.gates()
		if !slices.ContainsFunc(gates, func(anyOf []Quorum) bool { return e.mayAny(v.By, anyOf) }) {
			return refuse(CodeNotEntitled, "", "%s is in none of the groups that decide about it", v.By)
		}
		return e.standing(v)
	}
	if in.directors([]Actor{v.By}) == 0 {
		return refuse(CodeNotEntitled, "", "%s is no director", v.By)
	}
	if in.Overlay.muted(&v, in.wants) {
		return refuse(CodeSuspended, "", "two persons hold %s suspended", v.By)
	}
	if !in.Policy.Active(v.By, in.Now) {
		return refuse(CodeLastDay, "", "the last day of %s is over", v.By)
	}
	return nil
}

// CheckLift tells why a lift verdict does not count, nil if it does.
func CheckLift(p *Policy, o Overlay, v Verdict, now Now) *Refusal {
	e := electorate{policy: p, overlay: o, now: now}
	if v.Kind != statement.Lift || !e.mayAny(v.By, p.doc.Governance.Unfreeze.AnyOf) {
		return refuse(CodeNotEntitled, "", "%s is not among those who lift", v.By)
	}
	return e.standing(v)
}

// standing tells why nothing that this party approves counts now.
func (e *electorate) standing(v Verdict) *Refusal {
	switch {
	case !e.policy.Active(v.By, e.now):
		return refuse(CodeLastDay, "", "the last day of %s is over", v.By)
	case v.Kind == statement.Reject:
		return nil
	case e.overlay.silenced(v.By) || e.overlay.KeySuspended(v.Key):
		return refuse(CodeSuspended, "", "%s is suspended", v.By)
	case v.Policy != e.policy.hash:
		return refuse(CodeOtherPolicy, "policy", "the policy in force is %s", e.policy.hash)
	}
	return nil
}
