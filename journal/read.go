package journal

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// recentBytes bounds the entries that a Log keeps in memory: those whose receipts are about to be asked for.
const recentBytes = 4 << 20

// view is one consistent moment of the journal, as readers see it.
func (l *Log) view() *Draft {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.covered
}

// Entries yields entries as they are stored, from `from` (inclusive) to `to` (exclusive) and never past
// the signed head. They are not verified one by one: a reader that must be sure asks for a receipt, or
// verifies the whole (Verify).
func (l *Log) Entries(ctx context.Context, from, to uint64) iter.Seq2[StoredEntry, error] {
	return l.store.Entries(ctx, from, min(to, l.Head().Size))
}

// Heads yields the signed heads of the groups that end above size `after` and up to `to`, in order, as they are
// stored: whoever reads them opens them under the pinned key. A row that has not even a head's form is an error.
func (l *Log) Heads(ctx context.Context, after, to uint64) iter.Seq2[Checkpoint, error] {
	to = min(to, l.Head().Size)
	return func(yield func(Checkpoint, error) bool) {
		for stored, err := range l.store.Heads(ctx, after) {
			if err != nil {
				yield(nil, err)
				return
			}
			head, err := PeekCheckpoint(l.genesis.Origin, stored.Checkpoint)
			if err != nil {
				yield(nil, &TamperError{TamperHead, after, after, fmt.Sprintf("the head after size %d: %v", after, err)})
				return
			}
			if head.Size > to || !yield(stored.Checkpoint, nil) {
				return
			}
			after = head.Size
		}
	}
}

// Receipt returns an entry with its proof under the newest checkpoint. The proof is checked before it is
// given out, so a store whose rows were edited yields an error and no receipt.
func (l *Log) Receipt(ctx context.Context, index uint64) (Receipt, error) {
	newest := l.view()
	return l.receipt(ctx, index, newest.Head, newest.Checkpoint)
}

// ReceiptUnder is Receipt under a checkpoint of the caller's: a signed head of this journal, with whatever
// cosignatures it carries, that is at most as long as the newest one. It is for those who show nothing that
// witnesses have not cosigned.
func (l *Log) ReceiptUnder(ctx context.Context, index uint64, c Checkpoint) (Receipt, error) {
	keys := l.Keys()
	head, err := keys.Open(c)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt of entry %d: %w", index, err)
	}
	if size := l.Head().Size; head.Size > size {
		return Receipt{}, fmt.Errorf("receipt of entry %d: the checkpoint has size %d, the journal %d entries", index, head.Size, size)
	}
	return l.receipt(ctx, index, head, c)
}

func (l *Log) receipt(ctx context.Context, index uint64, head Head, checkpoint Checkpoint) (Receipt, error) {
	if index >= head.Size {
		return Receipt{}, fmt.Errorf("receipt of entry %d: the journal has %d entries", index, head.Size)
	}
	entry, err := l.entry(ctx, index)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt of entry %d: %w", index, err)
	}
	proof, err := proveInclusion(head.Size, index, l.cache.reader(ctx, head.Size))
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	if err := tlog.CheckRecord(proof, int64(head.Size), head.Root, int64(index), LeafHash(entry)); err != nil {
		return Receipt{}, &TamperError{TamperRoot, index, index, "entry and stored tree hashes do not lead to the signed root"}
	}
	chain, err := l.Chain(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt of entry %d: %w", index, err)
	}
	return Receipt{Index: index, Entry: entry, Proof: proof, Checkpoint: checkpoint, Handovers: chain.Under(head.Size)}, nil
}

// Chain returns the proofs of every handover of the log key in the store, nil if there was none. They are read
// once, and held to what was verified. Under takes those that belong to a head that readers see.
func (l *Log) Chain(ctx context.Context) (Chain, error) {
	l.mu.RLock()
	keys, chain := l.written.keys, l.chain
	l.mu.RUnlock()
	if len(chain) == len(keys.handovers) {
		return chain, nil
	}
	chain = slices.Clone(chain)
	for _, h := range keys.handovers[len(chain):] {
		r, err := l.handoverReceipt(ctx, h)
		if err != nil {
			return nil, fmt.Errorf("proof of the log key's handover in entry %d: %w", h.Seq, err)
		}
		chain = append(chain, r)
	}
	if _, err := keys.Learn(chain); err != nil {
		return nil, &TamperError{TamperHandover, chain[0].Index, chain[len(chain)-1].Index, "the stored handovers of the log key prove nothing: " + err.Error()}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(chain) > len(l.chain) {
		l.chain = chain
	}
	return chain, nil
}

// handoverReceipt reads a handover's entry and the head just behind it.
func (l *Log) handoverReceipt(ctx context.Context, h Handover) (Receipt, error) {
	for stored, err := range l.store.Heads(ctx, h.Seq) {
		if err != nil {
			return Receipt{}, err
		}
		entry, err := l.entry(ctx, h.Seq)
		if err != nil {
			return Receipt{}, err
		}
		proof, err := proveInclusion(h.Seq+1, h.Seq, l.cache.reader(ctx, h.Seq+1))
		if err != nil {
			return Receipt{}, err
		}
		return Receipt{Index: h.Seq, Entry: entry, Proof: proof, Checkpoint: stored.Checkpoint}, nil
	}
	return Receipt{}, &TamperError{TamperMissing, h.Seq, h.Seq, "the store has no head over it"}
}

// Prove returns the inclusion proof of an entry under the newest head, from the tree hashes alone. They are
// as the store holds them: whoever has the entry checks the proof, as Receipt does.
func (l *Log) Prove(ctx context.Context, index uint64) ([]Hash, error) {
	size := l.Head().Size
	return proveInclusion(size, index, l.cache.reader(ctx, size))
}

// entry returns the bytes of one entry, from the newest groups or from the store.
func (l *Log) entry(ctx context.Context, index uint64) ([]byte, error) {
	if b := l.remembered(index); b != nil {
		return b, nil
	}
	for row, err := range l.store.Entries(ctx, index, index+1) {
		if err != nil {
			return nil, err
		}
		return row.Bytes, nil
	}
	return nil, &TamperError{TamperMissing, index, index, "the store does not have it"}
}

func (l *Log) remembered(index uint64) []byte {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, d := range slices.Backward(l.recent) {
		if index >= d.Prev.Size && index < d.Head.Size {
			return d.Entries[index-d.Prev.Size]
		}
	}
	return nil
}

// ProveConsistency returns the proof that the journal at size newer extends the journal at size old. Either may be
// past what readers see: witnesses are asked about a head before a signer that takes over moves its anchors to it.
func (l *Log) ProveConsistency(ctx context.Context, old, newer uint64) ([]Hash, error) {
	size := l.newest().Head.Size
	if newer > size {
		return nil, fmt.Errorf("prove consistency with size %d: the journal has %d entries", newer, size)
	}
	return proveConsistency(old, newer, l.cache.reader(ctx, newer))
}

// Stray reports rows of the store past the signed head.
func (l *Log) Stray(ctx context.Context) (Stray, error) { return l.store.Stray(ctx) }
