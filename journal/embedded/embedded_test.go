package embedded_test

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"kura/journal"
	"kura/journal/embedded"
	"kura/journal/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Place {
		path := filepath.Join(t.TempDir(), "journal")
		return storetest.Place{
			Rounds: 400,
			Open: func(t testing.TB) journal.Store {
				s, err := embedded.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			Rows: func(t testing.TB) storetest.Rows { return openRows(t, path) },
		}
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(t testing.TB) journal.Store { return openStore(t, filepath.Join(t.TempDir(), "journal")) })
}

// rows edits the buckets directly, in one transaction that Close commits.
type rows struct {
	t  testing.TB
	db *bbolt.DB
	tx *bbolt.Tx
}

func openRows(t testing.TB, path string) *rows {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	return &rows{t: t, db: db, tx: tx}
}

func (r *rows) check(err error) {
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rows) bucket(name string) *bbolt.Bucket { return r.tx.Bucket([]byte(name)) }

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func (r *rows) Entry(seq uint64) (journal.StoredEntry, bool) {
	row := journal.StoredEntry{Seq: seq, Bytes: append([]byte(nil), r.bucket("entries").Get(key(seq))...)}
	nodes := r.bucket("nodes").Get(key(seq))
	for i := 0; i+32 <= len(nodes); i += 32 {
		row.Nodes = append(row.Nodes, journal.Hash(nodes[i:]))
	}
	return row, len(row.Bytes) > 0
}

func (r *rows) SetEntry(row journal.StoredEntry) {
	var nodes []byte
	for _, h := range row.Nodes {
		nodes = append(nodes, h[:]...)
	}
	r.check(r.bucket("entries").Put(key(row.Seq), row.Bytes))
	r.check(r.bucket("nodes").Put(key(row.Seq), nodes))
}

func (r *rows) DeleteEntry(seq uint64) {
	r.check(r.bucket("entries").Delete(key(seq)))
	r.check(r.bucket("nodes").Delete(key(seq)))
}

func (r *rows) Head(size uint64) (journal.StoredHead, bool) {
	row := append([]byte(nil), r.bucket("heads").Get(key(size))...)
	if row == nil {
		return journal.StoredHead{}, false
	}
	return journal.StoredHead{
		Prev:       journal.Head{Size: binary.BigEndian.Uint64(row), Root: journal.Hash(row[8:40])},
		Checkpoint: row[40:],
	}, true
}

func (r *rows) SetHead(size uint64, head journal.StoredHead) {
	row := append(key(head.Prev.Size), head.Prev.Root[:]...)
	r.check(r.bucket("heads").Put(key(size), append(row, head.Checkpoint...)))
}

func (r *rows) DeleteHead(size uint64) { r.check(r.bucket("heads").Delete(key(size))) }

func (r *rows) Close() {
	r.check(r.tx.Commit())
	r.check(r.db.Close())
}
