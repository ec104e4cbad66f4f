package signer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// rotate asks for the next step and fails the test unless it leads to the state.
func rotateLogKey(t *testing.T, d *signertest.Deployment, step rpc.LogKeyStep, want string) rpc.LogKeyRotation {
	t.Helper()
	r, err := d.Signer.Admin().RotateLogKey(t.Context(), rpc.Caller{}, step)
	if err != nil {
		t.Fatal(err)
	}
	if r.State != want {
		t.Fatalf("the change of the log key is %+v, want %s", r, want)
	}
	return r
}

func keyOf(t *testing.T, text string) [32]byte {
	t.Helper()
	key, err := journal.ParseLogKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// permitLogKey has the directors permit a log key, which the test policy does without a time-lock.
func permitLogKey(t *testing.T, d *signertest.Deployment, text string) {
	t.Helper()
	key := keyOf(t, text)
	proposal := d.Submit(t.Context(), d.Signer, "carol", &statement.Proposal{
		Journal: d.Journal, ID: d.ID(), Expires: d.Now() + signertest.Day, Proposes: statement.ProposeLogKey,
		Base: d.Force.Hash(), Document: policy.LogKeyText(key),
	})
	about, err := statement.ParseHash(proposal.StatementHash)
	if err != nil {
		t.Fatal(err)
	}
	for _, director := range []string{"alice", "bob"} {
		if a := d.Submit(t.Context(), d.Signer, director, d.Verdict(statement.Approve, about)); a.State != rpc.StateCounted {
			t.Fatalf("%s's verdict is %s: %+v", director, a.State, a.Results)
		}
	}
}

// handOver changes the log key as people would, and destroys the old one.
func handOver(t *testing.T, d *signertest.Deployment) rpc.LogKeyRotation {
	t.Helper()
	next := rotateLogKey(t, d, rpc.LogKeyBegin, rpc.LogKeyWaits).Next
	permitLogKey(t, d, next)
	rotateLogKey(t, d, rpc.LogKeyGoOn, rpc.LogKeyChanged)
	r := rotateLogKey(t, d, rpc.LogKeyDestroyOld, rpc.LogKeyDone)
	if r.Current != next {
		t.Fatalf("%+v, want %s in force", r, next)
	}
	return r
}

// proven verifies a receipt as a client does who has the genesis line alone, and returns how many handovers it needed.
func proven(t *testing.T, d *signertest.Deployment, r *rpc.Receipt) int {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var read journal.Receipt // as it travels
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if _, err := read.Verify(d.Genesis); err != nil {
		t.Fatal(err)
	}
	return len(read.Handovers)
}

// TestRotateLogKey changes the log key twice under payments, with starts from snapshots between.
func TestRotateLogKey(t *testing.T) {
	anchor := new(tokenAnchor)
	snapshots := t.TempDir()
	var d *signertest.Deployment
	fake := signertest.NewFakeToken()
	d = signertest.New(t, signertest.Options{
		Token: fake, LogKey: fake.LogPublicKey(), Bind: func(journal.Hash) error { return nil }, TokenAnchor: anchor,
		Open: func(c signer.Config) (*signer.Signer, error) {
			c.Snapshots = signer.Snapshots{Dir: snapshots, Every: 10}
			return signer.Open(t.Context(), c)
		},
	})
	pay := func() *rpc.Receipt {
		t.Helper()
		a := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
		announced(t, d, a)
		return a.Receipt
	}
	receipts := []*rpc.Receipt{pay()}
	rotateLogKey(t, d, rpc.LogKeyDestroyOld, rpc.LogKeyNone)
	for n := range 2 {
		first := rotateLogKey(t, d, rpc.LogKeyBegin, rpc.LogKeyWaits)
		if again := rotateLogKey(t, d, rpc.LogKeyBegin, rpc.LogKeyWaits); again.Next != first.Next {
			t.Fatalf("asked again the token makes another key: %+v, %+v", first, again)
		}
		permitLogKey(t, d, strings.Repeat("A", 42)+"E=") // a slip of the hand: no token has that key
		if r := rotateLogKey(t, d, rpc.LogKeyGoOn, rpc.LogKeyWaits); r.Current != first.Current {
			t.Fatalf("handed over: %+v", r)
		}
		permitLogKey(t, d, first.Next)
		if r := rotateLogKey(t, d, rpc.LogKeyDestroyOld, rpc.LogKeyWaits); r.Current != first.Current {
			t.Fatalf("it was asked to destroy and handed over: %+v", r)
		}
		rotateLogKey(t, d, rpc.LogKeyGoOn, rpc.LogKeyChanged)
		receipts = append(receipts, pay())
		for _, step := range []rpc.LogKeyStep{rpc.LogKeyGoOn, rpc.LogKeyBegin} { // another one begins when this one has ended
			if r := rotateLogKey(t, d, step, rpc.LogKeyChanged); r.Current != first.Next || len(r.Destroyed) > 0 {
				t.Fatalf("%s again: %+v", step, r)
			}
		}
		d.Restart()
		if _, err := fake.SignHead(t.Context(), keyOf(t, first.Current), nil); err != nil {
			t.Fatalf("nobody asked for it, and the old key is gone: %v", err)
		}
		done := rotateLogKey(t, d, rpc.LogKeyDestroyOld, rpc.LogKeyDone)
		if done.Current != first.Next || !slices.Equal(done.Destroyed, []string{first.Current}) {
			t.Fatalf("%+v after %+v", done, first)
		}
		if held := anchored(t, d, anchor); held <= done.Seq+1 {
			t.Fatalf("the old key was destroyed when the token held the head of size %d, the handover is entry %d", held, done.Seq)
		}
		rotateLogKey(t, d, rpc.LogKeyDestroyOld, rpc.LogKeyNone)
		receipts = append(receipts, pay())
		d.Restart()
		receipts = append(receipts, pay())
		for range 5 {
			pay()
		}
		for i, r := range receipts {
			if i < len(receipts)-2 {
				continue
			}
			if used := proven(t, d, r); used != n+1 {
				t.Errorf("a receipt after %d handovers brings %d", n+1, used)
			}
		}
	}
	if used := proven(t, d, receipts[0]); used != 0 {
		t.Errorf("the first receipt brings %d handovers", used)
	}
	d.Restart()
	alice := d.Login(t.Context(), d.Signer, "alice")
	for _, old := range receipts {
		r, err := d.Signer.Receipt(t.Context(), alice, old.Index)
		if err != nil {
			t.Fatal(err)
		}
		if used := proven(t, d, &r); used != 2 {
			t.Errorf("entry %d is proven now with %d handovers", old.Index, used)
		}
	}
	keys, err := d.Signer.LogKeys(t.Context())
	if err != nil || len(keys.Handovers) != 2 || keys.Genesis != d.Genesis.String() {
		t.Errorf("%+v, %v", keys, err)
	}
	d.Until("the fold from zero has confirmed the state", func() bool { return !hasReason(ready(t, d.Signer), "snapshot_unchecked") })
}

// tokenAnchor is a test double of the token's copy of the head.
type tokenAnchor struct {
	mu   sync.Mutex
	held journal.Checkpoint
}

func (a *tokenAnchor) Name() string { return "token (test)" }

func (a *tokenAnchor) Load(context.Context) (journal.Checkpoint, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held, nil
}

func (a *tokenAnchor) Save(_ context.Context, c journal.Checkpoint) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = c
	return nil
}

// anchored is the size of the head that an anchor holds.
func anchored(t *testing.T, d *signertest.Deployment, a journal.Anchor) uint64 {
	t.Helper()
	c, err := a.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head, err := journal.PeekCheckpoint(d.Genesis.Origin, c)
	if err != nil {
		t.Fatal(err)
	}
	return head.Size
}

// TestRotateLogKeyBreaksOff: whatever fails on the way leaves a journal that goes on, and the command asked again
// finishes.
func TestRotateLogKeyBreaksOff(t *testing.T) {
	fake := signertest.NewFakeToken()
	breaking := &breakingToken{FakeToken: fake}
	d := signertest.New(t, signertest.Options{Token: breaking, LogKey: fake.LogPublicKey(), Bind: func(journal.Hash) error { return nil }})
	old := fake.LogPublicKey()
	next := rotateLogKey(t, d, rpc.LogKeyBegin, rpc.LogKeyWaits).Next
	permitLogKey(t, d, next)
	for _, step := range []rpc.LogKeyStep{rpc.LogKeyGoOn, rpc.LogKeyDestroyOld} {
		breaking.breakAt(step)
		if _, err := d.Signer.Admin().RotateLogKey(t.Context(), rpc.Caller{}, step); err == nil {
			t.Fatalf("%s: done all the same", step)
		}
		breaking.breakAt("")
		if _, err := fake.SignHead(t.Context(), old, nil); err != nil {
			t.Fatalf("%s: the old key is gone: %v", step, err)
		}
		d.Restart()
		a := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
		announced(t, d, a)
		if used := proven(t, d, a.Receipt); used != 1 {
			t.Errorf("%s: a receipt brings %d handovers", step, used)
		}
	}
	if r := rotateLogKey(t, d, rpc.LogKeyDestroyOld, rpc.LogKeyDone); r.Current != next || len(r.Destroyed) != 1 {
		t.Errorf("%+v", r)
	}
	alarms := 0
	for len(d.Alarms) > 0 {
		if a := <-d.Alarms; a.Code == "log_key_changed" {
			alarms++
		}
	}
	if alarms != 1 {
		t.Errorf("people were called %d times", alarms)
	}
}

// A breakingToken fails at a step of the change of the log key, whoever asks: the signer's own watch does, too.
type breakingToken struct {
	*signertest.FakeToken
	mu   sync.Mutex
	step rpc.LogKeyStep
}

var errBroken = errors.New("broken (test)")

func (b *breakingToken) breakAt(step rpc.LogKeyStep) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.step = step
}

func (b *breakingToken) breaks(step rpc.LogKeyStep) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.step != step {
		return nil
	}
	return errBroken
}

func (b *breakingToken) UseLogKey(ctx context.Context, key [32]byte) error {
	if err := b.breaks(rpc.LogKeyGoOn); err != nil {
		return err
	}
	return b.FakeToken.UseLogKey(ctx, key)
}

func (b *breakingToken) DestroyLogKey(ctx context.Context, key [32]byte) error {
	if err := b.breaks(rpc.LogKeyDestroyOld); err != nil {
		return err
	}
	return b.FakeToken.DestroyLogKey(ctx, key)
}

// TestWitnessesFollowHandovers: witnesses that pin the genesis line cosign on after two handovers, one of which was
// away during both, too.
func TestWitnessesFollowHandovers(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	pay := func() rpc.Answer {
		t.Helper()
		a := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
		announced(t, d, a)
		return a
	}
	pay()
	w.setDown(true, 2)
	handOver(t, d)
	pay()
	second := handOver(t, d)
	if used := proven(t, d, pay().Receipt); used != 2 {
		t.Errorf("a receipt brings %d handovers", used)
	}
	w.setDown(false, 2)
	w.setDown(true, 0)
	if n := w.cosignedBy(t, pay().Receipt); n < 2 {
		t.Errorf("%d witnesses cosigned", n)
	}
	d.Until("the witness that was away has cosigned a head of the newest key", func() bool {
		return slices.ContainsFunc(ready(t, d.Signer).Witnesses, func(x rpc.Witness) bool { return x.Name == w.keys[2].Name && x.Size > second.Seq+1 })
	})
	d.Restart()
	pay()
}

// TestHandoverWaitsForTheTimeLock: the command says until when, and hands over then.
func TestHandoverWaitsForTheTimeLock(t *testing.T) {
	d := signertest.New(t, signertest.Options{Adjust: func(p *policy.Document) { p.Governance.Policy.TimeLock = signertest.Day }})
	next := rotateLogKey(t, d, rpc.LogKeyBegin, rpc.LogKeyWaits).Next
	permitLogKey(t, d, next)
	waits := rotateLogKey(t, d, rpc.LogKeyGoOn, rpc.LogKeyWaits)
	if left := waits.From - d.Now(); left <= 0 || left > signertest.Day {
		t.Fatalf("it waits for another %d ms: %+v", left, waits)
	}
	d.Clock.Pass(signertest.Day)
	if r := rotateLogKey(t, d, rpc.LogKeyGoOn, rpc.LogKeyChanged); r.Current != next {
		t.Errorf("%+v", r)
	}
}
