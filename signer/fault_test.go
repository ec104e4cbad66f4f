package signer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// faultyStore fails appends as a test tells it to.
type faultyStore struct {
	journal.Store
	mu sync.Mutex
	// append is called instead of the store's own, if set.
	append func(context.Context, journal.Group) error
	// headErr is what Head answers, if set; head is called instead of the store's own, if set.
	headErr error
	head    func(context.Context) (journal.Checkpoint, error)
}

var errLost = errors.New("connection lost (test)")

func (s *faultyStore) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *faultyStore) Append(ctx context.Context, g journal.Group) error {
	s.mu.Lock()
	f := s.append
	s.mu.Unlock()
	if f != nil {
		return f(ctx, g)
	}
	return s.Store.Append(ctx, g)
}

func (s *faultyStore) Head(ctx context.Context) (journal.Checkpoint, error) {
	s.mu.Lock()
	err, head := s.headErr, s.head
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if head != nil {
		return head(ctx)
	}
	return s.Store.Head(ctx)
}

// faultyAnchor fails saving while err is set.
type faultyAnchor struct {
	journal.Anchor
	mu    sync.Mutex
	err   error
	tries int // while err was set
	// save is called before the anchor's own, if set; what it returns is returned instead.
	save func(journal.Checkpoint) error
}

func (a *faultyAnchor) set(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

func (a *faultyAnchor) Save(ctx context.Context, c journal.Checkpoint) error {
	a.mu.Lock()
	err := a.err
	if err != nil {
		a.tries++
	}
	save := a.save
	a.mu.Unlock()
	if err == nil && save != nil {
		err = save(c)
	}
	if err != nil {
		return err
	}
	return a.Anchor.Save(ctx, c)
}

// faults is a deployment with a store, an anchor and a token that can be made to fail.
type faults struct {
	*signertest.Deployment
	store  *faultyStore
	anchor *faultyAnchor
	token  *signertest.FakeToken
}

func newFaults(t *testing.T) *faults {
	t.Helper()
	return newFaultsUnder(t, nil)
}

// newFaultsUnder has the policy that names the wallets adjusted.
func newFaultsUnder(t *testing.T, adjust func(*policy.Document)) *faults {
	t.Helper()
	f := &faults{}
	f.Deployment = signertest.New(t, signertest.Options{
		Adjust:     adjust,
		WrapStore:  func(s journal.Store) journal.Store { f.store = &faultyStore{Store: s}; return f.store },
		WrapAnchor: func(a journal.Anchor) journal.Anchor { f.anchor = &faultyAnchor{Anchor: a}; return f.anchor },
	})
	f.token = f.Token.(*signertest.FakeToken)
	return f
}

// submit sends a small withdrawal in the background.
func (f *faults) submit(t *testing.T, name string) (sent statement.Envelope, answered chan answer) {
	t.Helper()
	sent = f.Sign("shop", f.Withdrawal(f.Wallets[name], signertest.Small))
	answered = make(chan answer, 1)
	s := f.Signer
	go func() {
		a, err := s.Submit(context.Background(), sent.Encode(), 20_000)
		answered <- answer{a, err}
	}()
	return sent, answered
}

type answer struct {
	rpc.Answer
	err error
}

// waitFor waits until the signer says that a condition stops it.
func (f *faults) waitFor(t *testing.T, code string) {
	t.Helper()
	f.Until(code, func() bool {
		r, err := f.Signer.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range r.Reasons {
			if reason.Code == code && reason.Stops && !r.Ready {
				return true
			}
		}
		return false
	})
}

func (f *faults) waitReady(t *testing.T) {
	t.Helper()
	f.Until("ready", func() bool {
		r, err := f.Signer.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Ready
	})
}

// TestAppendFails has an append fail in both ways (lost, and written but reported as failed), with the head readable and
// not: nothing is signed before the truth is known, and then exactly once.
func TestAppendFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		written bool
		blind   bool
	}{{"lost", false, false}, {"written", true, false}, {"lost and blind", false, true}, {"written and blind", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			f := newFaults(t)
			made := f.token.Signatures.Load()
			failed := false
			f.store.set(func() {
				f.store.append = func(ctx context.Context, g journal.Group) error {
					if !failed && strings.Contains(string(g.Entries[0]), `"kind":"statement/1"`) {
						failed = true
						if c.blind {
							f.store.set(func() { f.store.headErr = errLost })
						}
						if c.written {
							if err := f.store.Store.Append(ctx, g); err != nil {
								return err
							}
						}
						return errLost
					}
					return f.store.Store.Append(ctx, g)
				}
			})
			_, answered := f.submit(t, signertest.XYM)
			if c.blind {
				f.waitFor(t, "journal_unclear")
				if n := f.token.Signatures.Load(); n != made {
					t.Fatalf("%d signatures while nobody knew whether the authorisation stood", n-made)
				}
				if _, err := f.Signer.Submit(t.Context(), f.Sign("shop", f.Withdrawal(f.Wallets[signertest.XYM], 1)).Encode(), 0); code(err) != "journal_unclear" {
					t.Errorf("a statement that comes meanwhile: %v", err)
				}
				if _, err := f.Signer.Checkpoint(t.Context()); err != nil {
					t.Errorf("reading meanwhile: %v", err)
				}
				f.store.set(func() { f.store.headErr = nil })
			}
			a := <-answered
			if a.err != nil {
				t.Fatal(a.err)
			}
			announced(t, f.Deployment, a.Answer)
			if n := f.token.Signatures.Load(); n != made+1 {
				t.Errorf("%d signatures", n-made)
			}
			f.waitReady(t)
		})
	}
}

// code is a problem's code, "" without one.
func code(err error) string {
	if p, ok := errors.AsType[*rpc.Problem](err); ok {
		return p.Code
	}
	return ""
}

// TestForked has somebody else write to the journal: this signer stops for ever, says so, and goes on answering.
func TestForked(t *testing.T) {
	f := newFaults(t)
	made := f.token.Signatures.Load()
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			other := g
			first, err := journal.DecodeEntry(g.Entries[0])
			if err != nil {
				return err
			}
			tree, err := journal.NewTree(g.Prev.Size, nodesOf{ctx, f.store.Store})
			if err != nil {
				return err
			}
			first.Clock--
			line, err := first.Encode()
			if err != nil {
				return err
			}
			other.Entries, other.Nodes = [][]byte{line}, tree.Append(journal.LeafHash(line))
			other.Head = tree.Head()
			other.Checkpoint, err = journal.SignCheckpoint(signertest.Origin, other.Head, func(key [32]byte, text []byte) ([64]byte, error) {
				return f.token.SignHead(ctx, key, text)
			}, f.token.LogPublicKey())
			if err != nil {
				return err
			}
			if err := f.store.Store.Append(ctx, other); err != nil {
				return err
			}
			return f.store.Store.Append(ctx, g)
		}
	})
	_, answered := f.submit(t, signertest.XEM)
	a := <-answered
	if code(a.err) != "journal_forked" {
		t.Fatalf("%+v", a)
	}
	if p, _ := errors.AsType[*rpc.Problem](a.err); p.Effect != rpc.EffectUnknown {
		t.Errorf("effect %s", p.Effect)
	}
	f.waitFor(t, "journal_forked")
	if n := f.token.Signatures.Load(); n != made {
		t.Errorf("%d signatures under a fork", n-made)
	}
	if err := f.Stop(); err == nil {
		t.Error("Run ended without an error")
	}
}

type nodesOf struct {
	ctx context.Context
	journal.Store
}

func (n nodesOf) ReadHashes(indexes []int64) ([]journal.Hash, error) {
	all, err := n.Store.Nodes(n.ctx, 0, n.size())
	if err != nil {
		return nil, err
	}
	out := make([]journal.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = all[at]
	}
	return out, nil
}

func (n nodesOf) size() uint64 {
	var size uint64
	for range n.Store.Entries(n.ctx, 0, journal.MaxSeq) {
		size++
	}
	return size
}

// TestAnchorFails: an authorisation that is durable but not anchored is not signed (I1).
func TestAnchorFails(t *testing.T) {
	f := newFaults(t)
	made := f.token.Signatures.Load()
	f.anchor.set(errors.New("disk full (test)"))
	_, answered := f.submit(t, signertest.XYM)
	f.waitFor(t, "anchor_unavailable")
	f.Until("the anchor was tried again", func() bool {
		f.anchor.mu.Lock()
		defer f.anchor.mu.Unlock()
		return f.anchor.tries > 2
	})
	if n := f.token.Signatures.Load(); n != made {
		t.Fatalf("%d signatures before the anchor moved", n-made)
	}
	f.anchor.set(nil)
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, f.Deployment, a.Answer)
	f.waitReady(t)
}

// TestTokenOutage: what was authorised is signed when the token is back.
func TestTokenOutage(t *testing.T) {
	f := newFaults(t)
	known, before := f.submit(t, signertest.XEM)
	paid := <-before
	var down sync.Once
	f.token.Before = func(signer.Key) error {
		down.Do(func() { f.token.Down.Store(true) })
		if f.token.Down.Load() {
			return signertest.ErrDown
		}
		return nil
	}
	_, answered := f.submit(t, signertest.XYM)
	f.waitFor(t, "token_unavailable")
	if _, err := f.Signer.Submit(t.Context(), f.Sign("shop", f.Withdrawal(f.Wallets[signertest.XEM], 1)).Encode(), 0); code(err) != "token_unavailable" {
		t.Errorf("a statement that comes meanwhile: %v", err)
	}
	if again, err := f.Signer.Submit(t.Context(), known.Encode(), 0); err != nil || *again.Transaction != *paid.Transaction {
		t.Errorf("a text that was signed before the outage: %+v, %v", again, err)
	}
	f.token.Down.Store(false)
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, f.Deployment, a.Answer)
}

// TestHeadNotSigned: a token that does not sign a group's head holds everything up, and nothing longer than itself.
func TestHeadNotSigned(t *testing.T) {
	f := newFaults(t)
	f.token.Down.Store(true)
	_, answered := f.submit(t, signertest.XEM)
	f.waitFor(t, "token_unavailable")
	f.token.Down.Store(false)
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, f.Deployment, a.Answer)
	f.waitReady(t)
}

// TestWrongHeadSignature: a head whose signature does not verify is never written, and what it covers never leaves. It is
// called by the token's name for it, and ends once the token signs well again.
func TestWrongHeadSignature(t *testing.T) {
	f := newFaults(t)
	before := f.checkpoint(t)
	f.token.SpoilHeads.Store(true)
	_, answered := f.submit(t, signertest.XEM)
	f.waitFor(t, "token_wrong_signature")
	select {
	case a := <-answered:
		t.Fatalf("answered %+v", a)
	default:
	}
	if now := f.checkpoint(t); now != before {
		t.Errorf("readers see %q", now)
	}
	f.token.SpoilHeads.Store(false)
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, f.Deployment, a.Answer)
	f.waitReady(t)
}

// TestWrongSignature: a signature that does not verify never leaves, signing stops, and it goes on once the token signs
// well again.
func TestWrongSignature(t *testing.T) {
	f := newFaults(t)
	var mu sync.Mutex
	spoilt := true
	f.token.Spoil = func(s *nem.Signature) {
		mu.Lock()
		defer mu.Unlock()
		if spoilt {
			s[0] ^= 1
		}
	}
	_, answered := f.submit(t, signertest.XEM)
	f.waitFor(t, "token_wrong_signature")
	select {
	case a := <-answered:
		t.Fatalf("answered %+v", a)
	default:
	}
	mu.Lock()
	spoilt = false
	mu.Unlock()
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, f.Deployment, a.Answer)
	f.waitReady(t)
}

// TestRandomisedToken: signatures of a token that never makes the same one again are journalled before they leave.
func TestRandomisedToken(t *testing.T) {
	f := newFaults(t)
	f.token.Randomised.Store(true)
	gate := make(chan struct{})
	reached := make(chan struct{})
	var once sync.Once
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			for _, e := range g.Entries {
				if strings.Contains(string(e), `"kind":"signature/1"`) {
					once.Do(func() { close(reached); <-gate })
				}
			}
			return f.store.Store.Append(ctx, g)
		}
	})
	_, answered := f.submit(t, signertest.XYM)
	<-reached
	select {
	case a := <-answered:
		t.Fatalf("left before it was journalled: %+v", a)
	default:
	}
	close(gate)
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, f.Deployment, a.Answer)
}

// TestRolledBack: an older store under a newer anchor is refused at the start, and says why.
func TestRolledBack(t *testing.T) {
	f := newFaults(t)
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	older := readFile(t, f.StorePath())
	f.Start()
	f.Submit(t.Context(), f.Signer, "shop", f.Withdrawal(f.Wallets[signertest.XEM], signertest.Small))
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, f.StorePath(), older)
	err := f.TryStart()
	if rollback := (*journal.RollbackError)(nil); !errors.As(err, &rollback) {
		t.Fatalf("started on an older journal: %v", err)
	}
}

// TestDeadlineStrands: an authorisation that cannot be signed before its deadline ends as stranded.
func TestDeadlineStrands(t *testing.T) {
	f := newFaults(t)
	f.token.Before = func(signer.Key) error { return errors.New("no (test)") }
	_, answered := f.submit(t, signertest.XYM)
	f.Until("the token was asked", func() bool {
		r, err := f.Signer.Ready(t.Context())
		return err == nil && slices.ContainsFunc(r.Reasons, func(r rpc.Reason) bool { return r.Code == "signing_failed" && !r.Stops })
	})
	f.Clock.Pass(31 * signertest.Minute)
	f.Signer.Wake()
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	if a.State != rpc.StateStranded || a.Decision.Code != ledger.CodeDeadlineOver {
		t.Errorf("%+v", a)
	}
}
