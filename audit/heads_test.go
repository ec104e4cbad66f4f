package audit_test

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"testing"

	"kura/audit"
	"kura/journal"
	"kura/ledger/ledgertest"
)

// TestExportHasEveryHead: after each group stands the head that was signed over it, and rows that do not lead to their
// heads make no export.
func TestExportHasEveryHead(t *testing.T) {
	w := ledgertest.Story(t)
	var heads []journal.StoredHead
	for size := 5; size < len(w.Lines); size += 5 {
		heads = append(heads, signedAt(t, w, uint64(size)))
	}
	heads = append(heads, signedAt(t, w, uint64(len(w.Lines))))
	var rows []journal.StoredEntry
	for i, line := range w.Lines {
		rows = append(rows, journal.StoredEntry{Seq: uint64(i), Bytes: line})
	}
	var out bytes.Buffer
	if err := audit.Export(&out, w.Genesis, yielding(heads), yielding(rows)); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, w, out.Bytes(), audit.Options{}); !report.OK || report.Counts.Checkpoints != uint64(len(heads)) {
		t.Errorf("%d of %d heads verify: %v", report.Counts.Checkpoints, len(heads), report.Failure)
	}
	for name, err := range map[string]error{
		"no head":                 audit.Export(&out, w.Genesis, yielding[journal.StoredHead](nil), yielding(rows)),
		"a head out of order":     audit.Export(&out, w.Genesis, yielding(slices.Concat(heads[1:2], heads)), yielding(rows)),
		"a head under no log key": audit.Export(&out, w.Genesis, yielding([]journal.StoredHead{{Checkpoint: heads[0].Checkpoint[:len(heads[0].Checkpoint)/2]}}), yielding(rows)),
		"an entry that is gone":   audit.Export(&out, w.Genesis, yielding(heads), yielding(slices.Delete(slices.Clone(rows), 7, 8))),
		"entries that end early":  audit.Export(&out, w.Genesis, yielding(heads), yielding(rows[:9])),
		"an unreadable head":      audit.Export(&out, w.Genesis, failing[journal.StoredHead], yielding(rows)),
		"an unreadable entry":     audit.Export(&out, w.Genesis, yielding(heads), failing[journal.StoredEntry]),
	} {
		if err == nil {
			t.Errorf("%s: exported", name)
		}
	}
}

func signedAt(t *testing.T, w *ledgertest.World, size uint64) journal.StoredHead {
	t.Helper()
	c, err := journal.SignCheckpoint(w.Genesis.Origin, headAt(t, w, size), ledgertest.SignHead, ledgertest.LogKey(0))
	if err != nil {
		t.Fatal(err)
	}
	return journal.StoredHead{Checkpoint: c}
}

func yielding[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func failing[T any](yield func(T, error) bool) {
	var none T
	yield(none, errors.New("the store is away (test)"))
}
