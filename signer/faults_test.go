package signer_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"kura/journal"
	"kura/policy"
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
		a, err := s.Submit(context.Background(), sent.Encode(), signertest.LongWait)
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

// leaves expects that what was asked for is answered with its transaction.
func (f *faults) leaves(t *testing.T, answered <-chan answer) {
	t.Helper()
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, f.Deployment, a.Answer)
}

// waits expects that nothing was answered so far.
func waits(t *testing.T, answered <-chan answer) {
	t.Helper()
	select {
	case a := <-answered:
		t.Fatalf("answered %+v", a)
	default:
	}
}
