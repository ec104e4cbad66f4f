package signer

import (
	"context"
	"errors"

	"kura/journal"
)

// Tile implements rpc.Gateway. The hashes are as stored; their reader checks them against a checkpoint.
func (s *Signer) Tile(ctx context.Context, level int, index uint64, width int) ([]byte, error) {
	hashes, err := s.journal.HashTile(ctx, journal.Tile{Level: level, Index: index, Width: width})
	if errors.Is(err, journal.ErrTile) {
		return nil, refusedUnjudged(codeNotFound, err.Error())
	}
	if err != nil {
		return nil, s.readFailed(err)
	}
	return hashes, nil
}
