package storetest

import (
	"errors"
	"testing"

	"kura/journal"
)

// A moment is when a crash comes in the life of two groups of which the second is drafted, and then written, before the
// first is anchored.
type moment int

const (
	never     moment = iota
	drafted          // neither is written
	attempted        // the first one's append was tried, and may have failed
	written          // both are in the store, neither is in the anchor
	covered          // the anchor covers the first alone
	moments
)

// testPipeline takes two groups at a time through their steps, the second ahead of what the first has come to, while
// the first one's writes fail both ways and the process crashes in between. What was acknowledged stays, nothing is
// seen or acknowledged before it is anchored, and nothing is written behind a group that is not.
func testPipeline(t *testing.T, p Place) {
	r := newFaultRun(t, p)
	for onAppend := range faults {
		for onSave := range faults {
			for _, onHead := range []bool{false, true} {
				for crash := range moments {
					r.pair(onAppend, onSave, onHead, crash)
					r.check()
				}
			}
		}
	}
	closeStore(t, r.store.Store)
}

func (r *faultRun) pair(onAppend, onSave fault, onHead bool, crash moment) {
	r.t.Helper()
	ctx := r.t.Context()
	base := r.log.Head()
	first := r.draft(nil, 3)
	second := r.draft(first, 2)
	if crash == drafted {
		r.crash()
		return
	}

	r.failing(onAppend, works, onHead)
	err := r.log.Commit(ctx, first)
	if err != nil && !errors.Is(err, journal.ErrNotDone) && !errors.Is(err, journal.ErrUnclear) {
		r.t.Fatalf("commit: %v", err)
	}
	r.failing(works, works, false)
	if errors.Is(err, journal.ErrNotDone) {
		if err := r.log.Commit(ctx, second); err == nil {
			r.t.Fatal("a group was written although the one before it is not there")
		}
	}
	if crash == attempted {
		r.crash()
		return
	}
	for range 2 { // what is in the journal is not written twice
		if err := r.log.Commit(ctx, first); err != nil {
			r.t.Fatalf("commit again: %v", err)
		}
	}
	if err := r.log.Commit(ctx, second); err != nil {
		r.t.Fatalf("commit the second: %v", err)
	}
	r.size = second.Head.Size
	if r.log.Head() != base || !journal.CheckpointSays(r.anchor.held, base) {
		r.t.Fatalf("nothing is anchored above size %d, but readers see %d and the anchor holds %q", base.Size, r.log.Head().Size, r.anchor.held)
	}
	if crash == written {
		r.crash()
		return
	}

	r.failing(works, onSave, false)
	if err := r.log.Cover(ctx, first); (err == nil) != (onSave == works) || err != nil && !errors.Is(err, journal.ErrAnchorNotMoved) {
		r.t.Fatalf("cover: %v", err)
	} else if err != nil && r.log.Head() != base {
		r.t.Fatalf("the anchor did not move, but readers see size %d", r.log.Head().Size)
	}
	r.failing(works, works, false)
	if err := r.log.Cover(ctx, first); err != nil {
		r.t.Fatalf("cover again: %v", err)
	}
	r.acknowledge(first.Head.Size)
	if crash == covered {
		r.crash()
		return
	}
	for _, d := range []*journal.Draft{second, first} { // an anchor never goes back
		if err := r.log.Cover(ctx, d); err != nil {
			r.t.Fatalf("cover the second: %v", err)
		}
		r.acknowledge(second.Head.Size)
	}
}

func (r *faultRun) draft(after *journal.Draft, n uint64) *journal.Draft {
	r.t.Helper()
	from := r.log.Head().Size
	if after != nil {
		from = after.Head.Size
	}
	d := r.log.Draft(after)
	for _, e := range Entries(from, from+n) {
		if err := d.Add(e); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.log.Sign(d); err != nil {
		r.t.Fatal(err)
	}
	return d
}
