package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kura/journal"
	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
	"kura/journal/storetest"
	"kura/migrations"
)

func try(t *testing.T, dsn, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	return err
}

// TestInsertOnly: neither the service's role nor, by mistake, the owner changes what is written.
func TestInsertOnly(t *testing.T) {
	db := pgtest.Open(t)
	s := openStore(t, db.Service)
	defer s.Close()
	w := storetest.NewWriter()
	w.Grow(t, s, 3, 2)
	statements := []string{
		"update entries set entry = '{}' where seq = 1",
		"update entries set entry = '{}' where false",
		"update heads set checkpoint = ''",
		"delete from entries",
		"delete from heads where size = 5",
		"truncate entries",
		"truncate heads cascade",
		"insert into entries values (1, '\\x00', '{}', '') on conflict (seq, head) do update set entry = '{}'",
	}
	for _, sql := range statements {
		for name, dsn := range map[string]string{"service": db.Service, "owner": db.Owner} {
			if err := try(t, dsn, sql); !hasCode(err, "42501") && !hasCode(err, "23514") {
				t.Errorf("the %s may: %s (%v)", name, sql, err)
			}
		}
	}
	for _, sql := range []string{
		"drop table heads cascade", "drop trigger heads_insert_only on heads", "alter table entries disable trigger all",
		"create or replace function refuse_change() returns trigger language sql as 'select null'", "create table mine (x int)",
		"set session_replication_role = replica", "insert into migrations (number, name, sha256) values (99, '', '')",
		"alter role " + db.Role + " superuser", "grant update on heads to " + db.Role, "create view v as select 1",
	} {
		err := try(t, db.Service, sql)
		if err == nil && strings.HasPrefix(sql, "grant") {
			err = try(t, db.Service, "update heads set checkpoint = ''") // such a grant is a warning, and grants nothing
		}
		if !hasCode(err, "42501") {
			t.Errorf("the service may: %s (%v)", sql, err)
		}
	}
	head, _, err := journal.Verify(t.Context(), s, journal.Verification{Genesis: storetest.Genesis(), EverySignature: true})
	if err != nil || head != w.Head {
		t.Errorf("afterwards: %v, %v", head, err)
	}
}

func hasCode(err error, code string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == code
}

// TestForgedHead: who has the service's role can add a head without the log key. Nothing is appended
// after it, and the error names it.
func TestForgedHead(t *testing.T) {
	db := pgtest.Open(t)
	s := openStore(t, db.Service)
	defer s.Close()
	c := journal.Config{Genesis: storetest.Genesis(), Store: s, Sign: storetest.Sign}
	log, err := journal.Create(t.Context(), c, storetest.Entries(0, 3))
	if err != nil {
		t.Fatal(err)
	}
	if err := try(t, db.Service, `insert into heads (size, root, prev_size, prev, checkpoint)
		select 9, sha256('forged'), size, root, 'forged' from heads order by size desc limit 1`); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(t.Context(), storetest.Entries(3, 4)); !errors.Is(err, journal.ErrForked) {
		t.Errorf("append: %v", err)
	}
	_, err = journal.Open(t.Context(), c)
	if tamper, ok := errors.AsType[*journal.TamperError](err); !ok || tamper.Code != journal.TamperHead {
		t.Errorf("open: %v", err)
	}
	if err := try(t, db.Service, `insert into heads (size, root, prev_size, prev, checkpoint) values (20, sha256('x'), 15, sha256('nowhere'), '')`); !hasCode(err, "23503") {
		t.Errorf("a head after one that does not exist: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	ctx := t.Context()
	db := pgtest.Empty(t)
	if _, err := postgres.Open(ctx, db.Owner); !errors.Is(err, postgres.ErrSchema) {
		t.Errorf("open before any migration: %v", err)
	}
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			if err := postgres.Migrate(ctx, db.Owner); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if err := postgres.GrantService(ctx, db.Owner, db.Role, ""); err != nil {
		t.Fatal(err)
	}
	if err := postgres.GrantService(ctx, db.Owner, db.Role, ""); err != nil {
		t.Errorf("granted again: %v", err)
	}
	s := openStore(t, db.Service)
	storetest.NewWriter().Grow(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(ctx, db.Service); err == nil {
		t.Error("the service may migrate")
	}
	all, err := migrations.All()
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, db.Owner, fmt.Sprintf("insert into migrations (number, name, sha256) values (%d, 'from the future', '')", len(all)+1))
	for name, err := range map[string]error{"migrate": postgres.Migrate(ctx, db.Owner), "open": open(ctx, db.Service)} {
		if !errors.Is(err, postgres.ErrSchema) || !strings.Contains(err.Error(), "from the future") {
			t.Errorf("%s a newer schema: %v", name, err)
		}
	}
	pgtest.Exec(t, db.Owner, fmt.Sprintf("delete from migrations where number > %d", len(all)), "update migrations set sha256 = ''")
	if err := postgres.Migrate(ctx, db.Owner); !errors.Is(err, postgres.ErrSchema) {
		t.Errorf("migrate where a file was changed: %v", err)
	}
}

func open(ctx context.Context, dsn string) error {
	s, err := postgres.Open(ctx, dsn)
	if err != nil {
		return err
	}
	return s.Close()
}

// TestLease: one store at a time appends; the next one's turn comes when the first is gone.
func TestLease(t *testing.T) {
	db := pgtest.Open(t)
	first, second := openStore(t, db.Service), openStore(t, db.Service)
	defer second.Close()
	w := storetest.NewWriter()
	w.Grow(t, first, 1)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := second.Hold(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("lease while another holds it: %v", err)
	}
	if c, err := second.Head(t.Context()); err != nil || !journal.CheckpointSays(c, w.Head) {
		t.Errorf("a standby reads: %q, %v", c, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Grow(t, second, 2)
	if err := first.Append(t.Context(), w.Clone().Next(1)); err == nil {
		t.Error("a closed store takes a group")
	}
}

// TestCutAppend: the session of an append is cut while the database is still at it. Reading the head back
// waits until that is over, so that what it says stays true.
func TestCutAppend(t *testing.T) {
	db := pgtest.Open(t)
	s := openStore(t, db.Service)
	defer s.Close()
	w := storetest.NewWriter()
	w.Grow(t, s, 1)
	for _, way := range []string{"cancelled", "terminated"} {
		blocker, err := pgx.Connect(t.Context(), db.Owner)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := blocker.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "lock table entries in exclusive mode"); err != nil {
			t.Fatal(err)
		}
		next := w.Clone()
		g := next.Next(3)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- s.Append(ctx, g) }()
		pid := waitingBackend(t, blocker, db.Role)
		if way == "cancelled" {
			cancel()
		} else if _, err := blocker.Exec(t.Context(), "select pg_terminate_backend($1)", pid); err != nil {
			t.Fatal(err)
		}
		if err := <-result; err == nil || errors.Is(err, journal.ErrHeadMoved) {
			t.Errorf("%s: append said %v", way, err)
		}
		cancel()
		head := make(chan journal.Checkpoint, 1)
		go func() {
			c, err := s.Head(t.Context())
			if err != nil {
				t.Error(err)
			}
			head <- c
		}()
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := <-head
		if journal.CheckpointSays(c, next.Head) {
			w = next
		} else if !journal.CheckpointSays(c, w.Head) {
			t.Fatalf("%s: the head is %q", way, c)
		}
		w.Grow(t, s, 2) // fails if anything moved after the head was read
		if err := blocker.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// waitingBackend waits until a session of the role waits for a lock, and returns its process.
func waitingBackend(t *testing.T, conn *pgx.Conn, role string) (pid int32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for {
		err := conn.QueryRow(ctx, `select pid from pg_stat_activity where usename = $1 and wait_event_type = 'Lock'`, role).Scan(&pid)
		if err == nil {
			return pid
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, "select pg_stat_clear_snapshot()"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCluster has a server of its own: one that is killed, dumped and restored, asked by psql, asks for passwords, or
// does not keep what it commits.
func TestCluster(t *testing.T) {
	cluster := pgtest.Start(t)
	db := cluster.Migrated(t)
	t.Run("Killed", func(t *testing.T) { testKilled(t, cluster, db) })
	t.Run("Backup", func(t *testing.T) { testBackup(t, cluster) })
	t.Run("Psql", func(t *testing.T) { testPsql(t, cluster) })
	t.Run("Forgetful", func(t *testing.T) { testForgetful(t, cluster, db) })
	t.Run("Password", func(t *testing.T) { testPassword(t, cluster, db) })
}

// testKilled kills the server with -9 while groups are appended, again and again, under a log that stays
// and does what it is told to do. What it acknowledged is there, and it goes on by itself.
func testKilled(t *testing.T, cluster *pgtest.Cluster, db pgtest.Database) {
	ctx := t.Context()
	s := openStore(t, db.Service)
	defer s.Close()
	c := journal.Config{Genesis: storetest.Genesis(), Store: s, Sign: storetest.Sign}
	log, err := journal.Create(ctx, c, storetest.Entries(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for round := range storetest.Rounds(2) {
		killed := make(chan error, 1)
		appended := make(chan struct{})
		go func() {
			<-appended
			cluster.Kill()
			killed <- cluster.Restart()
		}()
		var failure error
		var entries []journal.Entry
		for n := 0; failure == nil; n++ {
			if n == 5+round {
				close(appended)
			}
			size := log.Head().Size
			entries = storetest.Entries(size, size+1+size%9)
			_, failure = log.Append(ctx, entries)
		}
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		if errors.Is(failure, journal.ErrUnclear) {
			if _, err := log.Append(ctx, entries); err != nil {
				t.Fatalf("after %v: %v", failure, err)
			}
		} else if !errors.Is(failure, journal.ErrNotDone) {
			t.Fatal(failure)
		}
		head, _, err := journal.Verify(ctx, s, journal.Verification{Genesis: c.Genesis, EverySignature: true})
		if err != nil || head != log.Head() {
			t.Fatalf("round %d: the store is at %v (%v), the log at %v", round, head, err, log.Head())
		}
	}
}

func testPassword(t *testing.T, cluster *pgtest.Cluster, db pgtest.Database) {
	if err := postgres.GrantService(t.Context(), db.Owner, db.Role, "a made-up/password+1"); err == nil {
		t.Error("a password with a space was taken")
	}
	const password = "made-up/password+1'\\"
	if err := postgres.GrantService(t.Context(), db.Owner, db.Role, password); err != nil {
		t.Fatal(err)
	}
	if err := cluster.RequirePasswords(); err != nil {
		t.Fatal(err)
	}
	for given, ok := range map[string]bool{password: true, password + "x": false, "": false} {
		u, err := url.Parse(db.Service)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("password", given)
		u.RawQuery = query.Encode()
		if err := open(t.Context(), u.String()); (err == nil) != ok {
			t.Errorf("with the password %q: %v", given, err)
		}
	}
}

func testForgetful(t *testing.T, cluster *pgtest.Cluster, db pgtest.Database) {
	cluster.Kill()
	if err := cluster.Restart("fsync=off"); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, db.Service)
	defer s.Close()
	if err := s.Append(t.Context(), storetest.NewWriter().Next(1)); err == nil || !strings.Contains(err.Error(), "fsync is off") {
		t.Errorf("append: %v", err)
	}
}
