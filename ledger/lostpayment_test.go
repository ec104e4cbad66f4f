package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// longLived lets withdrawals live for longer than a gap waits.
func longLived(d *policy.Document) { d.WithdrawalLife = 7 * ledgertest.Day }

// payLost has a withdrawal authorised and signed that was born at a moment and may be asked for again for six days.
func payLost(w *ledgertest.World, born int64) (*statement.Withdrawal, statement.Envelope) {
	w.TB.Helper()
	asked := w.Withdrawal(w.Wallets[0], ledgertest.Small)
	asked.ID, asked.Expires = w.IDAt(born), w.Clock+6*ledgertest.Day
	e := w.Envelope("shop", asked)
	if got := w.SubmitEnvelope(e); got.State != ledger.StateAuthorized || w.SignAll() != 1 {
		w.TB.Fatalf("before the loss: %+v", got)
	}
	return asked, e
}

// standIn asks for a payment in the place of one whose fate is not known.
func standIn(w *ledgertest.World, of *statement.Withdrawal) ledger.Result {
	w.TB.Helper()
	s := w.Withdrawal(w.Wallets[0], ledgertest.Small)
	s.Replaces = of.ID
	return w.Submit("shop", s)
}

// TestALostPaymentIsNotMadeTwice is the attack that a gap is made against: the lost entries hold an authorisation whose
// transaction is on the chain, and its client, who got no answer or says so, asks with the same text again.
func TestALostPaymentIsNotMadeTwice(t *testing.T) {
	for name, ahead := range map[string]int64{"a client whose clock is right": 0, "a client whose clock is ahead": statement.MaxAhead} {
		t.Run(name, func(t *testing.T) {
			w := ledgertest.NewWith(t, longLived)
			kept := len(w.Entries)
			asked, again := payLost(w, w.Clock+ahead)
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
			if got := standIn(w, asked); got.State != ledger.StateAuthorized {
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

// TestGapUnderAClockThatWasAhead: the lost payment was asked for and authorised by a clock that was days ahead.
func TestGapUnderAClockThatWasAhead(t *testing.T) {
	for name, known := range map[string]bool{"the directors know": true, "nobody knows": false} {
		t.Run(name, func(t *testing.T) {
			w := ledgertest.NewWith(t, longLived)
			kept := len(w.Entries)
			w.Clock += 3 * ledgertest.Day
			asked, again := payLost(w, w.Clock)
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
			for w.Clock < asked.ID.Born()+7*ledgertest.Day {
				if got := standIn(w, asked); got.State == ledger.StateAuthorized {
					t.Fatalf("the stand-in is paid %d ms after the birth of what it replaces: %+v", w.Clock-asked.ID.Born(), got)
				}
				w.Advance(12 * ledgertest.Hour)
			}
			w.Advance(asked.ID.Born() + 7*ledgertest.Day + settled - min(w.Clock, w.Now().Time))
			w.Advance(ledgertest.Day)
			w.Restart() // with this entry ids as old as that are forgotten
			if got := standIn(w, asked); got.State != ledger.StateAuthorized {
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
	if got := standIn(w, asked); got.Code != ledger.CodeReplacesPayable {
		t.Errorf("when the wait is over: %+v", got)
	}
	w.Advance(asked.ID.Born() + 7*ledgertest.Day + settled - w.Now().Time)
	if got := standIn(w, asked); got.State != ledger.StateAuthorized {
		t.Errorf("when it cannot be paid: %+v", got)
	}
}

// TestASecondGapForgetsNothing of the first, whose clock was ahead of its own.
func TestASecondGapForgetsNothing(t *testing.T) {
	w := ledgertest.NewWith(t, longLived)
	kept := len(w.Entries)
	w.Clock += 3 * ledgertest.Day
	_, again := payLost(w, w.Clock)
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
