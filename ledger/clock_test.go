package ledger_test

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// drift returns by how much policy time has moved since, and by how much the clock is ahead of it.
func drift(w *ledgertest.World, since int64) (moved, behind int64) {
	now := w.Now()
	return now.Time - since, now.Clock - now.Time
}

func TestPolicyTimeFollowsTheMachine(t *testing.T) {
	w := ledgertest.New(t)
	since := w.Now().Time
	w.Advance(ledgertest.Hour)
	if moved, behind := drift(w, since); moved != ledgertest.Hour || behind != 0 {
		t.Errorf("after an hour it moved %d, behind %d", moved, behind)
	}
	w.Clock += 10 * ledgertest.Hour // somebody turns the clock ahead
	if moved, _ := drift(w, since); moved != ledgertest.Hour+ledgertest.Hour/1000 {
		t.Errorf("it followed the clock by %d", moved-ledgertest.Hour)
	}
	w.Clock -= 20 * ledgertest.Hour // and back
	signedOrNot(w)
	if moved, _ := drift(w, since); moved < 0 {
		t.Errorf("it went back by %d", -moved)
	}
}

// signedOrNot journals something at the present clock.
func signedOrNot(w *ledgertest.World) {
	w.Must(ledger.AlarmInput{Alarm: ledger.Alarm{Code: "test"}})
}

func TestARestartOfTheSignerLosesNoTime(t *testing.T) {
	w := ledgertest.New(t)
	since := w.Now().Time
	w.Advance(5 * ledgertest.Hour)
	w.Restart()
	if moved, behind := drift(w, since); moved != 5*ledgertest.Hour || behind != 0 {
		t.Errorf("it moved %d, behind %d", moved, behind)
	}
}

// TestRestartsOfTheMachineGiveTenMinutesInAll starts the machine again and again with a clock that is ahead.
func TestRestartsOfTheMachineGiveTenMinutesInAll(t *testing.T) {
	w := ledgertest.New(t)
	since := w.Now().Time
	for range 20 {
		w.Reboot(ledgertest.Hour)
	}
	moved, behind := drift(w, since)
	if moved != 10*ledgertest.Minute || behind != 20*ledgertest.Hour-10*ledgertest.Minute {
		t.Errorf("it moved %d, behind %d", moved, behind)
	}

	// A quorum vouches for the time: policy time catches up, and starts have their ten minutes again.
	doc, err := json.Marshal(policy.Resume{Time: w.Clock})
	if err != nil {
		t.Fatal(err)
	}
	w.Adopt(statement.ProposeResume, string(doc), "")
	if _, behind := drift(w, since); behind != 0 {
		t.Errorf("after a resume it is %d behind", behind)
	}
	w.Reboot(ledgertest.Minute)
	if _, behind := drift(w, since); behind != 0 {
		t.Errorf("after the next start it is %d behind", behind)
	}
	if fold(t, w.Lines).Hash() != w.State.Hash() {
		t.Error("the fold is another state than the live one")
	}
}

func TestWindowsDoNotRefillWithTheClock(t *testing.T) {
	w := ledgertest.New(t)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.BigMax))
	for _, r := range w.State.Pending() {
		w.Verdict("alice", statement.Approve, r.Hash)
		w.Verdict("bob", statement.Approve, r.Hash)
	}
	w.Clock += 40 * ledgertest.Hour
	if res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1)); res.Code != policy.CodeLimit {
		t.Errorf("with a clock that is ahead: %+v", res)
	}

	// What the blast radius says of a quorum for resuming that has the clock too: nothing bounds it.
	doc, err := json.Marshal(policy.Resume{Time: w.Clock})
	if err != nil {
		t.Fatal(err)
	}
	w.Adopt(statement.ProposeResume, string(doc), "")
	if res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1)); res.Code == policy.CodeLimit {
		t.Errorf("with a quorum that vouches for it: %+v", res)
	}
}

func TestTimesThatTheRuleForbids(t *testing.T) {
	w := ledgertest.New(t)
	now := w.Now()
	for _, bad := range []policy.Now{
		{Clock: now.Clock, Time: now.Time - 1},
		{Clock: now.Clock, Time: now.Time + 1},
	} {
		if _, err := w.JudgeAt(ledger.TickInput{}, bad); !errors.Is(err, ledger.ErrTime) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	start := ledger.StartInput{BootID: "other", Boot: 1}
	if _, err := w.JudgeAt(start, policy.Now{Clock: now.Clock + ledgertest.Hour, Time: now.Time + ledgertest.Hour}); !errors.Is(err, ledger.ErrTime) {
		t.Errorf("a start that gives itself an hour: %v", err)
	}
}

func TestAClockThatIsBehindAuthorisesNothing(t *testing.T) {
	w := ledgertest.New(t)
	signedAtOnce(w)
	w.Advance(ledgertest.Hour)
	w.Ticks()
	signedAtOnce(w)
	w.Clock -= ledgertest.Hour
	signed, err := statement.Open(w.Envelope("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Judge(ledger.StatementInput{Signed: signed}); !errors.Is(err, ledger.ErrClock) {
		t.Errorf("%v", err)
	}
}

// TestALongRunLendsAStolenClockNoMore: what the machine's count let policy time outrun a right clock by, and the right clock
// did not use, does not add up for whoever turns it after a year: starting signer and machine as often as they like, they move
// no more than the blast radius says.
func TestALongRunLendsAStolenClockNoMore(t *testing.T) {
	const step, amount = 10 * ledgertest.Minute, ledgertest.SmallMax - 1_000_000 // three an hour, fees beside them
	for _, span := range []int64{1, step, 4 * step, 20 * step, 150 * step} {
		w := ledgertest.New(t)
		w.Advance(365 * ledgertest.Day)
		taken := uint64(0)
		take := func() {
			for w.Submit("shop", w.Withdrawal(w.Wallets[0], amount)).State == ledger.StateAuthorized {
				taken += amount
			}
			for _, r := range w.State.Pending() { // what waits for room is asked for again
				w.Verdict("shop", statement.Cancel, r.Hash)
			}
		}
		take()
		w.Clock += 40 * ledgertest.Day
		for passed := int64(0); passed <= span; passed += step {
			take()
			w.Restart()
			w.Reboot(0)
			take()
			w.Advance(step)
		}
		stolen := policy.Stolen{Clients: []policy.ClientID{"shop"}, Clock: true}
		bound := policy.BlastRadius(w.State.PolicyInForce(), policy.BlastOptions{Stolen: stolen, Span: policy.Millis(span)}).Rows[0].Bound
		if most, err := nem.ParseAmount(bound); err != nil || taken > uint64(most) {
			t.Errorf("within %s: %d taken, the bound is %s (%v)", policy.Millis(span), taken, bound, err)
		}
	}
}
