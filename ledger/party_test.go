package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// TestOneRejectionIsOne says no again and again, under policies that there never were.
func TestOneRejectionIsOne(t *testing.T) {
	w := ledgertest.NewWith(t, func(doc *policy.Document) {
		for i := range doc.Rules {
			if a := doc.Rules[i].Approval; a != nil {
				twice := *a
				twice.Rejections = 2
				doc.Rules[i].Approval = &twice
			}
		}
	})
	r := held(w)
	counted := 0
	for i := range 20 {
		v := &statement.Verdict{
			Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 1, Verdict: statement.Reject,
			About: []statement.Hash{r.Hash}, Policy: statement.Hash{1, byte(i)}, Reason: "no",
		}
		if w.Submit("alice", v).State == ledger.StateCounted {
			counted++
		}
	}
	if counted != 1 || len(r.Verdicts) != 1 || r.State != ledger.StateHeld {
		t.Errorf("%d counted, %d kept, it is %s", counted, len(r.Verdicts), r.State)
	}
}

// TestAKeyFillsNoJournal has a sentinel, a person, a service and a canary write what takes nothing, and then
// what does.
func TestAKeyFillsNoJournal(t *testing.T) {
	w := ledgertest.New(t)
	r := held(w)
	w.Advance(1) // it was there before the freezes
	w.Freeze("watch", statement.ActionFreeze, statement.TargetWallet, "hot-xem")
	w.Freeze("canary", statement.ActionFreeze, statement.TargetWallet, "hot-xem") // everything is frozen
	for who, send := range map[string]func() ledger.Result{
		"watch": func() ledger.Result {
			return w.Freeze("watch", statement.ActionFreeze, statement.TargetWallet, "hot-xem")
		},
		"alice": func() ledger.Result { return w.Verdict("alice", statement.Veto, r.Hash) },
		"bob": func() ledger.Result {
			return w.Propose("bob", statement.ProposeResume, `{"time": 1}`, "")
		},
		"carol":  func() ledger.Result { return w.Submit("carol", w.Withdrawal(w.Wallets[0], 1)) },
		"aml":    func() ledger.Result { return w.Verdict("aml", statement.Reject, r.Hash) },
		"canary": func() ledger.Result { return w.Freeze("canary", statement.ActionFreeze, statement.TargetAll, "") },
	} {
		before := w.State.Next()
		for range 200 {
			send()
		}
		written := w.State.Next() - before
		for range 500 {
			res := send()
			if want := ledger.CodeOverBudget; !res.Refused || who != "canary" && res.Code != want || who == "canary" && res.Code != ledger.CodeUnknownKey {
				t.Fatalf("%s: %+v", who, res)
			}
		}
		if more := w.State.Next() - before - written; more != 0 || written < 100 || written > 3*100 {
			t.Errorf("%s wrote %d entries, and %d more afterwards", who, written, more)
		}
	}
	if res := w.Freeze("watch", statement.ActionFreeze, statement.TargetAll, ""); res.State != ledger.StateInForce {
		t.Errorf("a freeze that takes: %+v", res)
	}
	if res := w.Verdict("alice", statement.Reject, r.Hash); res.State != ledger.StateCounted {
		t.Errorf("a verdict that counts: %+v", res)
	}
	if diff := ledger.DiffStates(w.State, restore(t, snapshotOf(t, w.State))); diff != "" {
		t.Error(diff)
	}
	w.Advance(ledgertest.Hour)
	if res := w.Freeze("watch", statement.ActionFreeze, statement.TargetAll, ""); res.State != ledger.StateRefused {
		t.Errorf("an hour later it is not journalled: %+v", res)
	}
}
