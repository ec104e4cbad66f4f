package postgres_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/postgres/pgtest"
	"kura/journal/storetest"
)

// testBackup restores two dumps of a journal. The older one is refused, with both heads; the newest one goes on where
// the journal ended.
func testBackup(t *testing.T, cluster *pgtest.Cluster) {
	db := cluster.Migrated(t)
	s := openStore(t, db.Service)
	defer s.Close()
	c := journal.Config{
		Genesis: storetest.Genesis(), Store: s, Sign: storetest.Sign,
		Anchors: []journal.Anchor{anchorfile.New(filepath.Join(t.TempDir(), "anchor"))},
	}
	log, err := journal.Create(t.Context(), c, storetest.Entries(0, 3))
	if err != nil {
		t.Fatal(err)
	}
	var heads []journal.Head
	for _, name := range []string{"older", "newest"} {
		size := log.Head().Size
		if _, err := log.Append(t.Context(), storetest.Entries(size, size+4)); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, log.Head())
		dump, err := cluster.Dump(db.Schema)
		if err == nil {
			err = cluster.Restore(name, dump)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	restored := func(name string) journal.Config {
		c := c
		r := openStore(t, strings.Replace(db.Service, "/postgres?", "/"+name+"?", 1))
		t.Cleanup(func() { _ = r.Close() })
		c.Store = r
		return c
	}
	_, err = journal.Open(t.Context(), restored("older"))
	rollback, ok := errors.AsType[*journal.RollbackError](err)
	if !ok || rollback.Journal != heads[0] || rollback.Anchored != heads[1] || !names(err, heads...) {
		t.Errorf("the older backup: %v", err)
	}
	again, err := journal.Open(t.Context(), restored("newest"))
	if err != nil {
		t.Fatalf("the newest backup: %v", err)
	}
	insist(t, again, 2, short*20)
}

// testPsql uses the client that everybody has: with the service's role it reads, and changes nothing.
func testPsql(t *testing.T, cluster *pgtest.Cluster) {
	db := cluster.Migrated(t)
	s := openStore(t, db.Service)
	defer s.Close()
	storetest.NewWriter().Grow(t, s, 3)
	if out, err := cluster.Psql(db.Service, "select count(*) from entries;"); err != nil || !strings.Contains(out, "3") {
		t.Errorf("reading: %q, %v", out, err)
	}
	for script, want := range map[string]string{
		"update entries set entry = '{}' where seq = 1;": "permission denied for table entries",
		"delete from heads where size = 3;":              "permission denied for table heads",
		"truncate entries;":                              "permission denied for table entries",
	} {
		if out, err := cluster.Psql(db.Service, script); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %q, %v", script, out, err)
		}
	}
}
