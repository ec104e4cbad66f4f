package signer_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kura/signer"
	"kura/signer/signertest"
)

// A standbyToken is another process's view of a token: it was told itself which log key is in use, and fails the first
// time that it is told.
type standbyToken struct {
	*signertest.FakeToken
	mu    sync.Mutex
	inUse [32]byte
	fails bool
}

func (s *standbyToken) UseLogKey(_ context.Context, key [32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		s.fails = false
		return errBroken
	}
	s.inUse = key
	return nil
}

// Health asks the log key in use, as that of a real token does.
func (s *standbyToken) Health(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.SignHead(ctx, s.inUse, nil)
	return err
}

// TestStandbyFollowsAHandover: a standby of the same token, which began before the log key was handed over and the old
// one destroyed, takes over under the new key, although its token did not answer when it followed.
func TestStandbyFollowsAHandover(t *testing.T) {
	store := openEmbedded(t, filepath.Join(t.TempDir(), "journal"))
	defer store.Close()
	w := newWitnesses(t, 3, 2, true)
	first, second := newLease(), newLease()
	close(first.given)
	d := signertest.New(t, signertest.Options{Store: store, Open: func(c signer.Config) (*signer.Signer, error) {
		c.Lease = first
		return w.open(c)
	}})
	shared := d.Token.(*signertest.FakeToken)
	token := &standbyToken{FakeToken: shared, inUse: shared.LogPublicKey(), fails: true}
	standby := w.another(d, t.TempDir(), signer.Config{Store: store, Lease: second, Token: token})
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- standby.Run(running) }()
	defer w.carry(standby)()
	handed := handOver(t, d)
	d.Until("the standby has followed", func() bool { return ready(t, standby).Size > handed.Seq+1 })
	d.Until("the standby's token is well with the new key", func() bool {
		standby.ProdToken()
		token.mu.Lock()
		defer token.mu.Unlock()
		return !token.fails && token.inUse == keyOf(t, handed.Current)
	})
	_ = d.Stop()
	w.stop()
	close(second.given)
	d.Until("the standby leads", func() bool { return ready(t, standby).Ready })
	a := d.Submit(t.Context(), standby, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	announced(t, d, a)
	if used := proven(t, d, a.Receipt); used != 1 {
		t.Errorf("a receipt of the new leader brings %d handovers", used)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestRowsFromBeforeAHandover has the database put back behind a handover, with every anchor of the host: the witnesses,
// who cosigned heads of a key that such a journal does not know, prove it by the handovers that they show.
func TestRowsFromBeforeAHandover(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	_ = d.Stop()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "journal"), readFile(t, d.StorePath()))
	d.Start()
	handed := handOver(t, d)
	d.Until("every witness has cosigned a head of the new key", func() bool {
		for _, x := range ready(t, d.Signer).Witnesses {
			if x.Size <= handed.Seq+1 {
				return false
			}
		}
		return true
	})
	_ = d.Stop()
	w.stop()

	store := openEmbedded(t, filepath.Join(dir, "journal"))
	defer store.Close()
	lease := newLease()
	token := signertest.NewFakeToken() // the token was put back as well: it has the old key
	token.LogKey = d.Token.(*signertest.FakeToken).LogKey
	s := w.another(d, dir, signer.Config{Store: store, Lease: lease, Token: token})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	defer w.carry(s)()
	close(lease.given)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "witness w") || !strings.Contains(err.Error(), "rolled back") {
		t.Errorf("it ended with %v", err)
	}
	if _, err := s.Submit(t.Context(), d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small)).Encode(), 0); err == nil {
		t.Error("and it takes requests")
	}
}
