package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/statement"
)

// TestGapTakesAQuorum changes one thing at a time.
func TestGapTakesAQuorum(t *testing.T) {
	for name, change := range map[string]func(*ledgertest.Loss){
		"no verdict":   func(l *ledgertest.Loss) { l.Verdicts = nil },
		"one director": func(l *ledgertest.Loss) { l.Verdicts = l.Verdicts[:1] },
		"the same director twice": func(l *ledgertest.Loss) {
			l.Verdicts[1] = l.World.Envelope("alice", l.Verdict())
		},
		"a stranger": func(l *ledgertest.Loss) { l.Verdicts[1] = l.World.Envelope("nobody", l.Verdict()) },
		"an officer": func(l *ledgertest.Loss) { l.Verdicts[1] = l.World.Envelope("dave", l.Verdict()) },
		"a client":   func(l *ledgertest.Loss) { l.Verdicts[1] = l.World.Envelope("shop", l.Verdict()) },
		"a signature of another text": func(l *ledgertest.Loss) {
			l.Verdicts[1].Signature = l.Verdicts[0].Signature
		},
		"a rejection": func(l *ledgertest.Loss) {
			v := l.Verdict()
			v.Verdict, v.Reason = statement.Reject, "no"
			l.Verdicts[1] = l.World.Envelope("bob", v)
		},
		"about something else, too": func(l *ledgertest.Loss) {
			v := l.Verdict()
			v.About = append(v.About, statement.HashText("another"))
			l.Verdicts[1] = l.World.Envelope("bob", v)
		},
		"about something else": func(l *ledgertest.Loss) {
			v := l.Verdict()
			v.About[0] = statement.HashText("another")
			l.Verdicts[1] = l.World.Envelope("bob", v)
		},
		"a head between that they do not know of": func(l *ledgertest.Loss) {
			l.Between = append(l.Between, betweenOf(l))
		},
		"without a head between that they know of": func(l *ledgertest.Loss) {
			l.Between = append(l.Between, betweenOf(l))
			l.Approve().Between = nil
		},
		"another bound of the lost clock": func(l *ledgertest.Loss) { l.Until-- },
		"a bound beyond every time": func(l *ledgertest.Loss) {
			l.Until = 1<<46 + 1
			l.Approve()
		},
		"a succession": func(l *ledgertest.Loss) {
			v := l.Verdict()
			v.About = []statement.Hash{v.Policy, statement.HashText(string(l.Kept))}
			l.Verdicts[1] = l.World.Envelope("bob", v)
		},
		"for another journal": func(l *ledgertest.Loss) {
			v := l.Verdict()
			v.Journal = statement.HashText("another")
			l.Verdicts[1] = l.World.Envelope("bob", v)
		},
		"under another policy": func(l *ledgertest.Loss) {
			v := l.Verdict()
			v.Policy = statement.HashText("another")
			l.Verdicts[1] = l.World.Envelope("bob", v)
		},
		"expired": func(l *ledgertest.Loss) { l.World.Clock += ledgertest.Hour + 1 },
		"a clock that is behind the directors'": func(l *ledgertest.Loss) {
			l.World.Clock -= statement.MaxAhead + 1
		},
		"a verdict that lives for too long": func(l *ledgertest.Loss) {
			v := l.Verdict()
			v.Expires = l.World.Clock + ledgertest.Day + 1
			l.Verdicts[1] = l.World.Envelope("bob", v)
		},
		"another kept head": func(l *ledgertest.Loss) { l.World.Restart() },
		"no lost head":      func(l *ledgertest.Loss) { l.Lost = l.Kept },
		"a head between that is larger": func(l *ledgertest.Loss) {
			l.Between = append(l.Between, l.Lost)
			l.Approve()
		},
		"a head between that was kept": func(l *ledgertest.Loss) {
			l.Between = append(l.Between, l.Kept)
			l.Approve()
		},
		"a lost head that nobody signed": func(l *ledgertest.Loss) {
			l.Lost = journal.Checkpoint(strings.Replace(string(l.Lost), "\n", "\n1", 1))
		},
		"a suspended director": func(l *ledgertest.Loss) {
			l.World.Freeze("alice", statement.ActionSuspend, statement.TargetPerson, "bob")
			l.Kept = l.World.Checkpoint()
			for i, who := range []string{"alice", "bob"} {
				l.Verdicts[i] = l.World.Envelope(who, l.Verdict())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := ledgertest.New(t)
			kept := len(w.Entries)
			w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
			l := w.Lose(kept)
			change(l)
			before := w.State.Hash()
			if err := l.Judge(); !errors.Is(err, ledger.ErrInput) {
				t.Errorf("judged: %v", err)
			}
			if w.State.Hash() != before {
				t.Error("the refusal changed the state")
			}
		})
	}
}

// betweenOf returns a signed head that is larger than the kept one and smaller than the lost one.
func betweenOf(l *ledgertest.Loss) journal.Checkpoint {
	w := l.World
	c := journal.Head{Size: l.Gap().Kept.Size + 1, Root: journal.LeafHash([]byte("between"))}
	signed, err := journal.SignCheckpoint(w.Genesis.Origin, c, ledgertest.SignHead, w.Genesis.LogKey)
	if err != nil {
		w.TB.Fatal(err)
	}
	return signed
}

// TestGapVerdictsServeOnce loses the tail twice, the second time with a longer one behind the same kept head.
func TestGapVerdictsServeOnce(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	first := w.Lose(kept)
	old := first.Verdicts
	first.Continue()
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	second := w.Lose(kept)
	good := second.Verdicts
	second.Verdicts = old
	if err := second.Judge(); !errors.Is(err, ledger.ErrInput) {
		t.Errorf("the first gap's verdicts were taken for the second: %v", err)
	}
	second.Verdicts = good
	second.Continue()
	if gaps := w.State.Gaps(); len(gaps) != 1 || gaps[0].Lost.Size <= gaps[0].Kept.Size || !slices.Equal(gaps[0].By, []string{"alice", "bob"}) {
		t.Errorf("%+v", gaps)
	}
}

// TestGapVerdictsServeNoHeadSignedAfterIt puts everything back that whoever has the database can, and passes a head that
// was signed after the gap, as the token's anchor holds it, off as one that was lost with the first tail.
func TestGapVerdictsServeNoHeadSignedAfterIt(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	for range 12 { // the lost head is larger than what follows the gap
		w.Submit("shop", w.Withdrawal(w.Wallets[0], 1))
	}
	first := w.Lose(kept)
	first.Continue()
	if w.Freeze("erin", statement.ActionFreeze, statement.TargetAll, "").State != ledger.StateInForce {
		t.Fatal("no freeze")
	}
	after := w.Checkpoint()
	w.Advance(ledgertest.Minute)
	again := w.Lose(kept)
	again.Lost, again.Between, again.Until, again.Verdicts = first.Lost, []journal.Checkpoint{after}, first.Until, first.Verdicts
	if err := again.Judge(); !errors.Is(err, ledger.ErrInput) {
		t.Errorf("the first gap's verdicts let go of what followed it: %v", err)
	}
	if err := again.Approve().Judge(); err != nil {
		t.Errorf("verdicts that name it: %v", err)
	}
}

// TestGapIsJudgedByEveryFold puts an entry into the journal that no judge wrote: one director's.
func TestGapIsJudgedByEveryFold(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	w.Restart()
	l := w.Lose(kept)
	l.Verdicts = l.Verdicts[:1]
	in := l.Input()
	body, err := ledger.EncodeBody(&in.Gap)
	if err != nil {
		t.Fatal(err)
	}
	e := journal.Entry{Seq: w.State.Next(), Clock: w.Clock, Time: w.State.Last().Time, Kind: ledger.KindGap, Body: body}
	if err := w.State.Apply(e); !errors.Is(err, ledger.ErrFold) {
		t.Errorf("folded: %v", err)
	}
}
