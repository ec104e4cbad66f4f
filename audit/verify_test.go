package audit_test

import (
	"bytes"
	"context"
	"testing"

	"kura/audit"
	"kura/ledger"
	"kura/ledger/ledgertest"
)

// verify checks an export under the world's pinned genesis.
func verify(t testing.TB, w *ledgertest.World, export []byte, o audit.Options) audit.Report {
	t.Helper()
	if o.Genesis == "" {
		o.Genesis = w.Genesis.String()
	}
	report, err := audit.Verify(context.Background(), bytes.NewReader(export), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestVerifyChecksEverything(t *testing.T) {
	w := ledgertest.Story(t)
	report := verify(t, w, w.Export(), audit.Options{})
	if !report.OK {
		t.Fatalf("%v", report.Failure)
	}
	t.Logf("%+v", report.Counts)
	if report.Counts.Entries != uint64(len(w.Lines)) || report.Counts.Signatures != 4 || report.Counts.Transactions != 5 {
		t.Errorf("%+v", report.Counts)
	}
	if hash := w.State.Hash(); report.StateHash != hash.String() {
		t.Errorf("the fold's state is %s, the live one %s", report.StateHash, hash)
	}
}

// BenchmarkVerify verifies a journal of payments that were signed at once; four entries each.
func BenchmarkVerify(b *testing.B) {
	w := ledgertest.New(b)
	for range 500 {
		w.Submit("shop", w.Withdrawal(w.Wallets[1], 1))
		w.SignAll()
		w.Advance(ledgertest.Second)
	}
	export := w.Export()
	b.ReportAllocs()
	for b.Loop() {
		if report := verify(b, w, export, audit.Options{}); !report.OK {
			b.Fatal(report.Failure)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(w.Lines)), "µs/entry")
}

// TestASignatureAfterItsRequestWasForgotten lets the clock leap between authorisation and signature.
func TestASignatureAfterItsRequestWasForgotten(t *testing.T) {
	w := ledgertest.New(t)
	res := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1))
	r, _ := w.State.RequestByStatement(res.About)
	w.Advance(25 * ledgertest.Hour)
	if _, err := w.Judge(ledger.SignatureInput{About: res.About, Signature: w.Sign(w.Wallets[0], r.Transaction.Unsigned)}); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, w, w.Export(), audit.Options{}); !report.OK || report.Counts.Signatures != 1 {
		t.Errorf("%+v %v", report.Counts, report.Failure)
	}
}
