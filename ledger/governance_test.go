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

func proposalState(w *ledgertest.World, p ledger.Result) string {
	rec, ok := w.State.ByStatement(p.About)
	if !ok {
		w.TB.Fatal("the proposal is not known")
	}
	return rec.State
}

func TestPolicyWaitsForItsTimeLock(t *testing.T) {
	w := ledgertest.New(t)
	p := adoptTitle(w, "next")
	if s := proposalState(w, p); s != ledger.StateAdopted {
		t.Fatalf("it is %s", s)
	}
	before := w.State.PolicyInForce().Hash()
	w.Advance(24*ledgertest.Hour - 1)
	w.Ticks()
	if w.State.PolicyInForce().Hash() != before {
		t.Fatal("it came into force before its time-lock ended")
	}
	w.Advance(1)
	signed, err := statement.Open(w.Envelope("shop", w.Withdrawal(w.Wallets[0], 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Judge(ledger.StatementInput{Signed: signed}); !errors.Is(err, ledger.ErrTickDue) {
		t.Errorf("a statement was judged under a policy that is over: %v", err)
	}
	w.Ticks()
	if s := proposalState(w, p); s != ledger.StateInForce || w.State.PolicyInForce().Document().Title != "next" {
		t.Errorf("it is %s", s)
	}
}

// TestTimeLockUnderAStolenClock: a clock that is turned ahead after a long run and a start of the machine end a time-lock
// sooner, and not before the blast radius says so.
func TestTimeLockUnderAStolenClock(t *testing.T) {
	w := ledgertest.NewWith(t, func(d *policy.Document) {
		d.Governance.Resume.AnyOf = []policy.Quorum{{AllOf: []policy.Need{{Group: "officer", Count: 3}}}}
	})
	stolen, err := w.State.PolicyInForce().ParseStolen("director:alice,director:bob,clock")
	if err != nil {
		t.Fatal(err)
	}
	from := int64(policy.BlastRadius(w.State.PolicyInForce(), policy.BlastOptions{Stolen: stolen, Span: ledgertest.Day}).UnboundedFrom)
	w.Advance(365 * ledgertest.Day)
	p := adoptTitle(w, "the thieves'")
	w.Clock += ledgertest.Hour
	w.Restart()
	w.Reboot(0)
	w.Advance(from)
	w.Ticks()
	if s := proposalState(w, p); s != ledger.StateAdopted {
		t.Errorf("after %d minutes it is %s, which the bound excludes", from/ledgertest.Minute, s)
	}
	w.Advance(ledgertest.Minute)
	w.Ticks()
	if s := proposalState(w, p); s != ledger.StateInForce {
		t.Errorf("after %d minutes and one more it is %s: the bound could be later", from/ledgertest.Minute, s)
	}
}

func TestDirectorsVeto(t *testing.T) {
	w := ledgertest.New(t)
	p := adoptTitle(w, "next")
	w.Verdict("carol", statement.Veto, p.About)
	if s := proposalState(w, p); s != ledger.StateAdopted {
		t.Fatalf("after one veto it is %s", s)
	}
	w.Verdict("bob", statement.Veto, p.About)
	if s := proposalState(w, p); s != ledger.StateVetoed {
		t.Fatalf("after two vetoes it is %s", s)
	}
	w.Advance(25 * ledgertest.Hour)
	w.Ticks()
	if w.State.PolicyInForce().Document().Version != 2 {
		t.Error("a vetoed policy came into force")
	}
}

// TestThievesMuteNobody: two directors' keys are stolen of four. What they adopt is vetoed by the other two, also if they
// suspend one of those.
func TestThievesMuteNobody(t *testing.T) {
	w := ledgertest.NewWith(t, func(d *policy.Document) { d.People[3].Roles = []string{"director", "officer"} })
	p := adopted(w, func(d *policy.Document) { d.Title = "the thieves'" })
	w.Freeze("alice", statement.ActionSuspend, statement.TargetPerson, "carol")
	w.Freeze("bob", statement.ActionSuspend, statement.TargetPerson, "carol")
	w.Verdict("carol", statement.Veto, p.About)
	w.Verdict("dave", statement.Veto, p.About)
	if s := proposalState(w, p); s != ledger.StateVetoed {
		t.Errorf("it is %s, want vetoed", s)
	}
}

func TestOnlyOneOfTwoPoliciesFollows(t *testing.T) {
	w := ledgertest.New(t)
	first := adoptTitle(w, "first")
	w.Advance(ledgertest.Hour)
	second := adoptTitle(w, "second")
	w.Advance(23 * ledgertest.Hour)
	w.Ticks()
	if s := proposalState(w, first); s != ledger.StateInForce {
		t.Errorf("the first is %s", s)
	}
	if s := proposalState(w, second); s != ledger.StateLapsed {
		t.Errorf("the second is %s", s)
	}
}

func TestProposalsThatEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		who   string
		play  func(w *ledgertest.World, p ledger.Result)
		state string
	}{
		{"by a client", "shop", func(*ledgertest.World, ledger.Result) {}, ledger.StateRefused},
		{"expired", "alice", func(w *ledgertest.World, _ ledger.Result) { w.Advance(30*ledgertest.Day + 1); w.Ticks() }, ledger.StateLapsed},
		{"cancelled by its proposer", "alice", func(w *ledgertest.World, p ledger.Result) { w.Verdict("alice", statement.Cancel, p.About) }, ledger.StateLapsed},
		{"rejected by directors", "alice", func(w *ledgertest.World, p ledger.Result) {
			w.Verdict("bob", statement.Reject, p.About)
			w.Verdict("carol", statement.Reject, p.About)
		}, ledger.StateRefused},
		{"approved by one", "alice", func(w *ledgertest.World, p ledger.Result) { w.Verdict("bob", statement.Approve, p.About) }, ledger.StateOpen},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ledgertest.New(t)
			x := w.Wallets[0]
			change := policy.BookChange{Add: []policy.Entry{{
				Book: "known", Name: "new", Network: x.Network.String(), Address: x.Stranger.String(), Message: policy.MessageRule{Rule: "none"},
			}}}
			p := w.Propose(c.who, statement.ProposeAddresses, string(change.Text()), "")
			c.play(w, p)
			if s := proposalState(w, p); s != c.state {
				t.Errorf("it is %s, want %s", s, c.state)
			}
		})
	}
}

func TestKeysNeverComeBack(t *testing.T) {
	w := ledgertest.New(t)
	adopt := func(change func(*policy.Document)) ledger.Result {
		doc := *w.State.PolicyInForce().Document()
		doc.Version, doc.Previous = doc.Version+1, w.State.PolicyInForce().Hash().String()
		doc.Sentinels = append([]policy.Sentinel(nil), doc.Sentinels...)
		change(&doc)
		next, err := policy.New(doc)
		if err != nil {
			t.Fatal(err)
		}
		p := w.Propose("alice", statement.ProposePolicy, string(next.Text()), "")
		if p.State == ledger.StateOpen {
			w.Verdict("alice", statement.Approve, p.About)
			w.Verdict("bob", statement.Approve, p.About)
			w.Advance(24 * ledgertest.Hour)
			w.Ticks()
		}
		return p
	}
	adopt(func(doc *policy.Document) { doc.Sentinels = nil })
	back := adopt(func(doc *policy.Document) {
		doc.Sentinels = []policy.Sentinel{{ID: "watch", Name: "watch", Keys: []string{w.PublicKey("watch")}}}
	})
	if back.State != ledger.StateRefused || back.Code != policy.CodeKeyReturns {
		t.Errorf("%+v", back)
	}
}

// TestPolicyOfAnotherKey proposes wallets whose keys the journal knows: a name is made once, and a policy that gives it
// another key could never pay from it.
func TestPolicyOfAnotherKey(t *testing.T) {
	made, other := &ledgertest.Wallet{Name: "later", Network: nem.NIS1Testnet, Custody: "sealed", Key: nem.NIS1PublicKey(&[32]byte{1})}, nem.NIS1PublicKey(&[32]byte{2})
	named := func(id policy.WalletID, key nem.PublicKey) func(*policy.Document) {
		return func(doc *policy.Document) {
			x := doc.Wallets[0]
			x.ID, x.PublicKey = id, key.String()
			doc.Wallets = append(doc.Wallets[:len(doc.Wallets):len(doc.Wallets)], x)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*policy.Document)
		state  string
	}{
		{"its key", named("later", made.Key), ledger.StateAdopted},
		{"another key", named("later", other), ledger.StateRefused},
		{"a wallet still to be made", named("latest", other), ledger.StateAdopted},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ledgertest.New(t)
			w.Must(ledger.WalletInput{Wallet: w.Ceremony(made)})
			p := adopted(w, c.change)
			if s := proposalState(w, p); s != c.state || s == ledger.StateRefused && p.Code != policy.CodeBadDocument {
				t.Errorf("it is %s (%s), want %s", s, p.Code, c.state)
			}
		})
	}
	t.Run("made within the time-lock", func(t *testing.T) {
		w := ledgertest.New(t)
		p := adopted(w, named("later", other))
		w.Must(ledger.WalletInput{Wallet: w.Ceremony(made)})
		w.Advance(24 * ledgertest.Hour)
		w.Ticks()
		if s := proposalState(w, p); s != ledger.StateLapsed {
			t.Errorf("it is %s", s)
		}
	})
	t.Run("in force before it was made", func(t *testing.T) {
		w := ledgertest.NewWith(t, named("later", other))
		w.Must(ledger.WalletInput{Wallet: w.Ceremony(made)})
		if s := proposalState(w, adoptTitle(w, "next")); s != ledger.StateAdopted {
			t.Errorf("what follows is %s: the rules could not be changed any more", s)
		}
	})
}

// evacuate has two directors sweep hot-xem.
func evacuate(w *ledgertest.World) ledger.Result {
	doc, err := json.Marshal(policy.Evacuation{Wallet: "hot-xem", Assets: []policy.Value{{Asset: "xem", Amount: 50 * ledgertest.DayMax}}, MaxFee: 5_000_000})
	if err != nil {
		w.TB.Fatal(err)
	}
	return w.Adopt(statement.ProposeEvacuation, string(doc), "")
}

// TestEvacuationOfAKeyThatIsGivenUp sweeps wallets that sign nothing else any more.
func TestEvacuationOfAKeyThatIsGivenUp(t *testing.T) {
	for _, state := range []string{ledger.WalletSuspended, ledger.WalletRetired, ledger.WalletCompromised} {
		w := ledgertest.New(t)
		w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: state, Reason: "test"}})
		w.Advance(1)
		p := evacuate(w)
		if r, ok := w.State.RequestByStatement(p.About); !ok || w.SignAll() != 1 || r.State != ledger.StateSigned {
			t.Errorf("a %s wallet: not signed, the proposal is %s", state, proposalState(w, p))
		}
	}
}

// TestEvacuationWithoutACeremony names a wallet whose key nobody made: that is told, not taken for a fault.
func TestEvacuationWithoutACeremony(t *testing.T) {
	w := ledgertest.NewWith(t, func(doc *policy.Document) {
		x := doc.Wallets[0]
		x.ID, x.PublicKey = "later", nem.NIS1PublicKey(&[32]byte{1}).String()
		doc.Wallets = append(doc.Wallets, x)
	})
	p := w.Adopt(statement.ProposeEvacuation, `{"wallet":"later","assets":[{"asset":"xem","amount":"1"}],"maxFee":"5000000"}`, "")
	rec, _ := w.State.ByStatement(p.About)
	alarms := w.State.Alarms()
	if last := alarms[len(alarms)-1].Code; rec.State != ledger.StateLapsed || rec.Code != ledger.CodeWalletNotReady || last != ledger.CodeWalletNotReady {
		t.Errorf("it is %s (%s), people are called for %s", rec.State, rec.Code, last)
	}
}

func TestEvacuationWorksUnderAFreeze(t *testing.T) {
	w := ledgertest.New(t)
	w.Freeze("watch", statement.ActionFreeze, statement.TargetAll, "")
	p := evacuate(w) // at the very same millisecond
	r, ok := w.State.RequestByStatement(p.About)
	if !ok || !w.State.MaySign(p.About, w.Clock) || proposalState(w, p) != ledger.StateInForce {
		t.Fatalf("it may not be signed: %+v", w.State.Proposals())
	}
	if n := w.SignAll(); n != 1 || r.State != ledger.StateSigned {
		t.Errorf("%d signed, it is %s", n, r.State)
	}
	if fold(t, w.Lines).Hash() != w.State.Hash() {
		t.Error("the fold is another state than the live one")
	}
}

func TestALaterFreezeStopsAnEvacuation(t *testing.T) {
	w := ledgertest.New(t)
	p := evacuate(w)
	w.Freeze("watch", statement.ActionFreeze, statement.TargetWallet, "hot-xem")
	if w.State.MaySign(p.About, w.Clock) {
		t.Error("a freeze that came after its approval does not stop it")
	}
	w.Advance(31 * ledgertest.Minute)
	w.Ticks()
	if r, _ := w.State.RequestByStatement(p.About); r.State != ledger.StateStranded {
		t.Errorf("after its deadline it is %s", r.State)
	}
}

func TestOnePersonFillsNoMemory(t *testing.T) {
	w := ledgertest.New(t)
	propose := func(who string) ledger.Result {
		doc, err := json.Marshal(policy.Resume{Time: w.Clock})
		if err != nil {
			t.Fatal(err)
		}
		return w.Propose(who, statement.ProposeResume, string(doc), "")
	}
	for i := range 20 {
		if res := propose("erin"); res.State != ledger.StateOpen {
			t.Fatalf("proposal %d: %+v", i, res)
		}
	}
	if res := propose("erin"); res.State != ledger.StateRefused || res.Code != ledger.CodeTooManyProposals {
		t.Errorf("one more: %+v", res)
	}
	if res := propose("alice"); res.State != ledger.StateOpen {
		t.Errorf("somebody else's: %+v", res)
	}
}

// TestEvacuationToASuspendedAddress: who approves an evacuation could lift the suspension of its rescue address as well,
// so one that they knew of does not bind it; one that came after it was proposed does.
func TestEvacuationToASuspendedAddress(t *testing.T) {
	suspend := func(w *ledgertest.World, who string) ledger.Result {
		res := w.Freeze(who, statement.ActionSuspend, statement.TargetAddress, w.Wallets[0].Rescue.String())
		w.Advance(1)
		return res
	}
	outcome := func(w *ledgertest.World, p ledger.Result) (string, string) {
		rec, _ := w.State.ByStatement(p.About)
		return rec.State, rec.Code
	}
	t.Run("before the proposal", func(t *testing.T) {
		w := ledgertest.New(t)
		suspend(w, "watch")
		p := evacuate(w)
		if r, ok := w.State.RequestByStatement(p.About); !ok || w.SignAll() != 1 || r.State != ledger.StateSigned {
			state, code := outcome(w, p)
			t.Errorf("it is %s (%s)", state, code)
		}
		judgeAgain(t, ledger.NewState(), w.Entries)
	})
	t.Run("before its quorum", func(t *testing.T) {
		w := ledgertest.New(t)
		p := w.Propose("alice", statement.ProposeEvacuation, `{"wallet":"hot-xem","assets":[{"asset":"xem","amount":"1"}],"maxFee":"5000000"}`, "")
		w.Verdict("alice", statement.Approve, p.About)
		w.Advance(1)
		suspend(w, "watch")
		w.Verdict("bob", statement.Approve, p.About)
		if state, code := outcome(w, p); state != ledger.StateLapsed || code != policy.CodeDestinationStopped || w.SignAll() != 0 {
			t.Errorf("it is %s (%s)", state, code)
		}
		// Whoever suspended it delays the next one no more.
		if res := suspend(w, "watch"); res.Code != policy.CodeAlreadyInForce {
			t.Errorf("suspended once more: %+v", res)
		}
		if p = evacuate(w); w.SignAll() != 1 {
			state, code := outcome(w, p)
			t.Errorf("proposed anew it is %s (%s)", state, code)
		}
	})
	t.Run("while policy time stands still", func(t *testing.T) {
		still := func() *ledgertest.World {
			w := ledgertest.New(t)
			w.Advance(ledgertest.Hour)
			w.Must(ledger.AlarmInput{Alarm: ledger.Alarm{Code: "x", Facts: []ledger.Fact{}}})
			w.Clock -= 4 * ledgertest.Minute
			return w
		}
		w := still()
		before := w.Now().Time
		p := w.Propose("alice", statement.ProposeEvacuation, `{"wallet":"hot-xem","assets":[{"asset":"xem","amount":"1"}],"maxFee":"5000000"}`, "")
		w.Verdict("alice", statement.Approve, p.About)
		w.Advance(ledgertest.Minute)
		suspend(w, "watch")
		w.Verdict("bob", statement.Approve, p.About)
		if state, code := outcome(w, p); state != ledger.StateLapsed || code != policy.CodeDestinationStopped || w.SignAll() != 0 {
			t.Errorf("suspended after it was proposed: it is %s (%s)", state, code)
		}
		judgeAgain(t, ledger.NewState(), w.Entries)
		if p = evacuate(w); w.SignAll() != 1 {
			state, code := outcome(w, p)
			t.Errorf("suspended before it was proposed: it is %s (%s)", state, code)
		}
		judgeAgain(t, ledger.NewState(), w.Entries)
		if w.Now().Time != before {
			t.Error("policy time went on")
		}
	})
	t.Run("before its signature", func(t *testing.T) {
		w := ledgertest.New(t)
		p := evacuate(w)
		w.Advance(1)
		suspend(w, "watch")
		if w.State.MaySign(p.About, w.Clock) || w.SignAll() != 0 {
			t.Error("it may be signed")
		}
	})
	t.Run("withdrawals to it stay denied", func(t *testing.T) {
		w := ledgertest.New(t)
		suspend(w, "watch")
		evacuate(w)
		pay := w.Withdrawal(w.Wallets[0], 1)
		pay.Destination = w.Wallets[0].Rescue.String()
		if res := w.Submit("shop", pay); res.Code != policy.CodeDestinationStopped {
			t.Errorf("%+v", res)
		}
	})
}
