package signer

import (
	"context"
	"errors"
	"fmt"

	"kura/journal"
)

// Tile implements rpc.Gateway. The hashes are as stored; their reader checks them against a checkpoint.
func (s *Signer) Tile(ctx context.Context, level int, index uint64, width int) ([]byte, error) {
	return s.readTile(ctx, journal.Tile{Level: level, Index: index, Width: width}, s.journal.HashTile)
}

// EntryBundle implements rpc.Gateway. The entries are as stored; their reader checks them against a checkpoint.
func (s *Signer) EntryBundle(ctx context.Context, bearer string, index uint64, width int) ([]byte, error) {
	if _, err := s.Reader(ctx, bearer); err != nil {
		return nil, err
	}
	return s.readTile(ctx, journal.Tile{Entries: true, Index: index, Width: width}, s.journal.EntryBundle)
}

// readTile reads what lies under a head that others may be told of: nothing that still waits for its witnesses.
func (s *Signer) readTile(ctx context.Context, t journal.Tile, read func(context.Context, journal.Tile) ([]byte, error)) ([]byte, error) {
	if size := s.shownSize(); !t.Within(size) {
		return nil, refusedUnjudged(codeNotFound, fmt.Sprintf("the journal of %d entries has no %s", size, t.Path()))
	}
	content, err := read(ctx, t)
	if errors.Is(err, journal.ErrTile) {
		return nil, refusedUnjudged(codeNotFound, err.Error())
	}
	if err != nil {
		return nil, s.readFailed(err)
	}
	return content, nil
}
