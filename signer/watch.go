package signer

import (
	"sync"

	"kura/policy"
	"kura/statement"
)

// How many calls may wait for a change at once, of all parties and of one. Whoever comes beyond that is told how things
// stand: a call that waits holds one of the socket's places, and a freeze needs one, too.
const (
	MaxWaits     = 2048
	MaxWaitsEach = 1024
)

// watches wakes those who wait for a statement's state to change.
type watches struct {
	mu      sync.Mutex
	waiting map[statement.Hash]*watch
	all     int
	each    map[policy.Actor]int
}

// A watch is one statement's next change; it is dropped with its last waiter.
type watch struct {
	changed chan struct{}
	waiters int
}

func newWatches() *watches {
	return &watches{waiting: map[statement.Hash]*watch{}, each: map[policy.Actor]int{}}
}

// enter takes one of the places to wait, until leave is called; false if there is none for the party.
func (w *watches) enter(who policy.Actor) (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == MaxWaits || w.each[who] == MaxWaitsEach {
		return nil, false
	}
	w.all++
	w.each[who]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all--
		if w.each[who]--; w.each[who] == 0 {
			delete(w.each, who)
		}
	}, true
}

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
