package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
)

// A TamperError says where a store's rows stop being the journal that was signed.
type TamperError struct {
	Code   string // one of the Tamper codes below
	First  uint64 // first entry that is concerned
	Last   uint64 // last one: the same entry, or the end of a group that is wrong somewhere
	Reason string
}

// Stable codes of a TamperError.
const (
	TamperMissing   = "entry_missing"   // a row is not there
	TamperMalformed = "entry_malformed" // its bytes are not an entry
	TamperSeq       = "entry_seq"       // it is another entry than its place says
	TamperLeaf      = "entry_changed"   // its bytes do not have the leaf hash that was stored with them
	TamperNode      = "node_changed"    // a tree hash stored with it is not what the entries give
	TamperRoot      = "root_mismatch"   // the entries of a group do not lead to its head
	TamperHead      = "head_invalid"    // a head is not a checkpoint of this journal, or is not signed
	TamperChain     = "head_chain"      // a head does not follow the one before it
	TamperGenesis   = "genesis_foreign" // entry 0 is not the genesis that was pinned
	TamperHandover  = "handover"        // the log key is handed over where or as it cannot be
)

func (e *TamperError) Error() string {
	if e.First == e.Last {
		return fmt.Sprintf("journal altered at entry %d (%s): %s", e.First, e.Code, e.Reason)
	}
	return fmt.Sprintf("journal altered in entries %d to %d (%s): %s", e.First, e.Last, e.Code, e.Reason)
}

// A Verification says what to verify and how.
type Verification struct {
	Genesis Genesis
	// Trusted is a signed head up to which the reader has verified the journal before (a snapshot's, or
	// a checkpoint's of its own). The zero value trusts nothing: everything is verified from entry 0.
	Trusted Head
	// Handovers are those of the log key below the trusted head. Later ones are read on the way.
	Handovers []Handover
	// EverySignature opens every stored checkpoint under its log key. Otherwise only the newest one is
	// opened and those at which the log key was handed over, and of the others only what they say is
	// compared: enough for deciding, since the newest signature covers every entry.
	EverySignature bool
	// Visit, if not nil, gets every verified entry in order, a group at a time, once the group leads to
	// its stored head. It must discard what it made of them when Verify fails. The entry's body is its own.
	Visit func(e Entry, leaf []byte) error
	// Ahead takes Visit's place for whoever has work to do that needs no order: it gets every entry early, on
	// several goroutines, before anything but its form was verified, and returns what is Visit's for it.
	Ahead func(e Entry) (visit func() error)
}

// Verify reads a store's entries from the trusted head to its newest head and checks that each decodes,
// stands in its place and leads, with all others, to every stored head and to the newest one's signed
// root. It returns the newest head with its checkpoint; of an empty store EmptyHead and nil. An error
// about the rows is a *TamperError that names the first bad entry; others come from the store.
func Verify(ctx context.Context, s Store, v Verification) (Head, Checkpoint, error) {
	w, err := startWalk(ctx, s, v)
	if err != nil || w == nil {
		return EmptyHead(), nil, err
	}
	if err := w.run(ctx); err != nil {
		return Head{}, nil, err
	}
	return w.head, w.checkpoint, nil
}

// A walk is one verification under way.
type walk struct {
	store      Store
	v          Verification
	head       Head // the newest signed head: where the walk must arrive
	checkpoint Checkpoint
	edge       edge    // the tree over what was read so far
	keys       LogKeys // by the handovers among that
}

func startWalk(ctx context.Context, s Store, v Verification) (*walk, error) {
	checkpoint, err := s.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the journal's head: %w", err)
	}
	trusted := v.Trusted
	if trusted == (Head{}) {
		trusted = EmptyHead()
	}
	if checkpoint == nil {
		if trusted.Size > 0 {
			return nil, &TamperError{TamperMissing, 0, trusted.Size - 1, fmt.Sprintf("the store is empty, size %d was verified before", trusted.Size)}
		}
		return nil, nil
	}
	keys, err := v.Genesis.Keys().WithAll(v.Handovers)
	if err != nil {
		return nil, err
	}
	head, err := keys.Open(checkpoint)
	if errors.Is(err, ErrOtherKey) {
		// A handover on the way may explain it: run demands at its end that one has.
		head, err = PeekCheckpoint(v.Genesis.Origin, checkpoint)
	}
	if err != nil {
		return nil, &TamperError{TamperHead, trusted.Size, trusted.Size, "the newest head is not one of this journal: " + err.Error()}
	}
	if head.Size < trusted.Size {
		return nil, &TamperError{TamperMissing, head.Size, trusted.Size - 1, fmt.Sprintf("the journal ends at size %d, size %d was verified before", head.Size, trusted.Size)}
	}
	border, err := newEdge(trusted.Size, newNodeCache(s).reader(ctx, trusted.Size))
	if err != nil {
		return nil, err
	}
	if border.head() != trusted {
		return nil, &TamperError{TamperNode, 0, trusted.Size, fmt.Sprintf("stored tree hashes give root %s at size %d, %s was verified before", border.head().Root, trusted.Size, trusted.Root)}
	}
	return &walk{store: s, v: v, head: head, checkpoint: checkpoint, edge: border, keys: keys}, nil
}

func (w *walk) run(ctx context.Context) error {
	entries, stop := iter.Pull2(readAhead(w.store.Entries(ctx, w.edge.size, w.head.Size), w.v.Ahead))
	defer stop()
	prev := w.edge.head()
	for stored, err := range w.store.Heads(ctx, w.edge.size) {
		if err != nil {
			return fmt.Errorf("read the heads after size %d: %w", prev.Size, err)
		}
		if prev == w.head {
			break // this one was appended since the walk began
		}
		next, err := w.openHead(prev, stored)
		if err != nil {
			return err
		}
		if err := w.group(next, stored.Checkpoint, entries); err != nil {
			return err
		}
		prev = next
	}
	if prev != w.head {
		return &TamperError{TamperChain, prev.Size, w.head.Size - 1, fmt.Sprintf("the chain of heads ends at size %d, the newest head has size %d", prev.Size, w.head.Size)}
	}
	// At the start a handover on the way could still explain another key, and perhaps no row was read since: now it
	// is known which key must have signed the very bytes that are kept and shown.
	_, bare, err := w.keys.OpenBare(w.checkpoint)
	if err != nil {
		return &TamperError{TamperHead, w.head.Size, w.head.Size, "the newest head is not one of this journal: " + err.Error()}
	}
	w.checkpoint = bare // what else stands in the row was not signed by anybody
	return nil
}

// openHead checks one row of the chain of heads against the one before it.
func (w *walk) openHead(prev Head, stored StoredHead) (Head, error) {
	bad := func(code, format string, args ...any) (Head, error) {
		return Head{}, &TamperError{code, prev.Size, prev.Size, fmt.Sprintf(format, args...)}
	}
	var next Head
	var err error
	if w.v.EverySignature || bytes.Equal(stored.Checkpoint, w.checkpoint) {
		next, err = w.keys.Open(stored.Checkpoint)
	} else {
		next, err = PeekCheckpoint(w.v.Genesis.Origin, stored.Checkpoint)
	}
	if err != nil {
		return bad(TamperHead, "the head after size %d: %v", prev.Size, err)
	}
	if stored.Prev != prev {
		return bad(TamperChain, "the head of size %d follows size %d root %s, the head before it has size %d root %s", next.Size, stored.Prev.Size, stored.Prev.Root, prev.Size, prev.Root)
	}
	if next.Size <= prev.Size || next.Size > w.head.Size {
		return bad(TamperChain, "the head after size %d has size %d, the newest head %d", prev.Size, next.Size, w.head.Size)
	}
	return next, nil
}

// group reads the entries up to the next head, checks each, and their root against that head.
func (w *walk) group(next Head, checkpoint Checkpoint, entries func() (decoded, error, bool)) error {
	first := w.edge.size
	var visits []decoded
	var nodes []Hash
	var changed error // a row whose stored hashes are wrong: named only if the entries themselves are right
	var handover *Entry
	for seq := first; seq < next.Size; seq++ {
		d, err, ok := entries()
		if err != nil {
			return fmt.Errorf("read entry %d: %w", seq, err)
		}
		bad := func(code, format string, args ...any) error {
			return &TamperError{code, seq, seq, fmt.Sprintf(format, args...)}
		}
		switch {
		case !ok:
			return bad(TamperMissing, "the store has no entry %d, the head has size %d", seq, next.Size)
		case d.row.Seq > seq:
			return bad(TamperMissing, "the store goes on with entry %d", d.row.Seq)
		case d.row.Seq < seq:
			return bad(TamperSeq, "the store repeats entry %d", d.row.Seq)
		case d.err != nil:
			return bad(TamperMalformed, "%v", d.err)
		case d.entry.Seq != seq:
			return bad(TamperSeq, "the entry that stands there says seq %d", d.entry.Seq)
		case seq == 0 && d.leaf != w.v.Genesis.Hash:
			return bad(TamperGenesis, "leaf hash %x, the pinned genesis has %x", d.leaf, w.v.Genesis.Hash)
		case len(d.row.Nodes) == 0 || d.row.Nodes[0] != d.leaf:
			return bad(TamperLeaf, "the leaf hash stored with it is not that of its bytes")
		}
		nodes = w.edge.append(d.leaf, nodes[:0])
		if changed == nil && !equalHashes(nodes, d.row.Nodes) {
			changed = bad(TamperNode, "the tree hashes stored with it are not those of the entries")
		}
		if d.entry.Kind == KindHandover && handover == nil {
			handover = &d.entry
		}
		if w.v.Visit != nil || w.v.Ahead != nil {
			visits = append(visits, d)
		}
	}
	if got := w.edge.head(); got != next {
		return &TamperError{TamperRoot, first, next.Size - 1, fmt.Sprintf("they give root %s, the head of size %d has %s", got.Root, next.Size, next.Root)}
	}
	if changed != nil {
		return changed
	}
	if handover != nil {
		if err := w.handOver(*handover, next, checkpoint); err != nil {
			return err
		}
	}
	for _, d := range visits {
		visit := d.visit
		if visit == nil {
			visit = func() error { return w.v.Visit(d.entry, d.row.Bytes) }
		}
		if err := visit(); err != nil {
			return fmt.Errorf("entry %d: %w", d.entry.Seq, err)
		}
	}
	return nil
}

// handOver goes on under the next log key. The entry must end its group, and the head over it must have the
// old key's signature: else whoever writes rows could name a key of their own.
func (w *walk) handOver(e Entry, next Head, checkpoint Checkpoint) error {
	bad := func(code, format string, args ...any) error {
		return &TamperError{code, e.Seq, e.Seq, fmt.Sprintf(format, args...)}
	}
	if next.Size != e.Seq+1 {
		return bad(TamperHandover, "the log key is handed over before the end of a group, whose head has size %d", next.Size)
	}
	if _, err := w.keys.Open(checkpoint); err != nil {
		return bad(TamperHead, "the head over the handover of the log key: %v", err)
	}
	keys, err := w.keys.After(e)
	if err != nil {
		return bad(TamperHandover, "%v", err)
	}
	w.keys = keys
	return nil
}

func equalHashes(a, b []Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// PeekCheckpoint reads what a checkpoint says without looking at its signatures. Nothing follows from it but
// which key must have signed.
func PeekCheckpoint(origin string, c Checkpoint) (Head, error) {
	text, _, ok := bytes.Cut(c, []byte("\n\n"))
	if !ok {
		return Head{}, fmt.Errorf("%w: no signature follows the text", ErrCheckpoint)
	}
	h, err := ParseHead(origin, string(text)+"\n")
	if err != nil {
		return Head{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return h, nil
}
