package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// A Group is what one append writes: entries, the tree hashes they complete, and the head they lead to.
type Group struct {
	Prev       Head       // the head that the group follows: its first entry has seq Prev.Size
	Entries    [][]byte   // exact bytes, one after another from there on
	Nodes      []Hash     // tree hashes that the entries complete (SplitNodes cuts them by entry)
	Head       Head       // size and root after the group
	Checkpoint Checkpoint // the signed form of Head
}

// ErrHeadMoved says that a store's newest head is not the one that an append was to follow. Nothing was
// written by that append.
var ErrHeadMoved = errors.New("the journal's head has moved")

// ErrLeaseLost says that a store has lost the lease under which it alone was to append: another signer may
// lead the journal by now. It is for ever; only a store that is opened anew can get the lease again.
var ErrLeaseLost = errors.New("the journal's lease is lost")

// A StoredHead is one row of a store's chain of heads: a checkpoint and the head that it follows.
type StoredHead struct {
	Prev       Head
	Checkpoint Checkpoint
}

// A Stray is what a store holds past its newest head. It is not part of the journal, never blocks an
// append, and is reported so that somebody asks where it came from.
type Stray struct {
	Rows  uint64 // entries that no head covers
	First uint64 // lowest seq among them
	Cut   bool   // the store has removed them
}

// String says it to people.
func (s Stray) String() string {
	fate := "they are ignored; only the database's owner can remove them"
	if s.Cut {
		fate = "they were cut off"
	}
	return fmt.Sprintf("rows past the newest signed head, or beside it, are no part of the journal: %d of them, the first as entry %d; %s. Ask who put them there", s.Rows, s.First, fate)
}

// A Store keeps entries, tree hashes and signed heads. It understands none of them and is not trusted:
// what it returns is verified by [Log] and [Verify]. Methods may be called concurrently; Append is called
// by one goroutine at a time. Every store passes the suite in journal/storetest.
type Store interface {
	// Head returns the newest stored checkpoint, nil if the store is empty. After an Append that failed
	// it answers only when that append is settled: done, or never to be done.
	Head(ctx context.Context) (Checkpoint, error)

	// Append is a compare-and-swap on the head: it writes the group after the head g.Prev, all of it in
	// one durable transaction. It returns ErrHeadMoved, and has written nothing, when the newest head is
	// not g.Prev. Any other error is unclear: the group may be there or not, and the caller must read
	// Head back and compare before it does anything else.
	Append(ctx context.Context, g Group) error

	// Entries yields the exact bytes of the entries from `from` (inclusive) to `to` (exclusive), in
	// order, none past the newest head. A missing entry is simply not yielded. The bytes are the caller's.
	Entries(ctx context.Context, from, to uint64) iter.Seq2[StoredEntry, error]

	// Nodes returns the tree hashes that the entries from `from` to `to` complete, one after another:
	// stored indexes NodesBefore(from) to NodesBefore(to). A missing row is an error.
	Nodes(ctx context.Context, from, to uint64) ([]Hash, error)

	// Heads yields the rows of the chain of heads whose size is above `after`, in order of size.
	Heads(ctx context.Context, after uint64) iter.Seq2[StoredHead, error]

	// Stray reports what lies past the newest head.
	Stray(ctx context.Context) (Stray, error)

	Close() error
}

// A StoredEntry is a row as a store keeps it: under Seq it holds Bytes, which may be anything.
type StoredEntry struct {
	Seq   uint64
	Bytes []byte
	Nodes []Hash // tree hashes that the row says it completes
}

// Rows returns the group's entries with the tree hashes that each completes. It refuses a group whose
// numbers do not fit together, so that every store may rely on them.
func (g Group) Rows() ([]StoredEntry, error) {
	if len(g.Entries) == 0 || g.Head.Size != g.Prev.Size+uint64(len(g.Entries)) {
		return nil, fmt.Errorf("a group of %d entries does not lead from size %d to %d", len(g.Entries), g.Prev.Size, g.Head.Size)
	}
	nodes, err := SplitNodes(g.Prev.Size, len(g.Entries), g.Nodes)
	if err != nil {
		return nil, err
	}
	rows := make([]StoredEntry, len(g.Entries))
	for i, entry := range g.Entries {
		rows[i] = StoredEntry{Seq: g.Prev.Size + uint64(i), Bytes: entry, Nodes: nodes[i]}
	}
	return rows, nil
}
