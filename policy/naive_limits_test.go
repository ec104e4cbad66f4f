package policy_test

import (
	"math/big"
	"slices"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// limits asks each limit by reading all of history, and gives those that ask for approval.
func (n *naiveJudge) limits(outflows []naiveOutflow, network nem.Network, payment statement.Payment, quorum bool) []policy.Limit {
	this := policy.Event{
		Network: network, Wallet: policy.WalletID(n.w.Wallet), Client: n.in.request.Client,
		Destination: payment.Destination, Customer: n.w.Customer,
	}
	var escalated []policy.Limit
	for _, l := range n.in.doc.Limits {
		if !n.inScope(l, this) {
			continue
		}
		if l.Of == "amount" {
			sum := new(big.Int)
			moves := false
			for _, o := range outflows {
				if slices.Contains(l.Asset, o.asset) {
					sum.Add(sum, o.amount)
					moves = true
				}
			}
			if moves {
				n.ask(l, this, l.Asset[0], sum.Uint64(), quorum, &escalated)
			}
			continue
		}
		for _, o := range outflows {
			if o.transfer && (l.Asset == nil || slices.Contains(l.Asset, o.asset)) {
				n.ask(l, this, o.asset, 1, quorum, &escalated)
				if !slices.Contains(l.Per, "asset") {
					break
				}
			}
		}
	}
	return escalated
}

func (n *naiveJudge) inScope(l policy.Limit, e policy.Event) bool {
	return (l.Wallet == nil || slices.Contains(l.Wallet, e.Wallet)) && (l.Client == nil || slices.Contains(l.Client, e.Client))
}

func (n *naiveJudge) ask(l policy.Limit, this policy.Event, asset policy.AssetRef, amount uint64, quorum bool, escalated *[]policy.Limit) {
	number := uint64(l.Max)
	for _, s := range n.in.stops {
		if s.Action == statement.ActionLower && s.Name == l.ID && uint64(s.Amount) < number {
			number = uint64(s.Amount)
		}
	}
	type part struct {
		time   int64
		amount uint64
	}
	var parts []part
	for _, e := range n.in.history {
		if !n.inScope(l, e) || (e.Quorum && !l.Always) || !n.sameKey(l, e, this) {
			continue
		}
		counted := uint64(0)
		for _, o := range e.Outflows {
			moved := o.Kind == policy.TransferOutflow
			switch {
			case l.Of == "amount" && slices.Contains(l.Asset, o.Asset):
				counted += uint64(o.Amount)
			case l.Of == "count" && moved && (l.Asset == nil || slices.Contains(l.Asset, o.Asset)) &&
				(!slices.Contains(l.Per, "asset") || o.Asset == asset):
				counted = 1
			}
		}
		if counted > 0 && e.Time > n.in.now.Time-int64(l.Window) {
			parts = append(parts, part{e.Time, counted})
		}
	}
	before := uint64(0)
	for _, p := range parts {
		before += p.amount
	}
	answer := naiveLimit{ID: l.ID, Before: before, Fits: before+amount <= number, Binds: l.Always || !quorum}
	if !answer.Fits && amount <= number {
		left := before
		for _, p := range parts {
			left -= p.amount
			if left+amount <= number {
				answer.FreesAt = p.time + int64(l.Window)
				break
			}
		}
	}
	n.d.Limits = append(n.d.Limits, answer)
	if answer.Fits || !answer.Binds {
		return
	}
	switch {
	case l.At == "approve":
		*escalated = append(*escalated, l)
	case l.At == "wait" && amount <= number:
		n.waits = append(n.waits, "waits_for_room")
	case l.At == "wait":
		n.deny("limit_never_fits")
	default:
		n.deny("limit_exceeded")
	}
}

func (n *naiveJudge) sameKey(l policy.Limit, a, b policy.Event) bool {
	for _, part := range l.Per {
		switch part {
		case "wallet":
			if a.Wallet != b.Wallet {
				return false
			}
		case "client":
			if a.Client != b.Client {
				return false
			}
		case "destination":
			if a.Destination != b.Destination {
				return false
			}
		case "customer":
			if a.Customer != b.Customer {
				return false
			}
		}
	}
	return true
}

// approval judges one approval.
func (n *naiveJudge) approval(a *policy.Approval, client policy.Client) {
	rejected := 0
	for _, actor := range n.uniqueBy("reject") {
		may := false
		for _, q := range a.AnyOf {
			for _, need := range q.AllOf {
				may = may || n.mayFill(actor, need.Group, client)
			}
		}
		if may {
			rejected++
			if actor.Kind == policy.ServiceActor {
				rejected += 1000
			}
		}
	}
	if rejected >= a.Rejections {
		n.deny("rejected")
		return
	}
	if n.in.now.Time >= n.in.request.Since+int64(a.Expiry) {
		n.deny("approval_expired")
		return
	}
	// Complete at the first verdict's time up to which the verdicts suffice.
	complete, found := int64(0), false
	for _, v := range n.in.verdicts {
		if n.sufficient(a.AnyOf, client, v.At) && (!found || v.At < complete) {
			complete, found = v.At, true
		}
	}
	switch {
	case !found:
		n.waits = append(n.waits, "needs_approval")
	case n.in.now.Time < complete+int64(a.CoolingOff):
		n.waits = append(n.waits, "cooling_off")
		n.d.Quorum = true
	default:
		n.d.Quorum = true
	}
}

func (n *naiveJudge) uniqueBy(kind statement.VerdictKind) []policy.Actor {
	var out []policy.Actor
	for _, v := range n.in.verdicts {
		if v.Kind == kind && !slices.Contains(out, v.By) {
			out = append(out, v.By)
		}
	}
	return out
}

func (n *naiveJudge) mayFill(a policy.Actor, group string, client policy.Client) bool {
	switch a.Kind {
	case policy.PersonActor:
		p, ok := naiveFind(n.in.doc.People, func(p policy.Person) bool { return string(p.ID) == a.ID })
		return ok && slices.Contains(p.Roles, group) && !slices.Contains(client.Operators, p.ID)
	case policy.ServiceActor:
		return a.ID == group
	default:
		return false
	}
}

// sufficient tries out every way to seat the approvers of verdicts up to a time.
func (n *naiveJudge) sufficient(anyOf []policy.Quorum, client policy.Client, upTo int64) bool {
	var voters []policy.Actor
	for _, v := range n.in.verdicts {
		if v.Kind != statement.Approve || v.At > upTo || v.Policy != n.in.hash || slices.Contains(voters, v.By) ||
			slices.Contains(n.uniqueBy("reject"), v.By) || !n.standing(v) {
			continue
		}
		voters = append(voters, v.By)
	}
	for _, q := range anyOf {
		var places []string
		for _, need := range q.AllOf {
			for range need.Count {
				places = append(places, need.Group)
			}
		}
		if n.seat(places, voters, client) {
			return true
		}
	}
	return false
}

func (n *naiveJudge) seat(places []string, voters []policy.Actor, client policy.Client) bool {
	if len(places) == 0 {
		return true
	}
	for i, v := range voters {
		if n.mayFill(v, places[0], client) && n.seat(places[1:], slices.Delete(slices.Clone(voters), i, i+1), client) {
			return true
		}
	}
	return false
}

func (n *naiveJudge) standing(v policy.Verdict) bool {
	for _, s := range n.in.stops {
		if s.Kind == statement.TargetPerson && v.By.Kind == policy.PersonActor && s.Name == v.By.ID {
			return false
		}
		if s.Kind == statement.TargetKey && s.Name == v.Key.Fingerprint() {
			return false
		}
	}
	for _, p := range n.in.doc.People {
		if v.By == (policy.Actor{Kind: policy.PersonActor, ID: string(p.ID)}) {
			return !dayOver(p.LastDay, n.later())
		}
	}
	for _, s := range n.in.doc.Services {
		if v.By == (policy.Actor{Kind: policy.ServiceActor, ID: s.ID}) {
			return !dayOver(s.LastDay, n.later())
		}
	}
	return false
}
