package ledger_test

import (
	"errors"
	"math"
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// held makes a withdrawal that waits for two officers.
// TestOverflowWithoutLimit: more of an asset than fits beside its fee, and nothing counts it. Authorised, it would be an
// entry that nobody can fold, and one client's key would end the journal.
func TestOverflowWithoutLimit(t *testing.T) {
	w := ledgertest.NewWith(t, func(d *policy.Document) {
		d.Limits = nil
		d.Rules = []policy.Rule{{ID: "all", Then: "sign"}}
	})
	res := w.Submit("shop", w.Withdrawal(w.Wallets[1], math.MaxUint64))
	if res.State != ledger.StateDenied || res.Code != policy.CodeAmountOverflow {
		t.Errorf("it is %s (%s), want denied (%s)", res.State, res.Code, policy.CodeAmountOverflow)
	}
}

func held(w *ledgertest.World) *ledger.Request {
	res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1))
	r, _ := w.State.RequestByStatement(res.About)
	if r.State != ledger.StateHeld {
		w.TB.Fatalf("it is %s (%s), want held", r.State, r.Code)
	}
	return r
}

// signedAtOnce makes a withdrawal that is authorised.
func signedAtOnce(w *ledgertest.World) *ledger.Request {
	res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	r, _ := w.State.RequestByStatement(res.About)
	if r.State != ledger.StateAuthorized {
		w.TB.Fatalf("it is %s (%s), want authorized", r.State, r.Code)
	}
	return r
}

// TestTransitions walks every way that a withdrawal can go (docs/journal.md, outcome/1).
func TestTransitions(t *testing.T) {
	coolingOff := func(doc *policy.Document) {
		for i := range doc.Rules {
			if a := doc.Rules[i].Approval; a != nil {
				a.CoolingOff = 10 * ledgertest.Minute
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*policy.Document)
		play   func(*ledgertest.World) *ledger.Request
		state  string
		code   string
	}{
		{name: "post to denied", state: ledger.StateDenied, code: policy.CodeNoRule, play: func(w *ledgertest.World) *ledger.Request {
			res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.BigMax+1))
			r, _ := w.State.RequestByStatement(res.About)
			return r
		}},
		{name: "post to denied: expired on arrival", state: ledger.StateDenied, code: policy.CodeExpired, play: func(w *ledgertest.World) *ledger.Request {
			b := w.Withdrawal(w.Wallets[0], 1)
			b.Expires = w.Clock - 1
			res := w.Submit("shop", b)
			r, _ := w.State.RequestByStatement(res.About)
			return r
		}},
		{name: "post to denied: asked by a person", state: ledger.StateDenied, code: ledger.CodeNotAClient, play: func(w *ledgertest.World) *ledger.Request {
			res := w.Submit("alice", w.Withdrawal(w.Wallets[0], 1))
			r, _ := w.State.RequestByStatement(res.About)
			return r
		}},
		{name: "post to denied: key not active", state: ledger.StateDenied, code: ledger.CodeWalletNotReady, play: func(w *ledgertest.World) *ledger.Request {
			w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: ledger.WalletSuspended}})
			res := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1))
			r, _ := w.State.RequestByStatement(res.About)
			return r
		}},
		{name: "post to held", state: ledger.StateHeld, code: policy.CodeNeedsApproval, play: held},
		{name: "post to authorized", state: ledger.StateAuthorized, code: policy.CodeSigned, play: signedAtOnce},
		{name: "held to rejected", state: ledger.StateRejected, code: policy.CodeRejected, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			w.Verdict("alice", statement.Approve, r.Hash)
			w.Verdict("bob", statement.Reject, r.Hash)
			return r
		}},
		{name: "held to cancelled", state: ledger.StateCancelled, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			w.Verdict("shop", statement.Cancel, r.Hash)
			return r
		}},
		{name: "held to lapsed: it expires", state: ledger.StateLapsed, code: ledger.CodeExpired, play: func(w *ledgertest.World) *ledger.Request {
			b := w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1)
			b.Expires = w.Clock + ledgertest.Minute
			res := w.Submit("shop", b)
			w.Advance(ledgertest.Minute)
			w.Ticks()
			r, _ := w.State.RequestByStatement(res.About)
			if r.State != ledger.StateHeld {
				w.TB.Fatalf("at the very millisecond it is %s", r.State)
			}
			w.Advance(1)
			w.Ticks()
			return r
		}},
		{name: "held to lapsed: nobody approved in time", state: ledger.StateLapsed, code: policy.CodeApprovalExpired, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			w.Advance(2 * ledgertest.Hour)
			w.Ticks()
			return r
		}},
		{name: "held to authorized: two approve", state: ledger.StateAuthorized, code: policy.CodeApproved, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			w.Verdict("alice", statement.Approve, r.Hash)
			w.Verdict("bob", statement.Approve, r.Hash)
			return r
		}},
		{name: "held to authorized: cooling-off ends", change: coolingOff, state: ledger.StateAuthorized, code: policy.CodeApproved, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			w.Verdict("alice", statement.Approve, r.Hash)
			w.Verdict("bob", statement.Approve, r.Hash)
			w.Advance(10*ledgertest.Minute - 1)
			w.Ticks()
			if r.State != ledger.StateHeld {
				w.TB.Fatalf("before its cooling-off is over it is %s", r.State)
			}
			w.Advance(1)
			w.Ticks()
			return r
		}},
		{name: "held to authorized: room in a limit", state: ledger.StateAuthorized, code: policy.CodeSigned, play: func(w *ledgertest.World) *ledger.Request {
			for range 2 {
				w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
			}
			w.Advance(ledgertest.Minute)
			w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax/2))
			res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
			r, _ := w.State.RequestByStatement(res.About)
			if r.State != ledger.StateHeld || r.Code != policy.CodeWaitsForRoom {
				w.TB.Fatalf("it is %s (%s)", r.State, r.Code)
			}
			w.Advance(59*ledgertest.Minute - 1)
			w.Ticks()
			if r.State != ledger.StateHeld {
				w.TB.Fatalf("before there is room it is %s", r.State)
			}
			w.Advance(1)
			w.Ticks()
			return r
		}},
		{name: "held to denied: the limit is full when the last one approves", state: ledger.StateDenied, code: policy.CodeLimit, play: func(w *ledgertest.World) *ledger.Request {
			first, second := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.BigMax)), held(w)
			w.Verdict("alice", statement.Approve, first.About, second.Hash)
			w.Verdict("bob", statement.Approve, first.About, second.Hash)
			if r, _ := w.State.RequestByStatement(first.About); r.State != ledger.StateAuthorized {
				w.TB.Fatalf("the first is %s", r.State)
			}
			return second
		}},
		{name: "held to authorized: a freeze is lifted", state: ledger.StateAuthorized, code: policy.CodeApproved, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			w.Advance(1)
			f := w.Freeze("watch", statement.ActionFreeze, statement.TargetAll, "")
			w.Verdict("alice", statement.Approve, r.Hash)
			w.Verdict("bob", statement.Approve, r.Hash)
			if r.State != ledger.StateHeld {
				w.TB.Fatalf("under a freeze it is %s", r.State)
			}
			w.Verdict("bob", statement.Lift, f.About)
			w.Verdict("carol", statement.Lift, f.About)
			return r
		}},
		{name: "authorized to signed", state: ledger.StateSigned, play: func(w *ledgertest.World) *ledger.Request {
			r := signedAtOnce(w)
			w.SignAll()
			return r
		}},
		{name: "authorized to stranded: the deadline passes", state: ledger.StateStranded, code: ledger.CodeDeadlineOver, play: func(w *ledgertest.World) *ledger.Request {
			r := signedAtOnce(w)
			w.Advance(30 * ledgertest.Minute)
			w.Ticks()
			if r.State != ledger.StateAuthorized {
				w.TB.Fatalf("at its deadline it is %s", r.State)
			}
			w.Advance(1)
			w.Ticks()
			return r
		}},
		{name: "authorized to stranded: a freeze and a restart", state: ledger.StateStranded, code: ledger.CodeStopped, play: func(w *ledgertest.World) *ledger.Request {
			r := signedAtOnce(w)
			w.Freeze("erin", statement.ActionFreeze, statement.TargetWallet, "hot-xem")
			w.Restart()
			for _, r := range w.State.Strandable(w.Clock) {
				w.Must(ledger.StrandInput{About: r.Hash})
			}
			return r
		}},
		{name: "held to lapsed: it expires while its client is stopped", state: ledger.StateLapsed, code: ledger.CodeExpired, play: func(w *ledgertest.World) *ledger.Request {
			b := w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1)
			b.Expires = w.Clock + ledgertest.Minute
			res := w.Submit("shop", b)
			w.Freeze("watch", statement.ActionFreeze, statement.TargetClient, "shop")
			w.Advance(ledgertest.Minute + 1)
			w.Ticks()
			r, _ := w.State.RequestByStatement(res.About)
			return r
		}},
		{name: "held to denied: its wallet's key was retired", state: ledger.StateDenied, code: ledger.CodeWalletNotReady, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: ledger.WalletRetired}})
			w.Verdict("alice", statement.Approve, r.Hash)
			w.Verdict("bob", statement.Approve, r.Hash)
			return r
		}},
		{name: "held to denied: a new policy has no rule for it", state: ledger.StateDenied, code: policy.CodeNoRule, change: func(doc *policy.Document) {
			doc.Governance.Policy.TimeLock = 0
		}, play: func(w *ledgertest.World) *ledger.Request {
			r := held(w)
			adopted(w, func(doc *policy.Document) { doc.Rules = nil })
			return r
		}},
		{name: "nothing strands what may still be signed", state: ledger.StateAuthorized, code: policy.CodeSigned, play: func(w *ledgertest.World) *ledger.Request {
			r := signedAtOnce(w)
			if _, err := w.Judge(ledger.StrandInput{About: r.Hash}); !errors.Is(err, ledger.ErrInput) {
				w.TB.Fatalf("it is stranded: %v", err)
			}
			return r
		}},
		{name: "cancel does not reach what is authorized", state: ledger.StateAuthorized, code: policy.CodeSigned, play: func(w *ledgertest.World) *ledger.Request {
			r := signedAtOnce(w)
			if v := w.Verdict("shop", statement.Cancel, r.Hash); v.Code != ledger.CodeAlreadyDecided {
				w.TB.Fatalf("%+v", v)
			}
			return r
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*policy.Document) {}
			}
			w := ledgertest.NewWith(t, change)
			r := c.play(w)
			if r.State != c.state || r.Code != c.code {
				t.Errorf("it is %s (%s), want %s (%s)", r.State, r.Code, c.state, c.code)
			}
			if fold(t, w.Lines).Hash() != w.State.Hash() {
				t.Error("the fold is another state than the live one")
			}
		})
	}
}

func TestTheSameTextAgain(t *testing.T) {
	w := ledgertest.New(t)
	body := w.Withdrawal(w.Wallets[0], ledgertest.Small)
	e := w.Envelope("shop", body)
	first := w.SubmitEnvelope(e)
	size := len(w.Lines)
	if again := w.SubmitEnvelope(e); !again.Known || again.State != ledger.StateAuthorized || again.Seq != first.Seq {
		t.Errorf("the same text: %+v", again)
	}
	w.SignAll()
	if again := w.SubmitEnvelope(e); !again.Known || again.State != ledger.StateSigned {
		t.Errorf("the same text, signed meanwhile: %+v", again)
	}
	body.Reference = "another"
	if other := w.Submit("shop", body); !other.Conflict || other.Code != ledger.CodeConflict || other.About != first.About || other.State != ledger.StateSigned {
		t.Errorf("another text under the same id: %+v", other)
	}
	if foreign := w.Submit("desk", body); !foreign.Refused || foreign.Code != ledger.CodeConflict || foreign.State != "" || foreign.About == first.About {
		t.Errorf("another client's id: %+v", foreign)
	}
	if len(w.Lines) != size+1 {
		t.Errorf("%d entries were written for repetitions", len(w.Lines)-size-1)
	}
	w.Advance(ledgertest.Day + 1)
	signedAtOnce(w) // time passes with entries
	if late := w.SubmitEnvelope(e); !late.Refused || late.Code != string(statement.CodeIDTooOld) {
		t.Errorf("after its longest life: %+v", late)
	}
	// The record is gone, and a clock turned back does not bring it back.
	if _, there := w.State.Request(body.ID); there {
		t.Error("the id is remembered beyond its life")
	}
	w.Clock -= 3 * ledgertest.Hour
	if late := w.SubmitEnvelope(e); !late.Refused || late.Code != string(statement.CodeIDTooOld) {
		t.Errorf("after the clock was turned back: %+v", late)
	}
}

func TestNotJournalled(t *testing.T) {
	w := ledgertest.New(t)
	size := len(w.Lines)
	foreign := w.Withdrawal(w.Wallets[0], 1)
	foreign.Journal = statement.Hash{1}
	early := w.Withdrawal(w.Wallets[0], 1)
	early.ID = w.IDAt(w.Clock + 6*ledgertest.Minute)
	for _, c := range []struct {
		who  string
		body statement.Body
		code string
	}{
		{"mallory", w.Withdrawal(w.Wallets[0], 1), ledger.CodeUnknownKey},
		{"shop", foreign, ledger.CodeWrongJournal},
		{"shop", early, string(statement.CodeIDFromTheFuture)},
	} {
		if res := w.Submit(c.who, c.body); !res.Refused || res.Code != c.code {
			t.Errorf("want %s: %+v", c.code, res)
		}
	}
	if len(w.Lines) != size {
		t.Error("something was journalled")
	}
	login := w.Submit("erin", &statement.Login{Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 1, SecretHash: statement.Hash{7}})
	if login.State != ledger.StateCounted || login.By != (policy.Actor{Kind: policy.PersonActor, ID: "erin"}) || len(w.Lines) != size {
		t.Errorf("a login: %+v", login)
	}
}

func TestBudgets(t *testing.T) {
	w := ledgertest.NewWith(t, func(doc *policy.Document) {
		doc.Clients[0].Budget = policy.Budget{Entries: 3, Window: ledgertest.Minute, Pending: 1}
	})
	held(w)
	size := len(w.Lines)
	if res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1)); !res.Refused || res.Code != ledger.CodePendingExceeded || len(w.Lines) != size {
		t.Errorf("a second pending request: %+v", res)
	}
	signedAtOnce(w)
	signedAtOnce(w)
	if res := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1)); !res.Refused || res.Code != ledger.CodeOverBudget {
		t.Errorf("a fourth entry: %+v", res)
	}
	w.Advance(ledgertest.Minute)
	signedAtOnce(w)
}

func TestEqualPaymentsHaveDifferentBytes(t *testing.T) {
	w := ledgertest.New(t)
	seen := map[string]bool{}
	for range 20 {
		r := signedAtOnce(w)
		if seen[string(r.Transaction.Unsigned)] {
			t.Fatal("two authorisations share their bytes")
		}
		seen[string(r.Transaction.Unsigned)] = true
		if latest := w.Clock + 30*ledgertest.Minute; r.Transaction.Deadline > latest {
			t.Fatalf("deadline %d is beyond the wallet's life, %d", r.Transaction.Deadline, latest)
		}
	}
}

func TestReplaces(t *testing.T) {
	w := ledgertest.New(t)
	replace := func(who string, old statement.ID) *ledger.Request {
		b := w.Withdrawal(w.Wallets[0], ledgertest.Small)
		b.Replaces = old
		res := w.Submit(who, b)
		r, _ := w.State.RequestByStatement(res.About)
		return r
	}
	want := func(what string, r *ledger.Request, state, code string) {
		t.Helper()
		if r.State != state || r.Code != code {
			t.Errorf("%s: it is %s (%s), want %s (%s)", what, r.State, r.Code, state, code)
		}
	}
	waiting := held(w)
	want("one that is held", replace("shop", waiting.ID), ledger.StateDenied, ledger.CodeReplacesPayable)
	want("another client's", replace("desk", waiting.ID), ledger.StateDenied, ledger.CodeReplacesUnknown)
	want("one that may still arrive", replace("shop", w.ID()), ledger.StateDenied, ledger.CodeReplacesUnknown)
	w.Verdict("shop", statement.Cancel, waiting.Hash)
	heir := replace("shop", waiting.ID)
	want("one that was cancelled", heir, ledger.StateAuthorized, policy.CodeSigned)
	want("one that has an heir", replace("shop", waiting.ID), ledger.StateDenied, ledger.CodeReplacesReplaced)

	w.SignAll()
	w.Advance(7*ledgertest.Hour - 1) // 30 minutes of life, 6 h 30 min of margin
	want("one that was signed and may be paid", replace("shop", heir.ID), ledger.StateDenied, ledger.CodeReplacesPayable)
	w.Advance(1001) // NIS1 counts seconds
	want("one that cannot be paid any more", replace("shop", heir.ID), ledger.StateAuthorized, policy.CodeSigned)
}

func TestApprovalsLapseWithTheirPolicy(t *testing.T) {
	w := ledgertest.NewWith(t, func(doc *policy.Document) { doc.Governance.Policy.TimeLock = ledgertest.Minute })
	r := held(w)
	w.Verdict("alice", statement.Approve, r.Hash)
	adoptTitle(w, "next")
	w.Advance(ledgertest.Minute)
	w.Ticks()
	if w.State.PolicyInForce().Document().Title != "next" {
		t.Fatal("the new policy is not in force")
	}
	w.Verdict("bob", statement.Approve, r.Hash)
	if r.State != ledger.StateHeld {
		t.Errorf("an approval given under the old policy counted: it is %s", r.State)
	}
	w.Verdict("alice", statement.Approve, r.Hash)
	if r.State != ledger.StateAuthorized {
		t.Errorf("approved again by both it is %s (%s)", r.State, r.Code)
	}
}

// adoptTitle has two directors adopt a policy that differs in its title.
func adoptTitle(w *ledgertest.World, title string) ledger.Result {
	return adopted(w, func(doc *policy.Document) { doc.Title = title })
}

func TestVerdictsThatDoNotCount(t *testing.T) {
	w := ledgertest.New(t)
	r := held(w)
	stale := &statement.Verdict{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 1, Verdict: statement.Approve,
		About: []statement.Hash{r.Hash}, Policy: statement.Hash{9},
	}
	if res := w.Submit("alice", stale); res.Code != policy.CodeOtherPolicy || res.State != ledger.StateRefused {
		t.Errorf("under another policy: %+v", res)
	}
	for _, c := range []struct {
		who  string
		kind statement.VerdictKind
		hash statement.Hash
		code string
	}{
		{"dave", statement.Approve, r.Hash, policy.CodeOperator},
		{"erin", statement.Approve, r.Hash, policy.CodeNotEntitled},
		{"watch", statement.Approve, r.Hash, ledger.CodeNotAnOfficer},
		{"shop", statement.Approve, r.Hash, policy.CodeNotEntitled},
		{"desk", statement.Cancel, r.Hash, policy.CodeNotEntitled},
		{"alice", statement.Lift, r.Hash, policy.CodeNotEntitled},
		{"alice", statement.Approve, statement.Hash{5}, ledger.CodeUnknownStatement},
		{"alice", statement.Approve, r.Hash, ""},
		{"alice", statement.Approve, r.Hash, ledger.CodeDuplicate},
	} {
		res := w.Verdict(c.who, c.kind, c.hash)
		state := ledger.StateRefused
		if c.code == "" {
			state = ledger.StateCounted
		}
		if res.Code != c.code || res.State != state {
			t.Errorf("%s %s: %s (%s), want %s (%s)", c.who, c.kind, res.State, res.Code, state, c.code)
		}
	}
	both := w.Verdict("carol", statement.Approve, statement.Hash{5}, r.Hash)
	if both.State != ledger.StateCounted || len(both.Results) != 2 || both.Results[0].Code != ledger.CodeUnknownStatement || both.Results[1].State != ledger.StateCounted {
		t.Errorf("about two: %+v", both)
	}
	if r.State != ledger.StateAuthorized {
		t.Errorf("it is %s", r.State)
	}
	if late := w.Verdict("bob", statement.Approve, r.Hash); late.Code != ledger.CodeAlreadyDecided {
		t.Errorf("after the decision: %+v", late)
	}
}

// TestBatchSeesWhatItUsesUp approves at once more than a limit that binds quorums has room for.
func TestBatchSeesWhatItUsesUp(t *testing.T) {
	w := ledgertest.New(t)
	var about []statement.Hash
	for range 4 {
		about = append(about, w.Submit("shop", w.Withdrawal(w.Wallets[0], 300_000_000)).About)
	}
	w.Verdict("alice", statement.Approve, about...)
	w.Verdict("bob", statement.Approve, about...)
	var paid nem.Amount
	for _, hash := range about {
		if r, _ := w.State.RequestByStatement(hash); r.State == ledger.StateAuthorized {
			paid += 300_000_000
		}
	}
	if paid != 900_000_000 {
		t.Errorf("%d were authorised, the limit is %d", paid, ledgertest.DayMax)
	}
}
