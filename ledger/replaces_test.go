package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/statement"
)

// TestOneStandInAtATime asks for a second stand-in after the replaced request is forgotten (or never came), but
// not yet its first stand-in.
func TestOneStandInAtATime(t *testing.T) {
	for _, came := range []bool{true, false} {
		w := ledgertest.New(t)
		x := w.Withdrawal(w.Wallets[0], ledgertest.BigMax+1) // denied
		if came {
			w.Submit("shop", x)
			w.Advance(23 * ledgertest.Hour)
		} else {
			w.Advance(25 * ledgertest.Hour)
		}
		w.Submit("desk", w.Withdrawal(w.Wallets[1], 1))
		replace := func(who string, amount nem.Amount) *ledger.Request {
			b := w.Withdrawal(w.Wallets[0], ledgertest.Small)
			b.Assets[0].Amount += amount
			b.Replaces = x.ID
			r, _ := w.State.RequestByStatement(w.Submit(who, b).About)
			return r
		}
		// One that ends without an authorisation stands in for nothing.
		if r := replace("shop", ledgertest.BigMax); r.State != ledger.StateDenied {
			t.Fatalf("it is %s (%s)", r.State, r.Code)
		}
		waits := replace("shop", ledgertest.SmallMax)
		if waits.State != ledger.StateHeld {
			t.Fatalf("it is %s (%s)", waits.State, waits.Code)
		}
		w.Verdict("shop", statement.Cancel, waits.Hash)
		first := replace("shop", 0)
		if first.State != ledger.StateAuthorized {
			t.Fatalf("the first stand-in is %s (%s)", first.State, first.Code)
		}
		w.SignAll()
		for range 3 { // the replaced one is forgotten within the first of them
			w.Advance(2 * ledgertest.Hour)
			w.State = restore(t, snapshotOf(t, w.State))
			if r := replace("shop", 0); r.State != ledger.StateDenied || r.Code != ledger.CodeReplacesReplaced {
				t.Errorf("it came: %t: another one is %s (%s)", came, r.State, r.Code)
			}
		}
		if _, known := w.State.Request(x.ID); known {
			t.Error("the replaced one is still known, so this tried nothing")
		}
		w.Advance(24 * ledgertest.Hour) // the first is forgotten as well, long after it could be paid
		w.Submit("desk", w.Withdrawal(w.Wallets[1], 1))
		if r := replace("shop", 0); r.State != ledger.StateAuthorized {
			t.Errorf("much later another one is %s (%s)", r.State, r.Code)
		}
	}
}
