package journal

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrReceipt is wrapped by every error about a receipt's form or proof.
var ErrReceipt = errors.New("bad receipt")

// MaxReceipt bounds the JSON form of a receipt, in bytes: an entry in base64 and a proof.
const MaxReceipt = 2 * MaxEntrySize

// A Receipt proves that an entry is in the journal, to whoever pinned the genesis line. Its JSON form is
// {"entry","index","proof":[…],"checkpoint"} with base64 strings and a plain number.
type Receipt struct {
	Index      uint64
	Entry      []byte     // exact bytes of the entry
	Proof      []Hash     // RFC 6962 audit path from the entry to the root, leaf first
	Checkpoint Checkpoint // the head that the proof leads to
}

type receiptJSON struct {
	Entry      *[]byte `json:"entry"`
	Index      *uint64 `json:"index"`
	Proof      *[]Hash `json:"proof"`
	Checkpoint *[]byte `json:"checkpoint"`
}

// MarshalJSON returns the JSON form.
func (r Receipt) MarshalJSON() ([]byte, error) {
	checkpoint := []byte(r.Checkpoint)
	return json.Marshal(receiptJSON{&r.Entry, &r.Index, &r.Proof, &checkpoint})
}

// UnmarshalJSON reads the JSON form strictly: unknown, missing or repeated members are refused. It
// checks the form only; Verify checks the proof.
func (r *Receipt) UnmarshalJSON(b []byte) error {
	if len(b) > MaxReceipt {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrReceipt, len(b), MaxReceipt)
	}
	var in receiptJSON
	if err := json.Unmarshal(b, &in, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if in.Entry == nil || in.Index == nil || in.Proof == nil || in.Checkpoint == nil {
		return fmt.Errorf("%w: entry, index, proof and checkpoint must all be there", ErrReceipt)
	}
	*r = Receipt{Index: *in.Index, Entry: *in.Entry, Proof: *in.Proof, Checkpoint: *in.Checkpoint}
	return nil
}

// Verify checks offline that the receipt's entry is in the journal that g names, and returns it decoded.
func (r Receipt) Verify(g Genesis) (Entry, error) {
	head, err := OpenCheckpoint(g, r.Checkpoint)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if r.Index >= head.Size {
		return Entry{}, fmt.Errorf("%w: index %d is not below the checkpoint's size %d", ErrReceipt, r.Index, head.Size)
	}
	if r.Index == 0 && LeafHash(r.Entry) != g.Hash {
		return Entry{}, fmt.Errorf("%w: entry 0 is not the genesis that was pinned", ErrReceipt)
	}
	if err := tlog.CheckRecord(r.Proof, int64(head.Size), head.Root, int64(r.Index), LeafHash(r.Entry)); err != nil {
		return Entry{}, fmt.Errorf("%w: entry %d is not under the checkpoint's root: %w", ErrReceipt, r.Index, err)
	}
	e, err := DecodeEntry(r.Entry)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if e.Seq != r.Index {
		return Entry{}, fmt.Errorf("%w: the entry says seq %d, the receipt index %d", ErrReceipt, e.Seq, r.Index)
	}
	return e, nil
}

// VerifyConsistency checks that the newer head extends the older one: that every entry under old stands
// unchanged under newer.
func VerifyConsistency(old, newer Head, proof []Hash) error {
	if old.Size == 0 {
		if old != EmptyHead() || len(proof) != 0 {
			return errors.New("a head of size 0 has the root of nothing and needs no proof")
		}
		return nil
	}
	if err := tlog.CheckTree(proof, int64(newer.Size), newer.Root, int64(old.Size), old.Root); err != nil {
		return fmt.Errorf("the head of size %d does not extend the head of size %d: %w", newer.Size, old.Size, err)
	}
	return nil
}
