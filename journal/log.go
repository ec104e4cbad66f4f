package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Errors of a Log. After ErrUnclear nothing is known until [Log.Settle] answers; after ErrNotDone nothing
// was written; ErrForked is for ever: this Log writes nothing more.
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

	// Visit gets every entry that is verified at opening; see Verification.
	Visit func(e Entry, leaf []byte) error
}

// A Log is an open journal: a store that was verified under the pinned genesis, and the border of its
// tree. Append, Settle, MoveAnchors, CheckAnchors and Follow exclude each other; all other methods may be
// called at any time, also while an append is under way.
type Log struct {
	genesis Genesis
	store   Store
	sign    Sign
	anchors []Anchor
	cache   *nodeCache

	writing    sync.Mutex // held by what changes the journal; guards the next three
	pending    *draft     // an append whose outcome is unclear
	unanchored bool       // the newest head is not in every anchor yet
	joining    bool       // empty anchors are passed over; see Config
	stopped    error      // why nothing is ever written again

	mu         sync.RWMutex // guards what readers see: one head with what belongs to it
	edge       edge
	keys       LogKeys // as the entries up to head hand them over
	head       Head
	checkpoint Checkpoint
	last       Group // the group appended last, for receipts without a read
	chain      Chain // the proofs of keys' handovers, as far as somebody asked for them
}

// A draft is a group that is not known to be in the store, with the border of the tree it leads to and the
// log keys that hold behind it.
type draft struct {
	Group
	edge edge
	keys LogKeys
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
		if head, err := l.keys.Open(anchored); err != nil || head != d.Head {
			return nil, fmt.Errorf("create the journal: %s already holds another head", a.Name())
		}
	}
	if err := l.write(ctx, d); err != nil {
		return nil, fmt.Errorf("create the journal: %w", err)
	}
	return Open(ctx, c)
}

// Open reads the store's newest head, opens it under the pinned genesis, verifies the entries since
// c.Trusted, and checks that the journal extends every anchor. It writes nothing.
func Open(ctx context.Context, c Config) (*Log, error) {
	l := newLog(c)
	if err := l.verify(ctx, Verification{Trusted: c.Trusted, Handovers: c.Handovers, Visit: c.Visit}); err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", c.Genesis.Origin, err)
	}
	if err := l.checkAnchors(ctx); err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", c.Genesis.Origin, err)
	}
	if l.head.Size == 0 {
		return nil, fmt.Errorf("open the journal %s: %w", c.Genesis.Origin, ErrEmpty)
	}
	return l, nil
}

func newLog(c Config) *Log {
	return &Log{
		genesis: c.Genesis, store: c.Store, sign: c.Sign, anchors: c.Anchors, joining: c.Joining,
		cache: newNodeCache(c.Store), head: EmptyHead(), keys: c.Genesis.Keys(),
	}
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
	l.mu.Lock()
	defer l.mu.Unlock()
	l.edge, l.keys, l.head, l.checkpoint = w.edge, w.keys, w.head, w.checkpoint
	return nil
}

// Genesis returns what the journal is pinned to.
func (l *Log) Genesis() Genesis { return l.genesis }

// Keys returns which log key signs the head of which size, as far as the journal goes.
func (l *Log) Keys() LogKeys {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.keys
}

// Head returns the newest signed head.
func (l *Log) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.head
}

// Checkpoint returns the newest signed head as signed.
func (l *Log) Checkpoint() Checkpoint {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.checkpoint
}

// Append writes entries, whose seq must go on from the head, as one group under one signed head, and
// moves the anchors. When it returns without an error the group is durable, signed and anchored; the
// returned group holds its exact bytes. Otherwise:
//
//   - ErrNotDone: nothing was written; the same entries may be appended again.
//   - ErrUnclear: nobody knows; call Settle until it answers.
//   - ErrAnchorNotMoved: the group is in the journal (and returned), but nothing may leave on account
//     of it until MoveAnchors has succeeded.
//   - ErrForked: the store's head is neither the old one nor ours. This Log never writes again.
//   - *RollbackError, ErrAnchorEmpty and others: refused beforehand, nothing was written.
func (l *Log) Append(ctx context.Context, entries []Entry) (Group, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	switch {
	case l.sign == nil:
		return Group{}, ErrReadOnly
	case l.stopped != nil:
		return Group{}, l.stopped
	case l.pending != nil:
		return Group{}, fmt.Errorf("%w: the append before it is not settled", ErrUnclear)
	}
	if l.unanchored {
		if err := l.moveAnchors(ctx); err != nil {
			return Group{}, err
		}
	}
	if err := l.checkAnchors(ctx); err != nil {
		return Group{}, err
	}
	d, err := l.draft(entries)
	if err != nil {
		return Group{}, err
	}
	if err := l.write(ctx, d); err != nil {
		if errors.Is(err, ErrAnchorNotMoved) {
			return d.Group, err
		}
		return Group{}, err
	}
	return d.Group, nil
}

// draft encodes and hashes the entries on a copy of the border and signs the head they lead to.
func (l *Log) draft(entries []Entry) (*draft, error) {
	if len(entries) == 0 {
		return nil, errors.New("append: a group has at least one entry")
	}
	d := &draft{edge: l.edge.clone(), keys: l.keys}
	d.Prev = l.head
	d.Entries = make([][]byte, len(entries))
	for i, e := range entries {
		if e.Seq != d.edge.size {
			return nil, fmt.Errorf("append: entry with seq %d where %d comes next", e.Seq, d.edge.size)
		}
		b, err := e.Encode()
		if err != nil {
			return nil, fmt.Errorf("append entry %d: %w", e.Seq, err)
		}
		d.Entries[i] = b
		d.Nodes = d.edge.append(LeafHash(b), d.Nodes)
		if e.Kind == KindHandover && i != len(entries)-1 {
			return nil, fmt.Errorf("append entry %d: %w: it must be the last of its group", e.Seq, ErrHandover)
		}
	}
	d.Head = d.edge.head()
	var err error
	if d.Checkpoint, err = SignCheckpoint(l.genesis.Origin, d.Head, l.sign, d.keys.At(d.Head.Size)); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	if d.keys, err = d.keys.After(entries[len(entries)-1]); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return d, nil
}

// write appends the group to the store, settles what is unclear, and moves the anchors.
func (l *Log) write(ctx context.Context, d *draft) error {
	if err := l.store.Append(ctx, d.Group); err != nil {
		l.pending = d
		done, settleErr := l.settle(ctx)
		switch {
		case settleErr != nil:
			return fmt.Errorf("%w (the store said: %w)", settleErr, err)
		case !done:
			return fmt.Errorf("%w: the head is still of size %d (the store said: %w)", ErrNotDone, l.head.Size, err)
		}
	} else {
		l.advance(d)
	}
	return l.moveAnchors(ctx)
}

// advance moves to the draft that the store has made durable.
func (l *Log) advance(d *draft) {
	l.cache.grow(d.Prev.Size, len(d.Entries), d.Nodes)
	l.pending = nil
	l.unanchored = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.edge, l.keys, l.head, l.checkpoint, l.last = d.edge, d.keys, d.Head, d.Checkpoint, d.Group
}

// Settle reads the store's head back after an unclear append. done says that the group is in the journal
// and anchored; otherwise, without an error, it is not, and may be appended again with the same entries.
// ErrUnclear: the store could not be read, ask again. ErrForked and ErrAnchorNotMoved as in Append.
// Without an unclear append it reports false.
func (l *Log) Settle(ctx context.Context) (done bool, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.stopped != nil {
		return false, l.stopped
	}
	if l.pending == nil {
		return false, nil
	}
	if done, err = l.settle(ctx); err != nil || !done {
		return false, err
	}
	return true, l.moveAnchors(ctx)
}

// settle compares the store's head with the old one and with the pending one.
func (l *Log) settle(ctx context.Context) (done bool, err error) {
	checkpoint, err := l.store.Head(ctx)
	if err != nil {
		return false, fmt.Errorf("%w: read the head back: %w", ErrUnclear, err)
	}
	found := EmptyHead()
	if checkpoint != nil {
		if found, err = l.keys.Open(checkpoint); err != nil {
			l.stopped = fmt.Errorf("%w: the store's head is not one of this journal: %w", ErrForked, err)
			return false, l.stopped
		}
	}
	switch found {
	case l.pending.Head:
		l.advance(l.pending)
		return true, nil
	case l.head:
		l.pending = nil
		return false, nil
	default:
		l.stopped = fmt.Errorf("%w: the store's head has size %d root %s, ours were size %d root %s and size %d root %s",
			ErrForked, found.Size, found.Root, l.head.Size, l.head.Root, l.pending.Head.Size, l.pending.Head.Root)
		return false, l.stopped
	}
}

// MoveAnchors saves the newest signed head to every anchor, after an ErrAnchorNotMoved.
func (l *Log) MoveAnchors(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.moveAnchors(ctx)
}

func (l *Log) moveAnchors(ctx context.Context) error {
	for _, a := range l.anchors {
		if err := a.Save(ctx, l.checkpoint); err != nil {
			return fmt.Errorf("%w: save size %d to %s: %w", ErrAnchorNotMoved, l.head.Size, a.Name(), err)
		}
	}
	l.unanchored, l.joining = false, false
	return nil
}

// CheckAnchors reports whether the journal extends every anchor: nil, a *RollbackError that names both
// heads, or why an anchor could not be read.
func (l *Log) CheckAnchors(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.checkAnchors(ctx)
}

func (l *Log) checkAnchors(ctx context.Context) error {
	for _, a := range l.anchors {
		c, err := a.Load(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", a.Name(), err)
		}
		switch {
		case c == nil && l.head.Size == 0: // a journal that is about to be created
		case c == nil && l.joining:
		case c == nil:
			return fmt.Errorf("%w: %s, size %d", ErrAnchorEmpty, a.Name(), l.head.Size)
		case bytes.Equal(c, l.checkpoint): // the usual case, without arithmetic
		default:
			if err := l.checkExtends(ctx, a.Name(), c); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckExtends reports whether the journal extends a checkpoint that came from elsewhere (a witness, an
// older reader): nil, a *RollbackError under the given name, or why the checkpoint cannot be opened.
func (l *Log) CheckExtends(ctx context.Context, name string, c Checkpoint) error {
	return l.checkExtends(ctx, name, c)
}

func (l *Log) checkExtends(ctx context.Context, name string, c Checkpoint) error {
	l.mu.RLock()
	keys, head := l.keys, l.head
	l.mu.RUnlock()
	anchored, err := keys.Open(c)
	if errors.Is(err, ErrOtherKey) {
		// Beyond the journal's end there may be a handover that it does not have any more.
		if said, err := peekHead(l.genesis.Origin, c); err == nil && said.Size > head.Size {
			return &RollbackError{Anchor: name, Anchored: said, Journal: head}
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if anchored.Size > head.Size {
		return &RollbackError{Anchor: name, Anchored: anchored, Journal: head}
	}
	root, err := tlog.TreeHash(int64(anchored.Size), l.cache.reader(ctx, head.Size))
	if err != nil {
		return fmt.Errorf("%s: root at size %d: %w", name, anchored.Size, err)
	}
	if root != anchored.Root {
		return &RollbackError{Anchor: name, Anchored: anchored, Journal: head, At: root}
	}
	return nil
}

// Follow verifies and adopts what another signer has appended since, as a warm standby does. It fails,
// and changes nothing, when the store no longer extends what was verified.
func (l *Log) Follow(ctx context.Context, visit func(e Entry, leaf []byte) error) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.pending != nil {
		return ErrUnclear
	}
	return l.verify(ctx, Verification{Trusted: l.head, Handovers: l.keys.Handovers(), Visit: visit})
}
