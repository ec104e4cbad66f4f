package ledger

import (
	"container/heap"

	"kura/policy"
	"kura/statement"
)

// memory is what the ledger remembers by id and hash, and until when.
type memory struct {
	ids    map[statement.ID]remembered
	hashes map[statement.Hash]remembered
	// An id of a type born at or before the floor is refused for ever. Floors only rise, with policy
	// time, so that neither a clock turned back nor a longer life in a later policy lets a forgotten id
	// in again.
	floor map[statement.Type]int64
	due   dueHeap
	heirs map[original]*Request // requests that stand in for another and did not end without an authorisation
}

// An original is what a request stands in for: a client's id, of a request that may be forgotten.
type original struct {
	by policy.Actor
	id statement.ID
}

func newMemory() memory {
	return memory{
		ids:    map[statement.ID]remembered{},
		hashes: map[statement.Hash]remembered{},
		floor:  map[statement.Type]int64{},
		heirs:  map[original]*Request{},
	}
}

func (m *memory) remember(r remembered, until int64) {
	rec := r.record()
	m.ids[rec.ID] = r
	m.hashes[rec.Hash] = r
	heap.Push(&m.due, dueItem{until, rec.StatementSeq, r})
}

// noteHeir remembers a judged request by what it stands in for, until it ends without an authorisation.
func (m *memory) noteHeir(r *Request) {
	key := original{r.By, r.Replaces}
	switch {
	case r.Replaces.IsZero():
	case !r.dead():
		m.heirs[key] = r
	case m.heirs[key] == r:
		delete(m.heirs, key)
	}
}

func (m *memory) forget(r remembered) {
	rec := r.record()
	delete(m.ids, rec.ID)
	delete(m.hashes, rec.Hash)
	if r, ok := r.(*Request); ok && m.heirs[original{r.By, r.Replaces}] == r {
		delete(m.heirs, original{r.By, r.Replaces})
	}
}

// A dueItem says when to think about forgetting a record.
type dueItem struct {
	at  int64 // policy time
	seq uint64
	r   remembered
}

type dueHeap []dueItem

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(a, b int) bool {
	return h[a].at < h[b].at || h[a].at == h[b].at && h[a].seq < h[b].seq
}
func (h dueHeap) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(dueItem)) }
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	item := (*h)[last]
	(*h)[last] = dueItem{}
	*h = (*h)[:last]
	return item
}

// life says how long ids of a type are remembered, in milliseconds from their birth.
func (s *State) life(t statement.Type) int64 {
	if t == statement.TypeWithdrawal {
		return int64(s.policy.Document().WithdrawalLife)
	}
	return statement.MaxLife(t)
}

// kept says how long records of a type are remembered at least, in milliseconds from their id's birth. An id
// that could still come as a withdrawal's is not let go of because it was a shorter-lived statement's: a
// withdrawal is asked for, and replaced, by its id alone.
func (s *State) kept(t statement.Type) int64 {
	return max(s.life(t), s.life(statement.TypeWithdrawal))
}

// forget lets go of what can neither come again nor matter any more at the state's policy time.
func (s *State) forget() {
	for t := range s.memory.floor {
		s.memory.floor[t] = max(s.memory.floor[t], s.time-s.life(t))
	}
	for len(s.memory.due) > 0 && s.memory.due[0].at < s.time {
		item := heap.Pop(&s.memory.due).(dueItem)
		if until := s.keepUntil(item.r); until >= s.time {
			item.at = until
			heap.Push(&s.memory.due, item)
			continue
		}
		s.memory.forget(item.r)
	}
	s.recent.dropBefore(s.time)
	s.expireStops()
}

// keepStep is how often, in milliseconds of policy time, a record that has outlived its id but still
// matters is looked at again.
const keepStep = 60 * 1000

// keepUntil returns the policy time until which a record must be kept, as far as is known now.
func (s *State) keepUntil(r remembered) int64 {
	rec := r.record()
	until := rec.ID.Born() + s.kept(rec.Type)
	switch r := r.(type) {
	case *Request:
		if r.State == StateHeld {
			return max(until, s.time+keepStep)
		}
		return max(until, s.keepPayable(r))
	case *Proposal:
		if r.State == StateOpen || r.State == StateAdopted {
			return max(until, s.time+keepStep)
		}
		if r.Evacuation != nil {
			return max(until, s.keepPayable(r.Evacuation))
		}
	case *Freeze:
		if r.State == StateInForce {
			return max(until, s.time+keepStep)
		}
	}
	return until
}

// keepPayable returns until when a request matters because of its transaction.
func (s *State) keepPayable(r *Request) int64 {
	switch {
	case r.Transaction == nil:
		return 0
	case r.State == StateAuthorized:
		return max(r.payableUntil(), s.time+keepStep)
	}
	return r.payableUntil()
}
