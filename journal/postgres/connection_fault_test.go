package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kura/journal"
	"kura/journal/postgres/pgtest"
	"kura/journal/storetest"
)

// proxied is a journal whose log reaches PostgreSQL through a network that a test can break.
type proxied struct {
	db     pgtest.Database
	proxy  *pgtest.Proxy
	store  journal.Store
	config journal.Config
	log    *journal.Log
}

func newProxied(t *testing.T, db pgtest.Database) *proxied {
	t.Helper()
	p := &proxied{db: db, proxy: pgtest.NewProxy(t, db.Service)}
	s := openStore(t, p.proxy.DSN)
	t.Cleanup(func() { _ = s.Close() })
	p.store = s
	p.config = journal.Config{Genesis: storetest.Genesis(), Store: s, Sign: storetest.Sign}
	var err error
	if p.log, err = journal.Create(t.Context(), p.config, storetest.Entries(0, 1)); err != nil {
		t.Fatal(err)
	}
	return p
}

// append appends n entries in the background.
func (p *proxied) append(ctx context.Context, n uint64) <-chan error {
	result := make(chan error, 1)
	size := p.log.Head().Size
	go func() {
		_, err := p.log.Append(ctx, storetest.Entries(size, size+n))
		result <- err
	}()
	return result
}

// written waits until the database has a head of this size.
func (p *proxied) written(t *testing.T, size uint64) {
	t.Helper()
	pgtest.Until(t, p.db.Owner, fmt.Sprintf("select exists (select from heads where size = %d)", size))
}

// verify reads the whole journal past the proxy.
func (p *proxied) verify(t *testing.T) {
	t.Helper()
	s := openStore(t, p.db.Service)
	defer s.Close()
	head, _, err := journal.Verify(t.Context(), s, journal.Verification{Genesis: p.config.Genesis, EverySignature: true})
	if err != nil || head != p.log.Head() {
		t.Fatalf("the store is at %v (%v), the log at %v", head, err, p.log.Head())
	}
}

// TestAnswerLost cuts the connection after the commit and before its answer: the group stands, once.
func TestAnswerLost(t *testing.T) {
	p := newProxied(t, pgtest.Open(t))
	for range 3 {
		size := p.log.Head().Size
		insist(t, p.log, 1, time.Minute) // the session is there, and nothing of it is on its way
		p.proxy.Stall(pgtest.ToClient)
		result := p.append(t.Context(), 3)
		p.written(t, size+4)
		p.proxy.Cut()
		if err := <-result; err != nil || p.log.Head().Size != size+4 {
			t.Fatalf("size %d: %v", p.log.Head().Size, err)
		}
	}
	p.verify(t)
}

// TestHalfOpen has the connection carry nothing more in one or both directions, without closing it, while the network
// as a whole works: the append's deadline ends the wait, the session that neither end knows to be dead is ended, the
// truth is read back. What lay in the network arrives later, and changes nothing.
func TestHalfOpen(t *testing.T) {
	for name, direction := range map[string]pgtest.Direction{"to server": pgtest.ToServer, "to client": pgtest.ToClient, "both": pgtest.Both} {
		t.Run(name, func(t *testing.T) {
			p := newProxied(t, pgtest.Open(t))
			insist(t, p.log, 2, time.Minute)
			before := p.log.Head()
			p.proxy.Stall(direction)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := p.append(ctx, 3)
			if direction == pgtest.ToClient {
				p.written(t, before.Size+3)
				cancel()
			}
			defer time.AfterFunc(short, cancel).Stop()
			if err := <-result; !errors.Is(err, journal.ErrUnclear) {
				t.Fatalf("append: %v", err)
			}
			insist(t, p.log, 3, 2*short)
			p.proxy.Up()
			insist(t, p.log, 2, time.Minute)
			if size := p.log.Head().Size; size != before.Size+5 {
				t.Errorf("size %d after %d, 3 and 2 more", size, before.Size)
			}
			p.verify(t)
		})
	}
}

// TestNetworkGone has no connection carry anything for a while: nothing is known, nothing is acknowledged, and it goes
// on by itself.
func TestNetworkGone(t *testing.T) {
	p := newProxied(t, pgtest.Open(t))
	insist(t, p.log, 2, time.Minute)
	for _, gone := range []func(){func() { p.proxy.StallAll(pgtest.Both) }, p.proxy.Down} {
		before := p.log.Head()
		gone()
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), short)
			if err := <-p.append(ctx, 3); !errors.Is(err, journal.ErrUnclear) {
				t.Fatalf("appended without a network: %v", err)
			}
			cancel()
		}
		if p.log.Head() != before {
			t.Fatal("the head moved")
		}
		p.proxy.Up()
		insist(t, p.log, 3, time.Minute)
		p.verify(t)
	}
}

// TestStalledLease has a leader's connection go dead without a word. Whenever the next one has the lease, the leader no
// longer takes it for its own; and it never appends again.
func TestStalledLease(t *testing.T) {
	t.Parallel() // it waits as long as the lease lasts
	db := pgtest.Open(t)
	proxy := pgtest.NewProxy(t, db.Service)
	leader, next := openStore(t, proxy.DSN), openStore(t, db.Service)
	defer leader.Close()
	defer next.Close()
	lost, err := leader.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := storetest.NewWriter()
	w.Grow(t, leader, 2)
	proxy.StallAll(pgtest.Both)
	if _, err := next.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if leader.Held() {
		t.Error("two take the lease for their own")
	}
	w.Grow(t, next, 2)
	proxy.Up()
	<-lost
	if err := leader.Append(t.Context(), w.Clone().Next(1)); !errors.Is(err, journal.ErrLeaseLost) {
		t.Errorf("the old leader's append: %v", err)
	}
	if c, err := leader.Head(t.Context()); err != nil && !errors.Is(err, journal.ErrLeaseLost) || err == nil && !journal.CheckpointSays(c, w.Head) {
		t.Errorf("the old leader reads %q, %v", c, err)
	}
}

// TestStalledReader has all sessions that read go dead without a word while they are idle: reading goes on. When nothing
// is carried at all, it ends.
func TestStalledReader(t *testing.T) {
	db := pgtest.Open(t)
	proxy := pgtest.NewProxy(t, db.Service)
	s := openStore(t, proxy.DSN)
	defer s.Close()
	w := storetest.NewWriter()
	w.Grow(t, s, 2)
	for range 4 { // so that all have been used
		if _, err := s.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.Hasten(short, short)
	proxy.StallAll(pgtest.Both)
	for range 8 {
		if _, err := s.Head(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a network: %v", err)
		}
	}
	proxy.Up()
	s.Hasten(time.Minute, short)
	for range 4 {
		if _, err := s.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Stall(pgtest.Both)
	if c, err := s.Head(t.Context()); err != nil || !journal.CheckpointSays(c, w.Head) {
		t.Errorf("head %q, %v", c, err)
	}
}

// TestStalledInLine has the connection of one that waits for the lease go dead without a word: it gets its turn all the
// same, on another.
func TestStalledInLine(t *testing.T) {
	db := pgtest.Open(t)
	proxy := pgtest.NewProxy(t, db.Service)
	leader, next := openStore(t, db.Service), openStore(t, proxy.DSN)
	defer next.Close()
	w := storetest.NewWriter()
	w.Grow(t, leader, 2)
	next.Hasten(4*short, 4*short)
	turn := make(chan error, 1)
	go func() {
		_, err := next.Hold(t.Context())
		turn <- err
	}()
	conn, err := pgx.Connect(t.Context(), db.Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	waitingBackend(t, conn, db.Role)
	proxy.Stall(pgtest.Both)
	if err := leader.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-turn; err != nil {
		t.Fatal(err)
	}
	w.Grow(t, next, 2)
}

// TestSerialisation: a database whose transactions are serializable by default has no append fail for that, and who
// comes too late is told that the head has moved.
func TestSerialisation(t *testing.T) {
	db := pgtest.Open(t)
	pgtest.Exec(t, db.Owner, "alter role "+db.Role+" set default_transaction_isolation = 'serializable'")
	s := openStore(t, db.Service)
	defer s.Close()
	w := storetest.NewWriter()
	w.Grow(t, s, 2)
	other := w.Clone()
	other.Salt = "the other signer"
	blocker, err := pgx.Connect(t.Context(), db.Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Close(context.Background())
	tx, err := blocker.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g := w.Next(3)
	if _, err := tx.Exec(t.Context(), "lock table heads in exclusive mode"); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	o := other.Next(1)
	go func() { result <- s.Append(context.WithoutCancel(t.Context()), o) }()
	waitingBackend(t, blocker, db.Role)
	if _, err := tx.Exec(t.Context(), "insert into heads (prev_size, prev, size, root, checkpoint) values ($1, $2, $3, $4, $5)",
		int64(g.Prev.Size), g.Prev.Root[:], int64(g.Head.Size), g.Head.Root[:], string(g.Checkpoint)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, journal.ErrHeadMoved) {
		t.Errorf("the append that came too late: %v", err)
	}
}
