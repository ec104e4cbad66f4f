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
	if permit := w.State.LogKeyPermit(); permit == nil || permit.New != first || permit.Proposal != p.About || permit.From > w.Clock {
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
	w.Ticks()
	if got := proposalState(w, p); got != ledger.StateInForce {
		t.Errorf("once it is used the proposal is %s", got)
	}
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

// TestPermissionsEnd: whatever ends a permission, nothing can be handed over to after it, neither by a judge nor by a
// fold, and its outcome says why.
func TestPermissionsEnd(t *testing.T) {
	const month = 30 * ledgertest.Day
	next := ledgertest.LogKey(1)
	for name, c := range map[string]struct {
		state, code string
		end         func(w *ledgertest.World, permit statement.Hash)
	}{
		"a month passed": {ledger.StateLapsed, policy.CodeExpired, func(w *ledgertest.World, _ statement.Hash) {
			w.Advance(month)
		}},
		"a veto, after the time-lock": {ledger.StateVetoed, policy.CodeVetoed, func(w *ledgertest.World, permit statement.Hash) {
			for _, director := range []string{"alice", "carol"} {
				w.Verdict(director, statement.Veto, permit)
			}
		}},
		"another one": {ledger.StateLapsed, policy.CodeReplaced, func(w *ledgertest.World, _ statement.Hash) {
			w.PermitLogKey(ledgertest.LogKey(2))
		}},
		"another policy, and with it other directors": {ledger.StateLapsed, policy.CodeBaseNotInForce, func(w *ledgertest.World, _ statement.Hash) {
			changePolicy(w, statement.ProposePolicy, ledgertest.Day, "alice", "bob")
		}},
		"a recovery": {ledger.StateLapsed, policy.CodeBaseNotInForce, func(w *ledgertest.World, _ statement.Hash) {
			changePolicy(w, statement.ProposeRecovery, 14*ledgertest.Day, "dave", "carol")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := ledgertest.New(t)
			permit := w.PermitLogKey(next)
			c.end(w, permit)
			w.Ticks()
			if _, err := w.Judge(ledger.HandoverInput{New: next}); !errors.Is(err, ledger.ErrInput) {
				t.Errorf("judged: %v", err)
			}
			if p, ok := w.State.ByStatement(permit); !ok || p.State != c.state || p.Code != c.code {
				t.Errorf("the proposal: %+v", p)
			}
			foldRefuses(t, w, ledger.LogKey{Old: key(0), New: key(1), Proposal: permit})
		})
	}
	w := ledgertest.New(t)
	permit := w.PermitLogKey(next)
	w.Advance(month - 1000)
	w.Verdict("alice", statement.Veto, permit) // one is too few
	w.Ticks()
	if _, err := w.Judge(ledger.HandoverInput{New: next}); err != nil {
		t.Errorf("in its last second, against one veto: %v", err)
	}
}

// TestReplacedPermissionStaysGone: of two permissions the older one ends when the newer is adopted, within its time-lock,
// too, so that a veto of the newer one does not bring it back.
func TestReplacedPermissionStaysGone(t *testing.T) {
	w := ledgertest.New(t)
	older := w.Adopt(statement.ProposeLogKey, policy.LogKeyText(ledgertest.LogKey(1)), "")
	newer := w.Adopt(statement.ProposeLogKey, policy.LogKeyText(ledgertest.LogKey(2)), "")
	w.Ticks()
	if p, ok := w.State.ByStatement(older.About); !ok || p.State != ledger.StateLapsed || p.Code != policy.CodeReplaced {
		t.Errorf("the older one: %+v", p)
	}
	for _, director := range []string{"alice", "carol"} {
		w.Verdict(director, statement.Veto, newer.About)
	}
	w.Advance(ledgertest.Day)
	w.Ticks()
	if _, err := w.Judge(ledger.HandoverInput{New: ledgertest.LogKey(1)}); !errors.Is(err, ledger.ErrInput) {
		t.Errorf("handed over to the key whose place was taken: %v", err)
	}
}

// changePolicy brings another title into force, the way that a kind of proposal goes.
func changePolicy(w *ledgertest.World, kind statement.ProposalKind, timeLock int64, by ...string) {
	w.TB.Helper()
	doc := *w.State.PolicyInForce().Document()
	doc.Version, doc.Previous, doc.Title = doc.Version+1, w.State.PolicyInForce().Hash().String(), "changed"
	next, err := policy.New(doc)
	if err != nil {
		w.TB.Fatal(err)
	}
	p := w.Propose(by[0], kind, string(next.Text()), "")
	for _, officer := range by {
		w.Verdict(officer, statement.Approve, p.About)
	}
	w.Advance(timeLock)
	w.Ticks()
	if w.State.PolicyInForce().Hash() != next.Hash() {
		w.TB.Fatalf("the %s is %s", kind, proposalState(w, p))
	}
}

// TestFoldRefusesAHandover that no proposal permits, whoever wrote it.
func TestFoldRefusesAHandover(t *testing.T) {
	w := ledgertest.New(t)
	permit := w.PermitLogKey(ledgertest.LogKey(1))
	for name, b := range map[string]ledger.LogKey{
		"to another key":        {Old: key(0), New: key(2), Proposal: permit},
		"from another key":      {Old: key(3), New: key(1), Proposal: permit},
		"on another permission": {Old: key(0), New: key(1), Proposal: statement.Hash{1}},
		"to no key":             {Old: key(0), New: "", Proposal: permit},
	} {
		t.Run(name, func(t *testing.T) { foldRefuses(t, w, b) })
	}
}

// foldRefuses has somebody write a handover who does not judge it.
func foldRefuses(t *testing.T, w *ledgertest.World, b ledger.LogKey) {
	t.Helper()
	body, err := ledger.EncodeBody(&b)
	if err != nil {
		t.Fatal(err)
	}
	last := w.State.Last()
	e := journal.Entry{Seq: w.State.Next(), Clock: last.Clock, Time: last.Time, Kind: ledger.KindLogKey, Body: body}
	if err := fold(t, w.Lines).Apply(e); !errors.Is(err, ledger.ErrFold) {
		t.Errorf("the fold: %v", err)
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
