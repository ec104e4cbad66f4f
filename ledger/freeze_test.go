package ledger_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

func TestFreezeStopsEverySignatureAfterIt(t *testing.T) {
	w := ledgertest.New(t)
	unsigned, signed := signedAtOnce(w), signedAtOnce(w)
	w.Must(ledger.SignatureInput{About: signed.Hash, Signature: w.Sign(w.Wallets[0], signed.Transaction.Unsigned)})
	f := w.Freeze("watch", statement.ActionFreeze, statement.TargetWallet, "hot-xem")
	if f.State != ledger.StateInForce {
		t.Fatalf("%+v", f)
	}
	alive := map[statement.Hash]bool{}
	for _, a := range f.Alive {
		alive[a.About] = a.Signed
		if a.Until != unsigned.Transaction.Deadline && a.Until != signed.Transaction.Deadline {
			t.Errorf("alive until %d, which is no deadline", a.Until)
		}
	}
	if want := map[statement.Hash]bool{unsigned.Hash: false, signed.Hash: true}; !cmp.Equal(alive, want) {
		t.Error(cmp.Diff(want, alive))
	}
	if len(w.State.Unsigned(w.Clock)) != 0 || w.State.MaySign(unsigned.Hash, w.Clock) || len(w.State.Strandable(w.Clock)) != 1 {
		t.Error("under the freeze something may be signed")
	}
	late := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1))
	if late.State != ledger.StateDenied || late.Code != policy.CodeFrozen {
		t.Errorf("asked for under the freeze: %+v", late)
	}
	other := w.Submit("shop", w.Withdrawal(w.Wallets[1], ledgertest.Small))
	if other.State != ledger.StateAuthorized {
		t.Errorf("the other wallet: %+v", other)
	}
	w.Verdict("alice", statement.Lift, f.About)
	if w.State.MaySign(unsigned.Hash, w.Clock) {
		t.Error("one person lifted a freeze")
	}
	w.Verdict("bob", statement.Lift, f.About)
	if !w.State.MaySign(unsigned.Hash, w.Clock) || len(w.State.Freezes()) != 0 {
		t.Error("two directors did not lift the freeze")
	}
	if again := w.Verdict("carol", statement.Lift, f.About); again.Code != ledger.CodeAlreadyDecided {
		t.Errorf("lifted again: %+v", again)
	}
}

// wantAlive: what a stop names may still arrive: one payment that is authorised, and one that is signed.
func wantAlive(t *testing.T, stop ledger.Result, unsigned, signed *ledger.Request) {
	t.Helper()
	alive := map[statement.Hash]bool{}
	for _, a := range stop.Alive {
		alive[a.About] = a.Signed
	}
	if want := map[statement.Hash]bool{unsigned.Hash: false, signed.Hash: true}; !cmp.Equal(alive, want) {
		t.Error(cmp.Diff(want, alive))
	}
}

// TestSuspendedAddressListsWhatIsOnItsWay: a payment to the address that left before may still arrive, and is named.
func TestSuspendedAddressListsWhatIsOnItsWay(t *testing.T) {
	w := ledgertest.New(t)
	unsigned, signed := signedAtOnce(w), signedAtOnce(w)
	w.Must(ledger.SignatureInput{About: signed.Hash, Signature: w.Sign(w.Wallets[0], signed.Transaction.Unsigned)})
	other := w.Submit("shop", w.Withdrawal(w.Wallets[1], ledgertest.Small))
	f := w.Freeze("alice", statement.ActionSuspend, statement.TargetAddress, w.Wallets[0].Destination.String())
	wantAlive(t, f, unsigned, signed)
	if w.State.MaySign(unsigned.Hash, w.Clock) || !w.State.MaySign(other.About, w.Clock) {
		t.Error("the suspension stops the payments to that address, and no others")
	}
}

// TestSuspendedKeyStopsWhatItAskedFor: what a stolen key asked for before somebody suspended it is not signed after that, and
// what has been signed is named.
func TestSuspendedKeyStopsWhatItAskedFor(t *testing.T) {
	w := ledgertest.New(t)
	unsigned, signed := signedAtOnce(w), signedAtOnce(w)
	w.Must(ledger.SignatureInput{About: signed.Hash, Signature: w.Sign(w.Wallets[0], signed.Transaction.Unsigned)})
	other := w.Submit("desk", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	f := w.Freeze("alice", statement.ActionSuspend, statement.TargetKey, statement.Key(w.PublicKey("shop")).Fingerprint())
	wantAlive(t, f, unsigned, signed)
	if w.State.MaySign(unsigned.Hash, w.Clock) || !w.State.MaySign(other.About, w.Clock) {
		t.Error("the suspension stops what that key asked for, and nothing else")
	}
	w.Must(ledger.StrandInput{About: unsigned.Hash})
	w.Advance(ledgertest.Hour)
	w.Ticks()
	if signed.Key != "" || unsigned.Key != "" {
		t.Error("the key is kept past the deadline")
	}
}

// TestSecondKeySpeaks: whoever stole one of two keys has said with it what the person wanted to say. Once that key is
// suspended it does not count, and the person says so with the other one.
func TestSecondKeySpeaks(t *testing.T) {
	w := ledgertest.New(t)
	enforced(w, func(d *policy.Document) {
		d.People = slices.Clone(d.People)
		d.People[2].Keys = append(slices.Clone(d.People[2].Keys), w.PublicKey("carol's second"))
	})
	freeze := w.Freeze("watch", statement.ActionFreeze, statement.TargetAll, "")
	w.Verdict("carol", statement.Lift, freeze.About)
	w.Freeze("alice", statement.ActionSuspend, statement.TargetKey, statement.Key(w.PublicKey("carol")).Fingerprint())
	w.Verdict("bob", statement.Lift, freeze.About)
	if _, frozen := w.State.Overlay().Find(freeze.About); !frozen {
		t.Fatal("a suspended key lifted the freeze")
	}
	w.Verdict("carol's second", statement.Lift, freeze.About)
	if _, frozen := w.State.Overlay().Find(freeze.About); frozen {
		t.Error("carol cannot lift with her other key")
	}
}

func TestHostStop(t *testing.T) {
	w := ledgertest.New(t)
	r := signedAtOnce(w)
	res := w.Must(ledger.StopInput{By: "root", Action: statement.ActionFreeze, Target: ledger.Target{Kind: statement.TargetAll}, Reason: "look"})
	if len(res.Alive) != 1 || w.State.MaySign(r.Hash, w.Clock) {
		t.Fatalf("%+v", res)
	}
	hash := ledger.Leaf(journal.LeafHash(w.Lines[res.Seq]))
	if _, known := w.State.ByStatement(hash); !known {
		t.Fatal("the stop is not known by its leaf hash")
	}
	w.Verdict("alice", statement.Lift, hash)
	w.Verdict("carol", statement.Lift, hash)
	if !w.State.MaySign(r.Hash, w.Clock) {
		t.Error("the stop was not lifted")
	}
	for _, bad := range []ledger.StopInput{
		{Action: statement.ActionFreeze, Target: ledger.Target{Kind: statement.TargetWallet, Name: "nope"}},
		{Action: statement.ActionSuspend, Target: ledger.Target{Kind: statement.TargetWallet, Name: "hot-xem"}},
		{Action: statement.ActionLower, Target: ledger.Target{Kind: statement.TargetLimit, Name: "xem-day"}},
	} {
		if _, err := w.Judge(bad); !errors.Is(err, ledger.ErrInput) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestCanaryKeyFreezesEverything(t *testing.T) {
	w := ledgertest.New(t)
	res := w.Submit("canary", w.Withdrawal(w.Wallets[0], 1))
	if !res.Refused || res.Code != ledger.CodeUnknownKey {
		t.Errorf("the thief is told %+v", res)
	}
	if denied := w.Submit("shop", w.Withdrawal(w.Wallets[1], 1)); denied.Code != policy.CodeFrozen {
		t.Errorf("after it: %+v", denied)
	}
	login := w.Submit("canary", &statement.Login{Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 1, SecretHash: statement.Hash{1}})
	if !login.Refused || login.Code != ledger.CodeUnknownKey {
		t.Errorf("a login is told %+v", login)
	}
	alarms := 0
	for _, a := range w.State.Alarms() {
		if a.Code == ledger.AlarmCanaryKey {
			alarms++
		}
	}
	if alarms != 2 || len(w.State.Freezes()) != 1 {
		t.Errorf("%d alarms, %d freezes", alarms, len(w.State.Freezes()))
	}
}

func TestRefusalsSuspendForATimeThatDoubles(t *testing.T) {
	w := ledgertest.New(t)
	trip := func() {
		t.Helper()
		for i := range 3 {
			b := w.Withdrawal(w.Wallets[0], 1)
			b.WalletAddress = w.Wallets[0].Stranger.String()
			if res := w.Submit("shop", b); res.Code != policy.CodeWalletMismatch {
				t.Fatalf("refusal %d: %+v", i, res)
			}
			w.Advance(ledgertest.Second)
		}
	}
	suspended := func(want bool) {
		t.Helper()
		res := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1))
		if got := res.Code == policy.CodeClientStopped; got != want {
			t.Fatalf("suspended is %v, want %v: %+v", got, want, res)
		}
	}
	trip()
	suspended(true)
	w.Advance(30*ledgertest.Minute - 3*ledgertest.Second)
	suspended(true)
	w.Advance(3 * ledgertest.Second)
	suspended(false)
	trip()
	w.Advance(59 * ledgertest.Minute)
	suspended(true)
	w.Advance(ledgertest.Minute)
	suspended(false)
	if res := w.Submit("desk", w.Withdrawal(w.Wallets[0], 1)); res.State != ledger.StateAuthorized {
		t.Errorf("the other client: %+v", res)
	}
}

// TestApprovalsUnderAFreeze: what an officer said while everything was frozen is not to be said again after the lift.
func TestApprovalsUnderAFreeze(t *testing.T) {
	for _, before := range []int{0, 1, 2} { // approvals that came before the freeze was lifted
		w := ledgertest.New(t)
		big := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1))
		w.Advance(1)
		frozen := w.Freeze("erin", statement.ActionFreeze, statement.TargetAll, "")
		officers := []string{"alice", "bob"}
		for _, officer := range officers[:before] {
			if res := w.Verdict(officer, statement.Approve, big.About); res.State != ledger.StateCounted {
				t.Errorf("%s approved under the freeze: %+v", officer, res)
			}
		}
		r, _ := w.State.RequestByStatement(big.About)
		if r.State != ledger.StateHeld {
			t.Fatalf("under the freeze it is %s", r.State)
		}
		w.Advance(ledgertest.Minute)
		w.Verdict("alice", statement.Lift, frozen.About)
		w.Verdict("carol", statement.Lift, frozen.About)
		for _, officer := range officers[before:] {
			if r.State != ledger.StateHeld {
				t.Errorf("before %s approved it is %s", officer, r.State)
			}
			w.Verdict(officer, statement.Approve, big.About)
		}
		if r.State != ledger.StateAuthorized {
			t.Errorf("%d approvals under the freeze, %d after it: %s %s", before, 2-before, r.State, r.Code)
		}
	}
}

// TestApprovalOfWhatCameWithTheFreeze: it is not counted, whoever gave it is told at once, and gives it again later.
func TestApprovalOfWhatCameWithTheFreeze(t *testing.T) {
	w := ledgertest.New(t)
	big := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1))
	frozen := w.Freeze("erin", statement.ActionFreeze, statement.TargetAll, "")
	if res := w.Verdict("alice", statement.Approve, big.About); res.State != ledger.StateRefused || res.Code != policy.CodeFrozen {
		t.Errorf("%+v", res)
	}
	w.Verdict("alice", statement.Lift, frozen.About)
	w.Verdict("carol", statement.Lift, frozen.About)
	for _, officer := range []string{"alice", "bob"} {
		if res := w.Verdict(officer, statement.Approve, big.About); res.State != ledger.StateCounted {
			t.Errorf("%s after the lift: %+v", officer, res)
		}
	}
	if r, _ := w.State.RequestByStatement(big.About); r.State != ledger.StateAuthorized {
		t.Errorf("%s %s", r.State, r.Code)
	}
}

// TestAWrongClockKeepsNoStopOut: whoever turned the signer's clock pays under births of that clock, while officers sign
// under the true one. Their stops are taken, and name what is still alive by the true time.
func TestAWrongClockKeepsNoStopOut(t *testing.T) {
	for name, off := range map[string]int64{
		"ahead": 30 * ledgertest.Day, "a little ahead": 20 * ledgertest.Minute, "behind": -20 * ledgertest.Minute,
	} {
		w := ledgertest.New(t)
		before := signedAtOnce(w)
		w.Ticks()
		w.Clock += off
		w.Advance(ledgertest.Minute)
		signedAtOnce(w) // whoever turned it goes on
		w.Advance(8 * ledgertest.Minute)
		w.Clock -= off // officers' clock
		born, now := w.Clock, w.Clock
		stop := func(born, life int64) *statement.Freeze {
			return &statement.Freeze{
				Journal: w.Journal(), ID: w.IDAt(born), Expires: born + life, Action: statement.ActionFreeze,
				Target: statement.Target{Kind: statement.TargetAll},
			}
		}
		w.Clock = now + off
		if off > 0 {
			if res := w.Submit("watch", stop(born-11*ledgertest.Minute, 10*ledgertest.Minute)); !res.Refused || res.Code != string(statement.CodeIDTooOld) {
				t.Errorf("%s, a stop of long ago: %+v", name, res)
			}
		}
		if res := w.Submit("watch", stop(w.Clock+25*ledgertest.Hour, ledgertest.Minute)); !res.Refused || res.Code != string(statement.CodeIDFromTheFuture) {
			t.Errorf("%s, a stop of the day after tomorrow: %+v", name, res)
		}
		if res := w.Submit("watch", stop(max(born, w.Clock), 11*ledgertest.Minute)); res.Code != string(statement.CodeExpiresTooLate) {
			t.Errorf("%s, a stop that lives too long: %+v", name, res)
		}
		res := w.Submit("watch", stop(born, 5*ledgertest.Minute))
		if res.State != ledger.StateInForce {
			t.Errorf("%s: %+v", name, res)
		}
		var alive []statement.Hash
		for _, a := range res.Alive {
			alive = append(alive, a.About)
		}
		if len(alive) != 2 || !slices.Contains(alive, before.Hash) {
			t.Errorf("%s: alive are %v, with %v", name, res.Alive, before.Hash)
		}
		if fold(t, w.Lines).Hash() != w.State.Hash() {
			t.Errorf("%s: the fold is another state than the live one", name)
		}
	}
}
