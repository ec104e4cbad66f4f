// Package storetest is the suite that every journal.Store passes: what an append promises, what happens
// when it is lost or reported lost, and that rows which were edited behind the store's back are found.
//
// A store's own test makes a Place, where one journal is kept, and calls Run. It is for tests only.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kura/journal"
)

// A Place is where one journal is kept, empty at first.
type Place struct {
	// Open opens the store that is kept there. The one before was closed.
	Open func(t testing.TB) journal.Store
	// Rows opens direct access to what the store keeps, past all its rules. No store is open meanwhile.
	Rows func(t testing.TB) Rows
	// Rounds is how often the random tests repeat in the short run.
	Rounds int
}

// Rows is direct access to a store's rows, as somebody has who holds the database.
type Rows interface {
	Entry(seq uint64) (row journal.StoredEntry, ok bool)
	SetEntry(row journal.StoredEntry) // makes the row or replaces it
	DeleteEntry(seq uint64)
	Head(size uint64) (row journal.StoredHead, ok bool)
	SetHead(size uint64, row journal.StoredHead)
	DeleteHead(size uint64)
	Close()
}

// Run runs the whole suite; place makes a new, empty place for each test.
func Run(t *testing.T, place func(t testing.TB) Place) {
	t.Run("Empty", func(t *testing.T) { testEmpty(t, place(t)) })
	t.Run("ReadBack", func(t *testing.T) { testReadBack(t, place(t)) })
	t.Run("CompareAndSwap", func(t *testing.T) { testCompareAndSwap(t, place(t)) })
	t.Run("Race", func(t *testing.T) { testRace(t, place(t)) })
	t.Run("RefusesBrokenGroups", func(t *testing.T) { testRefusesBrokenGroups(t, place(t)) })
	t.Run("ExactBytes", func(t *testing.T) { testExactBytes(t, place(t)) })
	t.Run("Cancelled", func(t *testing.T) { testCancelled(t, place(t)) })
	t.Run("Stray", func(t *testing.T) { testStray(t, place(t)) })
	t.Run("Faults", func(t *testing.T) { testFaults(t, place(t)) })
	t.Run("Pipeline", func(t *testing.T) { testPipeline(t, place(t)) })
	t.Run("Rollback", func(t *testing.T) { testRollback(t, place(t)) })
	t.Run("Tamper", func(t *testing.T) { testTamper(t, place(t)) })
}

func testEmpty(t *testing.T, p Place) {
	s := p.Open(t)
	defer closeStore(t, s)
	if c, err := s.Head(t.Context()); c != nil || err != nil {
		t.Errorf("head of an empty store: %q, %v", c, err)
	}
	for row, err := range s.Entries(t.Context(), 0, 10) {
		t.Errorf("an empty store has an entry: %v, %v", row, err)
	}
	for head, err := range s.Heads(t.Context(), 0) {
		t.Errorf("an empty store has a head: %v, %v", head, err)
	}
	if stray, err := s.Stray(t.Context()); stray != (journal.Stray{}) || err != nil {
		t.Errorf("strays of an empty store: %v, %v", stray, err)
	}
}

func testReadBack(t *testing.T, p Place) {
	s := p.Open(t)
	w := NewWriter()
	groups := w.Grow(t, s, 1, 3, 1, 7, 300, 1, 513)
	check := func(s journal.Store) {
		t.Helper()
		newest, err := s.Head(t.Context())
		if err != nil || string(newest) != string(w.Checkpoint) {
			t.Fatalf("head %q, %v; want %q", newest, err, w.Checkpoint)
		}
		size := w.Head.Size
		for _, span := range [][2]uint64{{0, size}, {0, size + 99}, {4, 5}, {255, 260}, {size - 1, size}, {7, 7}, {9, 3}, {size, size + 5}} {
			from := span[0]
			to := max(from, min(span[1], size))
			sameRows(t, w.Rows[from:to], collect(t, s.Entries(t.Context(), span[0], span[1])))
			if span[1] > size {
				continue
			}
			var want []journal.Hash
			for _, row := range w.Rows[from:to] {
				want = append(want, row.Nodes...)
			}
			got, err := s.Nodes(t.Context(), span[0], span[1])
			if err != nil || len(got) != len(want) || len(want) > 0 && !cmp.Equal(want, got) {
				t.Errorf("nodes %v: %d hashes, %v; want %d", span, len(got), err, len(want))
			}
		}
		if _, err := s.Nodes(t.Context(), 0, size+1); err == nil {
			t.Error("nodes past the head were returned")
		}
		for _, after := range []uint64{0, 1, 2, 4, size} {
			var want []journal.StoredHead
			for _, g := range groups {
				if g.Head.Size > after {
					want = append(want, journal.StoredHead{Prev: g.Prev, Checkpoint: g.Checkpoint})
				}
			}
			if diff := cmp.Diff(want, collect(t, s.Heads(t.Context(), after)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("heads after %d (-want +got):\n%s", after, diff)
			}
		}
		for _, err := range s.Entries(t.Context(), 0, size) {
			if err != nil {
				t.Error(err)
			}
			break // a reader may stop early
		}
		if stray, err := s.Stray(t.Context()); stray != (journal.Stray{}) || err != nil {
			t.Errorf("strays: %v, %v", stray, err)
		}
	}
	check(s)
	closeStore(t, s)
	s = p.Open(t)
	defer closeStore(t, s)
	check(s)
}

func testCompareAndSwap(t *testing.T, p Place) {
	s := p.Open(t)
	defer closeStore(t, s)
	w := NewWriter()
	w.Grow(t, s, 2, 3)
	stale := w.Clone()
	w.Grow(t, s, 4)

	otherRoot := w.Clone()
	otherRoot.Head.Root[0] ^= 1
	ahead := w.Clone()
	ahead.Next(2)
	for name, g := range map[string]journal.Group{
		"after an older head":            stale.Next(4),
		"again from the beginning":       NewWriter().Next(9),
		"after another root of the size": otherRoot.Next(1),
		"after a head that is not there": ahead.Next(1),
	} {
		if err := s.Append(t.Context(), g); !errors.Is(err, journal.ErrHeadMoved) {
			t.Errorf("append %s: %v, want ErrHeadMoved", name, err)
		}
	}
	verifyExactly(t, s, w)
	w.Grow(t, s, 1)
	verifyExactly(t, s, w)
}

// testRace lets two signers append after the same head: exactly one wins.
func testRace(t *testing.T, p Place) {
	s := p.Open(t)
	defer closeStore(t, s)
	w := NewWriter()
	w.Grow(t, s, 1)
	for round := range 20 {
		a, b := w.Clone(), w.Clone()
		b.Salt = "the other signer"
		results := make(chan error, 2)
		for _, g := range []journal.Group{a.Next(3), b.Next(5)} {
			go func() { results <- s.Append(context.WithoutCancel(t.Context()), g) }()
		}
		var won int
		for range 2 {
			if err := <-results; err == nil {
				won++
			} else if !errors.Is(err, journal.ErrHeadMoved) {
				t.Fatal(err)
			}
		}
		if won != 1 {
			t.Fatalf("round %d: %d of 2 appends after the same head won", round, won)
		}
		c, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if w = a; journal.CheckpointSays(c, b.Head) {
			w = b
		}
		verifyExactly(t, s, w)
	}
}

func testRefusesBrokenGroups(t *testing.T, p Place) {
	s := p.Open(t)
	defer closeStore(t, s)
	w := NewWriter()
	w.Grow(t, s, 2)
	for name, spoil := range map[string]func(*journal.Group){
		"no entries":           func(g *journal.Group) { g.Entries, g.Nodes, g.Head = nil, nil, g.Prev },
		"a size too small":     func(g *journal.Group) { g.Head.Size-- },
		"a tree hash too few":  func(g *journal.Group) { g.Nodes = g.Nodes[1:] },
		"a tree hash too many": func(g *journal.Group) { g.Nodes = append(g.Nodes, journal.Hash{}) },
	} {
		g := w.Clone().Next(3)
		spoil(&g)
		if err := s.Append(t.Context(), g); err == nil {
			t.Errorf("a group with %s was taken", name)
		}
	}
	verifyExactly(t, s, w)
}

// testExactBytes appends what storage might be tempted to change.
func testExactBytes(t *testing.T, p Place) {
	s := p.Open(t)
	w := NewWriter()
	w.Grow(t, s, 1)
	bodies := []string{
		`{}`, `{ "spaced" :  1 }`, `{"nul":"\u0000","escaped":"\"\\\/\b"}`, `{"e\u0301":"é"}`, `{"quote":"'); drop table entries;--"}`,
		`{"n":1e400,"big":123456789012345678901234567890}`, "{\"separators\":\"\u2028\u2029\u00a0\ufeff\U0001F512\"}", `{"null":"NULL","array":"{1,2}","copy":"\\N"}`,
		`{"big":"` + strings.Repeat("x", journal.MaxEntrySize-200) + `"}`,
	}
	entries := make([]journal.Entry, len(bodies))
	for i, body := range bodies {
		entries[i] = NewEntry(w.Head.Size+uint64(i), "")
		entries[i].Body = []byte(body)
	}
	if err := s.Append(t.Context(), w.Group(entries)); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = p.Open(t)
	defer closeStore(t, s)
	verifyExactly(t, s, w)
}

// testCancelled appends under a context that is over: whatever the store says, the head read back under
// another one tells what happened, and the journal goes on from there.
func testCancelled(t *testing.T, p Place) {
	s := p.Open(t)
	defer closeStore(t, s)
	w := NewWriter()
	w.Grow(t, s, 1)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		next := w.Clone()
		err := s.Append(over, next.Next(2))
		c, headErr := s.Head(t.Context())
		if headErr != nil {
			t.Fatal(headErr)
		}
		switch {
		case journal.CheckpointSays(c, next.Head):
			w = next
		case err == nil || !journal.CheckpointSays(c, w.Head):
			t.Fatalf("append said %v, the head is %q", err, c)
		}
	}
	w.Grow(t, s, 3)
	verifyExactly(t, s, w)
}

// testStray puts rows past the head: they are ignored, reported and never in the way.
func testStray(t *testing.T, p Place) {
	s := p.Open(t)
	w := NewWriter()
	w.Grow(t, s, 5, 5)
	closeStore(t, s)
	next := w.Clone()
	g := next.Next(3)
	rows := p.Rows(t)
	strays, err := g.Rows()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range strays {
		rows.SetEntry(row)
	}
	rows.Close()

	s = p.Open(t)
	defer closeStore(t, s)
	stray, err := s.Stray(t.Context())
	if err != nil || stray.Rows != 3 || stray.First != 10 {
		t.Errorf("strays %+v, %v; want 3 rows from 10 on", stray, err)
	}
	verifyExactly(t, s, w)
	w.Grow(t, s, 2, 1)
	verifyExactly(t, s, w)
}

// verifyExactly checks that the store holds what the writer wrote, and verifies it.
func verifyExactly(t testing.TB, s journal.Store, w *Writer) {
	t.Helper()
	head, _, err := journal.Verify(t.Context(), s, journal.Verification{Genesis: Genesis(), EverySignature: true})
	if err != nil {
		t.Fatal(err)
	}
	if head != w.Head {
		t.Fatalf("the store is at %v, the writer at %v", head, w.Head)
	}
	sameRows(t, w.Rows, collect(t, s.Entries(t.Context(), 0, head.Size)))
}

// sameRows compares rows one by one: a diff of megabytes of equal bytes would take long.
func sameRows(t testing.TB, want, got []journal.StoredEntry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Seq != want[i].Seq || !bytes.Equal(got[i].Bytes, want[i].Bytes) || !slices.Equal(got[i].Nodes, want[i].Nodes) {
			t.Fatalf("entry %d (-want +got):\n%.2000s", want[i].Seq, cmp.Diff(want[i], got[i]))
		}
	}
}

func collect[T any](t testing.TB, rows iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for row, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}

func closeStore(t testing.TB, s journal.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(fmt.Errorf("close: %w", err))
	}
}
