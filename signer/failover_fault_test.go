package signer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kura/journal"
	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
	"kura/ledger"
	"kura/signer/signertest"
)

// replica is a signer on a primary with a streaming replica, whose DSN leads to whichever of the two is the primary.
type replica struct {
	*database
	primary, standby *pgtest.Cluster
	dsn              string
}

func newReplica(t *testing.T, synchronous bool) *replica {
	t.Helper()
	r := &replica{primary: pgtest.Start(t)}
	db := r.primary.Migrated(t)
	r.standby = r.primary.Standby(t)
	if synchronous {
		r.primary.Synchronous(t)
	}
	r.dsn = pgtest.Either(t, db.Service, "read-write", r.primary, r.standby)
	r.database = newDatabase(t, r.dsn, time.Second)
	return r
}

// TestSynchronousFailover loses the synchronous standby under load, so that the primary alone has the next group, and
// then the primary, too: the standby is promoted without that group. Nobody acted on it; the signer goes on by itself,
// and everything that left stands in the journal of the new primary.
func TestSynchronousFailover(t *testing.T) {
	r := newReplica(t, true)
	r.pay(t, 6)
	r.during(t, 6, func() {
		r.standby.Kill()
		// The group has been read back by then, and only the standby is missing.
		r.stopsSaying(t, "journal_unclear: append unclear: read the head back: read the newest head: make sure that it is durable")
		r.primary.Kill()
		if err := r.standby.Restart(); err != nil {
			t.Error(err)
		}
		pgtest.Exec(t, r.standby.DSN(), "select pg_promote(true, 60)")
	})
	r.pay(t, 6)
	r.check(t, r.dsn)
}

// TestAsynchronousFailover promotes a standby that missed the last groups: the running signer refuses to go on and names
// both heads, so does every start, and nothing is signed any more until a quorum of directors goes on without those groups.
func TestAsynchronousFailover(t *testing.T) {
	r := newReplica(t, false)
	r.pay(t, 6)
	r.waitJournalled(t, r.dsn)
	r.primary.CaughtUp(t)
	kept := ready(t, r.Signer).Size
	r.standby.Kill()
	r.pay(t, 4)
	r.waitJournalled(t, r.dsn)
	lost := ready(t, r.Signer).Size
	r.primary.Kill()
	if err := r.standby.Restart(); err != nil {
		t.Fatal(err)
	}
	r.standby.Promote(t)

	signed := r.token.Signatures.Load()
	again := r.Sign("shop", r.Withdrawal(r.Wallets[signertest.XEM], signertest.Small)).Encode()
	r.Until("the signer ends", func() bool {
		_, err := r.Signer.Submit(context.WithoutCancel(t.Context()), again, 0)
		return codeOf(err) == "journal_rolled_back"
	})
	for _, size := range []uint64{kept, lost} {
		if said := r.whyNot(t); !strings.Contains(said, fmt.Sprintf("size %d ", size)) {
			t.Errorf("the running signer does not name size %d: %s", size, said)
		}
	}
	if err := r.Stop(); err == nil {
		t.Error("the signer ended without saying why")
	}
	for range 2 {
		rollback, ok := errors.AsType[*journal.RollbackError](r.TryStart())
		if !ok || rollback.Journal.Size != kept || rollback.Anchored.Size != lost {
			t.Errorf("started anew: %+v; kept size %d, lost size %d", rollback, kept, lost)
		}
	}
	if n := r.token.Signatures.Load(); n != signed {
		t.Errorf("%d signatures on a journal that lost its end", n-signed)
	}
	r.goOnWithout(t, kept, lost)
}

// waitJournalled waits until all signatures that left are journalled and anchored, after which an idle signer writes nothing.
func (d *database) waitJournalled(t *testing.T, dsn string) {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d.Until("all signatures are journalled", func() bool {
		n := 0
		head, _, err := journal.Verify(t.Context(), s, journal.Verification{Genesis: d.Genesis, Visit: func(e journal.Entry, _ []byte) error {
			if e.Kind == ledger.KindSignature {
				n++
			}
			return nil
		}})
		// What is in the store is not in the anchor yet, for a moment.
		return err == nil && n == len(d.out) && head.Size == ready(t, d.Signer).Size
	})
}
