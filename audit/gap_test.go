package audit_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/audit"
	"kura/journal"
	"kura/ledger/ledgertest"
	"kura/statement"
)

// gapWorld is a world that lost a payment and a held request's end, and went on. It returns what it had signed.
func gapWorld(t *testing.T) (w *ledgertest.World, kept, between, lost journal.Checkpoint) {
	t.Helper()
	w = ledgertest.New(t)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1))
	size := len(w.Entries)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	between = w.Checkpoint()
	w.SignAll()
	l := w.Lose(size)
	l.Continue()
	w.Advance(w.State.OpensAt() - w.Now().Time)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	w.SignAll()
	return w, l.Kept, between, l.Lost
}

func verifyFrom(t *testing.T, w *ledgertest.World, from journal.Checkpoint) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), bytes.NewReader(w.Export()), audit.Options{Genesis: w.Genesis.String(), From: from})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestGapIsReported is never silent about a gap, and takes an earlier checkpoint for lost only if the gap names it.
func TestGapIsReported(t *testing.T) {
	w, kept, between, lost := gapWorld(t)
	g := w.State.Gaps()[0]
	want := []audit.Gap{{
		Entry: g.Seq, Time: statement.FormatTime(g.Clock), Kept: g.Kept.Size, Lost: g.Lost.Size, Entries: g.Lost.Size - g.Kept.Size,
		Until: statement.FormatTime(g.Until), By: []string{"alice", "bob"},
	}}
	for name, c := range map[string]struct {
		from journal.Checkpoint
		ok   bool
		says string // in a note, or in the failure
	}{
		"no checkpoint":          {nil, true, audit.NoteRollback},
		"the kept head":          {kept, true, audit.NoteGap},
		"the lost head":          {lost, false, "is one that the gap at entry"},
		"a head between":         {between, false, "does not name this head"},
		"a head after the gap":   {w.Checkpoint(), true, audit.NoteGap},
		"one that nobody signed": {journal.Checkpoint(strings.Replace(string(lost), "\n", "\n1", 1)), false, ""},
	} {
		r := verifyFrom(t, w, c.from)
		said := strings.Join(r.Notes, "\n")
		if r.Failure != nil {
			said += r.Failure.Reason
		}
		if r.OK != c.ok || !strings.Contains(said, c.says) {
			t.Errorf("%s: %v, %s", name, r.OK, said)
		}
		if r.OK {
			if diff := cmp.Diff(want, r.Gaps); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
	for name, c := range map[string]struct {
		accept []uint64
		ok     bool
	}{"not accepted": {nil, false}, "another gap accepted": {[]uint64{g.Seq + 1}, false}, "accepted": {[]uint64{g.Seq}, true}} {
		r, err := audit.Verify(t.Context(), bytes.NewReader(w.Export()), audit.Options{Genesis: w.Genesis.String(), From: lost, AcceptGaps: c.accept})
		if err != nil {
			t.Fatal(err)
		}
		said := fmt.Sprintf("of size %d, is one that the gap at entry %d says was lost", g.Lost.Size, g.Seq)
		switch {
		case r.OK != c.ok:
			t.Errorf("%s: %+v", name, r.Failure)
		case r.OK && !strings.Contains(strings.Join(r.Notes, "\n"), said):
			t.Errorf("%s: %q", name, r.Notes)
		case !r.OK && (r.Failure.Code != audit.FailFromLost || r.Failure.Entry != g.Seq || !strings.Contains(r.Failure.Reason, said)):
			t.Errorf("%s: %+v", name, r.Failure)
		}
	}
	page, _ := writePage(t, w, w.Export())
	if !strings.Contains(page, "The journal LOST") || !strings.Contains(page, "alice, bob") || !strings.Contains(page, "stranded") {
		t.Errorf("the page hides the gap:\n%s", page)
	}
}

// TestAHeadBetweenIsSaidByItsSize: what is said of a checkpoint that a gap names is that one's size, not the newest one's.
func TestAHeadBetweenIsSaidByItsSize(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	w.Restart()
	between, size := w.Checkpoint(), w.Head().Size
	for range 12 {
		w.Restart()
	}
	l := w.Lose(kept)
	l.Between = append(l.Between, between)
	l.Approve().Continue()
	want := fmt.Sprintf("of size %d, is one that the gap at entry %d", size, kept)
	if r := verifyFrom(t, w, between); r.OK || r.Failure.Code != audit.FailFromLost || !strings.Contains(r.Failure.Reason, want) {
		t.Errorf("%+v, want %q", r.Failure, want)
	}
}

// TestGapThatIsNone changes a gap's entry: forged verdicts, or a kept head that is not the one before it.
func TestGapThatIsNone(t *testing.T) {
	w := ledgertest.New(t)
	size := len(w.Entries)
	w.Restart()
	l := w.Lose(size)
	other := ledgertest.Founded(t)
	for other.Head().Size < w.Head().Size {
		other.Restart()
	}
	l.Kept = other.Checkpoint() // signed, of this size, with another root
	l.Verdicts = []statement.Envelope{w.Envelope("alice", l.Verdict()), w.Envelope("bob", l.Verdict())}
	if err := l.Judge(); err != nil {
		t.Fatal(err) // the ledger knows no roots
	}
	if r := verifyFrom(t, w, nil); r.OK || r.Failure.Code != audit.FailHead || r.Failure.Entry != uint64(size) {
		t.Errorf("%+v", r.Failure)
	}
}
