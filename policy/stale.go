package policy

import (
	"fmt"
	"strings"
)

// Stale lists grants whose last day is over, and those that have none or end
// within 30 days: the report of what to renew and what to take away.
func Stale(p *Policy, now Now) []Finding {
	c := &checker{p: p, now: now}
	for i, x := range p.doc.People {
		c.grant(fmt.Sprintf("people[%d].lastDay", i), "person "+string(x.ID)+" ("+strings.Join(x.Roles, ", ")+")", x.LastDay)
	}
	for i, x := range p.doc.Services {
		c.grant(fmt.Sprintf("services[%d].lastDay", i), "service "+x.ID, x.LastDay)
	}
	for i, x := range p.doc.Sentinels {
		c.grant(fmt.Sprintf("sentinels[%d].lastDay", i), "sentinel "+x.ID, x.LastDay)
	}
	for i, x := range p.doc.Clients {
		c.grant(fmt.Sprintf("clients[%d].lastDay", i), "client "+string(x.ID), x.LastDay)
	}
	for i, x := range p.doc.Rules {
		if x.LastDay != "" { // rules stand until they are changed, and that is no finding
			c.grant(fmt.Sprintf("rules[%d].lastDay", i), "rule "+x.ID, x.LastDay)
		}
	}
	return c.out
}

func (c *checker) grant(path, who string, last Day) {
	switch {
	case last.Past(c.now.latest()):
		c.find(Warning, "stale_grant", path, "the grant of %s ended on %s", who, last)
	case last == "":
		c.find(Note, "grant_without_end", path, "the grant of %s has no last day", who)
	case last.Past(c.now.latest() + int64(30*day)):
		c.find(Note, "grant_ends_soon", path, "the grant of %s ends on %s", who, last)
	}
}
