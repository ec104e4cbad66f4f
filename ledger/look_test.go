package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
)

// TestWaitingRequestsAreLookedAtNowAndThen has one client's requests wait past their time, none of which fits,
// while others go on: they are judged again every ten seconds, not after every input, and by auditors alike.
func TestWaitingRequestsAreLookedAtNowAndThen(t *testing.T) {
	w := ledgertest.New(t)
	for range 2 { // with their fees they leave no room for a third
		w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
		w.Advance(ledgertest.Minute)
	}
	for range 20 {
		w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
	}
	w.Advance(58 * ledgertest.Minute) // room for one, and for another one a minute later
	w.Ticks()
	if held := len(w.State.Pending()); held != 19 {
		t.Fatalf("%d are held, want 19", held)
	}
	looks := func() (n int) {
		for _, e := range w.Entries {
			if e.Kind == ledger.KindLook {
				n++
			}
		}
		return n
	}
	before := looks()
	for range 30 {
		w.Submit("desk", w.Withdrawal(w.Wallets[1], 1))
		w.Ticks()
		w.Advance(100)
		if w.State.Due(w.Now()) {
			t.Fatal("within ten seconds there is something to look at")
		}
	}
	if n := looks() - before; n != 0 {
		t.Errorf("looked %d times within three seconds", n)
	}
	w.Advance(8 * 1000)
	if !w.State.Due(w.Now()) {
		t.Error("after ten seconds there is nothing to look at")
	}
	w.Advance(ledgertest.Minute) // room for the next one
	w.Ticks()
	if held := len(w.State.Pending()); held != 18 {
		t.Errorf("%d are held, want 18", held)
	}
	if diff := ledger.DiffStates(w.State, restore(t, snapshotOf(t, w.State))); diff != "" {
		t.Error(diff)
	}
	if fold(t, w.Lines).Hash() != w.State.Hash() {
		t.Error("the fold is another state than the live one")
	}
	judgeAgain(t, ledger.NewState(), w.Entries)
}

// TestPendingIsBounded refuses a policy under which a client's requests could fill the memory.
func TestPendingIsBounded(t *testing.T) {
	doc := *ledgertest.New(t).State.PolicyInForce().Document()
	doc.Clients = append([]policy.Client{}, doc.Clients...)
	doc.Clients[0].Budget.Pending = 1001
	if _, err := policy.New(doc); err == nil {
		t.Error("1001 requests of one client may wait")
	}
}

// TestNobodyLooksInDoubt: what could be signed but for the signer's doubt is judged as soon as that is over.
func TestNobodyLooksInDoubt(t *testing.T) {
	w := ledgertest.New(t)
	for range 2 {
		w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
	}
	res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
	w.SignAll()
	w.Advance(ledgertest.Hour)
	if drafts, _, err := ledger.Judge(w.State, ledger.TickInput{InDoubt: true}, w.Now()); err != nil || len(drafts) != 0 {
		t.Fatalf("in doubt a tick makes %v: %v", drafts, err)
	}
	w.Ticks()
	if r, _ := w.State.RequestByStatement(res.About); r.State != ledger.StateAuthorized {
		t.Errorf("when the doubt is over it is %s (%s)", r.State, r.Code)
	}
}
