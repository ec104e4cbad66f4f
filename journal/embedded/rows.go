package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math"

	"go.etcd.io/bbolt"

	"kura/journal"
)

const (
	hashSize = len(journal.Hash{})
	prevSize = 8 + hashSize // size and root of the head before
)

// Rows are read in transactions of their own, so that a long reader never holds the file's growth up.
const (
	readRows  = 512
	readBytes = 1 << 20
)

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// number reads a key; ok is false for one that key never makes.
func number(k []byte) (n uint64, ok bool) {
	if len(k) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(k), true
}

func newestHead(tx *bbolt.Tx) (size uint64, row []byte) {
	k, row := tx.Bucket(bucketHeads).Cursor().Last()
	size, _ = number(k)
	return size, row
}

func encodeHead(g journal.Group) []byte {
	row := key(g.Prev.Size)
	row = append(row, g.Prev.Root[:]...)
	return append(row, g.Checkpoint...)
}

func decodeHead(size uint64, row []byte) (journal.StoredHead, error) {
	if len(row) <= prevSize {
		return journal.StoredHead{}, fmt.Errorf("%w: the row of the head of size %d has %d bytes", ErrDamaged, size, len(row))
	}
	return journal.StoredHead{
		Prev:       journal.Head{Size: binary.BigEndian.Uint64(row), Root: journal.Hash(row[8:prevSize])},
		Checkpoint: bytes.Clone(row[prevSize:]),
	}, nil
}

func encodeNodes(nodes []journal.Hash) []byte {
	row := make([]byte, 0, len(nodes)*hashSize)
	for _, h := range nodes {
		row = append(row, h[:]...)
	}
	return row
}

// decodeNodes reads as many hashes as the row holds; one that is not a whole number of them has been
// edited and holds none.
func decodeNodes(row []byte) []journal.Hash {
	if len(row)%hashSize != 0 {
		return nil
	}
	nodes := make([]journal.Hash, len(row)/hashSize)
	for i := range nodes {
		nodes[i] = journal.Hash(row[i*hashSize:])
	}
	return nodes
}

// walk visits the rows of a bucket from the key `from` on, until visit says stop. Keys must be numbers and
// ascend: in a damaged file they may not, and a reader could go round for ever.
func walk(bucket *bbolt.Bucket, from uint64, visit func(n uint64, row []byte) (more bool, err error)) error {
	next, ended := from, false
	rows := bucket.Cursor()
	for k, row := rows.Seek(key(from)); k != nil; k, row = rows.Next() {
		n, ok := number(k)
		if !ok || ended || n < next {
			return fmt.Errorf("%w: a row with the key %x stands where %d or a higher number belongs", ErrDamaged, k, next)
		}
		if more, err := visit(n, row); err != nil || !more {
			return err
		}
		next, ended = n+1, n == math.MaxUint64
	}
	return nil
}

// Entries implements journal.Store.
func (s *Store) Entries(ctx context.Context, from, to uint64) iter.Seq2[journal.StoredEntry, error] {
	return func(yield func(journal.StoredEntry, error) bool) {
		for from < to {
			rows, err := s.readEntries(from, to)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(journal.StoredEntry{}, err)
				return
			}
			if len(rows) == 0 {
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			from = rows[len(rows)-1].Seq + 1
		}
	}
}

// readEntries returns the first rows from `from` on, none if there are none below `to`.
func (s *Store) readEntries(from, to uint64) (rows []journal.StoredEntry, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		size, _ := newestHead(tx)
		to := min(to, size)
		nodes := tx.Bucket(bucketNodes).Cursor()
		nodeKey, nodeRow := nodes.Seek(key(from))
		total := 0
		return walk(tx.Bucket(bucketEntries), from, func(seq uint64, row []byte) (bool, error) {
			if seq >= to || len(rows) >= readRows || total >= readBytes {
				return false, nil
			}
			stored := journal.StoredEntry{Seq: seq, Bytes: bytes.Clone(row)}
			if !bytes.Equal(nodeKey, key(seq)) {
				nodeKey, nodeRow = nodes.Seek(key(seq))
			}
			if bytes.Equal(nodeKey, key(seq)) {
				stored.Nodes = decodeNodes(nodeRow)
			}
			nodeKey, nodeRow = nodes.Next()
			total += len(row)
			rows = append(rows, stored)
			return true, nil
		})
	})
	return rows, err
}

// Nodes implements journal.Store.
func (s *Store) Nodes(_ context.Context, from, to uint64) (nodes []journal.Hash, err error) {
	if from >= to {
		return nil, nil
	}
	nodes = make([]journal.Hash, 0, journal.NodesBefore(to)-journal.NodesBefore(from))
	err = s.view(func(tx *bbolt.Tx) error {
		rows := tx.Bucket(bucketNodes).Cursor()
		k, row := rows.Seek(key(from))
		for seq := from; seq < to; seq++ {
			if !bytes.Equal(k, key(seq)) {
				return fmt.Errorf("the tree hashes of entry %d are missing", seq)
			}
			hashes := decodeNodes(row)
			if len(hashes) != journal.NodeCount(seq) {
				return fmt.Errorf("the tree hashes of entry %d are not %d hashes", seq, journal.NodeCount(seq))
			}
			nodes = append(nodes, hashes...)
			k, row = rows.Next()
		}
		return nil
	})
	return nodes, err
}

// Heads implements journal.Store.
func (s *Store) Heads(ctx context.Context, after uint64) iter.Seq2[journal.StoredHead, error] {
	return func(yield func(journal.StoredHead, error) bool) {
		for {
			heads, last, err := s.readHeads(after)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(journal.StoredHead{}, err)
				return
			}
			if len(heads) == 0 {
				return
			}
			for _, head := range heads {
				if !yield(head, nil) {
					return
				}
			}
			after = last
		}
	}
}

func (s *Store) readHeads(after uint64) (heads []journal.StoredHead, last uint64, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		return walk(tx.Bucket(bucketHeads), after+1, func(size uint64, row []byte) (bool, error) {
			if len(heads) >= readRows {
				return false, nil
			}
			head, err := decodeHead(size, row)
			heads, last = append(heads, head), size
			return true, err
		})
	})
	return heads, last, err
}
