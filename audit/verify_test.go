package audit_test

import (
	"bytes"
	"context"
	"testing"

	"kura/audit"
	"kura/ledger/ledgertest"
	"kura/statement"
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

// story is a journal in which a little of everything happened.
func story(t testing.TB) *ledgertest.World {
	w := ledgertest.New(t)
	for _, x := range w.Wallets {
		w.Submit("shop", w.Withdrawal(x, ledgertest.Small))
		big := w.Submit("shop", w.Withdrawal(x, ledgertest.SmallMax+1))
		w.Verdict("dave", statement.Approve, big.About)
		w.Verdict("alice", statement.Approve, big.About)
		w.Advance(ledgertest.Minute)
		w.Verdict("bob", statement.Approve, big.About)
		w.SignAll()
		w.Submit("shop", w.Withdrawal(x, ledgertest.BigMax+1))
		rejected := w.Submit("desk", w.Withdrawal(x, ledgertest.SmallMax+2))
		w.Verdict("carol", statement.Reject, rejected.About)
	}
	frozen := w.Freeze("erin", statement.ActionFreeze, statement.TargetAll, "")
	w.Advance(ledgertest.Minute)
	w.Verdict("alice", statement.Lift, frozen.About)
	w.Verdict("carol", statement.Lift, frozen.About)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	w.Advance(ledgertest.Hour)
	w.Ticks()
	return w
}

func TestVerifyChecksEverything(t *testing.T) {
	w := story(t)
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
