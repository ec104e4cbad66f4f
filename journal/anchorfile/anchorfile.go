// Package anchorfile keeps the newest signed head in a file on the signer's own disk.
//
// It trusts that disk to keep what was synced, and the file's permissions to keep others from it. It
// promises that after a crash the file holds either the head before or the head after, whole. Restoring
// an old copy of the file is a rollback of the anchor: it is never to be backed up (docs/operations.md).
package anchorfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"kura/journal"
)

// A File is a journal.Anchor. Its methods are called by one goroutine at a time.
type File struct {
	path string
}

// New returns the anchor at path. The file is made by the first Save, readable by its owner alone; its
// directory must exist and belong to nobody else.
func New(path string) *File { return &File{path: path} }

// Name implements journal.Anchor.
func (f *File) Name() string { return "anchor file " + f.path }

// Load returns the checkpoint in the file, nil if there is no file. An empty file is an error: Save never
// leaves one.
func (f *File) Load(context.Context) (journal.Checkpoint, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	c, err := io.ReadAll(io.LimitReader(file, journal.MaxCheckpoint+1))
	if err != nil {
		return nil, err
	}
	if len(c) == 0 || len(c) > journal.MaxCheckpoint {
		return nil, fmt.Errorf("%s does not hold a checkpoint: its size is wrong", f.path)
	}
	return c, nil
}

// Save replaces the file: the new content is written and synced under another name, renamed, and the
// directory synced, so that the old head is gone only when the new one is safe.
func (f *File) Save(_ context.Context, c journal.Checkpoint) error {
	next := f.path + ".next"
	if err := writeSynced(next, c); err != nil {
		return err
	}
	if err := os.Rename(next, f.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.path))
}

func writeSynced(path string, b []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
