package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// longLived lets withdrawals live for longer than a gap waits.
func longLived(d *policy.Document) { d.WithdrawalLife = 7 * ledgertest.Day }

// TestALostPaymentIsNotMadeTwice is the attack that a gap is made against: the lost entries hold an authorisation whose
// transaction is on the chain, and its client, who got no answer or says so, asks with the same text again.
func TestALostPaymentIsNotMadeTwice(t *testing.T) {
	for name, ahead := range map[string]int64{"a client whose clock is right": 0, "a client whose clock is ahead": statement.MaxAhead} {
		t.Run(name, func(t *testing.T) {
			w := ledgertest.NewWith(t, longLived)
			kept := len(w.Entries)
			asked := w.Withdrawal(w.Wallets[0], ledgertest.Small)
			asked.ID, asked.Expires = w.IDAt(w.Clock+ahead), w.Clock+6*ledgertest.Day
			again := w.Envelope("shop", asked)
			if got := w.SubmitEnvelope(again); got.State != ledger.StateAuthorized || w.SignAll() != 1 {
				t.Fatalf("before the loss: %+v", got)
			}
			l := w.Lose(kept)
			l.Continue()
			refused := func(when string) {
				t.Helper()
				before := w.State.Next()
				got := w.SubmitEnvelope(again)
				if !got.Refused || got.State != "" || w.State.Next() != before {
					t.Errorf("%s: %+v", when, got)
				}
			}
			refused("at once")
			if got := w.SubmitEnvelope(again); got.Code != ledger.CodeBornBeforeGap {
				t.Errorf("its code is %q", got.Code)
			}
			w.Advance(6 * ledgertest.Minute)
			refused("when ids of that moment are in order")
			w.Advance(w.State.OpensAt() - w.Now().Time)
			refused("when the wait is over")
			w.Advance(8 * ledgertest.Day)
			refused("when its id is too old")

			// The debt itself can be paid, by a request that stands in for the lost one.
			stand := w.Withdrawal(w.Wallets[0], ledgertest.Small)
			stand.Replaces = asked.ID
			if got := w.Submit("shop", stand); got.State != ledger.StateAuthorized {
				t.Errorf("the stand-in: %+v", got)
			}
		})
	}
}

// TestGapPaysNothingBeforeItIsTime: nothing is authorised while what the lost entries authorised may be paid, and the
// windows are full for as long as they reach back to them.
func TestGapPaysNothingBeforeItIsTime(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	for range 3 {
		w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	}
	l := w.Lose(kept)
	at := w.Clock
	l.Continue()
	pay := func() ledger.Result { return w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small)) }
	w.Advance(6 * ledgertest.Minute)
	if got := pay(); got.State != ledger.StateDenied || got.Code != ledger.CodeTailAlive {
		t.Errorf("soon after it: %+v", got)
	}
	if reasons := string(w.Entries[len(w.Entries)-1].Body); !strings.Contains(reasons, fmt.Sprintf(`"until":%d`, at+settled)) {
		t.Errorf("the denial does not say until when: %s", reasons)
	}
	w.Advance(at + settled - 1 - w.Now().Time)
	if got := pay(); got.Code != ledger.CodeTailAlive {
		t.Errorf("a moment too early: %+v", got)
	}
	w.Advance(1)
	if got := pay(); got.State != ledger.StateAuthorized {
		t.Errorf("when it is time: %+v", got)
	}
}

// TestGapBelievesNoClock: the wait is counted from the gap's clock even if policy time is behind it, so that a quorum
// which vouches for the clock does not end it.
func TestGapBelievesNoClock(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	w.Clock += 3 * ledgertest.Day // the machine was off; its count begins anew
	w.BootID, w.Boot = "another", 0
	l := w.Lose(kept)
	l.Continue()
	if behind := w.State.Behind(); behind < 2*ledgertest.Day {
		t.Fatalf("policy time is only %d ms behind", behind)
	}
	if opens := w.State.OpensAt(); opens != w.Clock+settled {
		t.Errorf("it opens %d ms after the clock, want %d", opens-w.Clock, int64(settled))
	}
}

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

// TestGapUnderAClockThatWasAhead: the lost payment was asked for and authorised by a clock that was days ahead.
func TestGapUnderAClockThatWasAhead(t *testing.T) {
	for name, known := range map[string]bool{"the directors know": true, "nobody knows": false} {
		t.Run(name, func(t *testing.T) {
			w := ledgertest.NewWith(t, longLived)
			kept := len(w.Entries)
			w.Clock += 3 * ledgertest.Day
			asked := w.Withdrawal(w.Wallets[0], ledgertest.Small)
			asked.Expires = asked.ID.Born() + 6*ledgertest.Day
			again := w.Envelope("shop", asked)
			if got := w.SubmitEnvelope(again); got.State != ledger.StateAuthorized || w.SignAll() != 1 {
				t.Fatalf("%+v", got)
			}
			until := w.Clock
			w.Clock -= 3 * ledgertest.Day
			l := w.Lose(kept)
			if known {
				l.Until = until
				l.Approve()
			}
			l.Continue()
			if known {
				if opens := w.State.OpensAt(); opens != until+settled {
					t.Errorf("it opens %d ms after the lost clock, want %d", opens-until, int64(settled))
				}
				for range 16 {
					w.Advance(6 * ledgertest.Hour)
					if got := w.SubmitEnvelope(again); !got.Refused || got.State != "" {
						t.Fatalf("asked for again: %+v", got)
					}
				}
			}
			// A stand-in has to wait until that one cannot be paid, whoever said what of the clock.
			w.Advance(max(0, w.State.OpensAt()-w.Now().Time))
			stand := func() ledger.Result {
				s := w.Withdrawal(w.Wallets[0], ledgertest.Small)
				s.Replaces = asked.ID
				return w.Submit("shop", s)
			}
			for w.Clock < asked.ID.Born()+7*ledgertest.Day {
				if got := stand(); got.State == ledger.StateAuthorized {
					t.Fatalf("the stand-in is paid %d ms after the birth of what it replaces: %+v", w.Clock-asked.ID.Born(), got)
				}
				w.Advance(12 * ledgertest.Hour)
			}
			w.Advance(asked.ID.Born() + 7*ledgertest.Day + settled - min(w.Clock, w.Now().Time))
			w.Advance(ledgertest.Day)
			w.Restart() // with this entry ids as old as that are forgotten
			if got := stand(); got.State != ledger.StateAuthorized {
				t.Errorf("the stand-in in the end: %+v", got)
			}
		})
	}
}

// TestAHeldOneOfBeforeTheGapIsReplacedLate: what was held at the kept head may have been released in the lost entries,
// for as long as it had not expired.
func TestAHeldOneOfBeforeTheGapIsReplacedLate(t *testing.T) {
	w := ledgertest.NewWith(t, longLived)
	asked := w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1)
	asked.Expires = asked.ID.Born() + 6*ledgertest.Day
	w.Submit("shop", asked)
	kept := len(w.Entries)
	w.Restart()
	w.Lose(kept).Continue()
	w.Advance(w.State.OpensAt() - w.Now().Time)
	stand := func() ledger.Result {
		s := w.Withdrawal(w.Wallets[0], ledgertest.Small)
		s.Replaces = asked.ID
		return w.Submit("shop", s)
	}
	if got := stand(); got.Code != ledger.CodeReplacesPayable {
		t.Errorf("when the wait is over: %+v", got)
	}
	w.Advance(asked.ID.Born() + 7*ledgertest.Day + settled - w.Now().Time)
	if got := stand(); got.State != ledger.StateAuthorized {
		t.Errorf("when it cannot be paid: %+v", got)
	}
}

// TestASecondGapForgetsNothing of the first, whose clock was ahead of its own.
func TestASecondGapForgetsNothing(t *testing.T) {
	w := ledgertest.NewWith(t, longLived)
	kept := len(w.Entries)
	w.Clock += 3 * ledgertest.Day
	asked := w.Withdrawal(w.Wallets[0], ledgertest.Small)
	asked.Expires = asked.ID.Born() + 6*ledgertest.Day
	again := w.Envelope("shop", asked)
	if got := w.SubmitEnvelope(again); got.State != ledger.StateAuthorized || w.SignAll() != 1 {
		t.Fatalf("%+v", got)
	}
	w.Lose(kept).Continue()
	size := len(w.Entries)
	w.Clock -= ledgertest.Day
	w.Must(ledger.AlarmInput{Alarm: ledger.Alarm{Code: "x", Facts: []ledger.Fact{}}})
	w.Lose(size).Continue()
	g := w.State.Gaps()
	if len(g) != 2 || g[1].Clock >= g[0].Clock || g[1].Latest < g[0].Latest {
		t.Fatalf("%+v", g)
	}
	for range 20 {
		if got := w.SubmitEnvelope(again); got.State != "" {
			t.Fatalf("paid by the first history, asked for again: %+v", got)
		}
		w.Advance(6 * ledgertest.Hour)
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

// TestGapIsInSnapshots restores a state that went on after a gap.
func TestGapIsInSnapshots(t *testing.T) {
	w := ledgertest.New(t)
	kept := len(w.Entries)
	w.Restart()
	between := w.Checkpoint()
	w.Restart()
	l := w.Lose(kept)
	l.Between = append(l.Between, between)
	l.Approve()
	head, err := journal.OpenCheckpoint(w.Genesis, l.Lost)
	if err != nil {
		t.Fatal(err)
	}
	smaller, err := journal.OpenCheckpoint(w.Genesis, between)
	if err != nil {
		t.Fatal(err)
	}
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

// TestGapsAreBounded is the property behind all of it: wherever the tail is lost, and whatever is asked again, what both
// histories paid within a window never exceeds its limit, and no text is paid in both.
func TestGapsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := ledgertest.NewWith(t, longLived)
		x := w.Wallets[rapid.IntRange(0, 1).Draw(t, "wallet")]
		var sent []statement.Envelope
		paid := map[statement.Hash][]int64{} // policy times by text
		ask := func(e statement.Envelope) {
			if got := w.SubmitEnvelope(e); got.State == ledger.StateAuthorized && !got.Known {
				paid[got.About] = append(paid[got.About], w.State.Last().Time)
			}
		}
		for range rapid.IntRange(1, 3).Draw(t, "losses") {
			ends := []int{len(w.Entries)} // of inputs: groups end nowhere else
			for range rapid.IntRange(1, 6).Draw(t, "requests") {
				request := w.Withdrawal(x, nem.Amount(rapid.Uint64Range(1, ledgertest.SmallMax).Draw(t, "amount")))
				request.ID = w.IDAt(w.Clock + rapid.Int64Range(-ledgertest.Minute, statement.MaxAhead).Draw(t, "ahead"))
				request.Expires = w.Clock + 6*ledgertest.Day
				e := w.Envelope("shop", request)
				sent = append(sent, e)
				ask(e)
				ends = append(ends, len(w.Entries))
				w.Advance(rapid.Int64Range(0, ledgertest.Hour).Draw(t, "pass"))
			}
			if end := rapid.SampledFrom(ends).Draw(t, "kept"); end < len(w.Entries) {
				w.Lose(end).Continue()
			}
			if rapid.Bool().Draw(t, "waited out") {
				w.Advance(max(0, w.State.OpensAt()-w.Now().Time))
			}
			for range rapid.IntRange(0, 8).Draw(t, "repeats") {
				ask(rapid.SampledFrom(sent).Draw(t, "again"))
				w.Advance(rapid.Int64Range(0, 10*ledgertest.Hour).Draw(t, "later"))
			}
		}
		var all []int64
		for about, times := range paid {
			if len(times) > 1 {
				t.Fatalf("%s was paid %d times", about, len(times))
			}
			all = append(all, times...)
		}
		slices.Sort(all)
		// Small payments fit the daily limit ten times at their largest; what counts is that none of the second
		// history falls within a window of the first.
		for _, g := range w.State.Gaps() {
			before, after := false, false
			for _, at := range all {
				before = before || at <= g.Clock && at > g.Clock-ledgertest.Day
				after = after || at > g.Clock && at < g.Clock+ledgertest.Day
			}
			if before && after {
				t.Fatalf("paid on both sides of the gap at %d within one window: %v", g.Seq, all)
			}
		}
	})
}
