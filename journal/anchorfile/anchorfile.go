// Package anchorfile keeps the newest signed head in a file on the signer's own disk.
//
// It trusts that disk to keep what was synced, and the file's permissions to keep others from it. It
// promises that after a crash the file holds either the head before or the head after, whole. Restoring
// an old copy of the file is a rollback of the anchor: it is never to be backed up (docs/operations.md).
//
// The file moves with every group before a signature leaves, so it is made for one cheap sync: two slots
// of 4,096 bytes that are written in turn, in place, without changing the file's size or name. A slot is
// a line and the checkpoint, filled up with newlines:
//
//	kura-anchor/1 <number of the save> <length of the checkpoint> <SHA-256 of both, in hex>
//
// A slot that a crash left half written does not have its hash, and the other one counts.
package anchorfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"kura/journal"
)

const (
	slotSize = 4096 // a block of the file system: writing one slot cannot tear the other
	slots    = 2
)

// A File is a journal.Anchor. Its methods are called by one goroutine at a time.
type File struct {
	path string
	seen content // what the file held last: as long as it holds the same bytes, they need not be read anew
	sync func(*os.File) error
	// synced says that this process knows the newest slot to be on the disk. What a Save wrote that failed, in this
	// process or one before it, may be read back all the same: the other slot must stay until this one is synced.
	synced bool
}

// content is what a whole file holds.
type content struct {
	bytes  []byte
	newest slot // whole, with the higher number
	at     int  // its place
}

// New returns the anchor at path. The file is made by the first Save, readable by its owner alone; its
// directory must exist and belong to nobody else.
func New(path string) *File {
	return &File{path: path, sync: func(file *os.File) error { return unix.Fdatasync(int(file.Fd())) }}
}

// Name implements journal.Anchor.
func (f *File) Name() string { return "anchor file " + f.path }

// Load returns the checkpoint that was saved last, nil if there is no file. A file without a whole slot
// is an error: Save never leaves one.
func (f *File) Load(context.Context) (journal.Checkpoint, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	held, err := f.read(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return held.newest.checkpoint, nil
}

// Save writes the checkpoint over the older slot and syncs it. The first Save of a process writes what the newest
// slot holds once more, before: nobody knows whether the process before it had synced it.
func (f *File) Save(_ context.Context, c journal.Checkpoint) error {
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return f.create(c)
	}
	if err != nil {
		return err
	}
	return errors.Join(f.save(file, c), file.Close())
}

func (f *File) save(file *os.File, c journal.Checkpoint) error {
	held, err := f.read(file)
	if err != nil {
		return err
	}
	if !f.synced {
		if err := f.put(file, held, held.newest, held.at); err != nil {
			return err
		}
	}
	return f.put(file, held, slot{held.newest.number + 1, bytes.Clone(c)}, (held.at+1)%slots)
}

// put writes a slot in its place and syncs it.
func (f *File) put(file *os.File, held content, s slot, at int) error {
	next := content{bytes.Clone(held.bytes), s, at}
	b, err := s.encode()
	if err != nil {
		return err
	}
	copy(next.bytes[at*slotSize:], b)
	f.synced = false
	if _, err := file.WriteAt(b, int64(at*slotSize)); err != nil {
		return err
	}
	if err := f.sync(file); err != nil {
		return err
	}
	f.seen, f.synced = next, true
	return nil
}

// create makes the file under another name, and gives it its name when it is whole.
func (f *File) create(c journal.Checkpoint) error {
	b, err := slot{1, c}.encode()
	if err != nil {
		return err
	}
	b = append(b, bytes.Repeat([]byte("\n"), slotSize)...)
	next := f.path + ".new"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, f.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// read returns what the file holds. It does not ask for the file's size or times: Linux would then note the exact time
// of the next write, and a sync would take longer by that.
func (f *File) read(file *os.File) (content, error) {
	b := make([]byte, slots*slotSize+1) // one more than there should be
	n, err := file.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return content{}, err
	}
	b = b[:n]
	if len(b) > 0 && bytes.Equal(b, f.seen.bytes) {
		return f.seen, nil
	}
	if len(b) != slots*slotSize {
		return content{}, fmt.Errorf("%s is not an anchor: it does not have %d bytes", f.path, slots*slotSize)
	}
	c := content{bytes: b}
	for i := range slots {
		if s, ok := decodeSlot(b[i*slotSize:][:slotSize]); ok && s.number > c.newest.number {
			c.newest, c.at = s, i
		}
	}
	if c.newest.number == 0 {
		return content{}, fmt.Errorf("%s is damaged: neither of its slots is whole", f.path)
	}
	f.seen = c
	return c, nil
}

// A slot is one saved checkpoint.
type slot struct {
	number     uint64 // of the save, from 1 on
	checkpoint journal.Checkpoint
}

const header = "kura-anchor/1 %d %d %x\n"

func (s slot) hash() []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d\n%s", s.number, len(s.checkpoint), s.checkpoint))
	return sum[:]
}

func (s slot) encode() ([]byte, error) {
	b := append(fmt.Appendf(nil, header, s.number, len(s.checkpoint), s.hash()), s.checkpoint...)
	if len(s.checkpoint) == 0 || len(b) > slotSize {
		return nil, fmt.Errorf("a checkpoint of %d bytes does not fit the anchor file", len(s.checkpoint))
	}
	return append(b, bytes.Repeat([]byte("\n"), slotSize-len(b))...), nil
}

// decodeSlot reads a slot; ok is false if it is not exactly what encode writes.
func decodeSlot(b []byte) (s slot, ok bool) {
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	var length int
	var sum []byte
	if n, err := fmt.Sscanf(string(line), "kura-anchor/1 %d %d %x", &s.number, &length, &sum); n != 3 || err != nil || length < 0 || length > len(rest) {
		return slot{}, false
	}
	s.checkpoint = rest[:length]
	again, err := s.encode()
	return s, err == nil && bytes.Equal(again, b)
}
