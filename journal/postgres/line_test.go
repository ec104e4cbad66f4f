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
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	hold := func(ctx context.Context, s *postgres.Store) chan error {
		held := make(chan error, 1)
		go func() {
			_, err := s.Hold(ctx)
			held <- err
		}()
		return held
	}
	waiting.Hasten(20*time.Millisecond, time.Second)
	left := []chan error{hold(ctx, waiting), hold(ctx, other)}
	conn, err := pgx.Connect(t.Context(), db.Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const few = 4            // the leader's, the other's, a turn's and the one before it, which is ending
	seen := map[int32]bool{} // the waiting store's turns, and the two others
	for now, began := 0, time.Now(); len(seen) < 3*few || now > few; {
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
		if now = len(pids); now > few && time.Since(began) > 4*time.Minute {
			t.Fatalf("%d sessions of %d want the lease", now, len(seen))
		}
		if !leader.Held() {
			t.Fatal("the leader's session was ended")
		}
	}
	leave()
	for _, gone := range left {
		if err := <-gone; err == nil {
			t.Fatal("two hold the lease")
		}
	}
	waiting.Hasten(time.Minute, time.Second) // enough for a turn on any machine
	held := hold(t.Context(), waiting)
	if err := leader.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-held; err != nil {
		t.Errorf("the lease is free, and: %v", err)
	}
}
