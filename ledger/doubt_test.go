package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// TestTickInDoubt has an evacuation and a lift get their quorums while the signer is in doubt: the stop is
// lifted, nothing is authorised, and an auditor who judges again reads the same input. Afterwards it is authorised.
func TestTickInDoubt(t *testing.T) {
	w := ledgertest.New(t)
	frozen := w.Freeze("watch", statement.ActionFreeze, statement.TargetAll, "")
	swept := w.Propose("alice", statement.ProposeEvacuation, `{"wallet":"hot-xem","assets":[{"asset":"xem","amount":"1"}],"maxFee":"5000000"}`, "")
	w.Verdict("alice", statement.Approve, swept.About)
	w.Verdict("alice", statement.Lift, frozen.About)
	for kind, about := range map[statement.VerdictKind][]statement.Hash{
		statement.Approve: {swept.About}, statement.Lift: {frozen.About},
	} {
		signed, err := statement.Open(w.Envelope("bob", &statement.Verdict{
			Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 30*ledgertest.Minute, Verdict: kind, About: about,
			Policy: w.State.PolicyInForce().Hash(),
		}))
		if err != nil {
			t.Fatal(err)
		}
		if res, err := w.Judge(ledger.StatementInput{Signed: signed}); err != nil || res.State != ledger.StateCounted {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	from := len(w.Entries)
	for before := -1; before < len(w.Entries); {
		before = len(w.Entries)
		if _, err := w.Judge(ledger.TickInput{InDoubt: true}); err != nil {
			t.Fatal(err)
		}
	}
	ticks := 0
	for _, e := range w.Entries[from:] {
		if e.Kind != ledger.KindTick {
			continue
		}
		ticks++
		if in, err := ledger.InputOf(e); err != nil || in != (ledger.TickInput{InDoubt: true}) {
			t.Errorf("judged again it is %+v, %v", in, err)
		}
	}
	if len(w.State.Freezes()) != 0 || ticks == 0 {
		t.Errorf("the stop is not lifted in doubt, after %d ticks", ticks)
	}
	if n := len(w.State.Unsigned(w.Clock)); n != 0 {
		t.Errorf("%d authorised in doubt", n)
	}
	if !w.State.Due(policy.Now{Clock: w.Clock, Time: w.Clock}) {
		t.Error("nothing is due any more")
	}
	w.Ticks()
	if n := len(w.State.Unsigned(w.Clock)); n != 1 || proposalState(w, swept) != ledger.StateInForce {
		t.Errorf("%d authorised afterwards, the evacuation is %s", n, proposalState(w, swept))
	}
	if fold(t, w.Lines).Hash() != w.State.Hash() {
		t.Error("the fold is another state than the live one")
	}
}
