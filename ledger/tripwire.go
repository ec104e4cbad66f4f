package ledger

import (
	"slices"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// maxDoublings bounds how often a suspension by refusals doubles.
const maxDoublings = 10

// canaryKey freezes everything: nobody honest holds the key that signed this. Whoever sent it is answered
// as if nobody knew the key.
func (j *judgement) canaryKey(in statement.Signed, actor policy.Actor, res Result) (Result, error) {
	if j.s.inVain(actor, j.now) && j.s.stoppedBy(tripwireActor, statement.ActionFreeze, Target{Kind: statement.TargetAll}) {
		return res.refused(CodeUnknownKey), nil
	}
	j.writeStatement(in, actor)
	res.State, res.Code, res.Refused = StateRefused, CodeUnknownKey, true
	if in.Body.Type() == statement.TypeWithdrawal {
		res.State = StateDenied
	}
	res.Seq = j.write(&Outcome{
		About: res.About, ID: res.ID, Type: in.Body.Type(), State: res.State, Code: res.Code, Policy: j.s.policy.Hash(),
	})
	j.trip(AlarmCanaryKey, statement.ActionFreeze, Target{Kind: statement.TargetAll}, 0, in.Hash)
	return res, nil
}

// tripwires does what a denied request sets off: its client is suspended when it wants to pay a canary, or
// is refused too often for what an honest client would have checked itself.
func (j *judgement) tripwires(request policy.Request, d policy.Decision) {
	client := Target{Kind: statement.TargetClient, Name: string(request.Client)}
	if slices.Contains(d.Tripwires, policy.CanaryAddressTripwire) {
		j.trip(policy.CanaryAddressTripwire, statement.ActionSuspend, client, 0, request.Hash)
		return
	}
	if d.Outcome != policy.Deny {
		return
	}
	have := j.s.clients[request.Client]
	if have == nil || !have.refused {
		j.alarm(AlarmFirstRefusal, &request.Hash, Fact{"client", string(request.Client)}, Fact{"code", d.Code})
	}
	if have == nil || !j.s.suspicious(d.Code) {
		return
	}
	wire := j.s.policy.Document().Tripwires.Refusals
	count := 1
	for _, at := range have.suspicious {
		if at > j.now.Time-int64(wire.Window) {
			count++
		}
	}
	if count >= wire.Count {
		span := int64(wire.Suspend) << min(have.trips, maxDoublings)
		j.trip(AlarmRefusals, statement.ActionSuspend, client, j.now.Time+span, request.Hash)
	}
}

// suspicious tells whether the policy counts a code towards suspending the client.
func (s *State) suspicious(code string) bool {
	wire := s.policy.Document().Tripwires.Refusals
	return wire.Count > 0 && slices.Contains(wire.Codes, code)
}

// trip stops something because a wire was touched, and calls people. What is stopped already stays so.
func (j *judgement) trip(wire string, action statement.FreezeAction, target Target, until int64, about statement.Hash) {
	if !j.s.stoppedBy(tripwireActor, action, target) {
		j.write(&Stop{By: By{Kind: tripwireActor.ID, ID: wire}, Action: action, Target: target, Until: until, Reason: wire, About: &about})
	}
	j.alarm(wire, &about, Fact{"kind", string(target.Kind)}, Fact{"name", target.Name})
}

// Parties in the overlay that are nobody the policy names.
var (
	tripwireActor = policy.Actor{ID: "tripwire"}
	hostActor     = policy.Actor{ID: "host"}
)

// stoppedBy tells whether a party holds this stop in force already, without an end.
func (s *State) stoppedBy(by policy.Actor, action statement.FreezeAction, target Target) bool {
	return slices.ContainsFunc(s.overlay.Stops(), func(x policy.Stop) bool {
		return x.By == by && x.Action == action && x.Kind == target.Kind && x.Name == target.Name && x.Until == 0
	})
}

// noteRefusal remembers what the wires of later requests count.
func (s *State) noteRefusal(r *Request, e journal.Entry) {
	if r.By.Kind != policy.ClientActor {
		return
	}
	c := s.client(clientOf(r))
	c.refused = true
	wire := s.policy.Document().Tripwires.Refusals
	if !s.suspicious(r.Code) {
		return
	}
	c.suspicious = append(slices.DeleteFunc(c.suspicious, func(at int64) bool {
		return at <= e.Time-int64(wire.Window)
	}), e.Time)
	if extra := len(c.suspicious) - wire.Count; extra > 0 {
		c.suspicious = slices.Delete(c.suspicious, 0, extra)
	}
}

// noteTrip starts counting anew after a suspension, whose next one is longer.
func (s *State) noteTrip(b *Stop) {
	if b.By.Kind == tripwireActor.ID && b.By.ID == AlarmRefusals {
		c := s.client(policy.ClientID(b.Target.Name))
		c.trips, c.suspicious = c.trips+1, nil
	}
}
