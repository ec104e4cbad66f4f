package audit_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/audit"
	"kura/ledger/ledgertest"
	"kura/statement"
)

func writePage(t *testing.T, w *ledgertest.World, export []byte) (string, audit.Report) {
	t.Helper()
	var page bytes.Buffer
	report, err := audit.WritePage(context.Background(), &page, bytes.NewReader(export), audit.Options{Genesis: w.Genesis.String()})
	if err != nil {
		t.Fatal(err)
	}
	return page.String(), report
}

// TestPage compares the page of a whole story with testdata/page.html (KURA_UPDATE=1 writes it anew).
func TestPage(t *testing.T) {
	w := ledgertest.Story(t)
	got, report := writePage(t, w, w.Export())
	if !report.OK {
		t.Fatal(report.Failure)
	}
	const golden = "testdata/page.html"
	if os.Getenv("KURA_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// TestPageEscapes puts markup and control characters into everything that others write.
func TestPageEscapes(t *testing.T) {
	w := ledgertest.New(t)
	const evil = `<script>alert(1)</script>"'&`
	body := w.Withdrawal(w.Wallets[0], 1)
	body.Message.Value, body.Reference, body.Customer = evil+"\u202e\x1b[2J", evil, evil
	w.Submit("shop", body)
	w.Submit("alice", &statement.Freeze{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 1, Action: statement.ActionFreeze,
		Target: statement.Target{Kind: statement.TargetAll}, Reason: evil,
	})
	page, _ := writePage(t, w, w.Export())
	for _, bad := range []string{"<script", "alert(1)</", "\u202e", "\x1b"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, "alert(1)") {
		t.Error("the text is not shown at all")
	}
}

func TestPageOfABadExportShowsNothing(t *testing.T) {
	w := ledgertest.Story(t)
	export := bytes.Replace(w.Export(), []byte(`"state":"denied"`), []byte(`"state":"signed"`), 1)
	page, report := writePage(t, w, export)
	if report.OK || !strings.Contains(page, "does NOT verify") || strings.Contains(page, "client shop") {
		t.Errorf("%v", report.Failure)
	}
}
