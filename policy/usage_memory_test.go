package policy

import (
	"fmt"
	"testing"

	"kura/nem"
)

// TestUsageForgets: what has left every window takes no memory: no key, no
// window, no node, no chunk stays behind.
func TestUsageForgets(t *testing.T) {
	u := &Usage{policy: &Policy{}}
	for _, per := range []Per{0, 1 << PerCustomer} {
		l := &limit{count: true, per: per, window: 1000}
		u.limits = append(u.limits, tally{limit: l})
	}
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
		k := &u.keys[l.limit.per]
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
