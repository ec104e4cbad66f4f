package ledger_test

import (
	"errors"
	"slices"
	"testing"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// founding takes the first two inputs of a world back out of its journal.
func founding(t *testing.T, w *ledgertest.World) (ledger.GenesisInput, ledger.FoundingInput) {
	t.Helper()
	first, err1 := ledger.InputOf(w.Entries[0])
	second, err2 := ledger.InputOf(w.Entries[1])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return first.(ledger.GenesisInput), second.(ledger.FoundingInput)
}

func TestFoundings(t *testing.T) {
	w := ledgertest.Founded(t)
	genesis, good := founding(t, w)
	verdict := func(who string, change func(*statement.Verdict)) statement.Envelope {
		hash := w.State.PolicyInForce().Hash()
		v := &statement.Verdict{ID: w.ID(), Expires: w.Clock + 1, Verdict: statement.Approve, About: []statement.Hash{hash}, Policy: hash}
		change(v)
		return w.Envelope(who, v)
	}
	none := func(*statement.Verdict) {}
	for name, change := range map[string]func(*ledger.GenesisInput, *ledger.FoundingInput){
		"another policy": func(g *ledger.GenesisInput, _ *ledger.FoundingInput) { g.Genesis.Policy[0] ^= 1 },
		"no policy":      func(_ *ledger.GenesisInput, f *ledger.FoundingInput) { f.Policy = "" },
		"one director":   func(_ *ledger.GenesisInput, f *ledger.FoundingInput) { f.Verdicts = f.Verdicts[:1] },
		"one of them twice": func(_ *ledger.GenesisInput, f *ledger.FoundingInput) {
			f.Verdicts = []statement.Envelope{f.Verdicts[0], verdict("alice", none)}
		},
		"an officer who is no director": func(_ *ledger.GenesisInput, f *ledger.FoundingInput) {
			f.Verdicts = []statement.Envelope{f.Verdicts[0], verdict("dave", none)}
		},
		"a stranger": func(_ *ledger.GenesisInput, f *ledger.FoundingInput) {
			f.Verdicts = append(slices.Clone(f.Verdicts), verdict("mallory", none))
		},
		"a rejection": func(_ *ledger.GenesisInput, f *ledger.FoundingInput) {
			f.Verdicts = []statement.Envelope{f.Verdicts[0], verdict("bob", func(v *statement.Verdict) { v.Verdict, v.Reason = statement.Reject, "no" })}
		},
		"about another policy": func(_ *ledger.GenesisInput, f *ledger.FoundingInput) {
			f.Verdicts = []statement.Envelope{f.Verdicts[0], verdict("bob", func(v *statement.Verdict) { v.About[0][0] ^= 1 })}
		},
		"for another journal": func(_ *ledger.GenesisInput, f *ledger.FoundingInput) {
			f.Verdicts = []statement.Envelope{f.Verdicts[0], verdict("bob", func(v *statement.Verdict) { v.Journal[0] ^= 1 })}
		},
		"a broken signature": func(_ *ledger.GenesisInput, f *ledger.FoundingInput) {
			broken := f.Verdicts[1]
			broken.Signature = f.Verdicts[0].Signature
			f.Verdicts = []statement.Envelope{f.Verdicts[0], broken}
		},
		"an unknown clock": func(g *ledger.GenesisInput, _ *ledger.FoundingInput) { g.Genesis.Clock = "sundial" },
		"no origin":        func(g *ledger.GenesisInput, _ *ledger.FoundingInput) { g.Genesis.Origin = "" },
		"a short log key":  func(g *ledger.GenesisInput, _ *ledger.FoundingInput) { g.Genesis.LogKey = "AAAA" },
	} {
		t.Run(name, func(t *testing.T) {
			g, f := genesis, good
			f.Verdicts = slices.Clone(f.Verdicts)
			change(&g, &f)
			if err := begin(g, f); !errors.Is(err, ledger.ErrInput) {
				t.Errorf("it is taken: %v", err)
			}
		})
	}
	if err := begin(genesis, good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// begin judges and applies the first two inputs of a journal.
func begin(inputs ...ledger.Input) error {
	s := ledger.NewState()
	now := policy.Now{Clock: ledgertest.Start, Time: ledgertest.Start}
	for _, in := range inputs {
		drafts, _, err := ledger.Judge(s, in, now)
		if err != nil {
			return err
		}
		for _, d := range drafts {
			if err := s.Apply(journal.Entry{Seq: s.Next(), Clock: now.Clock, Time: now.Time, Kind: d.Kind, Body: d.Body}); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestOrderOfBeginnings(t *testing.T) {
	w := ledgertest.Founded(t)
	genesis, policy1 := founding(t, w)
	for name, inputs := range map[string][]ledger.Input{
		"policy before genesis": {policy1},
		"genesis twice":         {genesis, genesis},
		"policy twice":          {genesis, policy1, policy1},
		"a tick before":         {genesis, ledger.TickInput{}},
		"a start before":        {genesis, ledger.StartInput{BootID: "x"}},
	} {
		if err := begin(inputs...); !errors.Is(err, ledger.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestApplyRefusesWhatCannotFollow gives a fold entries that no journal has.
func TestApplyRefusesWhatCannotFollow(t *testing.T) {
	w := ledgertest.Story(t)
	last := w.Entries[len(w.Entries)-1]
	for name, e := range map[string]journal.Entry{
		"a gap":               {Seq: last.Seq + 2, Clock: last.Clock, Time: last.Time, Kind: ledger.KindTick, Body: []byte("{}")},
		"time that goes back": {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time - 1, Kind: ledger.KindTick, Body: []byte("{}")},
		"an unknown kind":     {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: "tick/2", Body: []byte("{}")},
		"a second genesis":    {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindGenesis, Body: w.Entries[0].Body},
		"a statement again":   {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindStatement, Body: find(w, ledger.KindStatement).Body},
		"an outcome again":    {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindOutcome, Body: find(w, ledger.KindOutcome).Body},
		"reasons again":       {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindReasons, Body: find(w, ledger.KindReasons).Body},
		"a signature again":   {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindSignature, Body: find(w, ledger.KindSignature).Body},
		"a ceremony again":    {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindWallet, Body: find(w, ledger.KindWallet).Body},
		"an adoption again":   {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindAdoption, Body: find(w, ledger.KindAdoption).Body},
		"a change again":      {Seq: last.Seq + 1, Clock: last.Clock, Time: last.Time, Kind: ledger.KindInForce, Body: find(w, ledger.KindInForce).Body},
	} {
		if err := fold(t, w.Lines).Ahead(e)(); !errors.Is(err, ledger.ErrFold) {
			t.Errorf("%s, read ahead: %v", name, err)
		}
		if err := fold(t, w.Lines).Apply(e); !errors.Is(err, ledger.ErrFold) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func find(w *ledgertest.World, kind string) journal.Entry {
	i := slices.IndexFunc(w.Entries, func(e journal.Entry) bool { return e.Kind == kind })
	return w.Entries[i]
}
