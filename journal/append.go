package journal

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A Draft is a group on its way into the journal, with the border of the tree that it leads to and the log keys that
// hold behind it. It takes entries until Sign, and never changes after that. It is bytes in memory until Commit has
// written it: to give it up is to forget it. One goroutine at a time adds to it.
type Draft struct {
	Group
	edge   edge
	keys   LogKeys
	bytes  int  // of its entries
	closed bool // by a handover, which is the last of its group
}

// Draft begins a group that follows the draft after, to which nothing more may be added, or, if that is nil, what is in
// the store. So a group can be gathered and signed while those before it are written.
func (l *Log) Draft(after *Draft) *Draft {
	if after == nil {
		after = l.newest()
	}
	d := &Draft{edge: after.edge.clone(), keys: after.keys}
	d.Prev = d.edge.head()
	return d
}

// Add encodes and hashes an entry, the next of the journal. After an error the draft is as it was.
func (d *Draft) Add(e Entry) error {
	switch {
	case e.Seq != d.edge.size:
		return fmt.Errorf("append: entry with seq %d where %d comes next", e.Seq, d.edge.size)
	case d.closed:
		return fmt.Errorf("append entry %d: %w: it must be the last of its group", e.Seq-1, ErrHandover)
	}
	b, err := e.Encode()
	if err != nil {
		return fmt.Errorf("append entry %d: %w", e.Seq, err)
	}
	keys, err := d.keys.After(e)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	d.keys, d.closed = keys, e.Kind == KindHandover
	d.Entries = append(d.Entries, b)
	d.bytes += len(b)
	d.Nodes = d.edge.append(LeafHash(b), d.Nodes)
	return nil
}

// Bytes returns how many bytes the draft's entries have.
func (d *Draft) Bytes() int { return d.bytes }

// Closed reports whether a handover of the log key ends the draft: what comes then goes under the next key's head.
func (d *Draft) Closed() bool { return d.closed }

// Sign has the head signed that the draft's entries lead to. It may be tried again.
func (l *Log) Sign(d *Draft) error {
	switch {
	case l.sign == nil:
		return ErrReadOnly
	case len(d.Entries) == 0:
		return errors.New("append: a group has at least one entry")
	}
	head := d.edge.head()
	c, err := SignCheckpoint(l.genesis.Origin, head, l.sign, d.keys.At(head.Size))
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	d.Head, d.Checkpoint = head, c
	return nil
}

// draft gathers and signs a group that follows what is in the store.
func (l *Log) draft(entries []Entry) (*Draft, error) {
	if l.sign == nil {
		return nil, ErrReadOnly
	}
	d := l.Draft(nil)
	for _, e := range entries {
		if err := d.Add(e); err != nil {
			return nil, err
		}
	}
	return d, l.Sign(d)
}

// Commit makes a draft durable in the store: drafts are committed in their order. When it returns without
// an error the group is in the journal, but nothing may leave on account of it before Cover. Otherwise:
//
//   - ErrNotDone: nothing was written; the draft may be committed again.
//   - ErrUnclear: nobody knows. The same draft is to be committed again: what became of it is found out
//     first, and what is in the journal is not written twice. Until then nothing else is.
//   - ErrForked: the store's head is neither the old one nor ours, and where it is an older one a *RollbackError,
//     too. This Log never writes again.
//   - *RollbackError, ErrAnchorEmpty and others: refused beforehand, nothing was written.
//
// The anchors are checked before the store is written to, unless a group waits to be covered: then Cover
// checks them before it moves them.
func (l *Log) Commit(ctx context.Context, d *Draft) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.stopped != nil {
		return l.stopped
	}
	if l.unclear != nil {
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	switch newest := l.newest(); {
	case d.Head == newest.Head:
		return nil
	case d.Prev != newest.Head:
		return fmt.Errorf("append: a group that follows size %d, the journal has size %d", d.Prev.Size, newest.Head.Size)
	case !l.waits():
		if err := l.CheckAnchors(ctx); err != nil {
			return err
		}
	}
	return l.write(ctx, d)
}

// write appends the group to the store and settles what is unclear. The caller holds writing.
func (l *Log) write(ctx context.Context, d *Draft) error {
	err := l.store.Append(ctx, d.Group)
	if err == nil {
		l.advance(d)
		return nil
	}
	l.unclear = d
	settleErr := l.settle(ctx)
	switch newest := l.newest(); {
	case settleErr != nil:
		return fmt.Errorf("%w (the store said: %w)", settleErr, err)
	case newest != d:
		return fmt.Errorf("%w: the head is still of size %d (the store said: %w)", ErrNotDone, newest.Head.Size, err)
	}
	return nil
}

// settle reads the store's head back after an append that was unclear, and compares it with the head before
// that append and after it. The caller holds writing.
func (l *Log) settle(ctx context.Context) error {
	checkpoint, err := l.store.Head(ctx)
	if err != nil {
		return fmt.Errorf("%w: read the head back: %w", ErrUnclear, err)
	}
	found := EmptyHead()
	if checkpoint != nil {
		if found, err = l.newest().keys.Open(checkpoint); err != nil {
			l.stopped = fmt.Errorf("%w: the store's head is not one of this journal: %w", ErrForked, err)
			return l.stopped
		}
	}
	switch before, after := l.newest().Head, l.unclear.Head; found {
	case after:
		l.advance(l.unclear)
	case before:
		l.unclear = nil
	default:
		l.stopped = fmt.Errorf("%w: the store's head has size %d root %s, ours were size %d root %s and size %d root %s",
			ErrForked, found.Size, found.Root, before.Size, before.Root, after.Size, after.Root)
		if found.Size < before.Size { // a replica that missed the last groups was promoted, say
			l.stopped = fmt.Errorf("%w: %w", ErrForked, &RollbackError{Anchor: "this log", Anchored: before, Journal: found})
		}
		return l.stopped
	}
	return nil
}

// advance moves to the draft that the store has made durable. The caller holds writing.
func (l *Log) advance(d *Draft) {
	l.cache.grow(d.Prev.Size, len(d.Entries), d.Nodes)
	l.unclear = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = d
	l.recent = append(l.recent, d)
	l.remembers += d.bytes
	for l.remembers > recentBytes && len(l.recent) > 1 {
		l.remembers -= l.recent[0].bytes
		l.recent[0] = nil
		l.recent = l.recent[1:]
	}
}

// newest returns the newest draft that is known to be in the store.
func (l *Log) newest() *Draft {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.written
}

// waits reports whether a group that this Log wrote waits to be covered.
func (l *Log) waits() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.written.Head != l.covered.Head && len(l.written.Entries) > 0
}

// Cover saves the head of a committed draft to every anchor, after it has checked that the journal extends
// what each of them holds. It covers all drafts before that one, too. When it returns without an error the
// group is durable, signed and anchored. Otherwise nothing may leave on account of it: ErrAnchorNotMoved, to
// be tried again, or the errors of CheckAnchors.
func (l *Log) Cover(ctx context.Context, d *Draft) error {
	l.anchoring.Lock()
	defer l.anchoring.Unlock()
	if err := l.checkCommitted(ctx, d.Head); err != nil {
		return err
	}
	if d.Head.Size < l.Head().Size {
		return nil
	}
	if err := l.moveAnchors(ctx, d); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.covered = d
	return nil
}

// checkCommitted reports whether a draft's head is one of the journal: a draft that was given up has no place in an anchor.
func (l *Log) checkCommitted(ctx context.Context, h Head) error {
	newest := l.newest().Head
	switch {
	case h == newest: // the usual case, without arithmetic
		return nil
	case h.Size > newest.Size:
		return fmt.Errorf("anchor size %d: the journal has size %d", h.Size, newest.Size)
	}
	root, err := tlog.TreeHash(int64(h.Size), l.cache.reader(ctx, newest.Size))
	if err != nil {
		return fmt.Errorf("%w: root at size %d: %w", ErrAnchorNotMoved, h.Size, err)
	}
	if root != h.Root {
		return fmt.Errorf("anchor size %d root %s: the journal has root %s at that size: the draft was not committed", h.Size, h.Root, root)
	}
	return nil
}

// Append gathers a group and takes it through all three steps, from what is in the store on: when it returns without an
// error the group is durable, signed and anchored; the returned group holds its exact bytes. Errors are those
// of Add, Sign, Commit and Cover; after ErrUnclear the same entries are to be appended again. With
// ErrAnchorNotMoved the group is in the journal, and returned; the next Append covers it first.
func (l *Log) Append(ctx context.Context, entries []Entry) (Group, error) {
	if l.waits() {
		if err := l.Cover(ctx, l.newest()); err != nil {
			return Group{}, err
		}
	}
	d, err := l.draft(entries)
	if err != nil {
		return Group{}, err
	}
	if err := l.Commit(ctx, d); err != nil {
		return Group{}, err
	}
	return d.Group, l.Cover(ctx, d)
}
