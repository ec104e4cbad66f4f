package journal

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
)

// KindHandover is the kind of the one entry whose body this package reads, because it decides under which
// key heads are opened. Package ledger judges who may write one.
const KindHandover = "logkey/1"

// Errors about log keys.
var (
	// ErrHandover is wrapped by every error about a handover that cannot follow those before it.
	ErrHandover = errors.New("bad handover of the log key")
	// ErrOtherKey says that a checkpoint is not signed by the log key that its size belongs to. It may be an
	// old key's, which signs nothing after its handover, or one whose handover the reader does not know.
	ErrOtherKey = errors.New("not signed by the log key of its size")
)

// A Handover is the entry by which one log key hands over to the next. It is the last of its group, so the
// head that covers it is the last one under the old key, and every larger head is under the new key.
type Handover struct {
	Seq      uint64   // of the entry
	Old, New [32]byte // Ed25519 public keys
}

// handoverBody is the body of a handover's entry. What it rests on is package ledger's.
type handoverBody struct {
	Old      string `json:"old"`
	New      string `json:"new"`
	Proposal string `json:"proposal"`
}

// ParseLogKey reads a log key as entries write it: standard base64 of its 32 bytes, in its one form.
func ParseLogKey(text string) ([32]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 32 || FormatLogKey([32]byte(raw)) != text {
		return [32]byte{}, fmt.Errorf("log key %.60q is not the base64 of a 32-byte Ed25519 key", text)
	}
	return [32]byte(raw), nil
}

// FormatLogKey writes a log key as ParseLogKey reads it.
func FormatLogKey(key [32]byte) string { return base64.StdEncoding.EncodeToString(key[:]) }

// handoverOf reads an entry of KindHandover.
func handoverOf(e Entry) (Handover, error) {
	var b handoverBody
	if err := json.Unmarshal(e.Body, &b, json.RejectUnknownMembers(true)); err != nil {
		return Handover{}, fmt.Errorf("%w: entry %d: %w", ErrHandover, e.Seq, err)
	}
	h := Handover{Seq: e.Seq}
	var err1, err2 error
	h.Old, err1 = ParseLogKey(b.Old)
	h.New, err2 = ParseLogKey(b.New)
	if err := errors.Join(err1, err2); err != nil {
		return Handover{}, fmt.Errorf("%w: entry %d: %w", ErrHandover, e.Seq, err)
	}
	return h, nil
}

// LogKeys says which log key signs the head of which size: the genesis line's first, then the one that each
// handover names. It is a value: what is learned later makes another one. The zero LogKeys opens nothing.
type LogKeys struct {
	genesis   Genesis
	handovers []Handover // in order, never changed in place
}

// Keys returns what the genesis line alone says: that its log key signs every head.
func (g Genesis) Keys() LogKeys { return LogKeys{genesis: g} }

// Genesis returns what everybody pins, whatever was handed over since.
func (k LogKeys) Genesis() Genesis { return k.genesis }

// Handovers returns the handovers in their order. They must not be changed.
func (k LogKeys) Handovers() []Handover { return k.handovers }

// Newest returns the log key that was named last.
func (k LogKeys) Newest() [32]byte {
	if n := len(k.handovers); n > 0 {
		return k.handovers[n-1].New
	}
	return k.genesis.LogKey
}

// At returns the log key that signs heads of a size.
func (k LogKeys) At(size uint64) [32]byte {
	key := k.genesis.LogKey
	for _, h := range k.handovers {
		if size <= h.Seq+1 {
			break
		}
		key = h.New
	}
	return key
}

// Used reports whether a key is or was a log key of this journal. Such a key is never handed over to.
func (k LogKeys) Used(key [32]byte) bool {
	if key == k.genesis.LogKey {
		return true
	}
	for _, h := range k.handovers {
		if h.New == key {
			return true
		}
	}
	return false
}

// With returns the keys after one more handover: it must stand behind those before it, be from the newest
// key, and be to one that was never a log key here.
func (k LogKeys) With(h Handover) (LogKeys, error) {
	n := len(k.handovers)
	switch {
	case h.Seq == 0 || n > 0 && h.Seq <= k.handovers[n-1].Seq:
		return k, fmt.Errorf("%w: entry %d does not come after what handed over before", ErrHandover, h.Seq)
	case h.Old != k.Newest():
		return k, fmt.Errorf("%w: entry %d is from key %s, the log key is %s", ErrHandover, h.Seq, FormatLogKey(h.Old), FormatLogKey(k.Newest()))
	case k.Used(h.New):
		return k, fmt.Errorf("%w: entry %d is to key %s, which was the log key before", ErrHandover, h.Seq, FormatLogKey(h.New))
	}
	k.handovers = append(k.handovers[:n:n], h)
	return k, nil
}

// Below returns the keys as they were known when the journal had a size.
func (k LogKeys) Below(size uint64) LogKeys {
	for i, h := range k.handovers {
		if h.Seq >= size {
			k.handovers = k.handovers[:i:i]
			break
		}
	}
	return k
}

// WithAll is With for several handovers in their order.
func (k LogKeys) WithAll(handovers []Handover) (LogKeys, error) {
	var err error
	for _, h := range handovers {
		if k, err = k.With(h); err != nil {
			return k, err
		}
	}
	return k, nil
}

// After returns the keys after an entry: others, if it hands over.
func (k LogKeys) After(e Entry) (LogKeys, error) {
	if e.Kind != KindHandover {
		return k, nil
	}
	h, err := handoverOf(e)
	if err != nil {
		return k, err
	}
	return k.With(h)
}

// Open returns the head of a checkpoint that the log key of its size signed. It is strict: the pinned
// origin, a size and a root in their one form, no further lines in the text. Signatures of others (witnesses)
// are tolerated and not judged. Errors wrap ErrCheckpoint, and ErrOtherKey if that key's signature is not
// on it at all.
func (k LogKeys) Open(c []byte) (Head, error) {
	h, _, err := k.open(c)
	return h, err
}

// OpenBare is Open for whoever keeps the checkpoint, or hands it on: it is returned with the log's signature alone.
// Lines of others that came with it are anybody's, even under the log's name, and as many and as long as a note can
// hold.
func (k LogKeys) OpenBare(c []byte) (Head, Checkpoint, error) {
	h, opened, err := k.open(c)
	if err != nil {
		return Head{}, nil, err
	}
	return h, bareCheckpoint(opened), nil
}

func (k LogKeys) open(c []byte) (Head, *note.Note, error) {
	said, err := PeekCheckpoint(k.genesis.Origin, c)
	if err != nil {
		return Head{}, nil, err
	}
	g := k.genesis
	g.LogKey = k.At(said.Size)
	return openCheckpoint(g, c)
}

// A Chain proves to whoever pinned the genesis line which log keys followed its own: each handover's entry
// under the head of the size just behind it, which is the last one that the key before it signed.
type Chain []Receipt

// Learn returns the keys that a chain proves beyond those that are known. Where both speak, they must agree:
// a reader that knows of a handover is not led back before it, nor past it another way.
func (k LogKeys) Learn(c Chain) (LogKeys, error) {
	proven := k.genesis.Keys()
	for i, r := range c {
		e, err := r.under(proven)
		if err != nil {
			return k, fmt.Errorf("%w: handover %d: %w", ErrHandover, i+1, err)
		}
		head, err := proven.Open(r.Checkpoint)
		if err != nil {
			return k, fmt.Errorf("%w: handover %d: %w", ErrHandover, i+1, err)
		}
		switch {
		case len(r.Handovers) > 0:
			err = errors.New("a receipt of a chain carries no chain of its own")
		case e.Kind != KindHandover:
			err = fmt.Errorf("the entry is of kind %q", e.Kind)
		case head.Size != r.Index+1:
			err = fmt.Errorf("the head has size %d, want %d: a handover is the last entry of its group", head.Size, r.Index+1)
		default:
			proven, err = proven.After(e)
		}
		if err != nil {
			return k, fmt.Errorf("%w: handover %d: %w", ErrHandover, i+1, err)
		}
	}
	for i := range min(len(proven.handovers), len(k.handovers)) {
		if proven.handovers[i] != k.handovers[i] {
			return k, fmt.Errorf("%w: entry %d hands over to %s, known is entry %d to %s: the journal has two histories, and one of them is forged",
				ErrHandover, proven.handovers[i].Seq, FormatLogKey(proven.handovers[i].New), k.handovers[i].Seq, FormatLogKey(k.handovers[i].New))
		}
	}
	if len(proven.handovers) < len(k.handovers) {
		return k, nil
	}
	return proven, nil
}

// Under returns the part of a chain that heads of a size rest on.
func (c Chain) Under(size uint64) Chain {
	for i, r := range c {
		if size <= r.Index+1 {
			return c[:i:i]
		}
	}
	return c
}
