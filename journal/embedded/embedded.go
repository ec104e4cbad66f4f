// Package embedded keeps a journal in one file (bbolt), for a single node, the demo and edge use.
//
// It trusts the file no more than any store is trusted: what it returns is verified by package journal.
// It promises one durable transaction per group, synced before Append returns, and that rows past the
// newest head are cut off when the file is opened, and reported. One process opens the file at a time.
// Damage below the rows ends in an error that wraps ErrDamaged, with one exception: a branch page that was
// changed to point back at itself lets bbolt descend until the process dies of it. That is a stop, not a
// wrong answer.
//
// Buckets, all keys big-endian numbers of 8 bytes, so that they iterate in order:
//
//	heads    size of the head -> size and root of the head before it (40 bytes), then the checkpoint
//	entries  seq -> the entry's exact bytes
//	nodes    seq -> the tree hashes that the entry completes, 32 bytes each
package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"kura/journal"
)

var (
	bucketHeads   = []byte("heads")
	bucketEntries = []byte("entries")
	bucketNodes   = []byte("nodes")
	buckets       = [][]byte{bucketHeads, bucketEntries, bucketNodes}
)

// ErrDamaged is wrapped when the file's own structure is broken, below the rows: a page that was
// overwritten or cut off.
var ErrDamaged = errors.New("journal file damaged")

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = 500 * time.Millisecond

// initialMap is the address space reserved for the file at first; growing past it makes writers wait for
// readers once, so it is generous: it costs no memory.
const initialMap = 1 << 30

// A Store is a journal.Store in one file. It is safe for concurrent use.
type Store struct {
	db        *bbolt.DB
	cut       journal.Stray
	unsettled atomic.Bool // a write has failed and none has succeeded since
}

var _ journal.Store = (*Store)(nil)

// Open opens the file at path and makes it, readable by its owner alone, if there is none. Rows past the
// newest head are removed; Stray reports them.
func Open(path string) (*Store, error) {
	s, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open the journal file %s: %w", path, err)
	}
	return s, nil
}

func open(path string) (s *Store, err error) {
	defer catchDamage(&err)()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         lockWait,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: initialMap,
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, errors.New("another process has it open")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s = &Store{db: db}
	if err := errors.Join(s.prepare(), syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// prepare makes the buckets and cuts off what no head covers. A file that is in order is not written to.
func (s *Store) prepare() error {
	if err := s.checkLength(); err != nil {
		return err
	}
	fresh := false
	err := s.view(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			fresh = fresh || tx.Bucket(name) == nil
		}
		if fresh {
			return nil
		}
		size, _ := newestHead(tx)
		return walk(tx.Bucket(bucketEntries), size, func(seq uint64, _ []byte) (bool, error) {
			if s.cut.Rows++; s.cut.Rows == 1 {
				s.cut.First = seq
			}
			return true, nil
		})
	})
	if err != nil || !fresh && s.cut.Rows == 0 {
		return err
	}
	s.cut.Cut = s.cut.Rows > 0
	return s.update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		size, _ := newestHead(tx)
		return errors.Join(deleteFrom(tx.Bucket(bucketEntries), size), deleteFrom(tx.Bucket(bucketNodes), size))
	})
}

// deleteFrom deletes the rows from the key of size on.
func deleteFrom(bucket *bbolt.Bucket, size uint64) error {
	var doomed []uint64 // a cursor loses its place when rows are deleted under it
	err := walk(bucket, size, func(n uint64, _ []byte) (bool, error) {
		doomed = append(doomed, n)
		return true, nil
	})
	for _, n := range doomed {
		err = errors.Join(err, bucket.Delete(key(n)))
	}
	return err
}

// checkLength refuses a file that is shorter than its own account of it: reading what is missing would
// fault.
func (s *Store) checkLength() error {
	return s.view(func(tx *bbolt.Tx) error {
		info, err := os.Stat(s.db.Path())
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: it has %d bytes and should have %d", ErrDamaged, info.Size(), tx.Size())
		}
		return nil
	})
}

// Close implements journal.Store.
func (s *Store) Close() error { return s.db.Close() }

// Head implements journal.Store. After a failed append what the operating system shows may be on no disk: it is believed
// when one more write has succeeded, behind it.
func (s *Store) Head(context.Context) (c journal.Checkpoint, err error) {
	if s.unsettled.Load() {
		if err := s.update(func(*bbolt.Tx) error { return nil }); err != nil {
			return nil, fmt.Errorf("make sure that it is durable: %w", err)
		}
	}
	err = s.view(func(tx *bbolt.Tx) error {
		size, row := newestHead(tx)
		if row == nil {
			return nil
		}
		head, err := decodeHead(size, row)
		c = head.Checkpoint
		return err
	})
	return c, err
}

// Append implements journal.Store. The file is synced before it returns.
func (s *Store) Append(_ context.Context, g journal.Group) error {
	rows, err := g.Rows()
	if err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		if err := checkHead(tx, g.Prev); err != nil {
			return err
		}
		entries, nodes, heads := tx.Bucket(bucketEntries), tx.Bucket(bucketNodes), tx.Bucket(bucketHeads)
		for _, bucket := range []*bbolt.Bucket{entries, nodes, heads} {
			bucket.FillPercent = 0.95 // keys only ever grow
		}
		for _, row := range rows {
			if err := entries.Put(key(row.Seq), row.Bytes); err != nil {
				return err
			}
			if err := nodes.Put(key(row.Seq), encodeNodes(row.Nodes)); err != nil {
				return err
			}
		}
		return heads.Put(key(g.Head.Size), encodeHead(g))
	})
}

// checkHead is the compare of the compare-and-swap. The root of the newest head is what its row says; a
// row that was edited says something else and stops the append.
func checkHead(tx *bbolt.Tx, after journal.Head) error {
	size, row := newestHead(tx)
	if size != after.Size {
		return journal.ErrHeadMoved
	}
	if row == nil {
		return nil
	}
	head, err := decodeHead(size, row)
	if err != nil {
		return err
	}
	if !journal.CheckpointSays(head.Checkpoint, after) {
		return journal.ErrHeadMoved
	}
	return nil
}

// Stray implements journal.Store: what was cut off when the file was opened. Nothing else can be past the
// head, since groups are written whole.
func (s *Store) Stray(context.Context) (journal.Stray, error) { return s.cut, nil }

func (s *Store) view(read func(*bbolt.Tx) error) (err error) {
	defer catchDamage(&err)()
	return s.db.View(read)
}

func (s *Store) update(write func(*bbolt.Tx) error) (err error) {
	defer func() { s.unsettled.Store(err != nil) }()
	defer catchDamage(&err)()
	return s.db.Update(write)
}

// catchDamage turns what bbolt does about a broken page, a panic or a fault in mapped memory, into an
// error. To be deferred as `defer catchDamage(&err)()`.
func catchDamage(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			*err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
