package ledger

import (
	"kura/policy"
	"kura/statement"
)

// A partyRecord is what the ledger keeps of a party that is no client: how much it wrote in vain. Whoever
// holds such a key can stop things and judge things as often as there are things to stop and to judge;
// everything else fills the journal, and has a budget.
type partyRecord struct {
	since   int64 // policy time at which the window of its budget began
	entries int   // statements of it since then that neither stopped nor judged anything
}

// The budget of a party that is no client: statements in a window of so many milliseconds of policy time.
const (
	partyEntries = 100
	partyWindow  = 60 * 60 * 1000
)

// inVain tells whether a party that is no client has used up its budget. What it sends then is journalled
// only if it takes: a stop that comes into force, a verdict that counts.
func (s *State) inVain(party policy.Actor, now policy.Now) bool {
	have := s.parties[party]
	return have != nil && now.Time < have.since+partyWindow && have.entries >= partyEntries
}

// takes tells whether a party's statement did what it was for. A proposal did not yet: it is the others who
// make something of it.
func takes(t statement.Type, state string) bool {
	return t == statement.TypeVerdict && state == StateCounted || t == statement.TypeFreeze && state == StateInForce
}

// countInVain counts a statement that took nothing.
func (s *State) countInVain(rec *Record) {
	if rec.By.Kind == policy.ClientActor || takes(rec.Type, rec.State) {
		return
	}
	p := s.parties[rec.By]
	if p == nil || s.time >= p.since+partyWindow {
		p = &partyRecord{since: s.time}
		s.parties[rec.By] = p
	}
	p.entries++
}
