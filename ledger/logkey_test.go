package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"kura/audit"
	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// TestHandover: the log key changes only to the key that a quorum permitted, after the time-lock, and once.
func TestHandover(t *testing.T) {
	w := ledgertest.New(t)
	first, second := ledgertest.LogKey(1), ledgertest.LogKey(2)
	refused := func(when string, key [32]byte) {
		t.Helper()
		if _, err := w.Judge(ledger.HandoverInput{New: key}); !errors.Is(err, ledger.ErrInput) {
			t.Fatalf("%s: %v", when, err)
		}
	}
	refused("without a permission", first)
	p := w.Propose("alice", statement.ProposeLogKey, policy.LogKeyText(first), "")
	w.Verdict("alice", statement.Approve, p.About)
	refused("with one approval", first)
	w.Verdict("bob", statement.Approve, p.About)
	refused("before the time-lock ends", first)
	w.Advance(ledgertest.Day)
	w.Ticks()
	if permit := w.State.LogKeyPermit(); permit == nil || permit.New != first || permit.Proposal != p.About {
		t.Fatalf("permitted: %+v", permit)
	}
	refused("to another key", second)
	w.Restart() // a permission outlives what comes between
	at := w.State.Next()
	if _, err := w.Judge(ledger.HandoverInput{New: first}); err != nil {
		t.Fatal(err)
	}
	if w.State.Next() != at+1 || w.Entries[at].Kind != ledger.KindLogKey {
		t.Errorf("the entry is not alone: %v", w.Entries[at:])
	}
	refused("a second time", first)
	keys := w.State.LogKeys()
	if keys.At(at+1) != ledgertest.LogKey(0) || keys.At(at+2) != first || w.State.LogKeyPermit() != nil {
		t.Errorf("keys %v", keys.Handovers())
	}
	if got := w.Propose("alice", statement.ProposeLogKey, policy.LogKeyText(ledgertest.LogKey(0)), ""); got.Code != policy.CodeKeyReturns {
		t.Errorf("the key of the genesis line is proposed again: %+v", got)
	}
	report, err := audit.Verify(context.Background(), bytes.NewReader(w.Export()), audit.Options{Genesis: w.Genesis.String()})
	if err != nil || !report.OK {
		t.Errorf("%v %v", err, report.Failure)
	}
}

// TestPermissionsEnd: another permission takes the place of one, a veto stops one, a recovery ends one.
func TestPermissionsEnd(t *testing.T) {
	w := ledgertest.New(t)
	w.PermitLogKey(ledgertest.LogKey(1))
	w.PermitLogKey(ledgertest.LogKey(2))
	if w.State.LogKeyPermit().New != ledgertest.LogKey(2) {
		t.Error("the older permission stands")
	}
	vetoed := w.Propose("alice", statement.ProposeLogKey, policy.LogKeyText(ledgertest.LogKey(3)), "")
	w.Verdict("alice", statement.Approve, vetoed.About)
	w.Verdict("bob", statement.Approve, vetoed.About)
	w.Verdict("alice", statement.Veto, vetoed.About)
	w.Verdict("carol", statement.Veto, vetoed.About)
	w.Advance(ledgertest.Day)
	w.Ticks()
	if w.State.LogKeyPermit().New != ledgertest.LogKey(2) {
		t.Error("a vetoed proposal permits")
	}
	doc := *w.State.PolicyInForce().Document()
	doc.Version, doc.Previous, doc.Title = doc.Version+1, w.State.PolicyInForce().Hash().String(), "recovered"
	next, err := policy.New(doc)
	if err != nil {
		t.Fatal(err)
	}
	recovery := w.Propose("dave", statement.ProposeRecovery, string(next.Text()), "")
	for _, officer := range []string{"dave", "carol"} {
		w.Verdict(officer, statement.Approve, recovery.About)
	}
	w.Advance(14 * ledgertest.Day)
	w.Ticks()
	if w.State.PolicyInForce().Hash() != next.Hash() || w.State.LogKeyPermit() != nil {
		t.Errorf("after a recovery (%s) is permitted: %+v", proposalState(w, recovery), w.State.LogKeyPermit())
	}
}

// TestFoldRefusesAHandover that no proposal in force permits, whoever wrote it.
func TestFoldRefusesAHandover(t *testing.T) {
	w := ledgertest.New(t)
	permit := w.PermitLogKey(ledgertest.LogKey(1))
	last := w.State.Last()
	for name, b := range map[string]ledger.LogKey{
		"to another key":        {Old: key(0), New: key(2), Proposal: permit},
		"from another key":      {Old: key(3), New: key(1), Proposal: permit},
		"on another permission": {Old: key(0), New: key(1), Proposal: statement.Hash{1}},
		"to no key":             {Old: key(0), New: "", Proposal: permit},
	} {
		body, err := ledger.EncodeBody(&b)
		if err != nil {
			t.Fatal(err)
		}
		e := journal.Entry{Seq: w.State.Next(), Clock: last.Clock, Time: last.Time, Kind: ledger.KindLogKey, Body: body}
		if err := fold(t, w.Lines).Apply(e); !errors.Is(err, ledger.ErrFold) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func key(n int) string { return journal.FormatLogKey(ledgertest.LogKey(n)) }

func TestLogKeyDocument(t *testing.T) {
	want := ledgertest.LogKey(1)
	if got, err := policy.ParseLogKey([]byte(policy.LogKeyText(want))); err != nil || got != want {
		t.Errorf("%x, %v", got, err)
	}
	w := ledgertest.New(t)
	for _, bad := range []string{
		`{}`, `{"new":""}`, `{"new":"AAAA"}`, `{"new":"` + key(1) + `","more":1}`, `{ "new":"` + key(1) + `"}`,
		`{"new":"` + key(1)[:43] + `"}`,
	} {
		if _, err := policy.ParseLogKey([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
		if got := w.Propose("alice", statement.ProposeLogKey, bad, ""); got.Code != policy.CodeBadDocument {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}
