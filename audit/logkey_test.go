package audit_test

import (
	"bytes"
	"slices"
	"testing"

	"kura/audit"
	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
)

// TestAuditOverHandovers: an export whose log key was handed over twice verifies under the genesis line alone,
// from checkpoints of every key.
func TestAuditOverHandovers(t *testing.T) {
	w := ledgertest.Story(t)
	kept := []journal.Checkpoint{w.Checkpoint()}
	for range 2 {
		w.HandOver()
		kept = append(kept, w.Checkpoint()) // the last one of the old key
		w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
		kept = append(kept, w.Checkpoint())
	}
	export := w.Export()
	for i, from := range kept {
		if report := verify(t, w, export, audit.Options{From: from}); !report.OK || report.Counts.Checkpoints != 3 {
			t.Errorf("from checkpoint %d: %d checkpoints, %v", i, report.Counts.Checkpoints, report.Failure)
		}
	}
	forged, err := journal.SignCheckpoint(w.Genesis.Origin, w.Head(), ledgertest.SignHead, ledgertest.LogKey(0))
	if err != nil {
		t.Fatal(err)
	}
	if report := verify(t, w, export, audit.Options{From: forged}); report.OK || report.Failure.Code != audit.FailConsistency {
		t.Errorf("from a head that the old key signed too late: %v", report.Failure)
	}
}

// TestTamperedHandoversInExports edits the lines around a handover as whoever has the export, or the old key, could.
func TestTamperedHandoversInExports(t *testing.T) {
	w := ledgertest.Story(t)
	w.HandOver()
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	lines := bytes.SplitAfter(w.Export(), []byte("\n"))
	at := slices.IndexFunc(lines, func(line []byte) bool { return bytes.Contains(line, []byte(ledger.KindLogKey)) })
	seq := uint64(at - 1)
	late, err := journal.SignCheckpoint(w.Genesis.Origin, w.Head(), ledgertest.SignHead, ledgertest.LogKey(0))
	if err != nil {
		t.Fatal(err)
	}
	early, err := journal.SignCheckpoint(w.Genesis.Origin, headAt(t, w, seq+1), ledgertest.SignHead, ledgertest.LogKey(1))
	if err != nil {
		t.Fatal(err)
	}
	line := func(c journal.Checkpoint) []byte {
		return append(append([]byte(`{"checkpoint":"`), bytes.ReplaceAll(c, []byte("\n"), []byte(`\n`))...), '"', '}', '\n')
	}
	for name, c := range map[string]struct {
		edit  func([][]byte) [][]byte
		code  string
		entry uint64
	}{
		"without the head over it":        {func(l [][]byte) [][]byte { return slices.Delete(l, at+1, at+2) }, audit.FailHead, seq + 1},
		"the head over it by the new key": {func(l [][]byte) [][]byte { l[at+1] = line(early); return l }, audit.FailHead, seq + 1},
		"the last head by the old key":    {func(l [][]byte) [][]byte { l[len(l)-2] = line(late); return l }, audit.FailHead, uint64(len(w.Lines))},
	} {
		report := verify(t, w, bytes.Join(c.edit(slices.Clone(lines)), nil), audit.Options{})
		if f := report.Failure; f == nil || f.Code != c.code || f.Entry != c.entry || report.Signed && name != "without the head over it" {
			t.Errorf("%s: signed %v, %v", name, report.Signed, f)
		}
	}
}

func headAt(t *testing.T, w *ledgertest.World, size uint64) journal.Head {
	t.Helper()
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range w.Lines[:size] {
		tree.Append(journal.LeafHash(line))
	}
	return tree.Head()
}
