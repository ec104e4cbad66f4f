package policy

import (
	"slices"
	"strings"
)

func (d *differ) rules() {
	pair(d.old.doc.Rules, d.next.doc.Rules, func(x *Rule) string { return x.ID }, func(old, next *Rule) {
		switch {
		case old == nil:
			place := "the first" // which says much: the first that matches decides
			if i := ruleIndex(d.next, next.ID); i > 0 {
				place = "behind " + d.next.doc.Rules[i-1].ID
			}
			effect, takes := taking(d.next, next, nil)
			d.say(effect, "rule %s is new, %s: %s%s", next.ID, place, d.next.RuleWords(next), takes)
		case next == nil:
			effect, leaves := yielding(d.old, old, nil)
			d.say(effect, "rule %s is gone: %s%s", old.ID, d.old.RuleWords(old), leaves)
		case text(*old) != text(*next):
			d.rule(old, next)
		}
	})
	order := func(rules []Rule, in []Rule) []string {
		var ids []string
		for _, r := range rules {
			if slices.ContainsFunc(in, func(o Rule) bool { return o.ID == r.ID }) {
				ids = append(ids, r.ID)
			}
		}
		return ids
	}
	was, is := order(d.old.doc.Rules, d.next.doc.Rules), order(d.next.doc.Rules, d.old.doc.Rules)
	if !slices.Equal(was, is) {
		d.say(Alters, "the rules are read in another order: %s instead of %s", strings.Join(is, ", "), strings.Join(was, ", "))
	}
}

// rule says which way a changed rule points if only its upper end did; else it
// shows both.
func (d *differ) rule(old, next *Rule) {
	if a, b := old.When.Amount, next.When.Amount; a != nil && b != nil && a.UpTo != nil && b.UpTo != nil && *a.UpTo != *b.UpTo {
		o, n := *old, *next
		o.When.Amount, n.When.Amount = &Range{Above: a.Above}, &Range{Above: b.Above}
		if text(o) == text(n) {
			word, between := "raised", Range{Above: a.UpTo, UpTo: b.UpTo}
			effect, whose := taking(d.next, next, &between)
			if *b.UpTo < *a.UpTo {
				word, between = "lowered", Range{Above: b.UpTo, UpTo: a.UpTo}
				effect, whose = yielding(d.old, old, &between)
			}
			if next.Then == thenDeny {
				effect = Alters
			}
			d.say(effect, "rule %s (%s) is %s from up to %s to up to %s%s", next.ID, next.Then, word, d.old.Show(old.When.Asset[0], *a.UpTo), d.next.Show(next.When.Asset[0], *b.UpTo), whose)
			return
		}
	}
	d.say(Alters, "rule %s changes: it was: %s; it becomes: %s", next.ID, d.old.RuleWords(old), d.next.RuleWords(next))
}

func ruleIndex(p *Policy, id string) int {
	return slices.IndexFunc(p.rules, func(r rule) bool { return r.id == id })
}

// taking says which way it points that a rule takes the amounts between (nil: all
// of its own), and from which rules below it one that asks for approval takes them:
// where those sign, it tightens as well.
func taking(p *Policy, r *Rule, between *Range) (Effect, string) {
	switch r.Then {
	case thenDeny:
		return Tightens, ""
	case thenSign:
		return Loosens, ""
	}
	below := p.below(ruleIndex(p, r.ID), between)
	if len(below) == 0 {
		return Loosens, ""
	}
	effect := Loosens
	if slices.ContainsFunc(below, func(x *rule) bool { return x.then == thenSign }) {
		effect = Alters
	}
	return effect, "; it takes that from " + ruleList(below)
}

// yielding says which way it points that a rule leaves the amounts between (nil: all
// of its own), and to which rules below it. One that signs leaves nothing to be
// signed that was not, but people may approve past the limits that bound it.
func yielding(p *Policy, r *Rule, between *Range) (Effect, string) {
	if r.Then == thenDeny {
		return Loosens, ""
	}
	below := p.below(ruleIndex(p, r.ID), between)
	if len(below) == 0 {
		return Tightens, ""
	}
	then := func(then string) bool {
		return slices.ContainsFunc(below, func(x *rule) bool { return x.then == then })
	}
	effect := Tightens
	switch {
	case r.Then == thenApprove && then(thenSign):
		effect = Loosens
	case then(thenApprove):
		effect = Alters
	}
	return effect, "; that is left to " + ruleList(below)
}

// below lists the rules that do not deny and that would meet, were a rule not
// there, something of what reaches it now: all of that, or the amounts between.
func (p *Policy) below(at int, between *Range) []*rule {
	c := checker{p: p}
	r := &p.rules[at]
	left := c.regions(r)
	if between != nil {
		for i := range left {
			left[i].first, left[i].last = max(left[i].first, uint64(*between.Above)+1), min(left[i].last, uint64(*between.UpTo))
		}
	}
	var met []*rule
	for k := range p.rules {
		x := &p.rules[k]
		rest, touched := minus(left, c.region(x))
		if k > at && touched && x.then != thenDeny {
			met = append(met, x)
		}
		if k != at && x.covers(r) && len(rest) <= mostParts {
			left = rest
		}
	}
	return met
}

func ruleList(rules []*rule) string {
	words := make([]string, len(rules))
	for i, r := range rules {
		words[i] = r.id + " (" + r.then + ")"
	}
	return strings.Join(words, ", ")
}
