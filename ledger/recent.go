package ledger

import (
	"container/heap"
	"crypto/sha256"
)

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
		if item.request.State != StateAuthorized {
			item.request.Key = "" // no stop can meet it any more
		}
		r.floor = max(r.floor, item.request.Transaction.Deadline)
	}
}
