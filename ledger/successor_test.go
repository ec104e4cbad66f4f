package ledger_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// settled is what a successor of the world's wallets waits: NIS1's longest life, the margin in which a transaction may
// still turn up, and what the count of time may be off by, in milliseconds.
const settled = (24*60+6*60+30)*60*1000 + (24*60+6*60+30)*60 + 2*10*60*1000

// succeed prepares the successor of a world that paid something.
func succeed(t *testing.T, change func(*policy.Document)) *ledgertest.Succession {
	t.Helper()
	old := ledgertest.NewWith(t, change)
	if got := old.Submit("shop", old.Withdrawal(old.Wallets[0], 1_000_000)); got.State != ledger.StateAuthorized {
		t.Fatalf("the old journal: %+v", got)
	}
	return old.Succeed()
}

func unchanged(*policy.Document) {}

// inService starts a signer on a successor, journals its wallets and fills its address book.
func inService(t *testing.T, s *ledgertest.Succession) *ledgertest.World {
	t.Helper()
	w, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	w.Restart()
	for _, x := range w.Wallets {
		w.Must(ledger.WalletInput{Wallet: w.Ceremony(x)})
	}
	w.Adopt(statement.ProposeAddresses, w.AddressBook(), "")
	return w
}

// TestSuccessor goes on under the old policy: nothing is authorised before everything that the old journal may have
// authorised is beyond being paid.
func TestSuccessor(t *testing.T) {
	s := succeed(t, unchanged)
	founded := s.Old.Clock
	w := inService(t, s)
	x := w.Wallets[0]
	refused := w.Submit("shop", w.Withdrawal(x, 1_000_000))
	if refused.State != ledger.StateDenied || refused.Code != ledger.CodePredecessorAlive {
		t.Errorf("at once: %+v", refused)
	}
	if reasons := string(w.Entries[len(w.Entries)-1].Body); !strings.Contains(reasons, fmt.Sprintf(`"until":%d`, founded+settled)) {
		t.Errorf("the denial does not say until when: %s", reasons)
	}
	w.Advance(founded + settled - 1 - w.Now().Time)
	if got := w.Submit("shop", w.Withdrawal(x, 1_000_000)); got.Code != ledger.CodePredecessorAlive {
		t.Errorf("a moment too early: %+v", got)
	}
	w.Advance(1)
	if got := w.Submit("shop", w.Withdrawal(x, 1_000_000)); got.State != ledger.StateAuthorized {
		t.Errorf("when it is time: %+v", got)
	}
	if got := w.Submit("shop", s.Old.Withdrawal(s.Old.Wallets[0], 1_000_000)); !got.Refused {
		t.Errorf("a statement for the old journal: %+v", got)
	}
}

// TestSuccessorBelievesNoClock turns the clock between founding and first start.
func TestSuccessorBelievesNoClock(t *testing.T) {
	s := succeed(t, unchanged)
	w, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	founded := w.Clock
	w.Clock += 100 * ledgertest.Day
	for _, boot := range []string{"first", "second"} {
		w.BootID = boot
		w.Restart()
		if got := w.Now().Time - founded; got != 10*ledgertest.Minute {
			t.Errorf("%s start: policy time is %d ms on", boot, got)
		}
	}
}

// TestSuccessorIsNotFoundedBehindTime: on a fresh host whose clock is behind the directors' every window would count as
// full of a time that is past, and be empty as soon as witnesses say how late it is.
func TestSuccessorIsNotFoundedBehindTime(t *testing.T) {
	s := succeed(t, unchanged)
	truth := s.Old.Clock
	s.Old.Clock -= 5 * ledgertest.Minute
	if _, err := s.Open(); err != nil {
		t.Errorf("a clock that is as far behind as a director's may be ahead: %v", err)
	}
	s.Old.Clock = truth - 2*ledgertest.Day
	w, err := s.Open()
	if err == nil {
		w.Restart()
		w.Clock = truth
		w.Must(w.Cosigned(ledgertest.Witnesses("ann"), 1, truth))
		got := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1_000_000))
		t.Fatalf("it is founded two days behind the verdicts; when the clock is right it answers %s (%s)", got.State, got.Code)
	}
	if !errors.Is(err, ledger.ErrInput) || !strings.Contains(err.Error(), "clock") {
		t.Error(err)
	}
}

// TestSuccessorWindowsAreFull asks when the wait is over and a window of the old journal's payments is not.
func TestSuccessorWindowsAreFull(t *testing.T) {
	s := succeed(t, func(d *policy.Document) {
		for i := range d.Limits {
			d.Limits[i].Window = 7 * ledgertest.Day
		}
	})
	w := inService(t, s)
	w.Advance(settled)
	if got := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1_000_000)); got.State == ledger.StateAuthorized || got.Code == ledger.CodePredecessorAlive {
		t.Errorf("within the window: %+v", got)
	}
	w.Advance(7 * ledgertest.Day)
	if got := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1_000_000)); got.State != ledger.StateAuthorized {
		t.Errorf("after the window: %+v", got)
	}
}

// TestSuccessorTakesAQuorum changes one thing at a time.
func TestSuccessorTakesAQuorum(t *testing.T) {
	for name, change := range map[string]func(*ledgertest.Succession){
		"one director": func(s *ledgertest.Succession) { s.Founding.Verdicts = s.Founding.Verdicts[:1] },
		"the same director twice": func(s *ledgertest.Succession) {
			s.Founding.Verdicts[1] = s.Old.Envelope("alice", s.Verdict())
		},
		"a stranger": func(s *ledgertest.Succession) { s.Founding.Verdicts[1] = s.Old.Envelope("nobody", s.Verdict()) },
		"an officer": func(s *ledgertest.Succession) { s.Founding.Verdicts[1] = s.Old.Envelope("dave", s.Verdict()) },
		"a rejection": func(s *ledgertest.Succession) {
			v := s.Verdict()
			v.Verdict, v.Reason = statement.Reject, "no"
			s.Founding.Verdicts[1] = s.Old.Envelope("bob", v)
		},
		"about the policy alone": func(s *ledgertest.Succession) {
			v := s.Verdict()
			v.About = v.About[:1]
			s.Founding.Verdicts[1] = s.Old.Envelope("bob", v)
		},
		"about another head": func(s *ledgertest.Succession) {
			v := s.Verdict()
			v.About[1] = statement.HashText("another")
			s.Founding.Verdicts[1] = s.Old.Envelope("bob", v)
		},
		"for no journal": func(s *ledgertest.Succession) {
			v := s.Verdict()
			v.Journal = statement.Hash{}
			s.Founding.Verdicts[1] = s.Old.Envelope("bob", v)
		},
		"expired": func(s *ledgertest.Succession) {
			v := s.Verdict()
			v.Expires = s.Old.Clock - 1
			s.Founding.Verdicts[1] = s.Old.Envelope("bob", v)
		},
		"another policy": func(s *ledgertest.Succession) {
			s.Founding.Policy = strings.Replace(s.Founding.Policy, `"title":"`, `"title":"x`, 1)
		},
		"a checkpoint of another journal": func(s *ledgertest.Succession) {
			s.Genesis.Predecessor.Genesis = strings.Replace(s.Genesis.Predecessor.Genesis, "kura.test", "kura.else", 1)
		},
		"a forged checkpoint": func(s *ledgertest.Succession) {
			s.Genesis.Predecessor.Checkpoint = strings.Replace(s.Genesis.Predecessor.Checkpoint, "\n", "\n1", 1)
		},
		"without a predecessor": func(s *ledgertest.Succession) { s.Genesis.Predecessor = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := succeed(t, unchanged)
			change(s)
			if _, err := s.Open(); !errors.Is(err, ledger.ErrInput) {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// TestFoundingVerdictsOpenNoSuccessor takes what stands in every journal's entry 1.
func TestFoundingVerdictsOpenNoSuccessor(t *testing.T) {
	s := succeed(t, unchanged)
	body, err := ledger.DecodeBody(ledger.KindFounding, s.Old.Entries[1].Body)
	if err != nil {
		t.Fatal(err)
	}
	founding := body.(*ledger.Founding)
	first, err := policy.Parse([]byte(founding.Policy))
	if err != nil {
		t.Fatal(err)
	}
	s.Genesis.Policy, s.Founding = first.Hash(), ledger.FoundingInput{Policy: founding.Policy}
	for _, v := range founding.Verdicts {
		s.Founding.Verdicts = append(s.Founding.Verdicts, statement.Envelope(v))
	}
	if _, err := s.Open(); !errors.Is(err, ledger.ErrInput) {
		t.Errorf("opened: %v", err)
	}
}

// TestSealing records new blobs of sealed wallets, and nothing else.
func TestSealing(t *testing.T) {
	w := ledgertest.New(t)
	sealed := ""
	for _, x := range w.Wallets {
		if x.Network.Chain() == nem.NIS1 {
			sealed = x.Name
		}
	}
	old, next := strings.Repeat("01", 16), strings.Repeat("02", 16)
	sum := hex.EncodeToString(make([]byte, 32))
	good := ledger.Sealing{Old: []string{old}, New: next, Blobs: []ledger.Blob{{Wallet: sealed, SHA256: sum}}, Present: []string{"alice"}}
	for name, change := range map[string]func(*ledger.Sealing){
		"no old key":     func(b *ledger.Sealing) { b.Old = nil },
		"the same key":   func(b *ledger.Sealing) { b.New = old },
		"a short id":     func(b *ledger.Sealing) { b.New = "02" },
		"upper case":     func(b *ledger.Sealing) { b.New = strings.Repeat("AB", 16) },
		"no such wallet": func(b *ledger.Sealing) { b.Blobs = []ledger.Blob{{Wallet: "none", SHA256: sum}} },
		"in the token":   func(b *ledger.Sealing) { b.Blobs = []ledger.Blob{{Wallet: "hot-xym", SHA256: sum}} },
		"twice":          func(b *ledger.Sealing) { b.Blobs = append(b.Blobs, b.Blobs...) },
		"no sum":         func(b *ledger.Sealing) { b.Blobs = []ledger.Blob{{Wallet: sealed}} },
	} {
		bad := good
		change(&bad)
		if _, err := w.Judge(ledger.SealingInput{Sealing: bad}); !errors.Is(err, ledger.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Must(ledger.SealingInput{Sealing: good})
	if got, _ := w.State.Wallet(sealed); got.Sealed != sum || got.State != ledger.WalletActive {
		t.Errorf("after it: %+v", got)
	}
}

// TestSuccessorEvacuatesAtOnce sweeps to the rescue address while nothing else is signed: the old token may be in other
// hands.
func TestSuccessorEvacuatesAtOnce(t *testing.T) {
	w := inService(t, succeed(t, unchanged))
	p := evacuate(w)
	for _, proposal := range w.State.Proposals() {
		if proposal.Hash == p.About {
			t.Fatalf("the evacuation is %s", proposal.State)
		}
	}
	if signed := w.SignAll(); signed != 1 {
		t.Errorf("%d transactions to sign, want the evacuation", signed)
	}
}
