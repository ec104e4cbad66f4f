package journal_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"kura/journal"
	"kura/journal/storetest"
)

func draft(log *journal.Log, after *journal.Draft, entries []journal.Entry) (*journal.Draft, error) {
	d := log.Draft(after)
	for _, e := range entries {
		if err := d.Add(e); err != nil {
			return nil, err
		}
	}
	return d, log.Sign(d)
}

// TestStepsInOrder: a draft is nothing until all before it are in the store, and an anchor is given nothing that is not.
func TestStepsInOrder(t *testing.T) {
	ctx := t.Context()
	c, anchor := anchoredConfig(t)
	log := createLog(t, c, 1)
	first := must(draft(log, nil, storetest.Entries(1, 3)))
	second := must(draft(log, first, storetest.Entries(3, 4)))
	if second.Prev != first.Head {
		t.Errorf("the second follows %v, the first leads to %v", second.Prev, first.Head)
	}
	if _, err := draft(log, first, storetest.Entries(4, 5)); err == nil {
		t.Error("a draft left an entry out")
	}
	if err := log.Commit(ctx, second); err == nil {
		t.Error("committed before the one it follows")
	}
	if err := log.Cover(ctx, first); err == nil {
		t.Error("anchored before it was committed")
	}
	other := must(draft(log, nil, storetest.Entries(1, 2))) // the first two are given up
	for range 2 {
		if err := log.Commit(ctx, other); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Commit(ctx, first); err == nil {
		t.Error("committed beside another group")
	}
	if log.Head().Size != 1 || !journal.CheckpointSays(anchor.held, log.Head()) {
		t.Errorf("readers see size %d, the anchor holds %q", log.Head().Size, anchor.held)
	}
	if _, err := log.Receipt(ctx, 1); err == nil {
		t.Error("an entry was proven that is not anchored")
	}
	for range log.Entries(ctx, 1, 2) {
		t.Error("an entry was shown that is not anchored")
	}
	if err := log.Cover(ctx, other); err != nil || log.Head() != other.Head || !journal.CheckpointSays(anchor.held, other.Head) {
		t.Errorf("cover: %v, readers see size %d, the anchor holds %q", err, log.Head().Size, anchor.held)
	}
}

// TestCoverOfWhatWasGivenUp: an anchor never holds a head that is not in the journal, of whatever size.
func TestCoverOfWhatWasGivenUp(t *testing.T) {
	ctx := t.Context()
	c, anchor := anchoredConfig(t)
	log := createLog(t, c, 1)
	other := storetest.Entries(1, 2)
	other[0].Body = []byte(`{"other":true}`)
	given := must(draft(log, nil, other))
	first := must(draft(log, nil, storetest.Entries(1, 2)))
	second := must(draft(log, first, storetest.Entries(2, 4)))
	for i, d := range []*journal.Draft{first, second} {
		if err := log.Commit(ctx, d); err != nil {
			t.Fatal(err)
		}
		if err := log.Cover(ctx, given); err == nil || log.Head().Size != 1 || !journal.CheckpointSays(anchor.held, log.Head()) {
			t.Errorf("%d groups are written: %v, the anchor holds %q", i+1, err, anchor.held)
		}
	}
	for _, d := range []*journal.Draft{first, second, first} {
		if err := log.Cover(ctx, d); err != nil {
			t.Error(err)
		}
	}
	if err := log.Cover(ctx, given); err == nil || log.Head() != second.Head || !journal.CheckpointSays(anchor.held, second.Head) {
		t.Errorf("behind what is covered: %v, the anchor holds %q", err, anchor.held)
	}
}

// TestOpenShowsWhatIsAnchored: the end of a process between Commit and Cover makes nothing visible.
func TestOpenShowsWhatIsAnchored(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	first, second := &memoryAnchor{}, &memoryAnchor{}
	c.Anchors = []journal.Anchor{first, second}
	log := createLog(t, c, 2)
	before := log.Head()
	second.broken = errors.New("disk full")
	g, err := log.Append(ctx, storetest.Entries(2, 4))
	if !errors.Is(err, journal.ErrAnchorNotMoved) {
		t.Fatal(err)
	}
	shows := func(l *journal.Log, want journal.Head) {
		t.Helper()
		if l.Head() != want || !journal.CheckpointSays(l.Checkpoint(), want) {
			t.Errorf("readers see %v under %q, want %v", l.Head(), l.Checkpoint(), want)
		}
		_, err := l.Receipt(ctx, 2)
		if shown := want.Size > 2; shown != (err == nil) {
			t.Errorf("a receipt at size %d: %v", want.Size, err)
		}
		if written, _ := l.Written(); written != g.Head {
			t.Errorf("the store is taken to be at %v", written)
		}
	}
	again := must(journal.Open(ctx, c))
	shows(again, before)
	if err := again.MoveAnchors(ctx); !errors.Is(err, journal.ErrAnchorNotMoved) {
		t.Errorf("move the anchors: %v", err)
	}
	shows(again, before)
	if err := again.CheckExtends(ctx, "somebody who holds it", g.Checkpoint); err != nil {
		t.Error(err)
	}
	reading := must(journal.Open(ctx, reopened(c))) // without anchors
	shows(reading, g.Head)
	third := c
	third.Anchors, third.Joining = append(third.Anchors[:2:2], &memoryAnchor{}), true
	if joining := must(journal.Open(ctx, third)); joining.Head().Size != 0 {
		t.Errorf("with an anchor that holds nothing readers see %v", joining.Head())
	}
	second.broken = nil
	shows(must(journal.Open(ctx, c)), before)
	if err := again.MoveAnchors(ctx); err != nil {
		t.Error(err)
	}
	shows(again, g.Head)
	shows(must(journal.Open(ctx, c)), g.Head)
}

// TestCoverChecksTheAnchors: an anchor that proves a rollback is found although groups wait to be covered, and it is not
// written over.
func TestCoverChecksTheAnchors(t *testing.T) {
	ctx := t.Context()
	c, anchor := anchoredConfig(t)
	log := createLog(t, c, 1)
	first := must(draft(log, nil, storetest.Entries(1, 3)))
	second := must(draft(log, first, storetest.Entries(3, 4)))
	if err := log.Commit(ctx, first); err != nil {
		t.Fatal(err)
	}
	ahead := storetest.NewWriter()
	ahead.Next(9)
	good := anchor.held
	for _, held := range []journal.Checkpoint{ahead.Checkpoint, nil} {
		anchor.held = held
		if err := log.Commit(ctx, second); err != nil {
			t.Fatal(err)
		}
		err := log.Cover(ctx, second)
		if _, ok := errors.AsType[*journal.RollbackError](err); !ok && !errors.Is(err, journal.ErrAnchorEmpty) {
			t.Errorf("cover: %v", err)
		}
		if string(anchor.held) != string(held) || log.Head().Size != 1 {
			t.Errorf("the anchor holds %q, readers see size %d", anchor.held, log.Head().Size)
		}
	}
	anchor.held = good
	if err := log.Cover(ctx, second); err != nil || log.Head() != second.Head {
		t.Errorf("cover: %v", err)
	}
}

// guardedAnchor is an anchor whose saves fail at random, and that takes no head that is not in the store.
type guardedAnchor struct {
	memoryAnchor
	store  journal.Store
	random *rand.Rand // nil: nothing fails
	t      *testing.T
}

func (a *guardedAnchor) Save(ctx context.Context, c journal.Checkpoint) error {
	head, err := journal.OpenCheckpoint(storetest.Genesis(), c)
	if err != nil {
		a.t.Error(err)
	}
	durable := false
	for stored, err := range a.store.Heads(ctx, head.Size-1) {
		durable = err == nil && journal.CheckpointSays(stored.Checkpoint, head)
		break
	}
	if !durable {
		a.t.Errorf("anchored size %d, which is not in the store", head.Size)
	}
	if a.random != nil && a.random.IntN(4) == 0 {
		return errors.New("disk full")
	}
	return a.memoryAnchor.Save(ctx, c)
}

// TestStepsBesideEachOther takes groups through their steps in three goroutines while appends and saves fail at random
// (run it under the race detector), and crashes in the end: every group that was covered is there.
func TestStepsBesideEachOther(t *testing.T) {
	for seed := range uint64(4) {
		ctx := t.Context()
		c := testConfig(t)
		anchor := &guardedAnchor{store: c.Store, t: t}
		store := &randomStore{Store: c.Store}
		c.Store, c.Anchors = store, []journal.Anchor{anchor}
		log := createLog(t, c, 1)
		store.random, anchor.random = rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
		drafted, written := make(chan *journal.Draft), make(chan *journal.Draft, 4)
		var steps sync.WaitGroup
		steps.Go(func() {
			defer close(drafted)
			var last *journal.Draft
			for size, i := uint64(1), uint64(0); i < 100; i++ {
				next := size + 1 + i%7
				last = must(draft(log, last, storetest.Entries(size, next)))
				drafted <- last
				size = next
			}
		})
		steps.Go(func() {
			defer close(written)
			for d := range drafted {
				for err := log.Commit(ctx, d); err != nil; err = log.Commit(ctx, d) {
					if !errors.Is(err, journal.ErrNotDone) && !errors.Is(err, journal.ErrUnclear) {
						t.Error(err)
						return
					}
				}
				written <- d
			}
		})
		for d := range written {
			for err := log.Cover(ctx, d); err != nil; err = log.Cover(ctx, d) {
				if !errors.Is(err, journal.ErrAnchorNotMoved) {
					t.Fatal(err)
				}
			}
			if size := log.Head().Size; size < d.Head.Size {
				t.Fatalf("size %d is covered, readers see %d", d.Head.Size, size)
			}
			r := must(log.Receipt(ctx, d.Head.Size-1))
			if _, err := r.Verify(c.Genesis); err != nil {
				t.Error(err)
			}
		}
		steps.Wait()
		store.random = nil
		if again := must(journal.Open(ctx, c)); again.Head() != log.Head() {
			t.Errorf("opened again at size %d, it was %d", again.Head().Size, log.Head().Size)
		}
	}
}

// randomStore fails appends both ways at random, and reads of the head.
type randomStore struct {
	journal.Store
	random *rand.Rand // nil: nothing fails
}

func (s *randomStore) Append(ctx context.Context, g journal.Group) error {
	lost := errors.New("connection lost")
	if s.random == nil {
		return s.Store.Append(ctx, g)
	}
	switch s.random.IntN(6) {
	case 0:
		return lost
	case 1:
		return errors.Join(lost, s.Store.Append(ctx, g))
	default:
		return s.Store.Append(ctx, g)
	}
}

func (s *randomStore) Head(ctx context.Context) (journal.Checkpoint, error) {
	if s.random != nil && s.random.IntN(3) == 0 {
		return nil, errors.New("no answer")
	}
	return s.Store.Head(ctx)
}
