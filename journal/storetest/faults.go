package storetest

import (
	"context"
	"errors"
	"testing"

	"kura/journal"
)

// errFault is what every injected fault reports.
var errFault = errors.New("injected fault")

// A fault is what happens to one write.
type fault int

const (
	works  fault = iota
	lost         // nothing is written, and an error comes back
	hidden       // it is written, and an error comes back all the same
	faults
)

// faultyStore fails writes both ways, and reads of the head.
type faultyStore struct {
	journal.Store
	onAppend fault
	onHead   bool // the next read of the head fails
}

func (s *faultyStore) Append(ctx context.Context, g journal.Group) error {
	switch s.onAppend {
	case lost:
		return errFault
	case hidden:
		return errors.Join(errFault, s.Store.Append(ctx, g))
	default:
		return s.Store.Append(ctx, g)
	}
}

func (s *faultyStore) Head(ctx context.Context) (journal.Checkpoint, error) {
	if s.onHead {
		s.onHead = false
		return nil, errFault
	}
	return s.Store.Head(ctx)
}

// faultyAnchor is an anchor in memory whose writes fail both ways. What it holds survives a crash.
type faultyAnchor struct {
	held   journal.Checkpoint
	onSave fault
}

func (a *faultyAnchor) Name() string { return "test anchor" }

func (a *faultyAnchor) Load(context.Context) (journal.Checkpoint, error) { return a.held, nil }

func (a *faultyAnchor) Save(_ context.Context, c journal.Checkpoint) error {
	if a.onSave != lost {
		a.held = c
	}
	if a.onSave != works {
		return errFault
	}
	return nil
}

// testFaults lets every write of an append fail both ways, in every combination and then at random, with
// crashes in between. After recovery the journal has every group that was acknowledged, whole, and none
// that was given up; and an anchor never ran ahead of what is durable.
func testFaults(t *testing.T, p Place) {
	r := newFaultRun(t, p)
	for onAppend := range faults {
		for onSave := range faults {
			for _, onHead := range []bool{false, true} {
				for _, crash := range []bool{false, true} {
					r.append(3, works, works, false)
					r.append(2, onAppend, onSave, onHead)
					if crash {
						r.crash()
					}
					r.append(4, works, works, false)
					r.check()
				}
			}
		}
	}
	random := Random(t, 1)
	for range Rounds(p.Rounds) {
		if random.IntN(8) == 0 {
			r.crash()
			continue
		}
		r.append(1+random.IntN(5), fault(random.IntN(int(faults))), fault(random.IntN(int(faults))), random.IntN(3) == 0)
	}
	r.check()
	closeStore(t, r.store.Store)
}

// A faultRun is a journal under faults, and what its caller may rely on.
type faultRun struct {
	t      *testing.T
	place  Place
	store  *faultyStore
	anchor *faultyAnchor
	log    *journal.Log
	model  *Writer // what the journal must hold up to its size

	acknowledged uint64 // size up to which appends were acknowledged
	unclear      bool
}

func newFaultRun(t *testing.T, p Place) *faultRun {
	r := &faultRun{t: t, place: p, anchor: &faultyAnchor{}, model: NewWriter()}
	r.store = &faultyStore{Store: p.Open(t)}
	var err error
	if r.log, err = journal.Create(t.Context(), r.config(), Entries(0, 1)); err != nil {
		t.Fatal(err)
	}
	r.acknowledged = 1
	return r
}

func (r *faultRun) config() journal.Config {
	return journal.Config{Genesis: Genesis(), Store: r.store, Sign: Sign, Anchors: []journal.Anchor{r.anchor}}
}

// append appends n entries while writes fail as told, and then does what a caller is told to do.
func (r *faultRun) append(n int, onAppend, onSave fault, onHead bool) {
	r.t.Helper()
	r.store.onAppend, r.anchor.onSave, r.store.onHead = onAppend, onSave, onHead
	defer func() { r.store.onAppend, r.anchor.onSave, r.store.onHead = works, works, false }()
	if r.unclear {
		r.settle()
	}
	before := r.log.Head().Size
	_, err := r.log.Append(r.t.Context(), Entries(before, before+uint64(n)))
	switch {
	case err == nil:
		r.acknowledge(before + uint64(n))
	case errors.Is(err, journal.ErrNotDone):
		if r.log.Head().Size != before {
			r.t.Fatalf("not done, but the head moved from %d to %d", before, r.log.Head().Size)
		}
	case errors.Is(err, journal.ErrUnclear):
		r.unclear = true
	case errors.Is(err, journal.ErrAnchorNotMoved):
	default:
		r.t.Fatalf("append: %v", err)
	}
}

// settle asks until the unclear append is settled.
func (r *faultRun) settle() {
	r.t.Helper()
	before := r.log.Head().Size
	for r.unclear {
		done, err := r.log.Settle(r.t.Context())
		switch {
		case errors.Is(err, journal.ErrUnclear):
			continue
		case err != nil && !errors.Is(err, journal.ErrAnchorNotMoved):
			r.t.Fatalf("settle: %v", err)
		}
		r.unclear = false
		if moved := r.log.Head().Size != before; moved != done {
			r.t.Fatalf("settled as %v, the head went from %d to %d", done, before, r.log.Head().Size)
		}
		if done && err == nil {
			r.acknowledge(r.log.Head().Size)
		}
	}
}

// acknowledge notes what the log promised, and that the anchor covers it.
func (r *faultRun) acknowledge(size uint64) {
	r.t.Helper()
	r.acknowledged = size
	if !journal.CheckpointSays(r.anchor.held, r.log.Head()) {
		r.t.Fatalf("size %d was acknowledged before the anchor covered it", size)
	}
}

// crash forgets everything but store and anchor, and opens the journal again.
func (r *faultRun) crash() {
	r.t.Helper()
	closeStore(r.t, r.store.Store)
	r.store = &faultyStore{Store: r.place.Open(r.t)}
	before := r.log
	log, err := journal.Open(r.t.Context(), r.config())
	if err != nil {
		r.t.Fatalf("open after a crash: %v", err)
	}
	r.log, r.unclear = log, false
	if size := log.Head().Size; size < r.acknowledged || size < before.Head().Size {
		r.t.Fatalf("after a crash the journal has size %d; %d were acknowledged, %d durable", size, r.acknowledged, before.Head().Size)
	}
}

// check compares the whole journal with what all appends together must have written: each group that was
// acknowledged, none twice, none in part.
func (r *faultRun) check() {
	r.t.Helper()
	if r.unclear {
		r.settle()
	}
	size := r.log.Head().Size
	for r.model.Head.Size < size {
		r.model.Next(1)
	}
	head, _, err := journal.Verify(r.t.Context(), r.store, journal.Verification{Genesis: Genesis(), EverySignature: true})
	if err != nil || head != r.log.Head() || head != r.model.Head {
		r.t.Fatalf("the store is at %v (%v), the log at %v, a fold from scratch at %v", head, err, r.log.Head(), r.model.Head)
	}
}
