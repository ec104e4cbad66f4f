package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"kura/policy"
)

// playCleverest plans the requests and plays them, those of one moment at once. It tells whether there would have been
// more of them.
func (d *deployment) playCleverest(ctx context.Context, client policy.ClientID, theft, end int64) ([]answer, bool, error) {
	pairs := 0
	for _, w := range d.policy.Document().Wallets {
		for _, a := range d.policy.Document().Assets {
			if a.Network == w.Network {
				pairs++
			}
		}
	}
	most := min(maxRequestsADay*int((end-theft)/day), maxRequests)
	x, err := newPlanner(d.policy, d.book, client, theft, end, most/max(1, pairs))
	if err != nil {
		return nil, false, err
	}
	asks, err := x.plan()
	if err != nil {
		return nil, false, err
	}
	var all []answer
	for len(asks) > 0 {
		n := slices.IndexFunc(asks, func(a ask) bool { return a.at != asks[0].at })
		if n < 0 {
			n = len(asks)
		}
		if err := d.settle(ctx, asks[0].at); err != nil {
			return nil, false, err
		}
		answers, err := d.together(ctx, client, asks[:n])
		if err != nil {
			return nil, false, err
		}
		all, asks = append(all, answers...), asks[n:]
	}
	return all, x.capped, d.settle(ctx, end)
}

// together puts requests of one moment to the signer at once; it makes its own order.
func (d *deployment) together(ctx context.Context, client policy.ClientID, asks []ask) ([]answer, error) {
	answers, errs := make([]answer, len(asks)), make([]error, len(asks))
	var running sync.WaitGroup
	slots := make(chan struct{}, inFlight)
	for i, a := range asks {
		slots <- struct{}{}
		running.Go(func() {
			answers[i], errs[i] = d.withdraw(ctx, client, a)
			<-slots
		})
	}
	running.Wait()
	return answers, errors.Join(errs...)
}
