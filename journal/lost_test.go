package journal_test

import (
	"errors"
	"testing"

	"kura/journal"
	"kura/journal/storetest"
)

// TestLostHeads goes on in a store that does not lead to what an anchor holds, once the journal says that this head is
// lost; and finds a rollback of what followed, although its size is smaller than that of the lost head.
func TestLostHeads(t *testing.T) {
	ctx := t.Context()
	entries := func(salt string, from, to uint64) []journal.Entry {
		var all []journal.Entry
		for seq := from; seq < to; seq++ {
			all = append(all, storetest.NewEntry(seq, salt))
		}
		return all
	}
	// branch is a store with the three entries that all have in common, and others behind them in groups of one.
	branch := func(salt string, size uint64, anchors ...journal.Anchor) journal.Config {
		c := testConfig(t)
		c.Anchors = anchors
		log := createLog(t, c, 3)
		for seq := uint64(3); seq < size; seq++ {
			if _, err := log.Append(ctx, entries(salt, seq, seq+1)); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	anchor := &memoryAnchor{}
	lost := must(journal.Open(ctx, branch("lost", 9, anchor))).Head()

	c := branch("", 3)
	c.Anchors = []journal.Anchor{anchor}
	rollback := new(journal.RollbackError)
	if _, err := journal.Open(ctx, c); !errors.As(err, &rollback) || rollback.Anchored != lost {
		t.Fatalf("without a word about what is lost: %v", err)
	}
	names := func(named journal.Head) func(journal.Head) bool {
		return func(h journal.Head) bool { return h == named }
	}
	c.Lost = names(journal.Head{Size: lost.Size, Root: journal.LeafHash(nil)})
	if _, err := journal.Open(ctx, c); !errors.As(err, &rollback) {
		t.Errorf("another head of that size is said to be lost: %v", err)
	}
	c.Lost = names(lost)
	log := must(journal.Open(ctx, c))
	if head := log.Head(); head.Size != 0 {
		t.Errorf("readers see size %d, no anchor covers it", head.Size)
	}
	held := anchor.held
	anchor.broken = errors.New("disk full")
	g, err := log.Append(ctx, entries("after", 3, 4))
	if !errors.Is(err, journal.ErrAnchorNotMoved) || g.Head.Size != 4 || string(anchor.held) != string(held) {
		t.Errorf("the first append: %v, to size %d; the anchor that proves the loss was moved before it", err, g.Head.Size)
	}
	anchor.broken = nil
	for seq := uint64(4); seq < 6; seq++ {
		if _, err := log.Append(ctx, entries("after", seq, seq+1)); err != nil {
			t.Fatal(err)
		}
		if !journal.CheckpointSays(anchor.held, log.Head()) {
			t.Fatalf("the anchor holds %q", anchor.held)
		}
	}

	for name, back := range map[string]journal.Config{"rolled back": branch("after", 5), "the lost one": branch("lost", 9), "the kept part": branch("", 3)} {
		back.Anchors, back.Lost = c.Anchors, c.Lost
		if _, err := journal.Open(ctx, back); !errors.As(err, &rollback) {
			t.Errorf("%s, after the gap: %v", name, err)
		}
	}
}
