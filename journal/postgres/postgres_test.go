package postgres_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"kura/journal"
	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
	"kura/journal/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func openStore(t testing.TB, dsn string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Place {
		db := pgtest.Open(t)
		direct, err := pgx.Connect(t.Context(), db.Owner)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = direct.Close(context.Background()) })
		return storetest.Place{
			Rounds: 68,
			Open:   func(t testing.TB) journal.Store { return openStore(t, db.Service) },
			Rows:   func(t testing.TB) storetest.Rows { return openRows(t, direct) },
		}
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(t testing.TB) journal.Store { return openStore(t, pgtest.Open(t).Service) })
}

// rows edits the tables directly, as a superuser who has switched triggers and foreign keys off.
type rows struct {
	t    testing.TB
	conn *pgx.Conn
}

func openRows(t testing.TB, conn *pgx.Conn) *rows {
	r := &rows{t: t, conn: conn}
	r.exec("set session_replication_role = replica")
	r.exec("begin")
	return r
}

func (r *rows) exec(sql string, args ...any) {
	if _, err := r.conn.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// query reports whether there is a row, and scans it.
func (r *rows) query(sql string, arg any, into ...any) bool {
	err := r.conn.QueryRow(r.t.Context(), sql, arg).Scan(into...)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		r.t.Fatalf("%s: %v", sql, err)
	}
	return err == nil
}

func (r *rows) Entry(seq uint64) (journal.StoredEntry, bool) {
	row := journal.StoredEntry{Seq: seq}
	var nodes []byte
	ok := r.query("select entry, nodes from entries where seq = $1", int64(seq), &row.Bytes, &nodes)
	for i := 0; i+32 <= len(nodes); i += 32 {
		row.Nodes = append(row.Nodes, journal.Hash(nodes[i:]))
	}
	return row, ok
}

// SetEntry puts a row that no head covers under a head that does not exist.
func (r *rows) SetEntry(row journal.StoredEntry) {
	nodes := []byte{}
	for _, h := range row.Nodes {
		nodes = append(nodes, h[:]...)
	}
	var head []byte
	if !r.query("select root from heads where size > $1 and prev_size <= $1", int64(row.Seq), &head) {
		nowhere := sha256.Sum256(row.Bytes)
		head = nowhere[:]
	}
	r.exec("delete from entries where seq = $1", int64(row.Seq))
	r.exec("insert into entries (seq, head, entry, nodes) values ($1, $2, $3, $4)", int64(row.Seq), head, string(row.Bytes), nodes)
}

func (r *rows) DeleteEntry(seq uint64) { r.exec("delete from entries where seq = $1", int64(seq)) }

func (r *rows) Head(size uint64) (journal.StoredHead, bool) {
	var head journal.StoredHead
	var prevSize int64
	var prev []byte
	if !r.query("select prev_size, prev, checkpoint from heads where size = $1", int64(size), &prevSize, &prev, &head.Checkpoint) {
		return head, false
	}
	head.Prev = journal.Head{Size: uint64(prevSize), Root: journal.Hash(prev)}
	return head, true
}

// SetHead keeps the row's key, the root; a row that was not there gets that of the checkpoint's text.
func (r *rows) SetHead(size uint64, head journal.StoredHead) {
	var root []byte
	if !r.query("select root from heads where size = $1", int64(size), &root) {
		var err error
		if root, err = base64.StdEncoding.DecodeString(strings.Split(string(head.Checkpoint), "\n")[2]); err != nil {
			r.t.Fatal(err)
		}
	}
	r.exec("delete from heads where size = $1", int64(size))
	r.exec("insert into heads (size, root, prev_size, prev, checkpoint) values ($1, $2, $3, $4, $5)",
		int64(size), root, int64(head.Prev.Size), head.Prev.Root[:], string(head.Checkpoint))
}

func (r *rows) DeleteHead(size uint64) { r.exec("delete from heads where size = $1", int64(size)) }

func (r *rows) Close() { r.exec("commit") }
