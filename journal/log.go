package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Errors of a Log. After ErrUnclear nothing is known until [Log.Commit] has answered otherwise; after
// ErrNotDone nothing was written; ErrForked is for ever: this Log writes nothing more.
var (
	ErrEmpty    = errors.New("the journal is empty")
	ErrReadOnly = errors.New("the journal was opened for reading")
	ErrUnclear  = errors.New("append unclear")
	ErrNotDone  = errors.New("append not done")
	ErrForked   = errors.New("journal forked")
)

// A Config is what a Log is made of.
type Config struct {
	Genesis Genesis
	Store   Store
	Sign    Sign     // the log keys; nil opens the journal for reading
	Anchors []Anchor // all are checked before and moved after every append, in this order
	Trusted Head     // see Verification; the zero value verifies everything
	// Handovers are those of the log key below Trusted.
	Handovers []Handover

	// Joining says that another signer may have led this journal so far: an anchor that holds nothing is passed
	// over until MoveAnchors has filled it. Whoever sets it must have other proof of the newest head before it
	// calls that (the witnesses'), for an anchor that was removed is then no sign of anything.
	Joining bool

	// Lost tells whether the journal's own entries say, by its directors' quorum, that it goes on without a signed head
	// that it does not extend: such a head proves no rollback (package journal/gap). nil: there are none. It is asked
	// when everything up to the newest head was visited.
	Lost func(Head) bool

	// Visit or Ahead gets every entry that is verified at opening; see Verification.
	Visit func(e Entry, leaf []byte) error
	Ahead func(e Entry) (visit func() error)
}

// A Log is an open journal: a store that was verified under the pinned genesis, and the border of its
// tree. A group is gathered in a Draft and comes into the journal in three steps, Sign, Commit and Cover: while one is
// written, the next can be signed and those before it covered. Append takes all at once. All methods may be called
// concurrently; groups come in their order, so one goroutine at a time takes each step.
//
// What a reader sees is the newest head that is both in the store and in every anchor: a head that left
// before it was anchored could be taken back unseen.
type Log struct {
	genesis Genesis
	store   Store
	sign    Sign
	lost    func(Head) bool
	cache   *nodeCache

	writing   sync.Mutex // held by what writes to the store or follows it; guards the next two
	unclear   *Draft     // an append whose outcome is not known
	stopped   error      // why nothing is ever written again
	anchoring sync.Mutex // held by what reads or moves anchors; guards the next two
	anchors   []watched
	joining   bool // empty anchors are passed over; see Config

	mu      sync.RWMutex // guards what follows; held for moments only
	written *Draft       // the newest in the store
	covered *Draft       // the newest in every anchor, too: what readers see

	recent    []*Draft // the newest of this Log's own, for receipts without a read
	remembers int      // bytes of their entries
	chain     Chain    // the proofs of the log key's handovers, as far as somebody asked for them
}

// Create writes the first group of a journal and opens it. The store and the anchors must be empty;
// entry 0 must be the genesis that is pinned. Called again with the same arguments after a crash, it
// finishes what was begun.
func Create(ctx context.Context, c Config, entries []Entry) (*Log, error) {
	if c.Sign == nil {
		return nil, ErrReadOnly
	}
	l := newLog(c)
	d, err := l.draft(entries)
	if err != nil {
		return nil, fmt.Errorf("create the journal: %w", err)
	}
	if leaf := LeafHash(d.Entries[0]); leaf != c.Genesis.Hash {
		return nil, fmt.Errorf("create the journal: entry 0 has hash %x, the pinned genesis %x", leaf, c.Genesis.Hash)
	}
	for _, a := range c.Anchors {
		anchored, err := a.Load(ctx)
		if err != nil {
			return nil, fmt.Errorf("create the journal: read %s: %w", a.Name(), err)
		}
		if anchored == nil {
			continue
		}
		if head, err := c.Genesis.Keys().Open(anchored); err != nil || head != d.Head {
			return nil, fmt.Errorf("create the journal: %s already holds another head", a.Name())
		}
	}
	l.joining = true // the anchors were looked at
	if err := l.write(ctx, d); err != nil {
		return nil, fmt.Errorf("create the journal: %w", err)
	}
	if err := l.Cover(ctx, d); err != nil {
		return nil, fmt.Errorf("create the journal: %w", err)
	}
	return Open(ctx, c)
}

// Open reads the store's newest head, opens it under the pinned genesis, verifies the entries since
// c.Trusted, and checks that the journal extends every anchor. It writes nothing: where an anchor is behind
// (a run before this one may have ended between Commit and Cover), readers see no more than it holds until
// MoveAnchors or the next append has moved it.
func Open(ctx context.Context, c Config) (*Log, error) {
	l := newLog(c)
	// The anchors are read before the store: the signer that leads may move one that is shared (the token's) at any
	// moment, and then it never holds more than what the store has when it is read afterwards.
	held, err := l.loadAnchors(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", c.Genesis.Origin, err)
	}
	if err := l.verify(ctx, Verification{Trusted: c.Trusted, Handovers: c.Handovers, Visit: c.Visit, Ahead: c.Ahead}); err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", c.Genesis.Origin, err)
	}
	if err := l.checkHeld(ctx, held); err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", c.Genesis.Origin, err)
	}
	l.coverHeld()
	if l.newest().Head.Size == 0 {
		return nil, fmt.Errorf("open the journal %s: %w", c.Genesis.Origin, ErrEmpty)
	}
	return l, nil
}

func newLog(c Config) *Log {
	l := &Log{genesis: c.Genesis, store: c.Store, sign: c.Sign, lost: c.Lost, joining: c.Joining, cache: newNodeCache(c.Store)}
	for _, a := range c.Anchors {
		l.anchors = append(l.anchors, watched{Anchor: a})
	}
	l.begin(&Draft{Group: Group{Head: EmptyHead()}, keys: c.Genesis.Keys()})
	return l
}

// verify checks the store from the trusted head on and moves to its newest head.
func (l *Log) verify(ctx context.Context, v Verification) error {
	v.Genesis = l.genesis
	w, err := startWalk(ctx, l.store, v)
	if err != nil || w == nil {
		return err
	}
	if err := w.run(ctx); err != nil {
		return err
	}
	l.begin(&Draft{Group: Group{Head: w.head, Checkpoint: w.checkpoint}, edge: w.edge, keys: w.keys})
	return nil
}

// begin goes on from a head that was found in the store. Where there are anchors, readers see it when they hold it.
func (l *Log) begin(found *Draft) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = found
	if l.covered == nil || len(l.anchors) == 0 {
		l.covered = found
	}
}

// coverHeld has readers see the newest head that all anchors cover, by what was found in them at opening.
func (l *Log) coverHeld() {
	l.mu.Lock()
	defer l.mu.Unlock()
	covered := l.written
	for _, a := range l.anchors {
		switch size := a.covers.Size; {
		case size == 0: // nothing is, as before the first group
			return
		case size < covered.Head.Size:
			covered = &Draft{Group: Group{Head: a.covers, Checkpoint: a.extended}, keys: l.written.keys.Below(size)}
		}
	}
	l.covered = covered
}

// Genesis returns what the journal is pinned to.
func (l *Log) Genesis() Genesis { return l.genesis }

// Keys returns which log key signs the head of which size, as far as the store goes.
func (l *Log) Keys() LogKeys { return l.newest().keys }

// Head returns the newest signed head that is anchored.
func (l *Log) Head() Head { return l.view().Head }

// Checkpoint returns that head as signed.
func (l *Log) Checkpoint() Checkpoint { return l.view().Checkpoint }

// Written returns the newest signed head in the store. Nothing may leave on account of what it has beyond Head:
// it is for whoever must know what the next group follows.
func (l *Log) Written() (Head, Checkpoint) {
	newest := l.newest()
	return newest.Head, newest.Checkpoint
}

// Follow verifies and adopts what another signer has appended since, as a warm standby does. It fails,
// and changes nothing, when the store no longer extends what was verified. Where there are anchors, readers see
// what came when MoveAnchors has moved them.
func (l *Log) Follow(ctx context.Context, visit func(e Entry, leaf []byte) error) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.unclear != nil {
		return ErrUnclear
	}
	newest := l.newest()
	return l.verify(ctx, Verification{Trusted: newest.Head, Handovers: newest.keys.Handovers(), Visit: visit})
}
