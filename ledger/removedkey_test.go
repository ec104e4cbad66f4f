package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// enforced puts the policy in force with changes into force as its next version.
func enforced(w *ledgertest.World, change func(*policy.Document)) {
	w.TB.Helper()
	before := w.State.PolicyInForce().Document()
	adopted(w, change)
	w.Advance(int64(before.Governance.Policy.TimeLock))
	w.Ticks()
	if w.State.PolicyInForce().Document().Version != before.Version+1 {
		w.TB.Fatal("the next policy is not in force")
	}
}

// adopted has two directors adopt it.
func adopted(w *ledgertest.World, change func(*policy.Document)) ledger.Result {
	w.TB.Helper()
	doc := *w.State.PolicyInForce().Document()
	doc.Version, doc.Previous = doc.Version+1, w.State.PolicyInForce().Hash().String()
	doc.Clients = append([]policy.Client{}, doc.Clients...)
	change(&doc)
	next, err := policy.New(doc)
	if err != nil {
		w.TB.Fatal(err)
	}
	return w.Adopt(statement.ProposePolicy, string(next.Text()), "")
}

// TestRemovedKeyRevivesNothing holds what a thief asked for with a key that the client does not have any more,
// whether or not somebody suspended the key before the policy took it out.
func TestRemovedKeyRevivesNothing(t *testing.T) {
	for _, suspend := range []bool{false, true} {
		w := ledgertest.NewWith(t, func(doc *policy.Document) { doc.Governance.Policy.TimeLock = 20 * ledgertest.Minute })
		for range 3 {
			w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
		}
		res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
		r, _ := w.State.RequestByStatement(res.About)
		if r.State != ledger.StateHeld {
			t.Fatalf("it is %s, want held", r.State)
		}
		if suspend {
			w.Freeze("alice", statement.ActionSuspend, statement.TargetKey, statement.Key(w.PublicKey("shop")).Fingerprint())
			w.Advance(1)
		}
		enforced(w, func(doc *policy.Document) { doc.Clients[0].Keys = []string{w.PublicKey("shop-new")} })
		w.Advance(ledgertest.Hour)
		w.Ticks()
		if r.State != ledger.StateDenied || r.Code != policy.CodeKeyRemoved {
			t.Errorf("suspended before: %t: it ends as %s (%s), want denied (%s)", suspend, r.State, r.Code, policy.CodeKeyRemoved)
		}
	}
}
