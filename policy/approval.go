package policy

import (
	"cmp"
	"slices"

	"kura/statement"
)

// Verdict is what one party said about a request, proposal or freeze. Its
// statement was verified and attributed before; whether it counts is judged
// here.
type Verdict struct {
	By     Actor
	Key    statement.Key
	Kind   statement.VerdictKind
	Policy Hash           // the policy that it was judged under
	At     int64          // policy time at which it was journalled
	Hash   statement.Hash // of its statement
}

// electorate is everything that says whether a verdict counts.
type electorate struct {
	policy  *Policy
	overlay Overlay
	now     Now
	barred  []PersonID // operators of the client
}

// may tells whether the party can fill a place of the group at all.
func (e *electorate) may(a Actor, group string) bool {
	return slices.Contains(e.policy.groups[group], a) &&
		!(a.Kind == PersonActor && slices.Contains(e.barred, PersonID(a.ID)))
}

// approves tells whether a verdict counts as an approval of its party: under
// this policy, by somebody whose days are not over and who is not suspended.
func (e *electorate) approves(v *Verdict, kind statement.VerdictKind) bool {
	return v.Kind == kind && v.Policy == e.policy.hash && e.policy.Active(v.By, e.now) &&
		!e.overlay.silenced(v.By) && !e.overlay.KeySuspended(v.Key)
}

// ballot is the verdicts on one thing, sorted out.
type ballot struct {
	approved []Verdict // one for each party, the earliest, by time
	rejected []Actor   // each party once
}

// sortVerdicts gathers who approved and who rejected. Whoever rejected does not
// approve, in whatever order they said so. A rejection counts under any policy
// and whatever was suspended since: taking rejections away could turn a denial
// into a signature.
func (e *electorate) sortVerdicts(verdicts []Verdict, kind statement.VerdictKind) ballot {
	var b ballot
	for i := range verdicts {
		if v := &verdicts[i]; v.Kind == statement.Reject && !slices.Contains(b.rejected, v.By) {
			b.rejected = append(b.rejected, v.By)
		}
	}
	for i := range verdicts {
		v := &verdicts[i]
		if !e.approves(v, kind) || slices.Contains(b.rejected, v.By) {
			continue
		}
		if j := slices.IndexFunc(b.approved, func(o Verdict) bool { return o.By == v.By }); j < 0 {
			b.approved = append(b.approved, *v)
		} else if v.At < b.approved[j].At {
			b.approved[j] = *v
		}
	}
	slices.SortStableFunc(b.approved, func(x, y Verdict) int { return cmp.Compare(x.At, y.At) })
	return b
}

// met gives the policy time at which one of the alternatives was complete.
func (e *electorate) met(anyOf []Quorum, approved []Verdict) (int64, bool) {
	for n := 1; n <= len(approved); n++ {
		// Verdicts of one moment count together, so that the answer does not
		// depend on their order.
		if n < len(approved) && approved[n].At == approved[n-1].At {
			continue
		}
		for i := range anyOf {
			if filled, wanted := e.fill(anyOf[i], approved[:n]); filled == wanted {
				return approved[n-1].At, true
			}
		}
	}
	return 0, false
}

// fill gives how many places of the quorum these approvals can fill, nobody two,
// and how many there are. It is a maximum matching of places to parties, found by
// augmenting paths; both are few.
func (e *electorate) fill(q Quorum, approved []Verdict) (filled, wanted int) {
	holder := make([]int, len(approved)) // which place a party fills, -1 none
	for i := range holder {
		holder[i] = -1
	}
	var places []string
	for _, n := range q.AllOf {
		for range n.Count {
			places = append(places, n.Group)
		}
	}
	for place := range places {
		if e.seat(place, places, holder, approved, make([]bool, len(approved))) {
			filled++
		}
	}
	return filled, len(places)
}

// seat finds a party for the place, moving others to places they can fill as well.
func (e *electorate) seat(place int, places []string, holder []int, approved []Verdict, tried []bool) bool {
	for i := range approved {
		if tried[i] || !e.may(approved[i].By, places[place]) {
			continue
		}
		tried[i] = true
		if holder[i] < 0 || e.seat(holder[i], places, holder, approved, tried) {
			holder[i] = place
			return true
		}
	}
	return false
}

// rejections counts those who may approve and rejected. A service that rejects
// ends the matter alone, whatever the number.
func (e *electorate) rejections(a *Approval, rejected []Actor) int {
	count := 0
	for _, actor := range rejected {
		if !e.mayAny(actor, a.AnyOf) {
			continue
		}
		if actor.Kind == ServiceActor {
			return a.Rejections
		}
		count++
	}
	return count
}

func (e *electorate) mayAny(a Actor, anyOf []Quorum) bool {
	for _, q := range anyOf {
		for _, n := range q.AllOf {
			if e.may(a, n.Group) {
				return true
			}
		}
	}
	return false
}

// missing lists what each alternative still needs, as waits of the decision.
func (e *electorate) missing(anyOf []Quorum, b ballot) []Wait {
	var waits []Wait
	for i, q := range anyOf {
		for _, n := range q.AllOf {
			w := Wait{Kind: WaitApproval, Alternative: i, Group: n.Group, Need: n.Count}
			for _, actor := range e.policy.groups[n.Group] {
				switch {
				case slices.ContainsFunc(b.approved, func(v Verdict) bool { return v.By == actor }) && e.may(actor, n.Group):
					w.Have++
				case e.may(actor, n.Group) && e.policy.Active(actor, e.now) && !e.overlay.silenced(actor) && !slices.Contains(b.rejected, actor):
					w.Who = append(w.Who, actor.ID)
				}
			}
			waits = append(waits, w)
		}
	}
	return waits
}
