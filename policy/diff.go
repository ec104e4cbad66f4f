package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Effect says which way a change points, seen from what can be lost.
type Effect string

// The effects. Loosens is what a director reads first.
const (
	Loosens  Effect = "loosens"
	Tightens Effect = "tightens"
	Alters   Effect = "alters" // both or neither
)

// PolicyChange is one difference between two policies, in words.
type PolicyChange struct {
	Effect Effect `json:"effect"`
	Text   string `json:"text"`
}

// differ gathers changes.
type differ struct {
	old, next *Policy
	out       []PolicyChange
}

func (d *differ) say(effect Effect, text string, args ...any) {
	d.out = append(d.out, PolicyChange{effect, fmt.Sprintf(text, args...)})
}

// Diff says in words what the next policy changes: who gets or loses which say,
// which limits are raised or lowered, which rules come, go or move. Nothing is
// left out: where there are no words for a difference, it names the member. What
// comes in is told like what changes, from nothing; so the difference from the
// zero Policy, which allows nothing, shows a whole one.
func Diff(old, next *Policy) []PolicyChange {
	d := &differ{old: old, next: next}
	a, b := &old.doc, &next.doc
	if a.Title != b.Title {
		d.say(Alters, "the title becomes %s", quoted(b.Title))
	}
	d.number("withdrawals may get older", "withdrawals may get less old", a.WithdrawalLife, b.WithdrawalLife)
	d.people()
	d.programs()
	d.wallets()
	d.assets()
	d.books()
	d.rules()
	d.limits()
	d.governance()
	d.tripwires()
	d.anchor()
	return d.out
}

// number says that a span grew or shrank, where growing loosens.
func (d *differ) number(up, down string, old, next Millis) {
	switch {
	case next > old:
		d.say(Loosens, "%s: %s instead of %s", up, next, old)
	case next < old:
		d.say(Tightens, "%s: %s instead of %s", down, next, old)
	}
}

// pair walks two lists by id, in the order of the next, then what is gone.
func pair[T any, K comparable](old, next []T, id func(*T) K, visit func(old, next *T)) {
	find := func(list []T, k K) *T {
		for i := range list {
			if id(&list[i]) == k {
				return &list[i]
			}
		}
		return nil
	}
	for i := range next {
		visit(find(old, id(&next[i])), &next[i])
	}
	for i := range old {
		if find(next, id(&old[i])) == nil {
			visit(&old[i], nil)
		}
	}
}

func (d *differ) people() {
	pair(d.old.doc.People, d.next.doc.People, func(x *Person) PersonID { return x.ID }, func(old, next *Person) {
		switch {
		case old == nil:
			d.say(Loosens, "%s (%s) comes in, with the roles %s: %s", next.ID, quoted(next.Name), listOr(next.Roles, "none"), d.powers(next.Roles, "can freeze and approve nothing"))
			d.person(&Person{ID: next.ID, Name: next.Name, Roles: next.Roles}, next)
		case next == nil:
			d.say(Tightens, "%s (%s) is out: roles %s, %s", old.ID, quoted(old.Name), listOr(old.Roles, "none"), plural(len(old.Keys), "key"))
		default:
			d.person(old, next)
		}
	})
}

func (d *differ) person(old, next *Person) {
	for _, role := range next.Roles {
		if !slices.Contains(old.Roles, role) {
			d.say(Loosens, "%s becomes %s: %s", next.ID, role, d.powers([]string{role}, "a role that is asked for nowhere"))
		}
	}
	for _, role := range old.Roles {
		if !slices.Contains(next.Roles, role) {
			d.say(Tightens, "%s is %s no more", next.ID, role)
		}
	}
	d.keys("person "+string(next.ID), old.Keys, next.Keys)
	d.lastDay("person "+string(next.ID), old.LastDay, next.LastDay)
	if old.Name != next.Name {
		d.say(Alters, "%s is called %s instead of %s", next.ID, quoted(next.Name), quoted(old.Name))
	}
	if old.UserVerification != next.UserVerification {
		effect, words := Tightens, "must verify themselves at their security key from now on"
		if old.UserVerification {
			effect, words = Loosens, "need not verify themselves at their security key any more"
		}
		d.say(effect, "%s %s", next.ID, words)
	}
}

// powers says what the holders of roles can approve under the next policy, or none if that is nothing.
func (d *differ) powers(roles []string, none string) string {
	var can []string
	asks := func(anyOf []Quorum) bool {
		return slices.ContainsFunc(anyOf, func(q Quorum) bool {
			return slices.ContainsFunc(q.AllOf, func(n Need) bool { return slices.Contains(roles, n.Group) })
		})
	}
	for _, r := range d.next.doc.Rules {
		if r.Approval == nil || !asks(r.Approval.AnyOf) {
			continue
		}
		upTo := "without an upper end"
		if r.When.Amount != nil && r.When.Amount.UpTo != nil {
			upTo = "up to " + d.next.Show(r.When.Asset[0], *r.When.Amount.UpTo)
		}
		can = append(can, fmt.Sprintf("can now approve %s (rule %s)", upTo, r.ID))
	}
	for _, l := range d.next.doc.Limits {
		if l.Approval != nil && asks(l.Approval.AnyOf) {
			can = append(can, fmt.Sprintf("can now approve what exceeds limit %s", l.ID))
		}
	}
	g := &d.next.doc.Governance
	for _, x := range []struct {
		what  string
		anyOf []Quorum
	}{{"policies", g.Policy.AnyOf}, {"address books", g.Addresses.AnyOf}, {"lifting freezes and evacuations", g.Unfreeze.AnyOf}, {"resuming", g.Resume.AnyOf}, {"recovery", g.recovery().AnyOf}} {
		if asks(x.anyOf) {
			can = append(can, "has a say in "+x.what)
		}
	}
	if len(can) == 0 {
		return none
	}
	return strings.Join(can, "; ")
}

func (d *differ) keys(who string, old, next []string) {
	for _, key := range next {
		if !slices.Contains(old, key) {
			d.say(Loosens, "%s gets a key: %s", who, fingerprint(d.next, key))
		}
	}
	for _, key := range old {
		if !slices.Contains(next, key) {
			d.say(Tightens, "%s loses a key: %s", who, fingerprint(d.old, key))
		}
	}
}

// fingerprint names a key of the policy as ssh-keygen -l does.
func fingerprint(p *Policy, text string) string {
	for key := range p.keys {
		if string(key) == text {
			return key.Fingerprint()
		}
	}
	return quoted(text)
}

func (d *differ) lastDay(who string, old, next Day) {
	words := func(x Day) string {
		if x == "" {
			return "never"
		}
		return "on " + string(x)
	}
	switch {
	case old == next:
	case next == "" || (old != "" && next > old):
		d.say(Loosens, "the grant of %s ends %s instead of %s", who, words(next), words(old))
	default:
		d.say(Tightens, "the grant of %s ends %s instead of %s", who, words(next), words(old))
	}
}

func (d *differ) programs() {
	service := func(old, next *Service) {
		d.keys("service "+next.ID, old.Keys, next.Keys)
		d.lastDay("service "+next.ID, old.LastDay, next.LastDay)
		rest(d, "service "+next.ID, *old, *next, func(x *Service) { x.Keys, x.LastDay = nil, "" })
	}
	pair(d.old.doc.Services, d.next.doc.Services, func(x *Service) string { return x.ID }, func(old, next *Service) {
		switch {
		case old == nil:
			d.say(Loosens, "service %s (%s) comes in: %s", next.ID, quoted(next.Name), d.powers([]string{next.ID}, "asked for nowhere"))
			service(&Service{ID: next.ID, Name: next.Name}, next)
		case next == nil:
			d.say(Alters, "service %s is out", old.ID)
		default:
			service(old, next)
		}
	})
	sentinel := func(old, next *Sentinel) {
		d.keys("sentinel "+next.ID, old.Keys, next.Keys)
		d.lastDay("sentinel "+next.ID, old.LastDay, next.LastDay)
		rest(d, "sentinel "+next.ID, *old, *next, func(x *Sentinel) { x.Keys, x.LastDay = nil, "" })
	}
	pair(d.old.doc.Sentinels, d.next.doc.Sentinels, func(x *Sentinel) string { return x.ID }, func(old, next *Sentinel) {
		switch {
		case old == nil:
			d.say(Alters, "sentinel %s (%s) comes in: it can freeze", next.ID, quoted(next.Name))
			sentinel(&Sentinel{ID: next.ID, Name: next.Name}, next)
		case next == nil:
			d.say(Alters, "sentinel %s is out", old.ID)
		default:
			sentinel(old, next)
		}
	})
	pair(d.old.doc.Clients, d.next.doc.Clients, func(x *Client) ClientID { return x.ID }, func(old, next *Client) {
		switch {
		case old == nil:
			d.say(Loosens, "client %s (%s) comes in and can ask for withdrawals", next.ID, quoted(next.Name))
			d.client(&Client{ID: next.ID, Name: next.Name}, next)
		case next == nil:
			d.say(Tightens, "client %s is out", old.ID)
		default:
			d.client(old, next)
		}
	})
}

func (d *differ) client(old, next *Client) {
	who := "client " + string(next.ID)
	d.keys(who, old.Keys, next.Keys)
	d.lastDay(who, old.LastDay, next.LastDay)
	for _, x := range next.Operators {
		if !slices.Contains(old.Operators, x) {
			d.say(Tightens, "%s operates %s and approves nothing for it any more", x, who)
		}
	}
	for _, x := range old.Operators {
		if !slices.Contains(next.Operators, x) {
			d.say(Loosens, "%s does not operate %s any more and may approve for it", x, who)
		}
	}
	if old.Budget != next.Budget {
		d.say(Alters, "%s may write %d entries in %s with %d waiting, instead of %d in %s with %d", who,
			next.Budget.Entries, next.Budget.Window, next.Budget.Pending, old.Budget.Entries, old.Budget.Window, old.Budget.Pending)
	}
	rest(d, who, *old, *next, func(x *Client) { x.Keys, x.LastDay, x.Operators, x.Budget = nil, "", nil, Budget{} })
}
