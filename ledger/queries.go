package ledger

import (
	"cmp"
	"slices"

	"kura/policy"
	"kura/statement"
)

// Next is the seq of the next entry.
func (s *State) Next() uint64 { return s.next }

// Last returns clock and policy time of the last entry, in unix milliseconds.
func (s *State) Last() policy.Now { return policy.Now{Clock: s.clock, Time: s.time} }

// Genesis returns entry 0 and its leaf hash, which names the journal in statements; nil before it.
func (s *State) Genesis() (*Genesis, statement.Hash) { return s.genesis, s.journal }

// PolicyInForce returns the policy in force, nil before entry 1.
func (s *State) PolicyInForce() *policy.Policy { return s.policy }

// Gaps returns where the journal lost entries and goes on without them, oldest first.
func (s *State) Gaps() []GapRecord { return slices.Clone(s.gaps) }

// Book returns the address book in force.
func (s *State) Book() *policy.Book { return s.book }

// Overlay returns the stops in force.
func (s *State) Overlay() policy.Overlay { return s.overlay }

// Usage returns what the limits' windows hold.
func (s *State) Usage() *policy.Usage { return s.usage }

// Behind returns by how many milliseconds policy time stood behind the clock at the last entry.
func (s *State) Behind() int64 { return max(0, s.clock-s.time) }

// ByStatement returns what is remembered of the statement with this hash, or of the stop with it.
func (s *State) ByStatement(hash statement.Hash) (*Record, bool) {
	if r, ok := s.memory.hashes[hash]; ok {
		return r.record(), true
	}
	if f, ok := s.freezes[hash]; ok {
		return &f.Record, true
	}
	return nil, false
}

// Request returns the withdrawal with this id, or the transaction of the evacuation with it.
func (s *State) Request(id statement.ID) (*Request, bool) { return requestOf(s.memory.ids[id]) }

// RequestByStatement returns the withdrawal with this statement hash, or the transaction of the evacuation
// with it.
func (s *State) RequestByStatement(hash statement.Hash) (*Request, bool) {
	return requestOf(s.memory.hashes[hash])
}

func requestOf(r remembered) (*Request, bool) {
	switch r := r.(type) {
	case *Request:
		return r, true
	case *Proposal:
		return r.Evacuation, r.Evacuation != nil
	}
	return nil, false
}

// Pending returns the requests that are held, in the order in which they were.
func (s *State) Pending() []*Request { return slices.Clone(s.held) }

// Unsigned returns the authorisations that are to be signed: those without a recorded signature that no
// stop covers and whose deadline is not over at this clock, in the order of the journal.
func (s *State) Unsigned(clock int64) []*Request {
	return slices.DeleteFunc(inOrder(s.unsigned), func(r *Request) bool {
		return r.Transaction.Deadline < clock || s.covered(r)
	})
}

// MaySign tells whether the authorisation of a statement may be signed at this clock: it has no recorded
// signature, no stop covers it, its deadline is not over. The signer asks before every signature and
// before releasing one.
func (s *State) MaySign(hash statement.Hash, clock int64) bool {
	r := s.unsigned[hash]
	return r != nil && r.Transaction.Deadline >= clock && !s.covered(r)
}

// Strandable returns the authorisations that must not be signed any more (see StrandInput).
func (s *State) Strandable(clock int64) []*Request {
	return slices.DeleteFunc(inOrder(s.unsigned), func(r *Request) bool {
		return r.Transaction.Deadline >= clock && !s.covered(r)
	})
}

// Withheld tells whether a stop in force, or the state of its wallet's key, keeps an authorisation from being signed, and
// its signature from being handed out. It is MaySign's rule: an evacuation is held back only by a stop that came after it.
func (s *State) Withheld(r *Request) bool { return s.covered(r) }

// ClockBehind tells whether the clock is so far behind the journal that a wallet's transactions cannot be authorised
// (see ErrClock).
func (s *State) ClockBehind(clock int64) bool {
	return slices.ContainsFunc(s.policy.Document().Wallets, func(w policy.Wallet) bool {
		return clock+int64(w.Life) <= s.recent.floor
	})
}

// Wallets returns the wallets that had a ceremony, by name.
func (s *State) Wallets() []*WalletRecord {
	all := make([]*WalletRecord, 0, len(s.wallets))
	for _, w := range s.wallets {
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *WalletRecord) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Wallet returns a wallet's ceremony and the state of its key.
func (s *State) Wallet(name string) (*WalletRecord, bool) {
	w, ok := s.wallets[name]
	return w, ok
}

// Proposals returns what is open or waits for its time-lock, in the order of the journal.
func (s *State) Proposals() []*Proposal { return inOrder(s.proposals) }

// Proposal returns the proposal with this statement hash.
func (s *State) Proposal(hash statement.Hash) (*Proposal, bool) {
	p, ok := s.memory.hashes[hash].(*Proposal)
	return p, ok
}

// Freezes returns the stops in force, in the order of the journal.
func (s *State) Freezes() []*Freeze { return inOrder(s.freezes) }

// Alarms returns the newest alarms, oldest first.
func (s *State) Alarms() []AlarmRecord { return slices.Clone(s.alarms) }
