package signer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"kura/journal"
	"kura/ledger"
	"kura/statement"
)

// Snapshots says where a signer writes its state down, so that its next start need not fold the whole journal.
type Snapshots struct {
	// Dir is a directory of the signer's own; "" keeps none. What lies in it is believed until the fold from zero has
	// caught up, so nobody else may write there. It is not worth a backup.
	Dir string
	// Every is after how many entries the next one is written; 0 means 25,000.
	Every uint64
	// Worth is how many entries a snapshot must save a start. Below that the start folds the whole journal, and finds
	// an old entry that was altered before it signs anything, not some moments later.
	Worth uint64
}

const (
	defaultEvery = 25_000
	// keptSnapshots is how many files stay: when the newest is damaged, the one before it still saves most of a fold.
	keptSnapshots  = 2
	snapshotPrefix = "snapshot-"
	snapshotDraft  = "snapshot.new"
)

func (c Snapshots) every() uint64 {
	if c.Every == 0 {
		return defaultEvery
	}
	return c.Every
}

// list returns the paths of the snapshots, the newest first.
func (c Snapshots) list() ([]string, error) {
	if c.Dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files { // in the order of their names, and so of their sizes
		if strings.HasPrefix(f.Name(), snapshotPrefix) {
			names = append(names, filepath.Join(c.Dir, f.Name()))
		}
	}
	slices.Reverse(names)
	return names, nil
}

// save writes a snapshot, durable before it has its name, and lets go of those that are too many. A crash leaves the
// ones from before.
func (c Snapshots) save(s *ledger.State, head journal.Head) error {
	draft := filepath.Join(c.Dir, snapshotDraft)
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<18)
	err = s.Snapshot(w, head)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	if err := os.Rename(draft, filepath.Join(c.Dir, fmt.Sprintf("%s%020d", snapshotPrefix, head.Size))); err != nil {
		return err
	}
	names, err := c.list()
	if err != nil {
		return err
	}
	for _, old := range names[min(keptSnapshots, len(names)):] {
		err = errors.Join(err, os.Remove(old))
	}
	dir, openErr := os.Open(c.Dir)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(err, dir.Sync(), dir.Close())
}

// discard removes every snapshot, for nothing that led to them can be believed.
func (c Snapshots) discard() error {
	names, err := c.list()
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// restore reads a snapshot of the journal with this genesis.
func restore(path string, genesis journal.Genesis) (*ledger.State, journal.Head, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, journal.Head{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	state, head, err := ledger.RestoreSnapshot(f)
	if err != nil {
		return nil, journal.Head{}, err
	}
	if _, hash := state.Genesis(); hash != statement.Hash(genesis.Hash) {
		return nil, journal.Head{}, fmt.Errorf("it is of the journal with genesis %s, this one's is %x", hash, genesis.Hash)
	}
	return state, head, nil
}

// openJournal opens the journal and folds it into a state: from the newest snapshot that is whole, of this engine and
// of this journal, or else from entry 0. from is the size that the snapshot was of, 0 if there was none to go by.
//
// mu is what guards the state from then on.
//
// A snapshot is never a reason not to start. What it says is believed only if the journal's signed head covers it; one
// that is newer than the journal, or not on it, is passed over like a damaged one, and the anchors decide whether the
// journal was rolled back. A snapshot may be of a group that no anchor covered yet: of that nothing had left, and so its
// loss is none.
func openJournal(ctx context.Context, c Config, anchors []journal.Anchor, mu *sync.RWMutex) (log *journal.Log, state *ledger.State, from uint64, err error) {
	open := func(state *ledger.State, trusted journal.Head) (*journal.Log, error) {
		return journal.Open(ctx, journal.Config{
			Genesis: c.Genesis,
			Store:   c.Store,
			Sign:    signHead(c.Token),
			Anchors: anchors,
			Trusted: trusted, Handovers: state.LogKeys().Handovers(),
			Joining: c.Lease != nil,
			Ahead:   state.Ahead,
			Lost: func(h journal.Head) bool {
				mu.RLock()
				defer mu.RUnlock()
				return state.Lost(h)
			},
		})
	}
	names, err := c.Snapshots.list()
	if err != nil {
		c.Log.Warn("the snapshots could not be listed: the whole journal is folded", "dir", c.Snapshots.Dir, "error", err)
	}
	for _, name := range names {
		state, head, err := restore(name, c.Genesis)
		if err == nil && head.Size < c.Snapshots.Worth {
			break // the names are in order of size: none of the others saves more
		}
		if err == nil {
			if log, err = open(state, head); err == nil {
				return log, state, head.Size, nil
			}
		}
		if ctx.Err() != nil {
			return nil, nil, 0, err
		}
		c.Log.Warn("a snapshot is passed over", "file", name, "error", err)
	}
	state = ledger.NewState()
	log, err = open(state, journal.Head{})
	return log, state, 0, err
}
