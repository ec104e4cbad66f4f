package journal_test

import (
	"context"
	"testing"

	"kura/journal"
	"kura/journal/storetest"
)

// A busyStore has something happen each time its head was read.
type busyStore struct {
	journal.Store
	happens func()
}

func (s *busyStore) Head(ctx context.Context) (journal.Checkpoint, error) {
	c, err := s.Store.Head(ctx)
	if s.happens != nil {
		s.happens()
	}
	return c, err
}

// TestVerifyBesideAppends reads a journal that grows between the reading of its head and of its rows: what came
// later is not altered rows, it is for the next reading.
func TestVerifyBesideAppends(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	leader := createLog(t, c, 3)
	busy := &busyStore{Store: c.Store}
	trusted := journal.Head{}
	visited := uint64(0)
	for range 20 {
		before := leader.Head()
		busy.happens = func() {
			size := leader.Head().Size
			if _, err := leader.Append(ctx, storetest.Entries(size, size+3)); err != nil {
				t.Fatal(err)
			}
		}
		head, _, err := journal.Verify(ctx, busy, journal.Verification{
			Genesis: c.Genesis, Trusted: trusted, EverySignature: true,
			Visit: func(e journal.Entry, _ []byte) error {
				if e.Seq != visited {
					t.Fatalf("visited entry %d, expected %d", e.Seq, visited)
				}
				visited++
				return nil
			},
		})
		if err != nil || head != before || visited != before.Size {
			t.Fatalf("%v %v, the head was %v; visited %d", head, err, before, visited)
		}
		trusted = head
	}
}
