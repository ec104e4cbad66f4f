package ledger_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// TestGapEndsWhatWaits: whatever was under way ends with an outcome that says why, and nothing of it is signed.
func TestGapEndsWhatWaits(t *testing.T) {
	w := ledgertest.New(t)
	x := w.Wallets[0]
	held := w.Submit("shop", w.Withdrawal(x, ledgertest.SmallMax+1))
	waiting := w.Submit("shop", w.Withdrawal(x, ledgertest.Small))
	done := w.Submit("shop", w.Withdrawal(x, ledgertest.Small))
	r, _ := w.State.RequestByStatement(done.About)
	w.Must(ledger.SignatureInput{About: done.About, Signature: w.Sign(x, r.Transaction.Unsigned)})
	change := &policy.BookChange{Add: []policy.Entry{{
		Book: "known", Name: "stranger", Network: x.Network.String(), Address: x.Stranger.String(), Message: policy.MessageRule{Rule: "any"},
	}}}
	open := w.Propose("alice", statement.ProposeAddresses, string(change.Text()), "")
	adopted := w.Propose("bob", statement.ProposeAddresses, string(change.Text()), "")
	w.Verdict("alice", statement.Approve, adopted.About)
	w.Verdict("bob", statement.Approve, adopted.About)
	frozen := w.Freeze("erin", statement.ActionFreeze, statement.TargetClient, "desk")
	kept := len(w.Entries)
	w.Verdict("alice", statement.Approve, held.About)
	w.Verdict("bob", statement.Approve, held.About)
	w.Advance(13 * ledgertest.Hour) // the time-lock of the adopted change is over when the gap is judged
	l := w.Lose(kept)
	if err := l.Judge(); err != nil {
		t.Fatal(err)
	}
	if w.State.MaySign(waiting.About, w.Clock-13*ledgertest.Hour) || len(w.State.Unsigned(0)) != 0 {
		t.Error("what waited for its signature may be signed after the gap")
	}
	w.Restart()
	w.Ticks()
	for name, want := range map[string]struct {
		about       statement.Hash
		state, code string
	}{
		"held":              {held.About, ledger.StateStranded, ledger.CodeGap},
		"authorised":        {waiting.About, ledger.StateStranded, ledger.CodeGap},
		"signed":            {done.About, ledger.StateSigned, ""},
		"open proposal":     {open.About, ledger.StateLapsed, ledger.CodeGap},
		"adopted proposal":  {adopted.About, ledger.StateLapsed, ledger.CodeGap},
		"a freeze in force": {frozen.About, ledger.StateInForce, ""},
	} {
		got, ok := w.State.ByStatement(want.about)
		if !ok || got.State != want.state || got.Code != want.code {
			t.Errorf("%s: %+v, want %s (%s)", name, got, want.state, want.code)
		}
	}
	if len(w.State.Pending()) != 0 || len(w.State.Proposals()) != 0 {
		t.Errorf("%d requests and %d proposals go on", len(w.State.Pending()), len(w.State.Proposals()))
	}
	if got := w.Verdict("carol", statement.Approve, held.About); got.State == ledger.StateCounted {
		t.Errorf("an approval of what ended: %+v", got)
	}
	alarms := w.State.Alarms()
	if !slices.ContainsFunc(alarms, func(a ledger.AlarmRecord) bool { return a.Code == ledger.AlarmGap }) {
		t.Error("nobody was called")
	}
}

// TestGapIsInSnapshots restores a state that went on after a gap.
func TestGapIsInSnapshots(t *testing.T) {
	w := ledgertest.New(t)
	l := w.LoseTwoHeads()
	head, smaller := l.Gap().Lost, l.Gap().Between[0]
	l.Continue()
	for w.Head().Size < smaller.Size {
		w.Restart()
	}
	var file bytes.Buffer
	if err := w.State.Snapshot(&file, w.Head()); err != nil {
		t.Fatal(err)
	}
	restored, _, err := ledger.RestoreSnapshot(&file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.State.Gaps(), restored.Gaps()); diff != "" {
		t.Error(diff)
	}
	if !restored.Lost(head) || !restored.Lost(smaller) || restored.Lost(w.Head()) || restored.OpensAt() != w.State.OpensAt() {
		t.Error("the restored state does not know what was lost")
	}
}

// TestGapEvacuatesAtOnce and takes freezes that were made before it.
func TestGapEvacuatesAtOnce(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	freeze := w.Envelope("erin", &statement.Freeze{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 5*ledgertest.Minute, Action: statement.ActionFreeze,
		Target: statement.Target{Kind: statement.TargetWallet, Name: w.Wallets[1].Name}, Reason: "lost",
	})
	w.SubmitEnvelope(freeze)
	l := w.Lose(kept)
	l.Continue()
	if got := w.SubmitEnvelope(freeze); got.State != ledger.StateInForce {
		t.Errorf("a freeze that was lost: %+v", got)
	}
	w.Advance(1)
	evacuate(w)
	if signed := w.SignAll(); signed != 1 {
		t.Errorf("%d transactions to sign, want the evacuation", signed)
	}
}
