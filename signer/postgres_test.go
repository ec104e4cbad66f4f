package signer_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kura/audit"
	"kura/journal"
	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
	"kura/nem"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestStrayRows puts a row into the database as whoever has the service's role can: the signer goes on, and says so, and
// an export that docs/journal.md makes with psql is without it. The owner removes it as docs/operations.md says.
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
	_ = d.Stop()

	dir := t.TempDir()
	export := exec.CommandContext(t.Context(), "bash", "-ec", "cd \"$DIR\"\n"+documented(t, "../docs/journal.md", "(printf", "journal.export"))
	export.Env = []string{"PATH=" + os.Getenv("PATH"), "DIR=" + dir, "GENESIS=" + d.Genesis.String(),
		"DSN=" + strings.Replace(db.Service, "search_path=", "options=-csearch_path%3D", 1)} // psql's spelling
	if out, err := export.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(filepath.Join(dir, "journal.export"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if report, err := audit.Verify(t.Context(), f, audit.Options{Genesis: d.Genesis.String()}); err != nil || !report.OK || report.Counts.Signatures != 2 {
		t.Errorf("psql's export: %v, %+v", err, report)
	}

	pgtest.Exec(t, db.Owner, documented(t, "../docs/operations.md", "begin; alter table", "commit;"))
	if stray, err := store.Stray(t.Context()); err != nil || stray.Rows != 0 {
		t.Errorf("after the owner's removal: %+v, %v", stray, err)
	}
	d.Start()
	pay()
}

// documented returns the lines of a page from one that begins so to one that ends so.
func documented(t *testing.T, page, begin, end string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "    "+begin)
	lines, _, ended := strings.Cut(rest, end+"\n")
	if !ok || !ended {
		t.Fatalf("%s has no %q … %q", page, begin, end)
	}
	return begin + lines + end
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
		var again rpc.Answer
		var err error
		f.Until("the journal can be written", func() bool {
			again, err = f.Signer.Submit(t.Context(), e.Encode(), signertest.LongWait)
			p := problemOf(err)
			return p == nil || p.Retry != rpc.RetrySame
		})
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
