package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
)

// TestWaitingInLine: however many turns a standby waits, it keeps one session in the line, ends nobody else's, and takes
// the lease when it is free.
func TestWaitingInLine(t *testing.T) {
	db := pgtest.Open(t)
	open := func() *postgres.Store {
		s, err := postgres.Open(t.Context(), db.Service)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	leader, waiting, other := open(), open(), open()
	if _, err := leader.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	waiting.Hasten(20*time.Millisecond, time.Second)
	go func() {
		_, err := waiting.Hold(t.Context())
		held <- err
	}()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		_, _ = other.Hold(ctx)
		close(left)
	}()
	conn, err := pgx.Connect(t.Context(), db.Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const few = 4            // the leader's, the other's, a turn's and the one before it, which is ending
	seen := map[int32]bool{} // the waiting store's turns, and the two others
	for now := 0; len(seen) < 3*few || now > few; {
		rows, err := conn.Query(t.Context(), "select pid from pg_stat_activity where application_name like 'kura writer %'")
		if err != nil {
			t.Fatal(err)
		}
		pids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range pids {
			seen[pid] = true
		}
		// On a busy machine a turn may be over before it has ended those before it: then a later one does.
		if now = len(pids); now > few && len(seen) > 15*few {
			t.Fatalf("%d sessions of %d want the lease", now, len(seen))
		}
		if !leader.Held() {
			t.Fatal("the leader's session was ended")
		}
	}
	leave()
	<-left
	if err := leader.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-held; err != nil {
		t.Errorf("the lease is free, and: %v", err)
	}
}
