package storetest

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"

	"kura/journal"
)

// Key is the log key of the suite's journals. It is fixed so that tests repeat; it protects nothing.
var Key = ed25519.NewKeyFromSeed([]byte("kura storetest log key, no use.."))

// Origin is the name of the suite's journals.
const Origin = "kura.test/storetest"

// Genesis returns what the suite's journals are pinned to.
func Genesis() journal.Genesis {
	return journal.Genesis{Origin: Origin, Hash: journal.LeafHash(mustEncode(NewEntry(0, ""))), LogKey: PublicKey(0)}
}

// KeyNumber returns the log key that the suite's journals use after so many handovers: Key is number 0.
func KeyNumber(n int) ed25519.PrivateKey {
	if n == 0 {
		return Key
	}
	return ed25519.NewKeyFromSeed(fmt.Appendf(nil, "kura storetest log key %08d.", n))
}

// PublicKey is the public half of KeyNumber.
func PublicKey(n int) [32]byte { return [32]byte(KeyNumber(n).Public().(ed25519.PublicKey)) }

// Sign signs with the one of the suite's first hundred log keys that is asked for.
func Sign(logKey [32]byte, text []byte) ([64]byte, error) {
	for n := range 100 {
		if PublicKey(n) == logKey {
			return [64]byte(ed25519.Sign(KeyNumber(n), text)), nil
		}
	}
	return [64]byte{}, fmt.Errorf("the suite has no log key %x", logKey)
}

// NewHandover returns the entry by which the suite's log key number n hands over to the next.
func NewHandover(seq uint64, n int) journal.Entry {
	e := NewEntry(seq, "")
	old, next := PublicKey(n), PublicKey(n+1)
	e.Kind = journal.KindHandover
	e.Body = fmt.Appendf(nil, `{"old":%q,"new":%q,"proposal":""}`, journal.FormatLogKey(old), journal.FormatLogKey(next))
	return e
}

// NewEntry returns an entry like those of a journal; salt makes it another one.
func NewEntry(seq uint64, salt string) journal.Entry {
	const start = 1767323045678 // 2026-01-02T03:04:05.678Z
	return journal.Entry{
		Seq: seq, Clock: start + int64(seq)*7, Time: start + int64(seq)*7, Kind: "test/1",
		Body: fmt.Appendf(nil, `{"number":"%d","salt":%q,"filler":"%0*d"}`, seq, salt, 40+int(seq%97), 0),
	}
}

// Entries returns the entries from `from` (inclusive) to `to` (exclusive).
func Entries(from, to uint64) []journal.Entry {
	entries := make([]journal.Entry, 0, to-from)
	for seq := from; seq < to; seq++ {
		entries = append(entries, NewEntry(seq, ""))
	}
	return entries
}

func mustEncode(e journal.Entry) []byte {
	b, err := e.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

// A Writer makes groups as a Log does, and remembers them.
type Writer struct {
	Head       journal.Head
	Checkpoint journal.Checkpoint
	Rows       []journal.StoredEntry
	Salt       string // put into the entries that Next makes

	tree *journal.Tree
	keys journal.LogKeys
}

// NewWriter returns a writer at the empty journal.
func NewWriter() *Writer {
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		panic(err)
	}
	return &Writer{Head: journal.EmptyHead(), tree: tree, keys: Genesis().Keys()}
}

// Clone returns a writer that can go another way.
func (w *Writer) Clone() *Writer {
	clone := NewWriter()
	for _, row := range w.Rows {
		clone.tree.Append(journal.LeafHash(row.Bytes))
	}
	clone.Head, clone.Checkpoint, clone.Salt = w.Head, w.Checkpoint, w.Salt
	clone.Rows, clone.keys = slices.Clone(w.Rows), w.keys
	return clone
}

// Next makes the group of the next n entries.
func (w *Writer) Next(n int) journal.Group {
	entries := make([]journal.Entry, n)
	for i := range entries {
		entries[i] = NewEntry(w.Head.Size+uint64(i), w.Salt)
	}
	return w.Group(entries)
}

// Group makes the group of the given entries.
func (w *Writer) Group(entries []journal.Entry) journal.Group {
	g := journal.Group{Prev: w.Head}
	for _, e := range entries {
		b := mustEncode(e)
		nodes := w.tree.Append(journal.LeafHash(b))
		g.Entries = append(g.Entries, b)
		g.Nodes = append(g.Nodes, nodes...)
		w.Rows = append(w.Rows, journal.StoredEntry{Seq: e.Seq, Bytes: b, Nodes: slices.Clone(nodes)})
	}
	g.Head = w.tree.Head()
	var err error
	if g.Checkpoint, err = journal.SignCheckpoint(Origin, g.Head, Sign, w.keys.At(g.Head.Size)); err != nil {
		panic(err)
	}
	if w.keys, err = w.keys.After(entries[len(entries)-1]); err != nil {
		panic(err)
	}
	w.Head, w.Checkpoint = g.Head, g.Checkpoint
	return g
}

// Grow appends groups of the given sizes.
func (w *Writer) Grow(t testing.TB, s journal.Store, sizes ...int) (groups []journal.Group) {
	t.Helper()
	for _, n := range sizes {
		g := w.Next(n)
		if err := s.Append(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g)
	}
	return groups
}
