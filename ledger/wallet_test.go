package ledger_test

import (
	"errors"
	"testing"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

func TestCeremoniesThatAreRefused(t *testing.T) {
	w := ledgertest.New(t)
	fresh := w.Ceremony(w.Wallets[0])
	fresh.Name = "another"
	for name, change := range map[string]func(*ledger.Wallet){
		"a name twice":       func(x *ledger.Wallet) { x.Name = "hot-xym" },
		"a key twice":        func(*ledger.Wallet) {},
		"no name":            func(x *ledger.Wallet) { x.Name = "" },
		"no network":         func(x *ledger.Wallet) { x.Network = "nis1" },
		"no key":             func(x *ledger.Wallet) { x.PublicKey = "" },
		"another's address":  func(x *ledger.Wallet) { x.Address = w.Wallets[0].Rescue.String() },
		"an unknown custody": func(x *ledger.Wallet) { x.Custody = "drawer" },
		"a key in lower case": func(x *ledger.Wallet) {
			x.PublicKey = "2915a4fe400f72585ebd23e65cdcf006294a01e5abcf691cfa3ad05100d05b67"
		},
		"an address elsewhere": func(x *ledger.Wallet) { x.Network = "nis1-mainnet" },
	} {
		bad := fresh
		change(&bad)
		if _, err := w.Judge(ledger.WalletInput{Wallet: bad}); !errors.Is(err, ledger.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStatesOfKeys tries every change of state that the host can make: what is out of service stays so.
func TestStatesOfKeys(t *testing.T) {
	all := []string{ledger.WalletActive, ledger.WalletSuspended, ledger.WalletRetired, ledger.WalletCompromised}
	allowed := map[[2]string]bool{
		{ledger.WalletActive, ledger.WalletSuspended}:      true,
		{ledger.WalletActive, ledger.WalletRetired}:        true,
		{ledger.WalletActive, ledger.WalletCompromised}:    true,
		{ledger.WalletSuspended, ledger.WalletRetired}:     true,
		{ledger.WalletSuspended, ledger.WalletCompromised}: true,
		{ledger.WalletRetired, ledger.WalletCompromised}:   true,
	}
	for _, from := range all {
		for _, to := range all {
			w := ledgertest.New(t)
			if from != ledger.WalletActive {
				w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: from}})
			}
			_, err := w.Judge(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: to}})
			if (err == nil) != allowed[[2]string{from, to}] {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
		}
	}
	w := ledgertest.New(t)
	if _, err := w.Judge(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "nope", State: ledger.WalletRetired}}); !errors.Is(err, ledger.ErrInput) {
		t.Errorf("a wallet without ceremony: %v", err)
	}
}

// TestASuspendedKeySignsNothingThatWasAuthorisedBefore: an authorisation without a signature waits no longer
// once its wallet's key is out of service.
func TestASuspendedKeySignsNothingThatWasAuthorisedBefore(t *testing.T) {
	for _, state := range []string{ledger.WalletSuspended, ledger.WalletRetired, ledger.WalletCompromised} {
		w := ledgertest.New(t)
		res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
		if !w.State.MaySign(res.About, w.Clock) {
			t.Fatal("it may not be signed while the key is active")
		}
		w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: w.Wallets[0].Name, State: state, Reason: "test"}})
		if w.State.MaySign(res.About, w.Clock) || len(w.State.Unsigned(w.Clock)) != 0 || len(w.State.Strandable(w.Clock)) != 1 {
			t.Errorf("%s: it may still be signed", state)
		}
	}
}

func suspendKey(w *ledgertest.World) statement.Hash {
	w.TB.Helper()
	w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: ledger.WalletSuspended, Reason: "test"}})
	all := w.State.Freezes()
	if len(all) == 0 || all[len(all)-1].Wallet != "hot-xem" {
		w.TB.Fatalf("the suspension is no stop in force: %+v", all)
	}
	return all[len(all)-1].Hash
}

func keyState(w *ledgertest.World) string {
	x, _ := w.State.Wallet("hot-xem")
	return x.State
}

// TestASuspendedKeyIsLifted: the unfreeze quorum puts a key back into service, and nobody else.
func TestASuspendedKeyIsLifted(t *testing.T) {
	w := ledgertest.New(t)
	first := suspendKey(w)
	if res := w.Verdict("dave", statement.Lift, first); res.Code != policy.CodeNotEntitled {
		t.Errorf("an officer who is no director: %+v", res)
	}
	if res := w.Verdict("alice", statement.Lift, first); res.State != ledger.StateCounted {
		t.Fatalf("%+v", res)
	}
	if res := w.Verdict("alice", statement.Lift, first); res.Code != ledger.CodeDuplicate {
		t.Errorf("twice by one: %+v", res)
	}
	if keyState(w) != ledger.WalletSuspended {
		t.Fatal("one director lifted it")
	}
	if diff := ledger.DiffStates(w.State, restore(t, snapshotOf(t, w.State))); diff != "" {
		t.Error(diff)
	}
	w.Verdict("bob", statement.Lift, first)
	if keyState(w) != ledger.WalletActive || len(w.State.Freezes()) != 0 {
		t.Fatalf("lifted by the quorum, it is %s", keyState(w))
	}
	if res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small)); res.State != ledger.StateAuthorized {
		t.Errorf("%+v", res)
	}

	w.Advance(1)
	second := suspendKey(w)
	if second == first {
		t.Error("both suspensions have one name")
	}
	w.Verdict("alice", statement.Lift, first)
	w.Verdict("bob", statement.Lift, first)
	if keyState(w) != ledger.WalletSuspended {
		t.Error("what lifted the first suspension lifted the second")
	}
	judgeAgain(t, ledger.NewState(), w.Entries)
	if fold(t, w.Lines).Hash() != w.State.Hash() {
		t.Error("the fold is another state than the live one")
	}
}

// TestAKeyGivenUpIsNotLifted: retired and compromised are for ever, and end the suspension that was before them.
func TestAKeyGivenUpIsNotLifted(t *testing.T) {
	for _, state := range []string{ledger.WalletRetired, ledger.WalletCompromised} {
		w := ledgertest.New(t)
		suspended := suspendKey(w)
		w.Verdict("alice", statement.Lift, suspended)
		w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: state, Reason: "test"}})
		line, _ := w.Entries[len(w.Entries)-2].Encode()
		for _, about := range []statement.Hash{suspended, ledger.Leaf(journal.LeafHash(line))} {
			if res := w.Verdict("bob", statement.Lift, about); res.Code != ledger.CodeUnknownStatement {
				t.Errorf("%s: %+v", state, res)
			}
		}
		if keyState(w) != state || len(w.State.Freezes()) != 0 {
			t.Errorf("a %s key is %s", state, keyState(w))
		}
	}
}

// TestNoPolicyLiftsAKey: a policy ends suspensions that its directors could see, but not a key's.
func TestNoPolicyLiftsAKey(t *testing.T) {
	w := ledgertest.New(t)
	hash := suspendKey(w)
	w.Advance(1)
	enforced(w, func(doc *policy.Document) { doc.Title = "next" })
	if keyState(w) != ledger.WalletSuspended {
		t.Fatalf("the key is %s under policy %s", keyState(w), w.State.PolicyInForce().Hash())
	}
	w.Verdict("alice", statement.Lift, hash)
	w.Verdict("carol", statement.Lift, hash)
	if keyState(w) != ledger.WalletActive {
		t.Error("under the next policy it cannot be lifted")
	}
}
