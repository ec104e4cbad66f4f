package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// TestMemoryIsBoundedByLives writes every kind of statement again and again for weeks: what is remembered
// stays what one longest life holds.
func TestMemoryIsBoundedByLives(t *testing.T) {
	w := ledgertest.New(t)
	most := 0
	for day := range 30 {
		for range 5 {
			signedAtOnce(w)
			r := held(w)
			w.Verdict("alice", statement.Approve, r.Hash)
			forever := w.Withdrawal(w.Wallets[0], 1)
			forever.Expires = w.Clock + 1000*ledgertest.Day
			if res := w.Submit("shop", forever); res.Code != string(statement.CodeExpiresTooLate) {
				t.Fatalf("%+v", res)
			}
			f := w.Freeze("watch", statement.ActionFreeze, statement.TargetWallet, "hot-xym")
			w.Verdict("alice", statement.Lift, f.About)
			w.Verdict("bob", statement.Lift, f.About)
			w.SignAll()
			w.Advance(4 * ledgertest.Hour)
			w.Ticks()
		}
		w.Advance(4 * ledgertest.Hour)
		if n := w.State.Remembered(); day == 2 {
			most = n
		} else if day > 2 && n > most+most/10 {
			t.Fatalf("on day %d it remembers %d things, on the third day %d", day, n, most)
		}
	}
}

func TestATripwiresStopEndsByItself(t *testing.T) {
	w := ledgertest.New(t)
	for range 3 {
		b := w.Withdrawal(w.Wallets[0], 1)
		b.WalletAddress = w.Wallets[0].Stranger.String()
		w.Submit("shop", b)
	}
	if n := len(w.State.Freezes()); n != 1 {
		t.Fatalf("%d stops in force, want 1", n)
	}
	w.Advance(30 * ledgertest.Minute)
	signedOrNot(w)
	if n := len(w.State.Freezes()); n != 0 || len(w.State.Overlay().Stops()) != 0 {
		t.Errorf("%d stops in force after their end", n)
	}
}

// TestALongerLifeBringsNoIDBack lengthens the life of withdrawals: ids that were forgotten under the
// shorter one stay refused.
func TestALongerLifeBringsNoIDBack(t *testing.T) {
	w := ledgertest.NewWith(t, func(doc *policy.Document) {
		doc.WithdrawalLife = ledgertest.Hour
		doc.Governance.Policy.TimeLock = 0
	})
	b := w.Withdrawal(w.Wallets[0], ledgertest.Small)
	b.Expires = w.Clock + ledgertest.Minute
	e := w.Envelope("shop", b)
	if res := w.SubmitEnvelope(e); res.State != ledger.StateAuthorized {
		t.Fatalf("%+v", res)
	}
	w.SignAll()
	w.Advance(10 * ledgertest.Hour)
	enforced(w, func(doc *policy.Document) { doc.WithdrawalLife = 7 * ledgertest.Day })
	if res := w.SubmitEnvelope(e); res.State != "" || res.Code != string(statement.CodeIDTooOld) {
		t.Errorf("the old text: %+v", res)
	}
	b.Expires = w.Clock + ledgertest.Hour
	if res := w.Submit("shop", b); res.State != "" || res.Code != string(statement.CodeIDTooOld) {
		t.Errorf("a new text with the old id: %+v", res)
	}
}

// TestNoOtherStatementsIDComesBackAsAWithdrawals has the id of a freeze and of a verdict come again after they
// have outlived their own types, as long as a withdrawal could have it.
func TestNoOtherStatementsIDComesBackAsAWithdrawals(t *testing.T) {
	w := ledgertest.New(t)
	stop := w.Freeze("erin", statement.ActionFreeze, statement.TargetWallet, "hot-xym")
	verdict := w.Verdict("alice", statement.Lift, stop.About)
	w.Verdict("bob", statement.Lift, stop.About)
	for range 11 {
		w.Advance(2 * ledgertest.Hour)
		w.Submit("desk", w.Withdrawal(w.Wallets[0], 1))
		for _, id := range []string{stop.ID, verdict.ID} {
			b := w.Withdrawal(w.Wallets[0], 1)
			parsed, err := statement.ParseID(id)
			if err != nil {
				t.Fatal(err)
			}
			b.ID, b.Expires = parsed, w.Clock+ledgertest.Minute
			if res := w.Submit("shop", b); !res.Refused || res.Code != ledger.CodeConflict {
				t.Fatalf("%+v", res)
			}
		}
	}
}
