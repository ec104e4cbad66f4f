package ledger

import (
	"slices"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// Codes of verdicts that do not count; all others are package policy's.
const (
	CodeUnknownStatement = "unknown_statement" // the journal knows nothing by this hash, or it is long over
	CodeNotAnOfficer     = "not_an_officer"    // a sentinel judges nothing
	CodeNotActive        = "not_active"        // its last day is over
	CodeAlreadyDecided   = "already_decided"   // it has ended, or is past the point of no return
	CodeDuplicate        = "duplicate"         // the same party said the same before
	CodeNotApplicable    = "not_applicable"    // a verdict does not go with what it is about
)

// verdict counts a verdict for each hash that it is about. It decides nothing: what it completes is decided
// anew by the ticks that follow it, one after the other, so that each sees what the one before it used up.
func (j *judgement) verdict(in statement.Signed, v *statement.Verdict, actor policy.Actor, code string, res Result) (Result, error) {
	if code == "" {
		code = j.mayJudge(actor)
	}
	said := policy.Verdict{
		By: actor, Key: in.Key, Kind: v.Verdict, Policy: v.Policy, At: j.now.Time, Hash: in.Hash,
	}
	for _, about := range v.About {
		result := VerdictResult{About: about, State: StateCounted, Code: code}
		if code == "" {
			result.Code = j.countable(said, about)
		}
		if result.Code != "" {
			result.State = StateRefused
		}
		res.Results = append(res.Results, result)
	}
	res.State, res.Code = StateRefused, res.Results[0].Code
	if slices.ContainsFunc(res.Results, func(r VerdictResult) bool { return r.State == StateCounted }) {
		res.State, res.Code = StateCounted, ""
	}
	res.Seq = j.write(&Outcome{
		About: res.About, ID: res.ID, Type: statement.TypeVerdict, State: res.State, Code: res.Code,
		Policy: j.s.policy.Hash(), Results: res.Results,
	})
	return res, nil
}

// mayJudge tells why a party's verdicts do not count at all.
func (j *judgement) mayJudge(actor policy.Actor) string {
	switch {
	case actor.Kind == policy.SentinelActor:
		return CodeNotAnOfficer
	case !j.s.policy.Active(actor, j.now):
		return CodeNotActive
	}
	return ""
}

// countable tells why a verdict does not count for one hash; "" if it does.
func (j *judgement) countable(said policy.Verdict, about statement.Hash) string {
	var refusal *policy.Refusal
	if f := j.s.freezes[about]; f != nil {
		if repeats(f.Lifts, said) {
			return CodeDuplicate
		}
		return refusalCode(policy.CheckLift(j.s.policy, j.s.overlay, said, j.now))
	}
	switch r := j.s.memory.hashes[about].(type) {
	case *Request:
		if r.State != StateHeld {
			return CodeAlreadyDecided
		}
		if repeats(r.Verdicts, said) {
			return CodeDuplicate
		}
		refusal = policy.CheckVerdict(j.input(r.request(), r.Verdicts), said)
	case *Proposal:
		if r.State != StateOpen && r.State != StateAdopted {
			return CodeAlreadyDecided
		}
		if repeats(r.Verdicts, said) {
			return CodeDuplicate
		}
		refusal = policy.CheckProposalVerdict(j.proposalInput(r), said)
	case *Freeze:
		return CodeAlreadyDecided
	case *verdict:
		return CodeNotApplicable
	default:
		return CodeUnknownStatement
	}
	return refusalCode(refusal)
}

func refusalCode(r *policy.Refusal) string {
	if r == nil {
		return ""
	}
	return r.Code
}

// repeats tells whether the party said the same before with this key: to approve and to lift count under the policy
// that they name, everything else under any. What was said with another key may not count, since that was stolen and
// is suspended, and must not keep the person from saying it.
func repeats(verdicts []policy.Verdict, said policy.Verdict) bool {
	bound := said.Kind == statement.Approve || said.Kind == statement.Lift
	return slices.ContainsFunc(verdicts, func(v policy.Verdict) bool {
		return v.By == said.By && v.Key == said.Key && v.Kind == said.Kind && (!bound || v.Policy == said.Policy)
	})
}

// applyVerdict hands a verdict to whatever it counts for, which is then ready to be judged again.
func (s *State) applyVerdict(v *verdict, e journal.Entry, b *Outcome) error {
	if v.body == nil {
		return nil
	}
	counted := policy.Verdict{
		By: v.By, Key: v.key, Kind: v.body.Verdict, Policy: v.body.Policy, At: e.Time, Hash: v.Hash,
	}
	v.body = nil
	for _, result := range b.Results {
		if result.State != StateCounted {
			continue
		}
		if f := s.freezes[result.About]; f != nil {
			f.Lifts = append(f.Lifts, counted)
			f.ready = true
			continue
		}
		switch r := s.memory.hashes[result.About].(type) {
		case *Request:
			r.Verdicts = append(r.Verdicts, counted)
			r.ready = true
		case *Proposal:
			r.Verdicts = append(r.Verdicts, counted)
			r.ready = true
		}
	}
	return nil
}
