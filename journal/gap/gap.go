// Package gap is the one way on for a journal that lost its newest entries.
//
// The anchors prove that a head was signed which the store does not lead to: a replica that missed the last
// groups was promoted, a disk came back older. Nothing may be signed then, and nothing that is left can tell
// what the lost entries authorised. A gap/1 is the entry by which the directors' quorum goes on all the same. It
// stands right after the head that was kept and names that head, the newest one that was lost, and their verdicts.
//
// The package reads such an entry and says what it proves to somebody who has the genesis line alone: both heads
// were signed by the log key, and every verdict says exactly this. Whether those who signed are a quorum of the
// directors, only a reader of the whole journal knows (package ledger judges it, at every fold). It promises that
// no verdict about one gap serves another one, and none about anything else serves a gap.
//
// Format: docs/journal.md, "gap/1"; docs/decisions/0011-lost-tail.md says why.
package gap

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/statement"
)

// Kind is the kind of entry that holds a [Body].
const Kind = "gap/1"

// MaxLife is how long a verdict about a gap may live from its id's birth, in milliseconds: a day, since directors
// have to be found first.
const MaxLife = 24 * 60 * 60 * 1000

// Bounds of what one entry holds.
const (
	maxVerdicts = 256
	maxBetween  = 64
)

// ErrGap is wrapped by every error about a gap that does not say what it must.
var ErrGap = errors.New("bad gap")

// A Body is the content of a gap/1 entry.
type Body struct {
	Kept     string     `json:"kept"`    // checkpoint of the head that the entry follows
	Lost     string     `json:"lost"`    // the newest signed head that the journal does not extend, as an anchor held it
	Between  []string   `json:"between"` // smaller ones that other anchors held, the largest first
	Verdicts []Envelope `json:"verdicts"`
}

// An Envelope is a verdict's signed text as it travelled.
type Envelope struct {
	Statement string `json:"statement"`
	Signature string `json:"signature"`
}

// Kind names the kind of entry.
func (*Body) Kind() string { return Kind }

// A Gap is what a gap/1 entry proves under the genesis line.
type Gap struct {
	Seq       uint64 // of the entry: the size of the kept head
	Kept      journal.Head
	Lost      journal.Head
	Between   []journal.Head // each smaller than the one before it, all larger than the kept one
	Approvals []Approval
}

// An Approval is one verdict in favour of the gap. Whose key it is, the policy says.
type Approval struct {
	statement.Signed
	*statement.Verdict
}

// Open holds a body to what every gap must say: its heads are signed by the log keys of their sizes, the kept one is that of the
// journal's size before the entry, and each verdict holds and is about this very gap.
//
// The keys may know of handovers behind the gap; those say nothing about what was lost before it.
func Open(keys journal.LogKeys, seq uint64, b *Body) (Gap, error) {
	gap, err := open(before(keys, seq), seq, b)
	if err != nil {
		return Gap{}, fmt.Errorf("%w: %w", ErrGap, err)
	}
	return gap, nil
}

// before returns the log keys as an entry finds them.
func before(keys journal.LogKeys, seq uint64) journal.LogKeys {
	known := keys.Genesis().Keys()
	for _, h := range keys.Handovers() {
		if h.Seq < seq {
			known, _ = known.With(h) // it followed once
		}
	}
	return known
}

func open(keys journal.LogKeys, seq uint64, b *Body) (Gap, error) {
	kept, err := keys.Open([]byte(b.Kept))
	if err != nil {
		return Gap{}, fmt.Errorf("the kept head: %w", err)
	}
	lost, err := keys.Open([]byte(b.Lost))
	if err != nil {
		return Gap{}, fmt.Errorf("the lost head: %w", err)
	}
	switch {
	case kept.Size != seq:
		return Gap{}, fmt.Errorf("the kept head has size %d, the entry stands after %d entries", kept.Size, seq)
	case kept == lost:
		return Gap{}, errors.New("nothing is lost: both heads are the same")
	case len(b.Verdicts) > maxVerdicts:
		return Gap{}, fmt.Errorf("%d verdicts, at most %d are allowed", len(b.Verdicts), maxVerdicts)
	}
	gap := Gap{Seq: seq, Kept: kept, Lost: lost}
	if gap.Between, err = openBetween(keys, b.Between, gap); err != nil {
		return Gap{}, err
	}
	for i, e := range b.Verdicts {
		a, err := openApproval(keys.Genesis(), e, gap)
		if err != nil {
			return Gap{}, fmt.Errorf("verdict %d: %w", i, err)
		}
		gap.Approvals = append(gap.Approvals, a)
	}
	return gap, nil
}

func openBetween(keys journal.LogKeys, checkpoints []string, gap Gap) ([]journal.Head, error) {
	if len(checkpoints) > maxBetween {
		return nil, fmt.Errorf("%d heads between, at most %d are allowed", len(checkpoints), maxBetween)
	}
	var all []journal.Head
	last := gap.Lost.Size
	for i, c := range checkpoints {
		h, err := keys.Open([]byte(c))
		if err != nil {
			return nil, fmt.Errorf("head %d between: %w", i, err)
		}
		if h.Size >= last || h.Size <= gap.Kept.Size {
			return nil, fmt.Errorf("head %d between has size %d, want less than %d and more than %d", i, h.Size, last, gap.Kept.Size)
		}
		all, last = append(all, h), h.Size
	}
	return all, nil
}

// openApproval demands that somebody approves going on after this kept head although this one was lost.
func openApproval(g journal.Genesis, e Envelope, gap Gap) (Approval, error) {
	signed, err := statement.Open(statement.Envelope(e))
	if err != nil {
		return Approval{}, err
	}
	v, ok := signed.Body.(*statement.Verdict)
	if !ok {
		return Approval{}, errors.New("is no verdict")
	}
	want := About(g.Origin, gap.Kept, gap.Lost)
	if v.Verdict != statement.Approve || len(v.About) != 2 || v.About[0] != want[0] || v.About[1] != want[1] {
		return Approval{}, fmt.Errorf("is not an approval of two hashes: %s (the kept head's text) and %s (the lost one's)", want[0], want[1])
	}
	if v.Journal != statement.Hash(g.Hash) {
		return Approval{}, fmt.Errorf("is for journal %s, want %s", v.Journal, statement.Hash(g.Hash))
	}
	return Approval{signed, v}, nil
}

// About is what a verdict about a gap has to be about, in this order: the hash of the kept head's text and that of
// the lost one's. A head's text is what the log key signs: origin, size and root, a line each.
func About(origin string, kept, lost journal.Head) []statement.Hash {
	return []statement.Hash{
		statement.HashText(journal.UnsignedCheckpoint(origin, kept)),
		statement.HashText(journal.UnsignedCheckpoint(origin, lost)),
	}
}

// Read reads a gap out of its entry, of which the caller has a proof.
func Read(keys journal.LogKeys, e journal.Entry) (Gap, error) {
	if e.Kind != Kind {
		return Gap{}, fmt.Errorf("%w: entry %d is of kind %s", ErrGap, e.Seq, e.Kind)
	}
	var b Body
	if err := json.Unmarshal(e.Body, &b, json.RejectUnknownMembers(true)); err != nil {
		return Gap{}, fmt.Errorf("%w: %w", ErrGap, err)
	}
	if again, err := json.Marshal(&b); err != nil || !bytes.Equal(again, e.Body) {
		return Gap{}, fmt.Errorf("%w: the entry is not in its one form", ErrGap)
	}
	return Open(keys, e.Seq, &b)
}

// Names tells whether a signed head is one that the entry itself says was lost. Nothing else is taken for lost by an
// anchor: a head whose size merely lies between may have been signed after the gap, and then proves a rollback.
func (g Gap) Names(h journal.Head) bool { return h == g.Lost || slices.Contains(g.Between, h) }

// Spans tells whether a head is of a size that was lost, named or not: a reader who knows by other means that it saw
// this head before the gap may take it for lost.
func (g Gap) Spans(h journal.Head) bool {
	return g.Names(h) || g.Kept.Size < h.Size && h.Size < g.Lost.Size
}

// Entries says how many entries are known to be lost: 0 if the lost head is no larger than the kept one, where
// nobody can tell from which entry on the two differ.
func (g Gap) Entries() uint64 {
	if g.Lost.Size <= g.Kept.Size {
		return 0
	}
	return g.Lost.Size - g.Kept.Size
}
