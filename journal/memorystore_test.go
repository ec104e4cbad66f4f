package journal_test

import (
	"context"
	"errors"
	"iter"
	"slices"

	"kura/journal"
)

// memoryStore is a test double of a store: rows in memory, which a test may change. It is made for properties
// that open many journals; the real stores have storetest's suite.
type memoryStore struct {
	rows  []journal.StoredEntry
	heads []journal.StoredHead
}

func (s *memoryStore) Head(context.Context) (journal.Checkpoint, error) {
	if len(s.heads) == 0 {
		return nil, nil
	}
	return s.heads[len(s.heads)-1].Checkpoint, nil
}

func (s *memoryStore) Append(_ context.Context, g journal.Group) error {
	rows, err := g.Rows()
	if err != nil {
		return err
	}
	if g.Prev.Size != uint64(len(s.rows)) {
		return journal.ErrHeadMoved
	}
	s.rows = append(s.rows, rows...)
	s.heads = append(s.heads, journal.StoredHead{Prev: g.Prev, Checkpoint: g.Checkpoint})
	return nil
}

func (s *memoryStore) Entries(_ context.Context, from, to uint64) iter.Seq2[journal.StoredEntry, error] {
	return func(yield func(journal.StoredEntry, error) bool) {
		for _, row := range s.rows[min(from, uint64(len(s.rows))):min(to, uint64(len(s.rows)))] {
			if !yield(journal.StoredEntry{Seq: row.Seq, Bytes: slices.Clone(row.Bytes), Nodes: row.Nodes}, nil) {
				return
			}
		}
	}
}

func (s *memoryStore) Nodes(_ context.Context, from, to uint64) (nodes []journal.Hash, err error) {
	if to > uint64(len(s.rows)) {
		return nil, errors.New("no such row")
	}
	for _, row := range s.rows[from:to] {
		nodes = append(nodes, row.Nodes...)
	}
	return nodes, nil
}

func (s *memoryStore) Heads(_ context.Context, after uint64) iter.Seq2[journal.StoredHead, error] {
	return func(yield func(journal.StoredHead, error) bool) {
		for i, h := range s.heads {
			end := uint64(len(s.rows))
			if i+1 < len(s.heads) {
				end = s.heads[i+1].Prev.Size
			}
			if end > after && !yield(h, nil) {
				return
			}
		}
	}
}

func (s *memoryStore) Stray(context.Context) (journal.Stray, error) { return journal.Stray{}, nil }
func (s *memoryStore) Close() error                                 { return nil }

func (s *memoryStore) clone() *memoryStore {
	return &memoryStore{rows: slices.Clone(s.rows), heads: slices.Clone(s.heads)}
}
