package signer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"kura/journal"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// TestAppendFails has an append fail in both ways (lost, and written but reported as failed), with the head readable and
// not: nothing is signed before the truth is known, and then exactly once.
func TestAppendFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		written bool
		blind   bool
	}{{"lost", false, false}, {"written", true, false}, {"lost and blind", false, true}, {"written and blind", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFaults(t)
			made := f.token.Signatures.Load()
			failed := false
			f.store.set(func() {
				f.store.append = func(ctx context.Context, g journal.Group) error {
					if !failed && strings.Contains(string(g.Entries[0]), `"kind":"statement/1"`) {
						failed = true
						if c.blind {
							f.store.set(func() { f.store.headErr = errLost })
						}
						if c.written {
							if err := f.store.Store.Append(ctx, g); err != nil {
								return err
							}
						}
						return errLost
					}
					return f.store.Store.Append(ctx, g)
				}
			})
			_, answered := f.submit(t, signertest.XYM)
			if c.blind {
				f.waitFor(t, "journal_unclear")
				if n := f.token.Signatures.Load(); n != made {
					t.Fatalf("%d signatures while nobody knew whether the authorisation stood", n-made)
				}
				if _, err := f.Signer.Submit(t.Context(), f.Sign("shop", f.Withdrawal(f.Wallets[signertest.XYM], 1)).Encode(), 0); codeOf(err) != "journal_unclear" {
					t.Errorf("a statement that comes meanwhile: %v", err)
				}
				if _, err := f.Signer.Checkpoint(t.Context()); err != nil {
					t.Errorf("reading meanwhile: %v", err)
				}
				f.store.set(func() { f.store.headErr = nil })
			}
			f.leaves(t, answered)
			if n := f.token.Signatures.Load(); n != made+1 {
				t.Errorf("%d signatures", n-made)
			}
			f.waitReady(t)
		})
	}
}

// TestForked has somebody else write to the journal: this signer stops for ever, says so, and goes on answering.
func TestForked(t *testing.T) {
	f := newFaults(t)
	made := f.token.Signatures.Load()
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			other := g
			first, err := journal.DecodeEntry(g.Entries[0])
			if err != nil {
				return err
			}
			tree, err := journal.NewTree(g.Prev.Size, nodesOf{ctx, f.store.Store})
			if err != nil {
				return err
			}
			first.Clock--
			line, err := first.Encode()
			if err != nil {
				return err
			}
			other.Entries, other.Nodes = [][]byte{line}, tree.Append(journal.LeafHash(line))
			other.Head = tree.Head()
			other.Checkpoint, err = journal.SignCheckpoint(signertest.Origin, other.Head, func(key [32]byte, text []byte) ([64]byte, error) {
				return f.token.SignHead(ctx, key, text)
			}, f.token.LogPublicKey())
			if err != nil {
				return err
			}
			if err := f.store.Store.Append(ctx, other); err != nil {
				return err
			}
			return f.store.Store.Append(ctx, g)
		}
	})
	_, answered := f.submit(t, signertest.XEM)
	a := <-answered
	if codeOf(a.err) != "journal_forked" {
		t.Fatalf("%+v", a)
	}
	if p, _ := errors.AsType[*rpc.Problem](a.err); p.Effect != rpc.EffectUnknown {
		t.Errorf("effect %s", p.Effect)
	}
	f.waitFor(t, "journal_forked")
	if n := f.token.Signatures.Load(); n != made {
		t.Errorf("%d signatures under a fork", n-made)
	}
	if err := f.Stop(); err == nil {
		t.Error("Run ended without an error")
	}
}

type nodesOf struct {
	ctx context.Context
	journal.Store
}

func (n nodesOf) ReadHashes(indexes []int64) ([]journal.Hash, error) {
	all, err := n.Store.Nodes(n.ctx, 0, n.size())
	if err != nil {
		return nil, err
	}
	out := make([]journal.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = all[at]
	}
	return out, nil
}

func (n nodesOf) size() uint64 {
	var size uint64
	for range n.Store.Entries(n.ctx, 0, journal.MaxSeq) {
		size++
	}
	return size
}

// TestAnchorFails: an authorisation that is durable but not anchored is not signed (I1).
func TestAnchorFails(t *testing.T) {
	f := newFaults(t)
	made := f.token.Signatures.Load()
	f.anchor.set(errors.New("disk full (test)"))
	_, answered := f.submit(t, signertest.XYM)
	f.waitFor(t, "anchor_unavailable")
	f.Until("the anchor was tried again", func() bool {
		f.anchor.mu.Lock()
		defer f.anchor.mu.Unlock()
		return f.anchor.tries > 2
	})
	if n := f.token.Signatures.Load(); n != made {
		t.Fatalf("%d signatures before the anchor moved", n-made)
	}
	f.anchor.set(nil)
	f.leaves(t, answered)
	f.waitReady(t)
}

// TestRolledBack: an older store under a newer anchor is refused at the start, and says why.
func TestRolledBack(t *testing.T) {
	f := newFaults(t)
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	older := readFile(t, f.StorePath())
	f.Start()
	f.Submit(t.Context(), f.Signer, "shop", f.Withdrawal(f.Wallets[signertest.XEM], signertest.Small))
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, f.StorePath(), older)
	err := f.TryStart()
	if rollback := (*journal.RollbackError)(nil); !errors.As(err, &rollback) {
		t.Fatalf("started on an older journal: %v", err)
	}
}
