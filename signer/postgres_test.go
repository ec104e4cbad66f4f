package signer_test

import (
	"context"
	"sync"
	"testing"

	"kura/journal"
	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
	"kura/nem"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestStrayRows puts a row into the database as whoever has the service's role can: the signer goes on, and says so.
func TestStrayRows(t *testing.T) {
	db := pgtest.Open(t)
	store, err := postgres.Open(t.Context(), db.Service)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	d := signertest.New(t, signertest.Options{Store: store})
	pay := func() {
		t.Helper()
		announced(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)))
	}
	pay()
	pgtest.Exec(t, db.Service, "insert into entries select seq + 2, sha256(head), entry, nodes from entries order by seq desc limit 1")
	d.Restart()
	d.Until("the signer tells of the stray", func() bool {
		r := ready(t, d.Signer)
		return r.Ready && hasReason(r, "stray_rows")
	})
	pay()
}

// TestDatabaseKilled kills PostgreSQL under a running signer, with appends under way: signing stops and says why, and
// when the database is back everybody gets the one transaction of their text, without a restart of the signer.
func TestDatabaseKilled(t *testing.T) {
	cluster := pgtest.Start(t)
	if err := postgres.Migrate(t.Context(), cluster.DSN()); err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), cluster.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := &faults{}
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.Deployment = signertest.New(t, signertest.Options{Store: store, WrapStore: func(s journal.Store) journal.Store {
		f.store = &faultyStore{Store: s}
		return f.store
	}})
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			once.Do(func() { close(reached); <-goOn })
			return store.Append(ctx, g)
		}
	})
	const amount = nem.Amount(signertest.Small)
	sent := make([]statement.Envelope, 20)
	answers := make([]chan answer, len(sent))
	for i := range sent {
		sent[i], answers[i] = f.submit(t, []string{signertest.XEM, signertest.XYM}[i%2])
	}
	<-reached
	cluster.Kill()
	close(goOn)
	f.Until("signing stops", func() bool {
		r, err := f.Signer.Ready(t.Context())
		return err == nil && !r.Ready
	})
	if err := cluster.Restart(); err != nil {
		t.Fatal(err)
	}
	for i, e := range sent {
		<-answers[i] // some were refused while nothing could be written
		again, err := f.Signer.Submit(t.Context(), e.Encode(), 20_000)
		for codeOf(err) == "journal_unclear" || codeOf(err) == "journal_unavailable" {
			again, err = f.Signer.Submit(t.Context(), e.Encode(), 20_000)
		}
		if err != nil || again.State != rpc.StateSigned {
			t.Fatalf("%+v, %v", again, err)
		}
	}
	f.waitReady(t)
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	f.checkStore(t, store, uint64(amount))
}
