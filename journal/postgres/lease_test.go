package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"kura/journal"
	"kura/journal/postgres/pgtest"
	"kura/journal/storetest"
)

// TestHeldLeaseIsLostForEver has the session of a leader ended, as the server does when it was silent for too long:
// the leader knows, appends nothing more, and the next in line gets the lease.
func TestHeldLeaseIsLostForEver(t *testing.T) {
	db := pgtest.Open(t)
	leader, next := openStore(t, db.Service), openStore(t, db.Service)
	defer leader.Close()
	defer next.Close()
	lost, err := leader.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !leader.Held() || next.Held() {
		t.Fatalf("leader %t, next %t", leader.Held(), next.Held())
	}
	w := storetest.NewWriter()
	w.Grow(t, leader, 2)
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := next.Hold(short); err == nil {
		t.Fatal("two hold the lease")
	}
	turn := make(chan error, 1)
	go func() {
		_, err := next.Hold(t.Context())
		turn <- err
	}()
	pgtest.Exec(t, db.Owner, "select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and granted and usename = '"+db.Role+"'")
	if err := <-turn; err != nil {
		t.Fatal(err)
	}
	err = leader.Append(t.Context(), w.Clone().Next(1))
	if err == nil {
		t.Error("the old leader appended")
	}
	unclear := !errors.Is(err, journal.ErrLeaseLost) // its session was not known to have ended
	<-lost
	if leader.Held() {
		t.Error("the old leader takes the lease for its own")
	}
	if err := leader.Append(t.Context(), w.Clone().Next(1)); !errors.Is(err, journal.ErrLeaseLost) {
		t.Errorf("the old leader's next append: %v", err)
	}
	if _, err := leader.Head(t.Context()); unclear && !errors.Is(err, journal.ErrLeaseLost) {
		t.Errorf("the old leader settles its append: %v", err)
	}
	w.Grow(t, next, 2)
}

// TestSlowAppendKeepsTheLease has an append take longer than a silent session would live, as while a standby of the
// database stalls: the session is not silent, and the lease is not lost.
func TestSlowAppendKeepsTheLease(t *testing.T) {
	t.Parallel() // it waits as long as the lease lasts
	db := pgtest.Open(t)
	leader := openStore(t, db.Service)
	defer leader.Close()
	lost, err := leader.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := storetest.NewWriter()
	w.Grow(t, leader, 2)
	locked := make(chan struct{})
	go func() {
		defer close(locked)
		pgtest.Exec(t, db.Owner, "do $$ begin lock table heads in exclusive mode; perform pg_sleep(13); end $$")
	}()
	pgtest.Until(t, db.Owner, "select exists (select from pg_locks where relation = 'heads'::regclass and mode = 'ExclusiveLock' and granted)")
	w.Grow(t, leader, 2)
	<-locked
	for !leader.Held() {
		select {
		case <-lost:
			t.Fatal("the lease is lost")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
