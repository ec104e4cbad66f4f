package ledger

import (
	"cmp"
	"container/heap"
	"crypto/sha256"
	"slices"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A Record is what the ledger remembers of any statement while its id may still come again.
type Record struct {
	ID      statement.ID
	Hash    statement.Hash
	Type    statement.Type
	By      policy.Actor
	Expires int64 // clock, unix milliseconds
	State   string
	Code    string
	Policy  policy.Hash // in force when it was last judged

	StatementSeq uint64
	OutcomeSeq   uint64 // the newest outcome
}

func (r *Record) record() *Record { return r }

// A remembered is any of *Request, *Proposal, *Freeze and *verdict.
type remembered interface{ record() *Record }

// A Request is a withdrawal and what became of it. State is StateSigned once a signature is recorded.
type Request struct {
	Record
	Wallet       policy.WalletID
	Destination  string // address; "" once it is signed
	Since        int64  // policy time of its first decision, unix milliseconds
	ReasonsSeq   uint64
	SignatureSeq uint64 // 0: no signature recorded
	Transaction  *Transaction
	ReplacedBy   statement.ID // the newest request that stands in for this one
	evacuates    bool         // it is a proposal's: no limit counts it

	// While it is held only:
	Withdrawal *statement.Withdrawal
	Key        statement.Key
	Waits      []policy.Wait
	Verdicts   []policy.Verdict
	wakeAt     int64 // policy time from which time or room may let it go on; never if it waits for people only
	ready      bool  // something happened since its last decision: it is to be decided again
}

// A Transaction is an authorisation's transaction.
type Transaction struct {
	Network  nem.Network
	Unsigned []byte // the exact bytes, see nem.BuildTransfer
	Fee      nem.Amount
	Deadline int64 // unix milliseconds

	Signature nem.Signature // zero until it is recorded
	Hash      nem.Hash      // zero until there is a signature
}

// A Proposal is a proposal and what became of it.
type Proposal struct {
	Record
	Body      *statement.Proposal
	Since     int64 // policy time
	Verdicts  []policy.Verdict
	AdoptedAt int64 // policy time of the adoption; 0 before it
	Effective int64 // policy time at which its time-lock ends
	// Evacuation is the transaction that came of it, of an evacuation in force.
	Evacuation *Request
	ready      bool
}

// A Freeze is a stop in force (a freeze, a suspension or a lowered number) as far as the ledger keeps it
// beside the overlay: its record, and who wants it lifted. Those of the host and of tripwires have no
// statement; their hash is the leaf hash of their entry, and they have no id.
type Freeze struct {
	Record
	Body  *statement.Freeze // nil without a statement
	Lifts []policy.Verdict
	ready bool
}

// A verdict is kept so that its id cannot come again. What it says is with what it is about.
type verdict struct {
	Record
	body *statement.Verdict // until its outcome is known
	key  statement.Key
}

// memory is what the ledger remembers by id and hash, and until when.
type memory struct {
	ids    map[statement.ID]remembered
	hashes map[statement.Hash]remembered
	// An id of a type born at or before the floor is refused for ever. Floors only rise, with policy
	// time, so that neither a clock turned back nor a longer life in a later policy lets a forgotten id
	// in again.
	floor map[statement.Type]int64
	due   dueHeap
}

func newMemory() memory {
	return memory{
		ids:    map[statement.ID]remembered{},
		hashes: map[statement.Hash]remembered{},
		floor:  map[statement.Type]int64{},
	}
}

func (m *memory) remember(r remembered, until int64) {
	rec := r.record()
	m.ids[rec.ID] = r
	m.hashes[rec.Hash] = r
	heap.Push(&m.due, dueItem{until, rec.StatementSeq, r})
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

// lives says how long ids of a type are remembered, in milliseconds from their birth.
func (s *State) life(t statement.Type) int64 {
	if t == statement.TypeWithdrawal {
		return int64(s.policy.Document().WithdrawalLife)
	}
	return statement.MaxLife(t)
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
		rec := item.r.record()
		delete(s.memory.ids, rec.ID)
		delete(s.memory.hashes, rec.Hash)
	}
	s.recent.dropBefore(s.time)
	s.overlay = s.overlay.Expire(s.time)
}

// keepStep is how often, in milliseconds of policy time, a record that has outlived its id but still
// matters is looked at again.
const keepStep = 60 * 1000

// keepUntil returns the policy time until which a record must be kept, as far as is known now.
func (s *State) keepUntil(r remembered) int64 {
	rec := r.record()
	until := max(rec.ID.Born()+s.life(rec.Type), rec.Expires)
	switch r := r.(type) {
	case *Request:
		if r.State == StateHeld {
			return max(until, s.time+keepStep)
		}
		if r.Transaction != nil {
			until = max(until, r.payableUntil())
			if r.State == StateAuthorized {
				until = max(until, s.time+keepStep)
			}
		}
	case *Proposal:
		if r.State == StateOpen || r.State == StateAdopted {
			until = max(until, s.time+keepStep)
		}
	case *Freeze:
		if r.State == StateInForce {
			until = max(until, s.time+keepStep)
		}
	}
	return until
}

// recentBytes holds every authorisation until its deadline is over, by the hash of its unsigned bytes.
type recentBytes struct {
	seen  map[[32]byte]struct{}
	order recentHeap
	floor int64 // latest deadline that was dropped: nothing with such a deadline is authorised any more
}

type recentItem struct {
	hash    [32]byte
	request *Request
}

// recentHeap has the earliest deadline first.
type recentHeap []recentItem

func (h recentHeap) Len() int { return len(h) }
func (h recentHeap) Less(a, b int) bool {
	return h[a].request.Transaction.Deadline < h[b].request.Transaction.Deadline
}
func (h recentHeap) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h *recentHeap) Push(x any)   { *h = append(*h, x.(recentItem)) }
func (h *recentHeap) Pop() any {
	last := len(*h) - 1
	item := (*h)[last]
	(*h)[last] = recentItem{}
	*h = (*h)[:last]
	return item
}

func (r *recentBytes) add(request *Request) {
	hash := sha256.Sum256(request.Transaction.Unsigned)
	r.seen[hash] = struct{}{}
	heap.Push(&r.order, recentItem{hash, request})
}

// dropBefore lets go of what had its deadline before a policy time.
func (r *recentBytes) dropBefore(time int64) {
	for len(r.order) > 0 && r.order[0].request.Transaction.Deadline < time {
		item := heap.Pop(&r.order).(recentItem)
		delete(r.seen, item.hash)
		r.floor = max(r.floor, item.request.Transaction.Deadline)
	}
}

// inOrder returns a map's values in the order in which they were journalled.
func inOrder[R remembered](m map[statement.Hash]R) []R {
	all := make([]R, 0, len(m))
	for _, r := range m {
		all = append(all, r)
	}
	slices.SortFunc(all, bySeq)
	return all
}

func bySeq[R remembered](a, b R) int {
	return cmp.Compare(a.record().StatementSeq, b.record().StatementSeq)
}
