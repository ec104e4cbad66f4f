package pgtest

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby makes a streaming replica of the cluster (pg_basebackup) and starts it. It takes connections that only
// read until it is promoted. The caller stops it.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	s := &Cluster{bin: c.bin}
	t.Cleanup(s.stop)
	err := s.makeDir()
	if err == nil {
		err = s.run("pg_basebackup", "-h", c.dir, "-U", "postgres", "-D", s.data, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync")
	}
	if err == nil {
		err = s.Restart()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Synchronous has every commit wait until a standby has it on its disk, and returns when one is there to wait for.
func (c *Cluster) Synchronous(t testing.TB) {
	t.Helper()
	Exec(t, c.DSN(), "alter system set synchronous_standby_names = '*'", "select pg_reload_conf()")
	Until(t, c.DSN(), "select exists (select from pg_stat_replication where sync_state = 'sync')")
}

// CaughtUp returns when the standby has written down all that the cluster has committed.
func (c *Cluster) CaughtUp(t testing.TB) {
	t.Helper()
	Until(t, c.DSN(), "select exists (select from pg_stat_replication where flush_lsn >= pg_current_wal_flush_lsn())")
}

// Until asks the server of a DSN until it says yes.
func Until(t testing.TB, dsn, question string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for yes := false; !yes; {
		if err := conn.QueryRow(ctx, question).Scan(&yes); err != nil {
			t.Fatalf("%s: %v", question, err)
		}
	}
}

// Promote makes the standby a primary, and returns when it is one.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	Exec(t, c.DSN(), "select pg_promote(true, 60)")
	Until(t, c.DSN(), "select not pg_is_in_recovery()")
}

// Either returns a DSN like the given one, of a role and schema, that leads to whichever of the clusters has the
// attributes (target_session_attrs).
func Either(t testing.TB, dsn, attrs string, clusters ...*Cluster) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	hosts := ""
	for i, c := range clusters {
		if i > 0 {
			hosts += ","
		}
		hosts += c.dir
	}
	query.Set("host", hosts)
	query.Set("target_session_attrs", attrs)
	u.RawQuery = query.Encode()
	return u.String()
}
