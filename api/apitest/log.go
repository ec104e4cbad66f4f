package apitest

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"time"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/signer/rpc"
	"kura/statement"
)

// logKey is the log key after so many handovers.
func logKey(n int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = byte(n)
	return ed25519.NewKeyFromSeed(seed)
}

func publicLogKey(n int) [32]byte { return [32]byte(logKey(n).Public().(ed25519.PublicKey)) }

// signHead signs with the one of the double's log keys that is asked for.
func signHead(key [32]byte, text []byte) ([64]byte, error) {
	n := 0
	for publicLogKey(n) != key {
		n++
	}
	return [64]byte(ed25519.Sign(logKey(n), text)), nil
}

// HandOver hands the log key over to the next one.
func (s *Signer) HandOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.chain)
	seq := s.append(journal.KindHandover, map[string]any{
		"old": journal.FormatLogKey(publicLogKey(n)), "new": journal.FormatLogKey(publicLogKey(n + 1)), "proposal": statement.Hash{}.String(),
	})
	proof, err := s.tree.Prove(seq)
	if err != nil {
		panic(err)
	}
	s.chain = append(s.chain, journal.Receipt{Entry: s.entries[seq], Index: seq, Proof: proof, Checkpoint: s.checkpoint})
	if s.keys, err = s.keys.Learn(s.chain); err != nil {
		panic(err)
	}
}

// SignLate signs the newest head with the log key that was in use so many handovers ago, as its thief would, and shows
// that one from now on.
func (s *Signer) SignLate(ago int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := journal.SignCheckpoint(s.genesis.Origin, s.tree.Head(), signHead, publicLogKey(len(s.chain)-ago))
	if err != nil {
		panic(err)
	}
	s.checkpoint = c
}

// Grow appends n entries that mean nothing.
func (s *Signer) Grow(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.append("tick/1", map[string]any{})
	}
}

// append writes an entry and signs the head over it. The caller holds the lock.
func (s *Signer) append(kind string, body any) (seq uint64) {
	text, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	seq = uint64(len(s.entries))
	raw, err := journal.Entry{Seq: seq, Clock: s.Now, Time: s.Now, Kind: kind, Body: text}.Encode()
	if err != nil {
		panic(err)
	}
	s.entries = append(s.entries, raw)
	s.tree.Append(journal.LeafHash(raw))
	head := s.tree.Head()
	if s.checkpoint, err = journal.SignCheckpoint(s.genesis.Origin, head, signHead, s.keys.At(head.Size)); err != nil {
		panic(err)
	}
	s.heads = append(s.heads, s.checkpoint)
	close(s.grown)
	s.grown = make(chan struct{})
	return seq
}

// receipt proves an entry under the newest head. The caller holds the lock.
func (s *Signer) receipt(seq uint64) *rpc.Receipt {
	proof, err := s.tree.Prove(seq)
	if err != nil {
		panic(err)
	}
	return &rpc.Receipt{
		Entry: s.entries[seq], Index: seq, Proof: hashes(proof), Checkpoint: s.checkpoint,
		Handovers: handovers(s.chain.Under(s.tree.Head().Size)),
	}
}

func handovers(c journal.Chain) (all []rpc.Handover) {
	for _, r := range c {
		all = append(all, rpc.Handover{Entry: r.Entry, Index: r.Index, Proof: hashes(r.Proof), Checkpoint: r.Checkpoint})
	}
	return all
}

func hashes(in []journal.Hash) [][]byte {
	out := make([][]byte, len(in))
	for i, h := range in {
		out[i] = h[:]
	}
	return out
}

// Receipt implements rpc.Gateway.
func (s *Signer) Receipt(ctx context.Context, bearer string, seq uint64) (rpc.Receipt, error) {
	release, err := s.admitted(ctx, "receipt", bearer)
	if err != nil {
		return rpc.Receipt{}, err
	}
	defer release()
	if seq >= uint64(len(s.entries)) {
		return rpc.Receipt{}, notFound("seq", "no such entry")
	}
	return *s.receipt(seq), nil
}

// Checkpoint implements rpc.Gateway.
func (s *Signer) Checkpoint(ctx context.Context) (rpc.Checkpoint, error) {
	if err := s.gate(ctx, "checkpoint"); err != nil {
		return rpc.Checkpoint{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return rpc.Checkpoint{Checkpoint: s.checkpoint, Genesis: s.genesis.String()}, nil
}

// Consistency implements rpc.Gateway.
func (s *Signer) Consistency(ctx context.Context, old, newer uint64) (rpc.Consistency, error) {
	if err := s.gate(ctx, "consistency"); err != nil {
		return rpc.Consistency{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	proof, err := s.tree.ProveConsistency(old, newer)
	if err != nil {
		return rpc.Consistency{}, notFound("new", err.Error())
	}
	return rpc.Consistency{Proof: hashes(proof)}, nil
}

// LogKeys implements rpc.Gateway.
func (s *Signer) LogKeys(ctx context.Context) (rpc.LogKeys, error) {
	if err := s.gate(ctx, "log.keys"); err != nil {
		return rpc.LogKeys{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return rpc.LogKeys{Genesis: s.genesis.String(), Handovers: append([]rpc.Handover{}, handovers(s.chain.Under(s.tree.Head().Size))...)}, nil
}

// Gaps implements rpc.Gateway: the double loses nothing.
func (s *Signer) Gaps(ctx context.Context) (rpc.Gaps, error) {
	return rpc.Gaps{Gaps: []rpc.Receipt{}}, s.gate(ctx, "gaps")
}

// Reader implements rpc.Gateway.
func (s *Signer) Reader(ctx context.Context, bearer string) (rpc.Actor, error) {
	release, err := s.admitted(ctx, "reader", bearer)
	if err != nil {
		return rpc.Actor{}, err
	}
	defer release()
	return s.sessions[bearer].Actor, nil
}

// Entries implements rpc.Gateway; its pages are short, so that readers must page.
func (s *Signer) Entries(ctx context.Context, bearer string, from, to uint64) (rpc.Entries, error) {
	release, err := s.admitted(ctx, "entries", bearer)
	if err != nil {
		return rpc.Entries{}, err
	}
	defer release()
	size := uint64(len(s.entries))
	from = min(from, size)
	to = min(to, from+7, size)
	return rpc.Entries{From: from, Entries: s.entries[from:to], Heads: s.heads[from:to], Checkpoint: s.checkpoint}, nil
}

// Follow implements rpc.Gateway.
func (s *Signer) Follow(ctx context.Context, size uint64, waitMillis int64) (rpc.Checkpoint, error) {
	if err := s.gate(ctx, "follow"); err != nil {
		return rpc.Checkpoint{}, err
	}
	timeout := time.After(time.Duration(waitMillis) * time.Millisecond)
	for {
		s.mu.Lock()
		grown, newest, longer := s.grown, s.checkpoint, uint64(len(s.entries)) > size
		s.mu.Unlock()
		if longer || waitMillis == 0 {
			return rpc.Checkpoint{Checkpoint: newest, Genesis: s.genesis.String()}, nil
		}
		select {
		case <-grown:
		case <-timeout:
			waitMillis = 0
		case <-ctx.Done():
			return rpc.Checkpoint{}, ctx.Err()
		}
	}
}

// Tile implements rpc.Gateway for the lowest level.
func (s *Signer) Tile(ctx context.Context, level int, index uint64, width int) ([]byte, error) {
	if err := s.gate(ctx, "tile"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first := index * 256
	if level != 0 || !(journal.Tile{Index: index, Width: width}).Within(uint64(len(s.entries))) {
		return nil, notFound("tile", "no such tile")
	}
	var out []byte
	for _, entry := range s.entries[first : first+uint64(width)] {
		leaf := journal.LeafHash(entry)
		out = append(out, leaf[:]...)
	}
	return out, nil
}

// EntryBundle implements rpc.Gateway.
func (s *Signer) EntryBundle(ctx context.Context, bearer string, index uint64, width int) ([]byte, error) {
	release, err := s.admitted(ctx, "bundle", bearer)
	if err != nil {
		return nil, err
	}
	defer release()
	first := index * 256
	if !(journal.Tile{Entries: true, Index: index, Width: width}).Within(uint64(len(s.entries))) {
		return nil, notFound("tile", "no such tile")
	}
	var out []byte
	for _, entry := range s.entries[first : first+uint64(width)] {
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(entry))), entry...)
	}
	return out, nil
}
