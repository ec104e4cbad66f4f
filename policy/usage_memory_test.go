package policy

import (
	"fmt"
	"testing"

	"kura/nem"
)

// TestUsageForgets: what has left every window takes no memory: no key, no
// window, no node, no chunk stays behind.
func TestUsageForgets(t *testing.T) {
	u := NewUsage(&Policy{limits: []limit{{count: true, window: 1000}, {count: true, per: 1 << PerCustomer, window: 1000}}})
	for i := range int64(100_000) {
		err := u.Add(Event{
			Time: i * 30_000, Network: nem.NIS1Testnet, Wallet: "w", Client: "c", Customer: fmt.Sprint(i),
			Outflows: []Outflow{{Asset: "xem", Amount: 1, Kind: TransferOutflow}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range u.limits {
		l := &u.limits[i]
		k := &u.keys[l.shares]
		if len(k.places) > 2 || len(k.nodes) > 4 || len(k.free) > 4 || len(l.windows) > 4 || len(l.nodes.chunks) > 2 || len(l.next.chunks) > 2 {
			t.Errorf("limit %d: %d keys, %d places (%d free), %d windows, %d and %d chunks",
				i, len(k.places), len(k.nodes), len(k.free), len(l.windows), len(l.nodes.chunks), len(l.next.chunks))
		}
	}
	if held := int64(u.Len()); held > int64(MaxWindow)/30_000+1 {
		t.Errorf("%d events are held", held)
	}
	if most := int(int64(MaxWindow)/30_000/chunk) + 2; len(u.events.chunks) > most {
		t.Errorf("%d chunks of events, want at most %d", len(u.events.chunks), most)
	}
}

// TestUsageForgetsByWindow: beside a limit with a long window, what has left the
// short windows of limits with the same parts takes no memory either.
func TestUsageForgetsByWindow(t *testing.T) {
	const events, short = 20_000, 10
	limits := []limit{{count: true, per: 1 << PerCustomer, window: events}}
	for range 3 {
		limits = append(limits, limit{count: true, per: 1 << PerCustomer, window: short})
	}
	u := NewUsage(&Policy{limits: limits})
	for i := range int64(events) {
		err := u.Add(Event{
			Time: i, Network: nem.NIS1Testnet, Wallet: "w", Client: "c", Customer: fmt.Sprint(i),
			Outflows: []Outflow{{Asset: "xem", Amount: 1, Kind: TransferOutflow}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(u.keys) != 2 {
		t.Errorf("%d lists of keys for limits of two windows", len(u.keys))
	}
	for i := range u.limits {
		l, most := &u.limits[i], 2*short
		if l.limit.window == events {
			most = events
		}
		if k := &u.keys[l.shares]; len(k.places) > most || len(k.nodes) > most || len(l.windows) > most {
			t.Errorf("limit %d: %d keys, %d places, %d windows, want at most %d", i, len(k.places), len(k.nodes), len(l.windows), most)
		}
	}
}
