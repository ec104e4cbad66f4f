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

	size         uint64 // up to which the journal is known to go
	acknowledged uint64 // size up to which appends were acknowledged
	unclear      []journal.Entry
}

func newFaultRun(t *testing.T, p Place) *faultRun {
	r := &faultRun{t: t, place: p, anchor: &faultyAnchor{}, model: NewWriter()}
	r.store = &faultyStore{Store: p.Open(t)}
	var err error
	if r.log, err = journal.Create(t.Context(), r.config(), Entries(0, 1)); err != nil {
		t.Fatal(err)
	}
	r.size, r.acknowledged = 1, 1
	return r
}

func (r *faultRun) config() journal.Config {
	return journal.Config{Genesis: Genesis(), Store: r.store, Sign: Sign, Anchors: []journal.Anchor{r.anchor}}
}

// failing has the next writes and the next read of the head fail as told.
func (r *faultRun) failing(onAppend, onSave fault, onHead bool) {
	r.store.onAppend, r.anchor.onSave, r.store.onHead = onAppend, onSave, onHead
}

// append appends n entries while writes fail as told, and then does what a caller is told to do.
func (r *faultRun) append(n int, onAppend, onSave fault, onHead bool) {
	r.t.Helper()
	r.failing(onAppend, onSave, onHead)
	defer r.failing(works, works, false)
	for r.unclear != nil {
		r.try(r.unclear)
	}
	r.try(Entries(r.size, r.size+uint64(n)))
}

// try appends entries once.
func (r *faultRun) try(entries []journal.Entry) {
	r.t.Helper()
	r.unclear = nil
	before := r.log.Head()
	g, err := r.log.Append(r.t.Context(), entries)
	switch {
	case err == nil:
		r.size = g.Head.Size
		r.acknowledge(r.size)
	case errors.Is(err, journal.ErrUnclear):
		r.unclear = entries
	case errors.Is(err, journal.ErrAnchorNotMoved):
		if r.size = max(r.size, g.Head.Size); r.log.Head() != before {
			r.t.Fatalf("the anchor did not move, but readers see size %d", r.log.Head().Size)
		}
	case errors.Is(err, journal.ErrNotDone):
	default:
		r.t.Fatalf("append: %v", err)
	}
}

// acknowledge notes what the log promised, and that the anchor covers it.
func (r *faultRun) acknowledge(size uint64) {
	r.t.Helper()
	r.acknowledged = size
	if r.log.Head().Size < size || !journal.CheckpointSays(r.anchor.held, r.log.Head()) {
		r.t.Fatalf("size %d was acknowledged before the anchor covered it", size)
	}
}

// crash forgets everything but store and anchor, and opens the journal again.
func (r *faultRun) crash() {
	r.t.Helper()
	closeStore(r.t, r.store.Store)
	r.store = &faultyStore{Store: r.place.Open(r.t)}
	before := r.size
	log, err := journal.Open(r.t.Context(), r.config())
	if err != nil {
		r.t.Fatalf("open after a crash: %v", err)
	}
	written, _ := log.Written()
	if !journal.CheckpointSays(r.anchor.held, log.Head()) {
		r.t.Fatalf("after a crash readers see size %d, which is not what the anchor holds", log.Head().Size)
	}
	r.log, r.unclear, r.size = log, nil, written.Size
	if r.size < r.acknowledged || r.size < before {
		r.t.Fatalf("after a crash the journal has size %d; %d were acknowledged, %d durable", r.size, r.acknowledged, before)
	}
}

// check compares the whole journal with what all appends together must have written: each group that was
// acknowledged, none twice, none in part.
func (r *faultRun) check() {
	r.t.Helper()
	for r.unclear != nil {
		r.try(r.unclear)
	}
	if err := r.log.MoveAnchors(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for r.model.Head.Size < r.size {
		r.model.Next(1)
	}
	head, _, err := journal.Verify(r.t.Context(), r.store, journal.Verification{Genesis: Genesis(), EverySignature: true})
	if err != nil || head != r.log.Head() || head != r.model.Head {
		r.t.Fatalf("the store is at %v (%v), the log at %v, a fold from scratch at %v", head, err, r.log.Head(), r.model.Head)
	}
}
