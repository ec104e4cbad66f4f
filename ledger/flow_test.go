package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/statement"
)

func TestSmallWithdrawalIsSignedAtOnce(t *testing.T) {
	w := ledgertest.New(t)
	for _, x := range w.Wallets {
		res := w.Submit("shop", w.Withdrawal(x, ledgertest.Small))
		if res.State != ledger.StateAuthorized {
			t.Fatalf("%s: %+v", x.Name, res)
		}
		if n := w.SignAll(); n != 1 {
			t.Fatalf("%d authorisations to sign, want 1", n)
		}
		r, _ := w.State.RequestByStatement(res.About)
		if r.State != ledger.StateSigned {
			t.Errorf("%s is %s", x.Name, r.State)
		}
	}
}

func TestTwoOfficersApprove(t *testing.T) {
	w := ledgertest.New(t)
	res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1))
	if res.State != ledger.StateHeld {
		t.Fatalf("%+v", res)
	}
	if v := w.Verdict("alice", statement.Approve, res.About); v.State != ledger.StateCounted {
		t.Fatalf("%+v", v)
	}
	r, _ := w.State.RequestByStatement(res.About)
	if r.State != ledger.StateHeld {
		t.Fatalf("after one approval it is %s", r.State)
	}
	if v := w.Verdict("bob", statement.Approve, res.About); v.State != ledger.StateCounted {
		t.Fatalf("%+v", v)
	}
	if r.State != ledger.StateAuthorized {
		t.Fatalf("after two approvals it is %s (%s)", r.State, r.Code)
	}
}
