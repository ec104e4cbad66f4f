package api

import (
	"fmt"
	"sync"

	"kura/signer/rpc"
)

// partyShare is which part of the places for streams one party may hold.
const partyShare = 4

// places bounds the exports and event streams that are open at once, in all and of one party: whoever has one key must
// not keep the others from seeing what happens. Safe for concurrent use.
type places struct {
	most, mostEach int
	mu             sync.Mutex
	all            int
	each           map[rpc.Actor]int
}

func newPlaces(most int) *places {
	return &places{most: most, mostEach: max(1, most/partyShare), each: map[rpc.Actor]int{}}
}

// enter takes one of the places until leave is called, or refuses if there is none for the party.
func (p *places) enter(who rpc.Actor) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.each[who] == p.mostEach:
		return nil, refuse(CodeRateLimited, "", fmt.Sprintf("%d exports and event streams of this party are open, as many as one may have here; end one", p.mostEach))
	case p.all == p.most:
		return nil, refuse(rpc.CodeBusy, "", "as many exports and event streams are open as this gateway allows; try again")
	}
	p.all++
	p.each[who]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all--
		if p.each[who]--; p.each[who] == 0 {
			delete(p.each, who)
		}
	}, nil
}
