package policy

import (
	"fmt"
	"slices"
)

// mentioned tells whether a group is asked for anywhere.
func (c *checker) mentioned(group string) bool {
	found := false
	c.eachQuorum(func(_ string, anyOf []Quorum, _ *Client) {
		for _, q := range anyOf {
			found = found || slices.ContainsFunc(q.AllOf, func(n Need) bool { return n.Group == group })
		}
	})
	return found
}

// eachQuorum visits every quorum of the policy; for those of rules and limits
// once for each client that they can concern.
func (c *checker) eachQuorum(visit func(path string, anyOf []Quorum, client *Client)) {
	d := &c.p.doc
	for i, r := range d.Rules {
		if r.Approval != nil {
			c.eachClient(c.p.rules[i].clients, func(client *Client) { visit(fmt.Sprintf("rules[%d].approval", i), r.Approval.AnyOf, client) })
		}
	}
	for i, l := range d.Limits {
		if l.Approval != nil {
			c.eachClient(c.p.limits[i].clients, func(client *Client) {
				if c.signsAlone(client.ID) { // what a rule's quorum approves exceeds it anyway
					visit(fmt.Sprintf("limits[%d].approval", i), l.Approval.AnyOf, client)
				}
			})
		}
	}
	g := &d.Governance
	visit("governance.policy", g.Policy.AnyOf, nil)
	visit("governance.addresses", g.Addresses.AnyOf, nil)
	visit("governance.unfreeze", g.Unfreeze.AnyOf, nil)
	visit("governance.resume", g.Resume.AnyOf, nil)
	if g.Recovery != nil {
		visit("governance.recovery", g.Recovery.AnyOf, nil)
	}
}

func (c *checker) eachClient(s set, visit func(*Client)) {
	for i := range c.p.doc.Clients {
		if s.has(i) {
			visit(&c.p.doc.Clients[i])
		}
	}
}

// signsAlone tells whether some rule signs for the client without people.
func (c *checker) signsAlone(id ClientID) bool {
	return slices.ContainsFunc(c.p.rules, func(r rule) bool { return r.then == thenSign && r.clients.has(c.p.clients[id]) })
}

// quorums finds quorums that nobody can reach, and says how many losses each survives.
func (c *checker) quorums() {
	seen := map[string]bool{}
	c.eachQuorum(func(path string, anyOf []Quorum, client *Client) {
		losses := c.survives(anyOf, client)
		who := ""
		if client != nil {
			who = " for client " + string(client.ID)
		}
		text := ""
		switch {
		case losses < 0:
			text = fmt.Sprintf("the quorum cannot be reached%s: too few different persons with keys, whose last day is not over, who do not operate the client", who)
			if !seen[path+text] {
				c.find(Danger, "quorum_unreachable", path, "%s", text)
			}
		case losses == 0:
			text = fmt.Sprintf("losing one key makes the quorum%s unreachable", who)
			if !seen[path+text] {
				c.find(Warning, "quorum_survives_no_loss", path, "%s", text)
			}
		default:
			text = fmt.Sprintf("the quorum%s survives the loss of any %d of its people", who, losses)
			if !seen[path+text] {
				c.find(Note, "quorum_survives", path, "%s", text)
			}
		}
		seen[path+text] = true
	})
}

// survives gives how many parties, whichever they are, can lose their keys and
// leave the quorum reachable; -1 if it is not reachable at all. A party with two
// keys loses none of its say with one, so it counts twice.
func (c *checker) survives(anyOf []Quorum, client *Client) int {
	e := electorate{policy: c.p, now: c.now}
	if client != nil {
		e.barred = client.Operators
	}
	var all []Actor
	for _, q := range anyOf {
		for _, n := range q.AllOf {
			for _, a := range c.p.groups[n.Group] {
				if !slices.Contains(all, a) && e.may(a, n.Group) && c.p.Active(a, c.now) && len(c.keysOf(a)) > 0 {
					all = append(all, a)
				}
			}
		}
	}
	const most = 3 // more than that many losses is plenty, and costly to try out
	for losses := 0; losses <= most; losses++ {
		if !c.reachable(e, anyOf, all, losses) {
			return losses - 1
		}
	}
	return most
}

func (c *checker) keysOf(a Actor) []string {
	for _, x := range c.p.doc.People {
		if a == (Actor{PersonActor, string(x.ID)}) {
			return x.Keys
		}
	}
	for _, x := range c.p.doc.Services {
		if a == (Actor{ServiceActor, x.ID}) {
			return x.Keys
		}
	}
	return nil
}

// kindOf is the same for those of whom one is as good as the other in any quorum.
func (c *checker) kindOf(a Actor) string {
	if a.Kind != PersonActor {
		return a.String()
	}
	p := &c.p.doc.People[c.p.people[PersonID(a.ID)]]
	return fmt.Sprint(len(p.Keys), p.Roles)
}

// reachable tells whether the quorum is reached after any choice of so many losses.
func (c *checker) reachable(e electorate, anyOf []Quorum, left []Actor, losses int) bool {
	if losses == 0 {
		votes := make([]Verdict, len(left))
		for i, a := range left {
			votes[i].By = a
		}
		return slices.ContainsFunc(anyOf, func(q Quorum) bool {
			filled, wanted := e.fill(q, votes)
			return filled == wanted
		})
	}
	var tried []string
	for i, a := range left {
		cost, kind := len(c.keysOf(a)), c.kindOf(a)
		if cost > losses || slices.Contains(tried, kind) {
			continue
		}
		tried = append(tried, kind) // whoever has the same say and as many keys is missed as much
		if !c.reachable(e, anyOf, slices.Delete(slices.Clone(left), i, i+1), losses-cost) {
			return false
		}
	}
	return len(left) > 0 && c.reachable(e, anyOf, left, 0)
}
