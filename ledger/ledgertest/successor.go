package ledgertest

import (
	"kura/journal"
	"kura/ledger"
	"kura/statement"
)

// A Succession is what opens a successor of a world, all as it has to be; tests change it.
type Succession struct {
	Old      *World
	Genesis  ledger.Genesis
	Founding ledger.FoundingInput
}

// Succeed prepares a successor of the world as it stands, approved by alice and bob.
func (w *World) Succeed() *Succession {
	w.TB.Helper()
	p := w.State.PolicyInForce()
	s := &Succession{Old: w, Genesis: ledger.Genesis{
		Origin: "kura.test/second", LogKey: journal.FormatLogKey(LogKey(0)),
		Policy: p.Hash(), Clock: ledger.ClockSimulated,
		Predecessor: &ledger.Predecessor{Genesis: w.Genesis.String(), Checkpoint: string(w.Checkpoint()), Handovers: w.Chain.Under(w.tree.Head().Size)},
	}}
	s.Founding = ledger.FoundingInput{Policy: string(p.Text())}
	for _, director := range []string{"alice", "bob"} {
		s.Founding.Verdicts = append(s.Founding.Verdicts, w.Envelope(director, s.Verdict()))
	}
	return s
}

// Verdict is a director's approval of the succession.
func (s *Succession) Verdict() *statement.Verdict {
	return &statement.Verdict{
		Journal: s.Old.Journal(), ID: s.Old.ID(), Expires: s.Old.Clock + Hour, Verdict: statement.Approve,
		About:  []statement.Hash{s.Genesis.Policy, statement.HashText(s.Genesis.Predecessor.Checkpoint)},
		Policy: s.Genesis.Policy,
	}
}

// Open judges genesis and founding in an empty journal on another machine, with the same people and wallets.
func (s *Succession) Open() (*World, error) {
	s.Old.TB.Helper()
	w := *s.Old
	w.State, w.Entries, w.Lines, w.Chain = ledger.NewState(), nil, nil, nil
	w.BootID, w.Boot = "another machine", 5000
	tree, err := journal.NewTree(0, nil)
	w.check(err)
	w.tree = tree
	if _, err := w.Judge(ledger.GenesisInput{Genesis: s.Genesis}); err != nil {
		return nil, err
	}
	w.Genesis, err = s.Genesis.Line(journal.LeafHash(w.Lines[0]))
	w.check(err)
	if _, err := w.Judge(s.Founding); err != nil {
		return nil, err
	}
	return &w, nil
}

// AddressBook is the document of the proposal that fills an empty address book.
func (w *World) AddressBook() string { return string(w.book().Text()) }
