package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"kura/audit"
	"kura/journal/cosign"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/statement"
)

// TestVerifyHoldsWitnessesToThoseKnown: an auditor who knows the witnesses finds a journal that followed others.
func TestVerifyHoldsWitnessesToThoseKnown(t *testing.T) {
	w := ledgertest.New(t)
	w.Reboot(ledgertest.Hour)
	all := ledgertest.Witnesses("ann", "ben", "cem")
	w.Must(w.Cosigned(all, 2, w.Clock, w.Clock))
	var keys []cosign.Key
	for _, x := range all {
		keys = append(keys, x.Key)
	}
	export := w.Export()

	report := verify(t, w, export, audit.Options{})
	if !report.OK || report.Counts.Vouched != 1 || len(report.Vouchers) != 3 || report.VoucherQuorum != 2 {
		t.Errorf("%+v", report)
	}
	if !strings.Contains(strings.Join(report.Notes, "\n"), audit.NoteWitnesses) {
		t.Error("nothing says that the keys are the journal's own")
	}
	report = verify(t, w, export, audit.Options{Witnesses: append(keys, ledgertest.Witnesses("dan")[0].Key)})
	if !report.OK || strings.Contains(strings.Join(report.Notes, "\n"), audit.NoteWitnesses) {
		t.Errorf("with the witnesses that there are: %+v", report)
	}
	report = verify(t, w, export, audit.Options{Witnesses: keys[:2]})
	if report.OK || report.Failure.Code != audit.FailWitness || report.Failure.Entry != uint64(len(w.Lines)-1) {
		t.Errorf("with one too few: %+v", report)
	}
}

// TestVerifyJudgesCosignaturesAgain: whoever holds the log key cannot make witnesses say what they did not.
func TestVerifyJudgesCosignaturesAgain(t *testing.T) {
	w := ledgertest.New(t)
	w.Reboot(ledgertest.Hour)
	all := ledgertest.Witnesses("ann", "ben", "cem")
	w.Must(w.Cosigned(all, 2, w.Clock, w.Clock))
	last := len(w.Lines) - 1
	for _, change := range [][2]string{
		{`"quorum":2`, `"quorum":3`},
		{`"behind":0`, `"behind":1`},
		{`"moment":1`, `"moment":2`},
		{"ann.test ", "cem.test "},
	} {
		lines := append([][]byte(nil), w.Lines...)
		lines[last] = bytes.Replace(lines[last], []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(lines[last], w.Lines[last]) {
			t.Fatalf("%s stands nowhere", change[0])
		}
		if report := verify(t, w, w.Forge(lines), audit.Options{}); report.OK {
			t.Errorf("%s made %s verifies", change[0], change[1])
		}
	}
}

// TestPageShowsVouchersAndKeys: what the host did to a wallet's key, and whose times policy time followed.
func TestPageShowsVouchersAndKeys(t *testing.T) {
	w := ledgertest.New(t)
	w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: ledger.WalletSuspended, Reason: "a new disk"}})
	suspended := w.State.Freezes()[0].Hash
	w.Reboot(ledgertest.Hour)
	w.Must(w.Cosigned(ledgertest.Witnesses("ann"), 1, w.Clock))
	w.Verdict("alice", statement.Lift, suspended)
	w.Verdict("carol", statement.Lift, suspended)
	var page bytes.Buffer
	if _, err := audit.WritePage(t.Context(), &page, bytes.NewReader(w.Export()), audit.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"suspended: the key of wallet", "a new disk", "person alice", "person carol",
		"Policy time followed the times of witnesses (1 times), of whom 1 or more", "ann.test&#43;",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
