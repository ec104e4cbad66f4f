package signer_test

import (
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kura/journal"
	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
	"kura/ledger"
	"kura/nem"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// A database is a signer on a PostgreSQL that a test breaks, with everything remembered that came out of it.
type database struct {
	*faults
	pg    *postgres.Store
	token *recordingToken

	mu   sync.Mutex
	sent map[statement.Hash]statement.Envelope
	out  map[statement.Hash]rpc.Transaction // what left, by text
}

// newDatabase founds a journal on the PostgreSQL of a DSN. An append has so much patience at first; the signer's own is
// half a minute.
func newDatabase(t *testing.T, dsn string, patience time.Duration) *database {
	t.Helper()
	store, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	fake := signertest.NewFakeToken()
	d := &database{
		faults: &faults{}, pg: store, token: &recordingToken{FakeToken: fake, signed: map[string]bool{}},
		sent: map[statement.Hash]statement.Envelope{}, out: map[statement.Hash]rpc.Transaction{},
	}
	d.Deployment = signertest.New(t, signertest.Options{
		Token: d.token, LogKey: fake.LogPublicKey(), Bind: func(journal.Hash) error { return nil }, Store: store,
		WrapStore: func(s journal.Store) journal.Store {
			d.store = &faultyStore{Store: &impatient{Store: s, least: patience}}
			return d.store
		},
	})
	return d
}

// impatient gives a store's writes less time than the signer does, and more after each that was not enough: a machine may
// have a slow disk.
type impatient struct {
	journal.Store
	least time.Duration
	late  atomic.Int32 // how many took longer than they had, since one was done in the least time
}

// wait gives a call its time, and notes afterwards whether that was enough.
func (s *impatient) wait(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.least<<min(s.late.Load(), 5))
	defer cancel()
	began := time.Now()
	err := call(ctx)
	switch {
	case ctx.Err() != nil:
		s.late.Add(1)
	case err == nil && time.Since(began) < s.least:
		s.late.Store(0)
	}
	return err
}

func (s *impatient) Append(ctx context.Context, g journal.Group) error {
	return s.wait(ctx, func(ctx context.Context) error { return s.Store.Append(ctx, g) })
}

func (s *impatient) Head(ctx context.Context) (c journal.Checkpoint, err error) {
	err = s.wait(ctx, func(ctx context.Context) error {
		c, err = s.Store.Head(ctx)
		return err
	})
	return c, err
}

// recordingToken remembers what it signed for wallets.
type recordingToken struct {
	*signertest.FakeToken
	mu     sync.Mutex
	signed map[string]bool
}

func (r *recordingToken) Sign(ctx context.Context, k signer.Key, message []byte) (nem.Signature, error) {
	r.mu.Lock()
	r.signed[string(message)] = true
	r.mu.Unlock()
	return r.FakeToken.Sign(ctx, k, message)
}

// pay has n clients ask for a payment each, and again with the same text until they have it. It returns when all have.
func (d *database) pay(t *testing.T, n int) {
	t.Helper()
	var clients sync.WaitGroup
	defer clients.Wait()
	for i := range n {
		e := d.Sign("shop", d.Withdrawal(d.Wallets[[]string{signertest.XEM, signertest.XYM}[i%2]], signertest.Small))
		d.mu.Lock()
		d.sent[statement.HashText(e.Statement)] = e
		d.mu.Unlock()
		clients.Go(func() { d.Until("a payment is signed", func() bool { return d.ask(t, e) }) })
	}
}

// ask sends a text and reports whether its transaction came back.
func (d *database) ask(t *testing.T, e statement.Envelope) bool {
	a, err := d.Signer.Submit(t.Context(), e.Encode(), 5_000)
	if err != nil {
		p := problemOf(err)
		if p == nil || p.Retry != rpc.RetrySame {
			t.Errorf("refused: %v", err)
			return true
		}
		return false
	}
	if a.State == rpc.StateDenied {
		t.Errorf("denied: %+v", a.Decision)
		return true
	}
	if a.Transaction == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	hash := statement.HashText(e.Statement)
	if before, ok := d.out[hash]; ok && before != *a.Transaction {
		t.Errorf("two transactions for one text:\n%+v\n%+v", before, *a.Transaction)
	}
	d.out[hash] = *a.Transaction
	return true
}

// during breaks something at the moment at which an append goes to the database, while n clients want to be paid, one
// payment after the other until it is over. It returns when all have been.
func (d *database) during(t *testing.T, n int, fault func()) {
	t.Helper()
	begun := make(chan struct{})
	var once sync.Once
	d.store.set(func() {
		d.store.append = func(ctx context.Context, g journal.Group) error {
			once.Do(func() { close(begun) })
			return d.store.Store.Append(ctx, g)
		}
	})
	over := make(chan struct{})
	go func() {
		defer close(over)
		<-begun
		fault()
	}()
	for {
		d.pay(t, n)
		select {
		case <-over:
			return
		default:
		}
	}
}

// whyNot waits until the signer is not ready, and returns what it says.
func (d *database) whyNot(t *testing.T) (said string) {
	t.Helper()
	d.Until("signing stops", func() bool {
		r := ready(t, d.Signer)
		said = ""
		for _, reason := range r.Reasons {
			said += reason.Code + ": " + reason.Detail + "\n"
		}
		return !r.Ready
	})
	return said
}

// stopsSaying waits until the signer is not ready and says all this. At first it may say something else: on a busy machine
// an append can be out of its patience before the database has refused it.
func (d *database) stopsSaying(t *testing.T, parts ...string) {
	t.Helper()
	d.Until("signing stops, and it says "+strings.Join(parts, " and "), func() bool {
		said := d.whyNot(t)
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(said, part) })
	})
}

// check asks once more for everything, ends the signer and holds the journal to what came out of it: each text has one
// authorisation, within the limits, and the token signed nothing that the journal does not hold.
func (d *database) check(t *testing.T, dsn string) {
	t.Helper()
	d.waitReady(t)
	for _, e := range d.sent {
		d.Until("a text that was paid is answered again", func() bool { return d.ask(t, e) })
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	s, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d.checkStore(t, s, signertest.Small)
	if held := d.checkSigned(t, s); held != len(d.out) {
		t.Errorf("%d authorisations, %d transactions left", held, len(d.out))
	}
}

// checkSigned holds what the token signed until now to what the journal holds, and returns how many authorisations that
// are.
func (d *database) checkSigned(t *testing.T, s journal.Store) int {
	t.Helper()
	d.token.mu.Lock()
	signed := maps.Clone(d.token.signed)
	d.token.mu.Unlock()
	held := d.authorised(t, s)
	for message := range signed {
		if !held[message] {
			t.Errorf("the token signed what the journal does not hold: %x", message)
		}
	}
	return len(held)
}

// authorised returns the bytes that the journal lets the token sign.
func (d *database) authorised(t *testing.T, s journal.Store) map[string]bool {
	t.Helper()
	held := map[string]bool{}
	d.eachAuthorised(t, s, func(b *ledger.Outcome) error {
		network, err := nem.ParseNetwork(b.Transaction.Network)
		if err != nil {
			return err
		}
		unsigned, err := hex.DecodeString(b.Transaction.Unsigned)
		if err != nil {
			return err
		}
		message, err := nem.SigningBytes(network, unsigned)
		held[string(message)] = true
		return err
	})
	return held
}

// TestDatabaseFaults breaks PostgreSQL and the way to it under a running signer, under load, in the middle of an append:
// the signer stops, and goes on by itself. KURA_CAMPAIGN sets how often each fault comes, KURA_SEED their order.
func TestDatabaseFaults(t *testing.T) {
	rounds, seed := 1, uint64(1)
	if text := os.Getenv("KURA_CAMPAIGN"); text != "" {
		rounds = number(t, text)
	}
	if text := os.Getenv("KURA_SEED"); text != "" {
		seed = uint64(number(t, text))
	}
	random := rand.New(rand.NewPCG(seed, 2)) // the same order for the same seed
	cluster := pgtest.Start(t)
	db := cluster.Migrated(t)
	proxy := pgtest.NewProxy(t, db.Service)
	d := newDatabase(t, proxy.DSN, time.Second)
	restart := func() {
		if err := cluster.Restart(); err != nil {
			t.Error(err)
		}
	}
	faults := map[string]func(){
		"killed":            func() { cluster.Kill(); restart() },
		"restarted":         func() { cluster.End(); restart() },
		"cut":               proxy.Cut,
		"cut for a while":   func() { proxy.Down(); d.whyNot(t); proxy.Up() },
		"stalled":           func() { proxy.StallAll(pgtest.Both); d.whyNot(t); proxy.Up() },
		"half-open":         func() { proxy.Stall(pgtest.Both) },
		"requests get lost": func() { proxy.Stall(pgtest.ToServer) },
		"answers get lost":  func() { proxy.Stall(pgtest.ToClient) },
		"sessions are ended": func() {
			pgtest.Exec(t, db.Owner, "select pg_terminate_backend(pid) from pg_stat_activity where usename = '"+db.Role+"'")
		},
		"commits fail": func() {
			// What PostgreSQL answers where two transactions cannot be put into an order, at the commit.
			pgtest.Exec(t, db.Owner, `create function unserialisable() returns trigger language plpgsql as
				$$ begin raise exception 'could not serialize access (test)' using errcode = 'serialization_failure'; end $$`,
				"create constraint trigger unserialisable after insert on heads deferrable initially deferred for each row execute function unserialisable()")
			d.stopsSaying(t, "journal_unavailable", "SQLSTATE 40001")
			pgtest.Exec(t, db.Owner, "drop trigger unserialisable on heads", "drop function unserialisable()")
		},
	}
	var order []string
	for range rounds {
		for name := range faults {
			order = append(order, name)
		}
	}
	shuffle(random, order)
	for _, name := range order {
		began := time.Now()
		d.during(t, 6, faults[name])
		proxy.Up() // what lay in the network arrives late
		t.Logf("%s: over after %s", name, time.Since(began).Round(time.Millisecond))
	}
	d.check(t, db.Service)
}

// shuffle sorts first, for maps have no order to repeat.
func shuffle(random *rand.Rand, names []string) {
	slices.Sort(names)
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
}

// problemOf is an error that a caller can tell from others, nil for another.
func problemOf(err error) *rpc.Problem {
	p, _ := errors.AsType[*rpc.Problem](err)
	return p
}
