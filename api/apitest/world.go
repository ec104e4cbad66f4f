package apitest

import (
	"context"
	"sync"

	"kura/ledger/ledgertest"
	"kura/signer/rpc"
)

// A World is a test double that shows the journal of a ledgertest world: a real fold of really signed statements,
// which a reader's own fold takes. It answers everybody and judges nothing.
type World struct {
	rpc.Gateway // nil: what is not below is not asked

	mu    sync.Mutex
	world *ledgertest.World
}

// NewWorld returns the double that shows a world.
func NewWorld(w *ledgertest.World) *World { return &World{world: w} }

// Show shows another journal from here on, or the same one after it was changed.
func (s *World) Show(w *ledgertest.World) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.world = w
}

// OpenSession implements rpc.Gateway.
func (s *World) OpenSession(context.Context, []byte) (rpc.Session, error) {
	return rpc.Session{Actor: rpc.Actor{Kind: "person", ID: "alice"}, Until: "2099-01-01T00:00:00.000Z"}, nil
}

// Checkpoint implements rpc.Gateway.
func (s *World) Checkpoint(context.Context) (rpc.Checkpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rpc.Checkpoint{Checkpoint: s.world.Checkpoint(), Genesis: s.world.Genesis.String()}, nil
}

// Reader implements rpc.Gateway.
func (s *World) Reader(context.Context, string) (rpc.Actor, error) {
	return rpc.Actor{Kind: "person", ID: "alice"}, nil
}

// Entries implements rpc.Gateway.
func (s *World) Entries(_ context.Context, _ string, from, to uint64) (rpc.Entries, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := uint64(len(s.world.Lines))
	from, to = min(from, size), min(to, size)
	return rpc.Entries{From: from, Entries: s.world.Lines[from:to], Heads: [][]byte{}, Checkpoint: s.world.Checkpoint()}, nil
}

// Consistency implements rpc.Gateway.
func (s *World) Consistency(_ context.Context, old, newer uint64) (rpc.Consistency, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rpc.Consistency{Proof: hashes(s.world.Consistency(old, newer))}, nil
}

// Gaps implements rpc.Gateway.
func (s *World) Gaps(context.Context) (rpc.Gaps, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := rpc.Gaps{Gaps: []rpc.Receipt{}}
	for _, g := range s.world.State.Gaps() {
		r := s.world.Receipt(g.Seq)
		out.Gaps = append(out.Gaps, rpc.Receipt{Entry: r.Entry, Index: r.Index, Proof: hashes(r.Proof), Checkpoint: r.Checkpoint, Handovers: handovers(s.world.Chain)})
	}
	return out, nil
}

// LogKeys implements rpc.Gateway.
func (s *World) LogKeys(context.Context) (rpc.LogKeys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return rpc.LogKeys{Genesis: s.world.Genesis.String(), Handovers: append([]rpc.Handover{}, handovers(s.world.Chain)...)}, nil
}
