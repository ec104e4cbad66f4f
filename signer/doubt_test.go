package signer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestHalted: once the state is not trusted any more, what waits for the token is not signed, what the token has in hand
// is not handed out, and what was handed out before is not again (I8).
func TestHalted(t *testing.T) {
	f := newFaults(t)
	before, first := f.submit(t, signertest.XYM)
	if a := <-first; a.State != rpc.StateSigned {
		t.Fatalf("%+v", a)
	}
	asked, goOn := make(chan struct{}, 2), make(chan struct{})
	var calls atomic.Int64
	f.token.Before = func(signer.Key) error {
		calls.Add(1)
		asked <- struct{}{}
		<-goOn
		return nil
	}
	sent, answered := f.submit(t, signertest.XEM)
	<-asked
	about := statement.HashText(sent.Statement)
	signed := make(chan struct{})
	go func() { // a worker's turn whose end this test can see
		defer close(signed)
		f.Signer.SignAgain(context.Background(), about)
	}()
	<-asked
	f.Signer.Halt("journal_rolled_back", "test")
	if a := <-answered; a.err != nil || a.State != rpc.StateAuthorized || !strings.Contains(a.Decision.Detail, "journal_rolled_back") {
		t.Errorf("whoever waited for the signature: %+v", a)
	}
	close(goOn)
	<-signed
	f.Signer.SignAgain(t.Context(), about)
	if n := calls.Load(); n != 2 {
		t.Errorf("the token was asked %d times, twice before the halt", n)
	}
	for _, c := range []struct {
		sent  statement.Envelope
		state string
	}{{sent, rpc.StateAuthorized}, {before, rpc.StateSigned}} {
		a, err := f.Signer.Submit(t.Context(), c.sent.Encode(), 0)
		if err != nil || a.State != c.state || a.Transaction != nil || !strings.Contains(a.Decision.Detail, "journal_rolled_back") {
			t.Errorf("after the halt: %+v, %v", a, err)
		}
	}
	if _, err := f.Signer.Submit(t.Context(), f.Sign("watch", f.Freeze(statement.TargetAll, "")).Encode(), 0); codeOf(err) != "journal_rolled_back" {
		t.Errorf("a freeze after the halt: %v", err)
	}
}

// TestHaltedWhileAppending: what becomes durable while the state turns out not to be trusted is not signed.
func TestHaltedWhileAppending(t *testing.T) {
	f := newFaults(t)
	made := f.token.Signatures.Load()
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			err := f.store.Store.Append(ctx, g)
			f.Signer.Halt("journal_rolled_back", "test")
			return err
		}
	})
	_, answered := f.submit(t, signertest.XYM)
	if a := <-answered; codeOf(a.err) != "journal_rolled_back" {
		t.Errorf("%+v", a)
	}
	if err := f.Stop(); err == nil {
		t.Error("Run ended without an error")
	}
	if n := f.token.Signatures.Load(); n != made {
		t.Errorf("%d signatures after the halt", n-made)
	}
}

// coolingOff has what two officers approved wait for ten minutes.
func coolingOff(d *policy.Document) {
	for _, r := range d.Rules {
		if r.Approval != nil {
			r.Approval.CoolingOff = 10 * signertest.Minute
		}
	}
}

// doubt has the token make wrong signatures with one wallet's key until it is told to stop.
func (f *faults) doubt(t *testing.T, wallet string) (answered chan answer, over func()) {
	t.Helper()
	var mu sync.Mutex
	spoilt := true
	f.token.Before = func(k signer.Key) error {
		mu.Lock()
		defer mu.Unlock()
		if spoilt && k.Wallet == wallet {
			return wrongSignature{}
		}
		return nil
	}
	_, answered = f.submit(t, wallet)
	f.waitFor(t, "token_wrong_signature")
	return answered, func() {
		mu.Lock()
		defer mu.Unlock()
		spoilt = false
	}
}

// wrongSignature is what a token answers that noticed it itself.
type wrongSignature struct{}

func (wrongSignature) Error() string { return "the signature does not verify (test)" }
func (wrongSignature) Code() string  { return "token_wrong_signature" }

// TestInDoubt: while something stops signing, a payment whose approval is complete is not authorised; it can be rejected,
// a freeze and a login are taken, and what has expired ends. Afterwards what is left goes on.
func TestInDoubt(t *testing.T) {
	f := newFaultsUnder(t, coolingOff)
	var held []statement.Envelope
	for range 3 {
		sent := f.Sign("shop", f.Withdrawal(f.Wallets[signertest.XYM], signertest.SmallMax+1))
		if a, err := f.Signer.Submit(t.Context(), sent.Encode(), 0); err != nil || a.State != rpc.StateHeld {
			t.Fatalf("%+v, %v", a, err)
		}
		held = append(held, sent)
	}
	goesOn, rejected, cancelled := statement.HashText(held[0].Statement), statement.HashText(held[1].Statement), statement.HashText(held[2].Statement)
	for _, officer := range []string{"alice", "bob"} {
		f.Submit(t.Context(), f.Signer, officer, f.Verdict(statement.Approve, goesOn))
	}
	ask := func(sent statement.Envelope) rpc.Answer {
		t.Helper()
		a, err := f.Signer.Submit(t.Context(), sent.Encode(), 0)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, over := f.doubt(t, signertest.XEM)
	f.Clock.Pass(31 * signertest.Minute) // the cooling-off is over, and so is the life of what was to be signed
	f.Signer.Wake()
	if a := <-first; a.State != rpc.StateStranded || a.Decision.Code != ledger.CodeDeadlineOver {
		t.Errorf("an authorisation past its deadline: %+v", a)
	}
	if _, err := f.Signer.Submit(t.Context(), f.Sign("alice", f.Verdict(statement.Approve, rejected)).Encode(), 0); codeOf(err) != "token_wrong_signature" {
		t.Errorf("an approval in doubt: %v", err)
	}
	f.Login(t.Context(), f.Signer, "alice")
	f.Submit(t.Context(), f.Signer, "carol", f.Verdict(statement.Reject, rejected))
	f.Submit(t.Context(), f.Signer, "shop", f.Verdict(statement.Cancel, cancelled))
	if a := ask(held[1]); a.State != rpc.StateRejected {
		t.Errorf("rejected in doubt: %+v", a)
	}
	if a := ask(held[2]); a.State != rpc.StateCancelled {
		t.Errorf("cancelled in doubt: %+v", a)
	}
	if a := f.Submit(t.Context(), f.Signer, "watch", f.Freeze(statement.TargetWallet, signertest.XEM)); a.State != rpc.StateInForce {
		t.Errorf("a freeze in doubt: %+v", a)
	}
	if a := ask(held[0]); a.State != rpc.StateHeld {
		t.Errorf("authorised in doubt: %+v", a)
	}
	over()
	f.waitReady(t) // nothing is left to sign for the wallet: its key is tested
	f.Until("the approved payment is signed", func() bool { return ask(held[0]).State == rpc.StateSigned })
	announced(t, f.Deployment, ask(held[0]))
}

// TestFreezeDuringAnOutage: while nothing can be written a freeze is refused at once, so that nobody believes in it; while
// the token is away it is taken, and what was authorised before it is not signed when the token is back.
func TestFreezeDuringAnOutage(t *testing.T) {
	f := newFaults(t)
	f.anchor.set(errLost)
	_, first := f.submit(t, signertest.XYM)
	f.waitFor(t, "anchor_unavailable")
	if _, err := f.Signer.Submit(t.Context(), f.Sign("watch", f.Freeze(statement.TargetAll, "")).Encode(), 0); codeOf(err) != "anchor_unavailable" {
		t.Errorf("a freeze that cannot be acknowledged: %v", err)
	}
	f.anchor.set(nil)
	paid := <-first
	if paid.State != rpc.StateSigned {
		t.Fatalf("%+v", paid)
	}
	f.waitReady(t)
	journalled(t, f.Deployment, paid.Answer) // so that the next entry is the freeze
	var down sync.Once                       // a worker may have been on its way to the token when it came back
	f.token.Before = func(signer.Key) error {
		down.Do(func() { f.token.Down.Store(true) })
		if f.token.Down.Load() {
			return signertest.ErrDown
		}
		return nil
	}
	_, second := f.submit(t, signertest.XYM)
	f.waitFor(t, "token_unavailable")
	shownFrozen := func() bool {
		wallets, err := f.Signer.Admin().ListWallets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(wallets, func(w rpc.Wallet) bool { return w.Frozen }) || hasReason(ready(t, f.Signer), "frozen")
	}
	frozen, decided := make(chan answer, 1), f.decided(t)
	go func() {
		a, err := f.Signer.Submit(context.Background(), f.Sign("watch", f.Freeze(statement.TargetAll, "")).Encode(), 0)
		frozen <- answer{a, err}
	}()
	f.Until("the freeze is judged", func() bool { return f.decided(t) > decided })
	if shownFrozen() {
		t.Error("a freeze is shown that may yet be lost")
	}
	f.token.Down.Store(false)
	if a := <-frozen; a.err != nil || a.State != rpc.StateInForce {
		t.Errorf("%+v", a)
	}
	if !shownFrozen() {
		t.Error("a freeze in the journal is not shown")
	}
	if a := <-second; a.State != rpc.StateStranded || a.Decision.Code != ledger.CodeStopped {
		t.Errorf("%+v", a)
	}
}

// TestClockBehindEnds: a clock that is too far behind stops signing only until it is right again.
func TestClockBehindEnds(t *testing.T) {
	f := newFaults(t)
	_, first := f.submit(t, signertest.XEM)
	if a := <-first; a.State != rpc.StateSigned {
		t.Fatalf("%+v", a)
	}
	f.Clock.Pass(2 * signertest.Hour)
	f.Submit(t.Context(), f.Signer, "watch", f.Freeze(statement.TargetWallet, signertest.XYM)) // time passes for the journal
	f.Clock.Turn(-2*signertest.Hour, 0)
	f.submit(t, signertest.XEM)
	f.waitFor(t, "clock_behind")
	f.Clock.Turn(2*signertest.Hour, 0)
	f.Signer.Wake()
	f.waitReady(t)
}

// TestInDoubtAStrangerLearnsNothing: what is known is answered in doubt, too, but to whom it belongs: the text alone,
// signed by somebody else, opens nothing.
func TestInDoubtAStrangerLearnsNothing(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	w := d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)
	paid := d.Submit(t.Context(), d.Signer, "shop", w)
	announced(t, d, paid)
	d.Signer.Halt("journal_rolled_back", "test")
	if a, err := d.Signer.Submit(t.Context(), d.Sign("shop", w).Encode(), 0); err != nil || a.Seq != paid.Seq {
		t.Errorf("the client itself: %+v, %v", a, err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if d.Keys["stranger"], err = ssh.NewSignerFromKey(private); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"alice", "stranger"} {
		a, err := d.Signer.Submit(t.Context(), d.Sign(who, w).Encode(), 0)
		if p := problem(t, err, "journal_rolled_back"); p.Answer != nil || a.Receipt != nil {
			t.Errorf("%s is told %+v", who, a)
		}
	}
}

// TestHaltedWhileTrying: a group that is tried again and again, because token, store or anchor is away, is given up
// when something else halts the signer: whoever waits is told, and one of several signers ends and gives up its lease.
func TestHaltedWhileTrying(t *testing.T) {
	for name, away := range map[string]func(*faults){
		"token": func(f *faults) { f.token.HeadsDown.Store(true) },
		"store": func(f *faults) {
			f.store.set(func() { f.store.append = func(context.Context, journal.Group) error { return errLost } })
		},
		"anchor": func(f *faults) { f.anchor.set(errLost) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaults(t)
			shop := f.Login(t.Context(), f.Signer, "shop")
			away(f)
			sent, answered := f.submit(t, signertest.XYM)
			f.Until("it is tried", func() bool { return !ready(t, f.Signer).Ready })
			id, read, asking := statementID(t, sent), make(chan error, 1), make(chan struct{})
			go func() {
				close(asking)
				_, err := f.Signer.Withdrawal(context.Background(), shop, id, 0)
				read <- err
			}()
			<-asking
			f.Signer.Halt("journal_rolled_back", "test")
			f.Until("whoever waits is told", func() bool { return len(answered) == 1 && len(read) == 1 })
			if a := <-answered; codeOf(a.err) != "journal_rolled_back" {
				t.Errorf("who asked for it: %+v", a)
			}
			if err := <-read; codeOf(err) != "journal_rolled_back" {
				t.Errorf("who read its state: %v", err)
			}
		})
	}
}
