package signer_test

import (
	"sync/atomic"
	"testing"

	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// staleLease is a lease double that counts how often it said that it may be lost.
type staleLease struct {
	*leaseDouble
	denied atomic.Int64
}

func (l *staleLease) Held() bool {
	held := l.leaseDouble.Held()
	if !held {
		l.denied.Add(1)
	}
	return held
}

// TestLeaseFreshAgain has a signer's lease be in doubt for a moment, as while the database takes its time with an append: an
// authorisation whose turn comes meanwhile, or that the token has in hand, is signed when the lease is known to be held again,
// and waits neither for the next start nor for its deadline.
func TestLeaseFreshAgain(t *testing.T) {
	for name, sign := range map[string]bool{"when its turn comes": false, "while the token signs": true} {
		t.Run(name, func(t *testing.T) {
			w := newWitnesses(t, 1, 1, true)
			lease := &staleLease{leaseDouble: newLease()}
			close(lease.given)
			d := signertest.New(t, signertest.Options{Open: func(c signer.Config) (*signer.Signer, error) {
				c.Lease = lease
				return w.open(c)
			}})
			token := d.Token.(*signertest.FakeToken)
			asked, goOn := make(chan struct{}, 1), make(chan error)
			token.Before = func(signer.Key) error {
				asked <- struct{}{}
				return <-goOn
			}
			sent := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
			if a, err := d.Signer.Submit(t.Context(), sent.Encode(), 0); err != nil || a.State != rpc.StateAuthorized {
				t.Fatalf("%+v, %v", a, err)
			}
			<-asked
			w.stop() // the couriers: nobody else asks for the lease from here on
			lease.denied.Store(0)
			lease.held.Store(false)
			if sign {
				goOn <- nil
			} else {
				goOn <- signertest.ErrDown // it is tried again a moment later
			}
			d.Until("the doubt was noticed", func() bool { return lease.denied.Load() > 0 })
			lease.held.Store(true)
			w.stop = w.carry(d.Signer)
			d.Until("the token is asked again", func() bool { return len(asked) > 0 })
			goOn <- nil
			a, err := d.Signer.Submit(t.Context(), sent.Encode(), signertest.LongWait)
			if err != nil {
				t.Fatal(err)
			}
			announced(t, d, a)
		})
	}
}
