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
// {"entry","index","proof":[…],"checkpoint"} with base64 strings and a plain number, and, under a head of a
// log key that took over from another, "handovers": the receipts of the entries by which the keys followed
// one another.
type Receipt struct {
	Index      uint64
	Entry      []byte     // exact bytes of the entry
	Proof      []Hash     // RFC 6962 audit path from the entry to the root, leaf first
	Checkpoint Checkpoint // the head that the proof leads to
	Handovers  Chain      // from the genesis line's log key to the checkpoint's; nil if it is the same
}

// proofJSON are the members that every receipt has.
type proofJSON struct {
	Entry      *[]byte `json:"entry"`
	Index      *uint64 `json:"index"`
	Proof      *[]Hash `json:"proof"`
	Checkpoint *[]byte `json:"checkpoint"`
}

// receiptJSON is a receipt; those of its chain have none of their own.
type receiptJSON struct {
	proofJSON
	Handovers []proofJSON `json:"handovers,omitempty"`
}

func (r Receipt) proofJSON() proofJSON {
	checkpoint := []byte(r.Checkpoint)
	return proofJSON{&r.Entry, &r.Index, &r.Proof, &checkpoint}
}

func (in proofJSON) receipt() (Receipt, error) {
	if in.Entry == nil || in.Index == nil || in.Proof == nil || in.Checkpoint == nil {
		return Receipt{}, fmt.Errorf("%w: entry, index, proof and checkpoint must all be there", ErrReceipt)
	}
	return Receipt{Index: *in.Index, Entry: *in.Entry, Proof: *in.Proof, Checkpoint: *in.Checkpoint}, nil
}

func (c Chain) proofsJSON() []proofJSON {
	all := make([]proofJSON, len(c))
	for i, r := range c {
		all[i] = r.proofJSON()
	}
	return all
}

func chainOf(in []proofJSON) (Chain, error) {
	var c Chain
	for _, p := range in {
		r, err := p.receipt()
		if err != nil {
			return nil, err
		}
		c = append(c, r)
	}
	return c, nil
}

// MarshalJSON returns the JSON form.
func (r Receipt) MarshalJSON() ([]byte, error) {
	return json.Marshal(receiptJSON{r.proofJSON(), r.Handovers.proofsJSON()})
}

// UnmarshalJSON reads the JSON form strictly: unknown, missing or repeated members are refused. It
// checks the form only; Verify checks the proof.
func (r *Receipt) UnmarshalJSON(b []byte) error {
	var in receiptJSON
	if err := unmarshalProofs(b, &in); err != nil {
		return err
	}
	read, err := in.receipt()
	if err != nil {
		return err
	}
	if read.Handovers, err = chainOf(in.Handovers); err != nil {
		return err
	}
	*r = read
	return nil
}

// MarshalJSON returns the JSON form: a list of receipts.
func (c Chain) MarshalJSON() ([]byte, error) { return json.Marshal(c.proofsJSON()) }

// UnmarshalJSON reads the JSON form as strictly as a receipt's. Learn checks the proofs.
func (c *Chain) UnmarshalJSON(b []byte) error {
	var in []proofJSON
	if err := unmarshalProofs(b, &in); err != nil {
		return err
	}
	read, err := chainOf(in)
	if err != nil {
		return err
	}
	*c = read
	return nil
}

func unmarshalProofs(b []byte, into any) error {
	if len(b) > MaxReceipt {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrReceipt, len(b), MaxReceipt)
	}
	if err := json.Unmarshal(b, into, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	return nil
}

// Verify checks offline that the receipt's entry is in the journal that g names, and returns it decoded.
func (r Receipt) Verify(g Genesis) (Entry, error) {
	e, _, err := r.VerifyUnder(g.Keys())
	return e, err
}

// VerifyUnder is Verify for a reader that may know of handovers already: an old key's head behind one of
// those is refused, whatever the receipt says. It returns the keys as far as they are known then.
func (r Receipt) VerifyUnder(known LogKeys) (Entry, LogKeys, error) {
	keys, err := known.Learn(r.Handovers)
	if err != nil {
		return Entry{}, known, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	e, err := r.under(keys)
	if err != nil {
		return Entry{}, known, err
	}
	return e, keys, nil
}

// under verifies the receipt under keys that are known.
func (r Receipt) under(keys LogKeys) (Entry, error) {
	g := keys.genesis
	head, err := keys.Open(r.Checkpoint)
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

// Before returns the head that the entry stands behind, for a receipt that verifies under a head of that size: what a
// proof has to the left of its entry are the subtrees of all entries before it.
func (r Receipt) Before(size uint64) Head {
	head := EmptyHead()
	at, last := r.Index, size-1
	for _, h := range r.Proof {
		switch {
		case at&1 == 0 && at != last: // to the right of it
		case head.Size == 0:
			head = Head{Size: r.Index, Root: h}
		default:
			head.Root = tlog.NodeHash(h, head.Root)
		}
		for at&1 == 0 && at != 0 && at == last {
			at, last = at>>1, last>>1
		}
		at, last = at>>1, last>>1
	}
	return head
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
