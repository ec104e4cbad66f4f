package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// An Anchor keeps a copy of the newest signed head where whoever holds the database cannot reach it: a
// file on the signer's disk (journal/anchorfile), the token, a witness. Used by one Log at a time.
type Anchor interface {
	// Name says in errors which anchor it is.
	Name() string
	// Load returns the checkpoint that was saved last, nil if there never was one.
	Load(ctx context.Context) (Checkpoint, error)
	// Save makes the checkpoint durable before it returns.
	Save(ctx context.Context, c Checkpoint) error
}

// ErrAnchorEmpty says that an anchor holds nothing although the journal has entries: it was lost, or
// never set. Whoever removed an anchor could then roll the journal back, so nothing is signed.
var ErrAnchorEmpty = errors.New("anchor is empty although the journal is not")

// ErrAnchorNotMoved says that a group is in the journal but an anchor does not cover it yet: what
// follows from the group may not leave until [Log.Cover] has succeeded.
var ErrAnchorNotMoved = errors.New("anchor not moved")

// A RollbackError says that the journal does not extend a head that an anchor proves: the store lost its
// end, was put back to an older state, or was replaced.
type RollbackError struct {
	Anchor   string // which anchor proves it
	Anchored Head   // what the anchor holds
	Journal  Head   // the journal's newest head
	At       Hash   // the journal's root at the anchored size; zero when the journal is shorter
}

func (e *RollbackError) Error() string {
	if e.Anchored.Size > e.Journal.Size {
		return fmt.Sprintf("journal rolled back: %s holds size %d root %s, the journal ends at size %d root %s",
			e.Anchor, e.Anchored.Size, e.Anchored.Root, e.Journal.Size, e.Journal.Root)
	}
	return fmt.Sprintf("journal replaced: %s holds size %d root %s, the journal of size %d root %s has root %s at that size",
		e.Anchor, e.Anchored.Size, e.Anchored.Root, e.Journal.Size, e.Journal.Root, e.At)
}

// A watched anchor remembers what was last found in it, or put there: what the journal extended once it
// extends for ever, and need not be compared again.
type watched struct {
	Anchor
	extended Checkpoint
	covers   Head // that of extended; none if the journal says that it goes on without it
}

// MoveAnchors saves the newest head in the store to every anchor, as Cover does for a draft: for a signer
// that takes over what another one wrote.
func (l *Log) MoveAnchors(ctx context.Context) error { return l.Cover(ctx, l.newest()) }

// moveAnchors checks each anchor and saves the draft's head to it. The caller holds anchoring.
func (l *Log) moveAnchors(ctx context.Context, d *Draft) error {
	for i := range l.anchors {
		a := &l.anchors[i]
		c, err := a.load(ctx)
		if err != nil {
			return err
		}
		if err := l.checkAnchor(ctx, a, c); err != nil {
			return err
		}
		if err := a.Save(ctx, d.Checkpoint); err != nil {
			return fmt.Errorf("%w: save size %d to %s: %w", ErrAnchorNotMoved, d.Head.Size, a.Name(), err)
		}
		a.extended, a.covers = d.Checkpoint, d.Head
	}
	l.joining = false
	return nil
}

// CheckAnchors reports whether the journal extends every anchor: nil, a *RollbackError that names both
// heads, or why an anchor could not be read.
func (l *Log) CheckAnchors(ctx context.Context) error {
	l.anchoring.Lock()
	defer l.anchoring.Unlock()
	held, err := l.loadAnchors(ctx)
	if err != nil {
		return err
	}
	return l.checkHeld(ctx, held)
}

// load reads what the anchor holds.
func (a *watched) load(ctx context.Context) (Checkpoint, error) {
	c, err := a.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", a.Name(), err)
	}
	return c, nil
}

// loadAnchors reads what all anchors hold, in their order.
func (l *Log) loadAnchors(ctx context.Context) (held []Checkpoint, err error) {
	for i := range l.anchors {
		c, err := l.anchors[i].load(ctx)
		if err != nil {
			return nil, err
		}
		held = append(held, c)
	}
	return held, nil
}

// checkHeld compares the journal with what loadAnchors found. The caller holds anchoring, or has the log to itself.
func (l *Log) checkHeld(ctx context.Context, held []Checkpoint) error {
	for i, c := range held {
		if err := l.checkAnchor(ctx, &l.anchors[i], c); err != nil {
			return err
		}
	}
	return nil
}

// checkAnchor compares the journal with what one anchor holds. The caller holds anchoring.
func (l *Log) checkAnchor(ctx context.Context, a *watched, c Checkpoint) error {
	newest := l.newest()
	switch {
	case c == nil && newest.Head.Size == 0: // a journal that is about to be created
	case c == nil && l.joining:
	case c == nil:
		return fmt.Errorf("%w: %s, size %d", ErrAnchorEmpty, a.Name(), newest.Head.Size)
	case bytes.Equal(c, a.extended): // the usual case, without arithmetic
	default:
		covers, err := l.checkExtends(ctx, newest, a.Name(), c)
		if err != nil {
			return err
		}
		a.extended, a.covers = c, covers
	}
	return nil
}

// CheckExtends reports whether the journal extends a checkpoint that came from elsewhere (a witness, an
// older reader): nil, a *RollbackError under the given name, or why the checkpoint cannot be opened. The journal is
// what is in the store, anchored or not.
func (l *Log) CheckExtends(ctx context.Context, name string, c Checkpoint) error {
	_, err := l.checkExtends(ctx, l.newest(), name, c)
	return err
}

// checkExtends returns the head of the checkpoint, none if the journal says that it goes on without it.
func (l *Log) checkExtends(ctx context.Context, newest *Draft, name string, c Checkpoint) (Head, error) {
	head := newest.Head
	anchored, err := newest.keys.Open(c)
	if errors.Is(err, ErrOtherKey) {
		said, err := PeekCheckpoint(l.genesis.Origin, c)
		switch {
		case err == nil && l.lost != nil && l.lost(said):
			return Head{}, nil // signed before the gap that names it; the log key may have been handed over since
		case err == nil && said.Size > head.Size:
			// Beyond the journal's end there may be a handover that it does not have any more.
			return Head{}, &RollbackError{Anchor: name, Anchored: said, Journal: head}
		}
	}
	if err != nil {
		return Head{}, fmt.Errorf("%s: %w", name, err)
	}
	if anchored.Size > head.Size {
		return Head{}, l.rolledBack(&RollbackError{Anchor: name, Anchored: anchored, Journal: head})
	}
	root, err := tlog.TreeHash(int64(anchored.Size), l.cache.reader(ctx, head.Size))
	if err != nil {
		return Head{}, fmt.Errorf("%s: root at size %d: %w", name, anchored.Size, err)
	}
	if root != anchored.Root {
		return Head{}, l.rolledBack(&RollbackError{Anchor: name, Anchored: anchored, Journal: head, At: root})
	}
	return anchored, nil
}

// rolledBack is the error, unless the journal itself says that it goes on without the head that proves it.
func (l *Log) rolledBack(e *RollbackError) error {
	if l.lost != nil && l.lost(e.Anchored) {
		return nil
	}
	return e
}
