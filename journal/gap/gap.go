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
	"strings"

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
	maxUntil    = 1 << 46 // a year after 4000: whatever is added to it is a time that can be written
)

// ErrGap is wrapped by every error about a gap that does not say what it must.
var ErrGap = errors.New("bad gap")

// A Body is the content of a gap/1 entry.
type Body struct {
	Kept     string     `json:"kept"`    // checkpoint of the head that the entry follows
	Lost     string     `json:"lost"`    // the newest signed head that the journal does not extend, as an anchor held it
	Between  []string   `json:"between"` // smaller ones that other anchors held, the largest first
	Until    int64      `json:"until"`   // the clock under which the lost entries were written stood no later, unix milliseconds
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
	Until     int64          // the clock under which the lost entries were written stood no later, unix milliseconds
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
	gap, err := open(keys.Below(seq), seq, b)
	if err != nil {
		return Gap{}, fmt.Errorf("%w: %w", ErrGap, err)
	}
	return gap, nil
}

func open(keys journal.LogKeys, seq uint64, b *Body) (Gap, error) {
	gap, err := openHeads(keys, b.Kept, b.Lost, b.Between, b.Until)
	switch {
	case err != nil:
		return Gap{}, err
	case gap.Seq != seq:
		return Gap{}, fmt.Errorf("the kept head has size %d, the entry stands after %d entries", gap.Seq, seq)
	case len(b.Verdicts) > maxVerdicts:
		return Gap{}, fmt.Errorf("%d verdicts, at most %d are allowed", len(b.Verdicts), maxVerdicts)
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

// openHeads reads all that the directors are asked about.
func openHeads(keys journal.LogKeys, keptText, lostText string, between []string, until int64) (Gap, error) {
	kept, err := keys.Open([]byte(keptText))
	if err != nil {
		return Gap{}, fmt.Errorf("the kept head: %w", err)
	}
	lost, err := keys.Open([]byte(lostText))
	if err != nil {
		return Gap{}, fmt.Errorf("the lost head: %w", err)
	}
	if kept == lost {
		return Gap{}, errors.New("nothing is lost: both heads are the same")
	}
	if until < 0 || until > maxUntil {
		return Gap{}, fmt.Errorf("until is %d, want 0 to %d, in milliseconds", until, int64(maxUntil))
	}
	gap := Gap{Seq: kept.Size, Kept: kept, Lost: lost, Until: until}
	gap.Between, err = openBetween(keys, between, gap)
	return gap, err
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

// openApproval demands that somebody approves going on after this kept head, although these very heads were lost.
func openApproval(g journal.Genesis, e Envelope, gap Gap) (Approval, error) {
	signed, err := statement.Open(statement.Envelope(e))
	if err != nil {
		return Approval{}, err
	}
	v, ok := signed.Body.(*statement.Verdict)
	if !ok {
		return Approval{}, errors.New("is no verdict")
	}
	want := gap.About(g.Origin)
	if v.Verdict != statement.Approve || len(v.About) != 1 || v.About[0] != want {
		return Approval{}, fmt.Errorf("is not an approval of %s alone, the hash of what this gap says", want)
	}
	if v.Journal != statement.Hash(g.Hash) {
		return Approval{}, fmt.Errorf("is for journal %s, want %s", v.Journal, statement.Hash(g.Hash))
	}
	return Approval{signed, v}, nil
}

// About is what a verdict about a gap has to be about: the hash of its text.
func (g Gap) About(origin string) statement.Hash { return statement.HashText(g.Text(origin)) }

// Text says all that the directors approve, one thing a line, so that nothing which the entry holds besides their
// verdicts is the host's to choose:
//
//	kura gap
//	example.com/kura
//	kept 990 root
//	lost 1000 root
//	between 995 root
//	until 1735689600000
//
// A head is its size and its root in hexadecimal digits; there is a line for each head between, the largest first.
func (g Gap) Text(origin string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kura gap\n%s\nkept %d %x\nlost %d %x\n", origin, g.Kept.Size, g.Kept.Root[:], g.Lost.Size, g.Lost.Root[:])
	for _, h := range g.Between {
		fmt.Fprintf(&b, "between %d %x\n", h.Size, h.Root[:])
	}
	fmt.Fprintf(&b, "until %d\n", g.Until)
	return b.String()
}

// Read reads a gap out of its entry, of which the caller has a proof, and of the head that it stands behind: the
// directors kept that one, and whoever holds the log key could sign another of its size.
func Read(keys journal.LogKeys, e journal.Entry, before journal.Head) (Gap, error) {
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
	g, err := Open(keys, e.Seq, &b)
	if err == nil && g.Kept != before {
		return Gap{}, fmt.Errorf("%w: the entry stands behind root %s, and goes on after root %s of the same size: this is another history", ErrGap, before.Root, g.Kept.Root)
	}
	return g, err
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
