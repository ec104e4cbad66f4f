package ledger

import (
	"bytes"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kura/journal"
	"kura/policy"
)

// DiffStates compares two states field by field, unexported ones too, for what Hash may have forgotten. The
// order of heaps, whether an empty list is nil, and the copies of texts that records share make no difference.
func DiffStates(a, b *State) string {
	return cmp.Diff(a, b,
		cmp.AllowUnexported(State{}, timeline{}, memory{}, original{}, dueItem{}, recentBytes{}, recentItem{}, Request{}, Proposal{},
			Freeze{}, verdict{}, clientRecord{}, partyRecord{}),
		cmpopts.IgnoreFields(State{}, "names"),
		cmpopts.EquateEmpty(),
		cmp.Comparer(func(x, y *policy.Policy) bool { return x.Hash() == y.Hash() }),
		cmp.Comparer(func(x, y *policy.Book) bool { return x.Hash() == y.Hash() && slices.Equal(x.Listed(), y.Listed()) }),
		cmp.Comparer(func(x, y journal.LogKeys) bool {
			return x.Genesis() == y.Genesis() && slices.Equal(x.Handovers(), y.Handovers())
		}),
		cmp.Comparer(func(x, y policy.Overlay) bool { return slices.Equal(x.Stops(), y.Stops()) }),
		cmp.Comparer(func(x, y *policy.Usage) bool {
			h, g := x.History(), y.History()
			records := slices.Equal(slices.Collect(h.Records), slices.Collect(g.Records))
			h.Records, g.Records = nil, nil
			return records && cmp.Equal(h, g, cmp.Comparer(func(x, y policy.HistoryAsset) bool { return x == y }), cmpopts.EquateEmpty())
		}),
		cmpopts.SortSlices(func(x, y dueItem) bool { return x.seq < y.seq }),
		cmpopts.SortSlices(func(x, y recentItem) bool { return bytes.Compare(x.hash[:], y.hash[:]) < 0 }),
	)
}

// StateTypes are the types that a State is made of, with all their fields.
var StateTypes = []any{
	State{}, timeline{}, memory{}, dueItem{}, recentBytes{}, recentItem{}, Request{}, Proposal{}, Freeze{}, verdict{},
	Record{}, Transaction{}, WalletRecord{}, AlarmRecord{}, GapRecord{}, journal.Handover{}, clientRecord{}, partyRecord{},
	policy.Usage{}, policy.Overlay{}, policy.Stop{}, policy.Book{}, policy.Verdict{}, policy.Wait{}, policy.Actor{},
}
