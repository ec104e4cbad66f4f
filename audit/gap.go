package audit

import (
	"fmt"
	"slices"

	"kura/journal"
	"kura/ledger"
	"kura/statement"
)

// A Gap is a place where the journal lost entries and went on without them, by its directors' word.
type Gap struct {
	Entry   uint64   `json:"entry"`   // of the gap/1
	Time    string   `json:"time"`    // its clock
	Kept    uint64   `json:"kept"`    // size of the head that it follows
	Lost    uint64   `json:"lost"`    // size of the newest head that was lost
	Entries uint64   `json:"entries"` // how many are known to be lost
	Until   string   `json:"until"`   // the clock of the lost entries stood no later, as the directors say
	By      []string `json:"by"`      // the persons whose verdicts it rests on
}

// NoteGap is in every report of a journal that has a gap.
const NoteGap = "the journal lost entries and goes on without them (gaps): what they said is not in it and cannot be checked; compare exports and checkpoints from before each gap, and what was held then with its chain"

// noteFromLost is for an auditor whose own checkpoint was lost: a failure, and a note once the gap is accepted.
const noteFromLost = "the earlier checkpoint, of size %d, is one that the gap at entry %d says was lost: the journal does not extend it, and goes on from size %d without what came after that"

// gap holds a gap to the tree: the kept head is the one that the entries before it lead to. Its verdicts and their
// quorum were judged by the fold.
func (v *verifier) gap() error {
	gaps := v.state.Gaps()
	g := gaps[len(gaps)-1]
	if have := v.tree.Head(); have != g.Kept {
		return v.fail(FailHead, "the gap goes on after a head of size %d and root %s, the entries before it give root %s", g.Kept.Size, g.Kept.Root, have.Root)
	}
	v.report.Gaps = append(v.report.Gaps, Gap{
		Entry: g.Seq, Time: statement.FormatTime(g.Clock), Kept: g.Kept.Size, Lost: g.Lost.Size, Entries: g.Gap().Entries(),
		Until: statement.FormatTime(g.Until), By: g.By,
	})
	return nil
}

// wasLost is for an earlier checkpoint that a gap names. That is a failure, of this gap, unless the auditor accepted it:
// a quorum that was misled may have named a head that was signed after the loss.
func (v *verifier) wasLost(from journal.Head) error {
	for _, g := range v.state.Gaps() {
		if !g.Gap().Names(from) {
			continue
		}
		said := fmt.Sprintf(noteFromLost, from.Size, g.Seq, g.Kept.Size)
		if !slices.Contains(v.accepted, g.Seq) {
			return &Failure{g.Seq, g.Seq, FailFromLost, said + fmt.Sprintf("; ask the directors whether that was their decision, and accept the gap at entry %d", g.Seq)}
		}
		v.fromLost = said
		break
	}
	return nil
}

// perhapsLost says of a checkpoint that the journal does not extend whether a gap could be why.
func perhapsLost(gaps []ledger.GapRecord, from journal.Head) string {
	for _, g := range gaps {
		if g.Gap().Spans(from) {
			return fmt.Sprintf("; the gap at entry %d lost entries of that size, but does not name this head: if you kept it before %s, it was lost with them, and you go on from a checkpoint of size %d; if later, the journal was rolled back",
				g.Seq, statement.FormatTime(g.Clock), g.Kept.Size)
		}
	}
	return ""
}
