package postgres

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"kura/journal"
)

const hashSize = len(journal.Hash{})

// Rows are read by the batch, so that no session is held while the caller works on them: a caller may ask
// for more meanwhile, and all sessions together are few.
const (
	batchEntries = 2000
	batchBytes   = 4 << 20
	batchHeads   = 1000
)

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

// Entries implements journal.Store.
func (s *Store) Entries(ctx context.Context, from, to uint64) iter.Seq2[journal.StoredEntry, error] {
	return func(yield func(journal.StoredEntry, error) bool) {
		for from < to {
			batch, err := s.readEntries(ctx, from, to)
			if err != nil {
				yield(journal.StoredEntry{}, fmt.Errorf("read entries from %d on: %w", from, err))
				return
			}
			for _, row := range batch {
				if !yield(row, nil) {
					return
				}
			}
			if len(batch) == 0 {
				return
			}
			from = batch[len(batch)-1].Seq + 1
		}
	}
}

// readEntries returns the first entries from `from` on, none if there are none below `to`.
func (s *Store) readEntries(ctx context.Context, from, to uint64) (batch []journal.StoredEntry, err error) {
	err = s.read(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "select seq, entry, nodes from journal where seq >= $1 and seq < $2 order by seq limit $3",
			int64(from), int64(to), batchEntries)
		if err != nil {
			return err
		}
		defer rows.Close()
		for total := 0; total < batchBytes && rows.Next(); {
			var seq int64
			var row journal.StoredEntry
			var nodes []byte
			if err := rows.Scan(&seq, &row.Bytes, &nodes); err != nil {
				return err
			}
			row.Seq, row.Nodes = uint64(seq), decodeNodes(nodes)
			batch = append(batch, row)
			total += len(row.Bytes)
		}
		rows.Close()
		return rows.Err()
	})
	return batch, err
}

// Nodes implements journal.Store.
func (s *Store) Nodes(ctx context.Context, from, to uint64) ([]journal.Hash, error) {
	if from >= to {
		return nil, nil
	}
	nodes := make([]journal.Hash, 0, journal.NodesBefore(to)-journal.NodesBefore(from))
	err := s.read(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "select seq, nodes from journal where seq >= $1 and seq < $2 order by seq", int64(from), int64(to))
		if err != nil {
			return err
		}
		defer rows.Close()
		next := from
		for ; rows.Next(); next++ {
			var seq int64
			var row []byte
			if err := rows.Scan(&seq, &row); err != nil {
				return err
			}
			hashes := decodeNodes(row)
			if uint64(seq) != next || len(hashes) != journal.NodeCount(next) {
				return fmt.Errorf("the tree hashes of entry %d are missing or not %d hashes", next, journal.NodeCount(next))
			}
			nodes = append(nodes, hashes...)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if next != to {
			return fmt.Errorf("the tree hashes of entry %d are missing", next)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read tree hashes: %w", err)
	}
	return nodes, nil
}

// Heads implements journal.Store.
func (s *Store) Heads(ctx context.Context, after uint64) iter.Seq2[journal.StoredHead, error] {
	return func(yield func(journal.StoredHead, error) bool) {
		for {
			heads, last, err := s.readHeads(ctx, after)
			if err != nil {
				yield(journal.StoredHead{}, fmt.Errorf("read heads after size %d: %w", after, err))
				return
			}
			for _, head := range heads {
				if !yield(head, nil) {
					return
				}
			}
			if len(heads) < batchHeads {
				return
			}
			after = last
		}
	}
}

func (s *Store) readHeads(ctx context.Context, after uint64) (heads []journal.StoredHead, last uint64, err error) {
	err = s.read(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "select size, prev_size, prev, checkpoint from heads where size > $1 order by size limit $2", int64(after), batchHeads)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var size, prevSize int64
			var prev []byte
			var checkpoint string
			if err := rows.Scan(&size, &prevSize, &prev, &checkpoint); err != nil {
				return err
			}
			if len(prev) != hashSize {
				return fmt.Errorf("the head of size %d follows a root of %d bytes", size, len(prev))
			}
			heads = append(heads, journal.StoredHead{
				Prev:       journal.Head{Size: uint64(prevSize), Root: journal.Hash(prev)},
				Checkpoint: journal.Checkpoint(checkpoint),
			})
			last = uint64(size)
		}
		return rows.Err()
	})
	return heads, last, err
}

// Stray implements journal.Store. Only the database's owner can purge strays.
func (s *Store) Stray(ctx context.Context) (journal.Stray, error) {
	var stray journal.Stray
	var rows, first int64
	err := s.read(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `
			select count(*), coalesce(min(entries.seq), 0)
			from entries
			left join heads on heads.root = entries.head and entries.seq >= heads.prev_size and entries.seq < heads.size
			where heads.root is null`).Scan(&rows, &first)
	})
	if err != nil {
		return stray, fmt.Errorf("look for stray rows: %w", err)
	}
	stray.Rows, stray.First = uint64(rows), uint64(first)
	return stray, nil
}
