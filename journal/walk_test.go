package journal_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
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

// TestAhead: what was prepared early and out of order is visited in order, and none of a group that is not the journal's.
func TestAhead(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	log := createLog(t, c, 1)
	for size := uint64(1); size < 2000; size = log.Head().Size {
		if _, err := log.Append(ctx, storetest.Entries(size, size+1+size%97)); err != nil {
			t.Fatal(err)
		}
	}
	altered := log.Head().Size / 2
	for name, store := range map[string]journal.Store{"whole": c.Store, "altered": alteredStore{c.Store, altered}} {
		var prepared atomic.Int64
		visited := uint64(0)
		_, _, err := journal.Verify(ctx, store, journal.Verification{Genesis: c.Genesis, Ahead: func(e journal.Entry) func() error {
			prepared.Add(1)
			return func() error {
				if e.Seq != visited {
					return fmt.Errorf("visited entry %d, expected %d", e.Seq, visited)
				}
				visited++
				return nil
			}
		}})
		size := log.Head().Size
		switch tamper, tampered := errors.AsType[*journal.TamperError](err); {
		case name == "whole" && (err != nil || visited != size || prepared.Load() != int64(size)):
			t.Errorf("%v; visited %d and prepared %d of %d", err, visited, prepared.Load(), size)
		case name == "altered" && (!tampered || tamper.First != altered || visited == 0 || visited > altered):
			t.Errorf("%v; visited %d, entry %d is another", err, visited, altered)
		}
	}
	failure := errors.New("no")
	_, _, err := journal.Verify(ctx, c.Store, journal.Verification{Genesis: c.Genesis, Ahead: func(e journal.Entry) func() error {
		return func() error { return failure }
	}})
	if !errors.Is(err, failure) {
		t.Errorf("a visit failed: %v", err)
	}
}

// An alteredStore has another entry at one place.
type alteredStore struct {
	journal.Store
	seq uint64
}

func (s alteredStore) Entries(ctx context.Context, from, to uint64) iter.Seq2[journal.StoredEntry, error] {
	return func(yield func(journal.StoredEntry, error) bool) {
		for row, err := range s.Store.Entries(ctx, from, to) {
			if row.Seq == s.seq {
				row.Bytes, _ = storetest.NewEntry(s.seq, "another").Encode()
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
