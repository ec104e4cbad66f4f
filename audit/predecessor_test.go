package audit_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"kura/audit"
	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
)

// TestPredecessor verifies a successor together with the journal that it follows.
func TestPredecessor(t *testing.T) {
	old := ledgertest.New(t)
	old.Submit("shop", old.Withdrawal(old.Wallets[0], 1_000_000))
	old.SignAll()
	before := old.Export()
	s := old.Succeed()
	w, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	w.Restart()
	for _, x := range w.Wallets {
		w.Must(ledger.WalletInput{Wallet: w.Ceremony(x)})
	}
	w.Submit("shop", w.Withdrawal(w.Wallets[0], 1_000_000))
	export := w.Export()
	verify := func(predecessor []byte) audit.Report {
		t.Helper()
		o := audit.Options{Genesis: w.Genesis.String()}
		if predecessor != nil {
			o.Predecessor = bytes.NewReader(predecessor)
		}
		r, err := audit.Verify(t.Context(), bytes.NewReader(export), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verify(before); !r.OK || slices.Contains(r.Notes, audit.NoteSuccessor) {
		t.Errorf("with its predecessor: %+v %v", r, r.Failure)
	}
	if r := verify(nil); !r.OK || !slices.Contains(r.Notes, audit.NoteSuccessor) {
		t.Errorf("alone: %+v %v", r, r.Failure)
	}
	old.Submit("shop", old.Withdrawal(old.Wallets[0], 2_000_000))
	if r := verify(old.Export()); !r.OK || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "goes on for") }) {
		t.Errorf("a predecessor that went on: %+v %v", r, r.Failure)
	}
	for name, wrong := range map[string][]byte{
		"itself":    export,
		"another":   ledgertest.New(t).Export(),
		"cut short": before[:bytes.LastIndexByte(before[:len(before)-1], '\n')+1],
		"altered":   bytes.Replace(before, []byte("1000000"), []byte("1000001"), 1),
	} {
		if r := verify(wrong); r.OK || r.Failure.Code != audit.FailPredecessor {
			t.Errorf("%s: %+v", name, r.Failure)
		}
	}
	export = before
	w.Genesis = old.Genesis
	if r := verify(before); r.OK || r.Failure.Code != audit.FailPredecessor {
		t.Errorf("a journal without a predecessor: %+v", r.Failure)
	}
}

// TestPredecessorAfterHandovers: what the genesis names is a head of the key that was in force at the end.
func TestPredecessorAfterHandovers(t *testing.T) {
	old := ledgertest.New(t)
	old.HandOver()
	old.HandOver()
	old.Submit("shop", old.Withdrawal(old.Wallets[0], 1_000_000))
	before := old.Export()
	s := old.Succeed()
	unproven := *s.Genesis.Predecessor
	unproven.Handovers = unproven.Handovers[:1]
	if err := unproven.Check(); !errors.Is(err, journal.ErrOtherKey) {
		t.Errorf("without its second handover: %v", err)
	}
	w, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.Verify(t.Context(), bytes.NewReader(w.Export()), audit.Options{Genesis: w.Genesis.String(), Predecessor: bytes.NewReader(before)})
	if err != nil || !r.OK {
		t.Errorf("%v %v", err, r.Failure)
	}
}

// TestPredecessorEndedUnderAnotherPolicy has directors who go on under an older policy than the one that was in force.
func TestPredecessorEndedUnderAnotherPolicy(t *testing.T) {
	old := ledgertest.New(t)
	s := old.Succeed()
	body, err := ledger.DecodeBody(ledger.KindFounding, old.Entries[1].Body)
	if err != nil {
		t.Fatal(err)
	}
	first, err := policy.Parse([]byte(body.(*ledger.Founding).Policy))
	if err != nil {
		t.Fatal(err)
	}
	s.Genesis.Policy, s.Founding = first.Hash(), ledger.FoundingInput{Policy: string(first.Text())}
	for _, director := range []string{"alice", "bob"} {
		s.Founding.Verdicts = append(s.Founding.Verdicts, old.Envelope(director, s.Verdict()))
	}
	w, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.Verify(t.Context(), bytes.NewReader(w.Export()), audit.Options{Predecessor: bytes.NewReader(old.Export())})
	if err != nil || r.OK || r.Failure.Code != audit.FailPredecessor {
		t.Errorf("%v, %+v", err, r.Failure)
	}
}
