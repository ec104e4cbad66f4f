package journal

import (
	"context"
	"errors"
	"fmt"
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
// follows from the group may not leave until [Log.MoveAnchors] has succeeded.
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
