package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kura/api/client"
	"kura/journal"
	"kura/ledger"
	"kura/statement"
)

// overGap is for a copy that holds entries which the journal lost. It goes back to the head that was kept, reads on
// from there, and so judges the gap under the policy that it has proven itself. Without such a gap the contradiction
// stands. What this home has of the lost entries is put aside, and said once.
//
// The gap's verdicts are not all: the copy itself must lead through the kept head and not have that very gap there, or
// somebody could pass a rollback of what followed the gap off as the loss before it. It may have an earlier one there: the
// journal was put back to the same head twice.
func (c *connection) overGap(cmd *cobra.Command, contradiction error) (*mirror, error) {
	old, err := c.openMirror() // the one that was caught up with is of no use
	if err != nil {
		return nil, err
	}
	gaps, err := c.Gaps(cmd.Context())
	if err != nil {
		return nil, errors.Join(contradiction, err)
	}
	for _, g := range gaps {
		kept, ok, err := old.before(g, c.genesis.Origin)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		return c.goOn(cmd, old, kept, g, contradiction)
	}
	return nil, contradiction
}

// before returns the copy as it was at a gap's kept head, if it leads through that and holds what the gap says was lost.
func (m *mirror) before(g client.Gap, origin string) (*mirror, bool, error) {
	if !g.Spans(m.head) || m.head.Size <= g.Kept.Size {
		return nil, false, nil
	}
	// What was lost was written by the time that the gap says: a gap of this copy that is later was not, and the one that
	// is shown was itself lost before it.
	if has, ok := findGap(m.state.Gaps(), g.Seq); ok && (has.Gap().About(origin) == g.About(origin) || has.Clock > g.Until) {
		return nil, false, nil
	}
	kept, err := m.upTo(g.Kept.Size)
	return kept, err == nil && kept.head == g.Kept, err
}

// goOn reads the journal from the kept head on, and puts the result in the place of the old copy.
func (c *connection) goOn(cmd *cobra.Command, old, m *mirror, g client.Gap, contradiction error) (*mirror, error) {
	m.synced, m.known = time.Now(), g.Kept.Size
	checkpoint, err := c.Read(cmd.Context(), m.tree, m.take)
	if err != nil {
		return nil, errors.Join(contradiction, err)
	}
	m.head = m.tree.Head()
	judged, ok := findGap(m.state.Gaps(), g.Seq)
	if !ok || judged.Gap().About(c.genesis.Origin) != g.About(c.genesis.Origin) {
		return nil, contradiction
	}
	aside, err := c.putAside(old)
	if err != nil {
		return nil, err
	}
	// First back to the kept head, which every later one extends, then on: wherever this ends, the copy is whole.
	body, err := ledger.DecodeBody(ledger.KindGap, m.entries[g.Seq].Body)
	if err != nil {
		return nil, err
	}
	if err := c.keepCheckpoint(journal.Checkpoint(body.(*ledger.Gap).Kept)); err != nil {
		return nil, err
	}
	if err := c.keep(m, g.Kept.Size, checkpoint); err != nil {
		return nil, err
	}
	p := newPage(cmd.ErrOrStderr())
	p.title("THE JOURNAL LOST ENTRIES")
	p.field("gap", "entry %d, %s, by the directors' verdicts of %v", judged.Seq, statement.FormatTime(judged.Clock), judged.By)
	p.field("kept", "size %d, root %s", judged.Kept.Size, judged.Kept.Root)
	p.field("lost", "size %d, root %s", judged.Lost.Size, judged.Lost.Root)
	p.field("your copy", "had %d of the lost entries; they are in %s", old.head.Size-judged.Kept.Size, aside)
	old.showLost(p, judged.Kept.Size)
	p.line("What they said is not in force: freezes, suspensions and changes among them are to be made again. The journal goes on after the kept head, and so does this home. This is said once.")
	p.blank()
	return m, p.flush()
}

func findGap(gaps []ledger.GapRecord, seq uint64) (ledger.GapRecord, bool) {
	for _, g := range gaps {
		if g.Seq == seq {
			return g, true
		}
	}
	return ledger.GapRecord{}, false
}

// putAside copies the copy as it is, with the lost entries, under another name. One of the very same head stays.
func (h *home) putAside(m *mirror) (string, error) {
	name := h.path(fmt.Sprintf("journal-lost-%d-%x.jsonl", m.head.Size, m.head.Root[:4]))
	text, err := os.ReadFile(h.path(mirrorFileName))
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return name, nil
	}
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return name, errors.Join(err, f.Sync(), f.Close())
}
