// Package pgtest gives tests a PostgreSQL to use: the one that KURA_TEST_DATABASE names (a DSN of a
// superuser), or a private cluster made from the installed binaries. Where neither is to be had, tests are
// skipped, and fail when CI=true.
//
// A package whose tests use it shares one cluster among them with
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
// Every test gets a schema of its own and a role of its own, and both are dropped when it ends. It is for
// tests only: sessions are trusted, the superuser has no password.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kura/journal/postgres"
)

// A Database is a migrated schema.
type Database struct {
	Owner   string // DSN of the schema's owner, who is superuser
	Service string // DSN of the service's role, which can select and insert
	Role    string // the service's role
	Schema  string
}

var shared struct {
	sync.Mutex
	byMain  bool // Main is running: it stops the cluster
	cluster *Cluster
}

// Main runs a package's tests and stops the cluster that they shared.
func Main(m *testing.M) int {
	shared.byMain = true
	code := m.Run()
	if shared.cluster != nil {
		shared.cluster.stop()
	}
	return code
}

// Open returns a new, migrated database.
func Open(t testing.TB) Database {
	t.Helper()
	return migrated(t, Empty(t))
}

func migrated(t testing.TB, db Database) Database {
	t.Helper()
	if err := postgres.Migrate(t.Context(), db.Owner); err != nil {
		t.Fatal(err)
	}
	if err := postgres.GrantService(t.Context(), db.Owner, db.Role, ""); err != nil {
		t.Fatal(err)
	}
	return db
}

// Migrated returns a new, migrated database in a cluster that the test started itself.
func (c *Cluster) Migrated(t testing.TB) Database {
	t.Helper()
	return migrated(t, schema(t, c.DSN()))
}

// Empty returns a schema that is not migrated yet. The role is not made.
func Empty(t testing.TB) Database {
	t.Helper()
	return schema(t, superuser(t))
}

// superuser returns the DSN of the cluster that tests share.
func superuser(t testing.TB) string {
	t.Helper()
	if dsn := os.Getenv("KURA_TEST_DATABASE"); dsn != "" {
		return dsn
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		return shared.cluster.DSN()
	}
	if !shared.byMain {
		return Start(t).DSN()
	}
	shared.cluster = start(t, Places{})
	return shared.cluster.DSN()
}

var schemas atomic.Int64

// schema makes a schema and drops it with its role when the test ends.
func schema(t testing.TB, superuser string) Database {
	t.Helper()
	name := fmt.Sprintf("kura_test_%d_%d", os.Getpid(), schemas.Add(1))
	db := Database{Role: name, Schema: name}
	var err error
	if db.Owner, err = with(superuser, map[string]string{"search_path": name}, ""); err != nil {
		t.Fatal(err)
	}
	if db.Service, err = with(superuser, map[string]string{"search_path": name}, name); err != nil {
		t.Fatal(err)
	}
	Exec(t, superuser, "create schema "+name)
	t.Cleanup(func() {
		// A test may have killed its cluster, or have left it waiting for a standby that is gone.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, superuser)
		if err != nil {
			return
		}
		defer conn.Close(ctx)
		_, _ = conn.Exec(ctx, "drop schema "+name+" cascade")
		_, _ = conn.Exec(ctx, "drop role if exists "+name)
	})
	return db
}

// with returns the DSN, which must be a URL, with parameters and another user.
func with(dsn string, params map[string]string, user string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("KURA_TEST_DATABASE must be a postgres:// URL")
	}
	query := u.Query()
	for name, value := range params {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	if user != "" {
		u.User = url.User(user)
		if query.Has("user") {
			query.Set("user", user)
			u.RawQuery = query.Encode()
		}
	}
	return u.String(), nil
}

// Exec runs statements, each for itself, and fails the test if one fails.
func Exec(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
