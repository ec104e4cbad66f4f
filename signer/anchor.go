package signer

import (
	"context"
	"fmt"
	"sync"

	"kura/journal"
	"kura/nem"
	"kura/policy"
)

// A sparseAnchor renews an anchor whose memory wears out (the token's) only as often as the policy says: after a time,
// or once enough value was authorised since. In between, the head that it keeps is older, and the journal extends it all
// the same; how much one rollback to it could hide is what the policy bounds.
type sparseAnchor struct {
	journal.Anchor

	// leads says whether this signer may still write to it, where several have the same token.
	leads func() bool

	mu     sync.Mutex
	known  journal.Checkpoint // what the anchor holds; nil before the first look
	due    bool
	boot   int64 // milliseconds of CLOCK_BOOTTIME at the newest group; a clock would stop renewals when it is set back
	saved  int64 // and at the group that was saved last
	values map[policy.AssetRef]uint64
}

func newSparseAnchor(a journal.Anchor, leads func() bool) *sparseAnchor {
	// What a run before this one authorised is not counted any more: the head that a run goes on from is always kept.
	return &sparseAnchor{Anchor: a, leads: leads, due: true, values: map[policy.AssetRef]uint64{}}
}

// Load implements journal.Anchor. The anchor is asked once: nobody else writes to it while the signer runs.
func (a *sparseAnchor) Load(ctx context.Context) (journal.Checkpoint, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		known, err := a.Anchor.Load(ctx)
		if err != nil {
			return nil, err
		}
		a.known = known
	}
	return a.known, nil
}

// forget has the anchor asked again: another signer has written to it.
func (a *sparseAnchor) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = nil
}

// renew has the next head kept, whatever the policy says.
func (a *sparseAnchor) renew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = true
}

// Save implements journal.Anchor.
func (a *sparseAnchor) Save(ctx context.Context, c journal.Checkpoint) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.due {
		return nil
	}
	if !a.leads() { // a signer that was stopped for a while: whoever leads by now has kept a newer head there
		return fmt.Errorf("%s: %w", a.Name(), journal.ErrLeaseLost)
	}
	if err := a.Anchor.Save(ctx, c); err != nil {
		return err
	}
	a.known, a.due, a.saved = c, false, a.boot
	clear(a.values)
	return nil
}

// An outlay is what a group authorises, as far as the policy's anchor rule asks.
type outlay struct {
	every  int64 // milliseconds after which the anchor is renewed
	values []assetValue
}

type assetValue struct {
	asset  policy.AssetRef
	amount uint64
	bound  uint64 // at which the anchor is renewed
}

// add takes a group into account, before the anchors move to it, at a moment of the machine's count.
func (a *sparseAnchor) add(o outlay, boot int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.saved == 0 && !a.due { // what was in the journal at the start is kept: time counts from this run's first group
		a.saved = boot
	}
	a.boot = boot
	if a.boot-a.saved >= o.every {
		a.due = true
	}
	for _, v := range o.values {
		sum := a.values[v.asset] + v.amount
		if sum < v.amount || sum >= v.bound {
			a.due = true
		}
		a.values[v.asset] = sum
	}
}

// tally notes what an authorisation takes from the value that the anchor may stay behind by: fees and levies, too, since
// no more than that value is what one rollback may repeat.
func (o *outlay) tally(p *policy.Policy, n nem.Network, unsigned []byte) {
	tx, err := nem.Decode(n, unsigned)
	if err != nil {
		return // the ledger has just decoded it
	}
	for _, out := range nem.Effects(tx, p.Assets(n)).Outflows {
		asset, ok := p.AssetOf(n, out.Asset)
		if !ok {
			continue
		}
		for _, v := range p.Document().Anchor.Values {
			if v.Asset == asset.ID {
				o.values = append(o.values, assetValue{asset.ID, uint64(out.Amount), uint64(v.Amount)})
			}
		}
	}
}
