package signer

import (
	"sync"

	"kura/statement"
)

// watches wakes those who wait for a statement's state to change.
type watches struct {
	mu      sync.Mutex
	waiting map[statement.Hash]*watch
}

// A watch is one statement's next change; it is dropped with its last waiter.
type watch struct {
	changed chan struct{}
	waiters int
}

func newWatches() *watches { return &watches{waiting: map[statement.Hash]*watch{}} }

// on returns a channel that is closed at the next change after now. The caller looks at the state once more before it
// waits, and calls off when it has stopped waiting.
func (w *watches) on(about statement.Hash) (changed <-chan struct{}, off func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.waiting[about]
	if one == nil {
		one = &watch{changed: make(chan struct{})}
		w.waiting[about] = one
	}
	one.waiters++
	return one.changed, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if one.waiters--; one.waiters == 0 && w.waiting[about] == one {
			delete(w.waiting, about)
		}
	}
}

func (w *watches) notify(abouts ...statement.Hash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, about := range abouts {
		if one := w.waiting[about]; one != nil {
			close(one.changed)
			delete(w.waiting, about)
		}
	}
}
