package ledger

import "kura/policy"

// A clientRecord is what the ledger keeps of a client beside its requests.
type clientRecord struct {
	since   int64 // policy time at which the window of its budget began
	entries int   // statements of it that were journalled since
	pending int   // requests of it that are held

	refused    bool    // something of it was denied before
	suspicious []int64 // policy times of denials that the refusals tripwire counts, oldest first
	trips      int     // how often that tripwire suspended it
}

func (s *State) client(id policy.ClientID) *clientRecord {
	c := s.clients[id]
	if c == nil {
		c = &clientRecord{}
		s.clients[id] = c
	}
	return c
}

// overBudget tells whether a client has used up its budget of entries. Windows follow one another, so a
// client can write twice its budget around the end of one, and never more.
func (s *State) overBudget(id policy.ClientID, now policy.Now) bool {
	client, ok := s.policy.Client(id)
	have := s.clients[id]
	if !ok || have == nil || now.Time >= have.since+int64(client.Budget.Window) {
		return false
	}
	return have.entries >= client.Budget.Entries
}

// countEntry counts a journalled statement of a client.
func (s *State) countEntry(id policy.ClientID) {
	c := s.client(id)
	if client, ok := s.policy.Client(id); ok && s.time >= c.since+int64(client.Budget.Window) {
		c.since, c.entries = s.time, 0
	}
	c.entries++
}

// fullOfPending tells whether a client has as many requests waiting as it may have.
func (s *State) fullOfPending(id policy.ClientID) bool {
	client, ok := s.policy.Client(id)
	have := s.clients[id]
	return ok && have != nil && have.pending >= client.Budget.Pending
}
