package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/postgres"
	"kura/journal/postgres/pgtest"
	"kura/journal/storetest"
)

// short is the patience of an append in these tests, where the signer's own is half a minute: long enough for a
// commit, and over soon where nothing comes.
const short = 400 * time.Millisecond

// insist appends n entries as the signer does, which does not give up while it may succeed. Each attempt has its
// patience, which grows: a machine may be busy with other things.
func insist(t *testing.T, log *journal.Log, n uint64, patience time.Duration) {
	t.Helper()
	from := log.Head().Size
	err := journal.ErrNotDone
	for tries := 0; errors.Is(err, journal.ErrUnclear) || errors.Is(err, journal.ErrNotDone); tries++ {
		if tries == 30 {
			t.Fatalf("after %d tries: %v", tries, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(tries)*patience/4)
		_, err = log.Append(ctx, storetest.Entries(from, from+n))
		cancel()
	}
	if size := log.Head().Size; err != nil || size != from+n {
		t.Fatalf("%d entries became %d: %v", n, size-from, err)
	}
}

// replicated is a journal on a primary with a streaming replica.
type replicated struct {
	primary, standby *pgtest.Cluster
	db               pgtest.Database
	store            *postgres.Store // on whichever is the primary
	config           journal.Config
	log              *journal.Log
}

// newReplicated begins a journal. attrs says which of the two a session may be on.
func newReplicated(t *testing.T, attrs string) *replicated {
	t.Helper()
	r := &replicated{primary: pgtest.Start(t)}
	r.db = r.primary.Migrated(t)
	r.standby = r.primary.Standby(t)
	r.store = openStore(t, pgtest.Either(t, r.db.Service, attrs, r.primary, r.standby))
	t.Cleanup(func() { _ = r.store.Close() })
	r.config = journal.Config{
		Genesis: storetest.Genesis(), Store: r.store, Sign: storetest.Sign,
		Anchors: []journal.Anchor{anchorfile.New(filepath.Join(t.TempDir(), "anchor"))},
	}
	var err error
	if r.log, err = journal.Create(t.Context(), r.config, storetest.Entries(0, 1)); err != nil {
		t.Fatal(err)
	}
	return r
}

// appendUnheard appends n entries, with patience until the primary waits for the standby.
func (r *replicated) appendUnheard(t *testing.T, n uint64) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	size := r.log.Head().Size
	result := make(chan error, 1)
	go func() {
		_, err := r.log.Append(ctx, storetest.Entries(size, size+n))
		result <- err
	}()
	conn, err := pgx.Connect(t.Context(), r.db.Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for waits := false; !waits && len(result) == 0; {
		err := conn.QueryRow(t.Context(), "select exists (select from pg_stat_activity where wait_event = 'SyncRep' and usename = $1)", r.db.Role).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	return <-result
}

// appendAlone appends n entries while the standby is away, until the primary shows what it alone has, and some times
// more: they are not acknowledged.
func (r *replicated) appendAlone(t *testing.T, n uint64) {
	t.Helper()
	before := r.log.Head()
	primary := openStore(t, r.db.Service)
	defer primary.Close()
	for more := 2; more > 0; {
		if err := r.appendUnheard(t, n); !errors.Is(err, journal.ErrUnclear) {
			t.Fatalf("appended without the standby: %v", err)
		}
		c, err := primary.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !journal.CheckpointSays(c, before) {
			more--
		}
	}
	if r.log.Head() != before {
		t.Fatal("the head moved")
	}
}

// must appends groups as the signer does.
func (r *replicated) must(t *testing.T, sizes ...uint64) {
	t.Helper()
	for _, n := range sizes {
		insist(t, r.log, n, time.Minute)
	}
}

func (r *replicated) verify(t *testing.T) {
	t.Helper()
	head, _, err := journal.Verify(t.Context(), r.store, journal.Verification{Genesis: r.config.Genesis, EverySignature: true})
	if err != nil || head != r.log.Head() {
		t.Fatalf("the store is at %v (%v), the log at %v", head, err, r.log.Head())
	}
}

// TestSynchronousReplica: with a synchronous standby nothing is acknowledged that it does not have. Sessions may go to
// the standby here, as where an operator forgot target_session_attrs: what it says before it is promoted settles nothing.
func TestSynchronousReplica(t *testing.T) {
	r := newReplicated(t, "any")
	r.primary.Synchronous(t)
	r.must(t, 3, 2)
	t.Run("Cancelled", r.testWaitCancelled)
	t.Run("Stops", r.testStandbyStops)
	t.Run("Failover", r.testFailover)
}

// testStandbyStops freezes the standby under an append: PostgreSQL has committed it on the primary and shows it as soon
// as the wait for the standby is cut short, which the end of the append's patience does. It is not acknowledged before
// the standby has it, however often the head is read back.
func (r *replicated) testStandbyStops(t *testing.T) {
	r.standby.Pause()
	defer r.standby.Resume()
	r.appendAlone(t, 4)
	r.standby.Resume()
	r.must(t, 4, 1)
	r.verify(t)
}

// testFailover has the primary die while it alone holds a group: nothing that was acknowledged is missing on the
// standby that is promoted, and the group is appended there once more.
func (r *replicated) testFailover(t *testing.T) {
	kept := r.log.Head()
	r.standby.Kill()
	r.appendAlone(t, 4)
	r.primary.Kill()
	if err := r.standby.Restart(); err != nil {
		t.Fatal(err)
	}
	_, err := r.log.Append(t.Context(), storetest.Entries(kept.Size, kept.Size+4))
	if !errors.Is(err, journal.ErrUnclear) || !strings.Contains(err.Error(), "recovery") {
		t.Fatalf("settled by a standby that is not promoted: %v", err)
	}
	r.standby.Promote(t)
	promoted := openStore(t, pgtest.Either(t, r.db.Service, "read-write", r.standby))
	defer promoted.Close()
	if c, err := promoted.Head(t.Context()); err != nil || !journal.CheckpointSays(c, kept) {
		t.Error("the standby has what it was not sent, and the test has lost its point")
	}
	r.must(t, 4, 1)
	r.verify(t)
}

// testWaitCancelled has an administrator cut the wait for the standby short, in a journal of its own: PostgreSQL
// reports a commit, with a warning, and the append is unclear all the same.
func (r *replicated) testWaitCancelled(t *testing.T) {
	db := r.primary.Migrated(t)
	s := openStore(t, db.Service)
	defer s.Close()
	w := storetest.NewWriter()
	w.Grow(t, s, 2)
	r.standby.Pause()
	defer r.standby.Resume()
	waiting := "from pg_stat_activity where wait_event = 'SyncRep' and usename = '" + db.Role + "'"
	result := make(chan error, 1)
	go func() { result <- s.Append(context.WithoutCancel(t.Context()), w.Next(3)) }()
	pgtest.Until(t, db.Owner, "select exists (select "+waiting+")")
	pgtest.Exec(t, db.Owner, "select pg_cancel_backend(pid) "+waiting)
	if err := <-result; err == nil || errors.Is(err, journal.ErrHeadMoved) || !strings.Contains(err.Error(), "synchronous replication") {
		t.Fatalf("a commit without the standby: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	if _, err := s.Head(ctx); err == nil {
		t.Error("read back without the standby")
	}
	r.standby.Resume()
	if c, err := s.Head(t.Context()); err != nil || !journal.CheckpointSays(c, w.Head) {
		t.Errorf("with the standby back: %q, %v", c, err)
	}
}

// TestAsynchronousFailover promotes a standby that missed the last groups: the log refuses to go on and names both
// heads, and so does whoever opens the journal anew. Nothing is written.
func TestAsynchronousFailover(t *testing.T) {
	r := newReplicated(t, "read-write")
	r.must(t, 3, 2)
	r.primary.CaughtUp(t)
	kept := r.log.Head()
	r.standby.Kill()
	r.must(t, 4, 1)
	lost := r.log.Head()
	r.primary.Kill()
	if err := r.standby.Restart(); err != nil {
		t.Fatal(err)
	}
	r.standby.Promote(t)

	err := journal.ErrUnclear
	for range 5 { // the session of the dead primary has to be found dead first
		if !errors.Is(err, journal.ErrNotDone) && !errors.Is(err, journal.ErrUnclear) {
			break
		}
		_, err = r.log.Append(t.Context(), storetest.Entries(lost.Size, lost.Size+1))
	}
	rollback, ok := errors.AsType[*journal.RollbackError](err)
	if !ok || rollback.Journal != kept || rollback.Anchored != lost || !errors.Is(err, journal.ErrForked) || !names(err, kept, lost) {
		t.Errorf("the log that lost its end says: %v", err)
	}
	_, err = journal.Open(t.Context(), r.config)
	rollback, ok = errors.AsType[*journal.RollbackError](err)
	if !ok || rollback.Journal != kept || rollback.Anchored != lost || !names(err, kept, lost) {
		t.Errorf("opened anew: %v", err)
	}
	if c, err := r.store.Head(t.Context()); err != nil || !journal.CheckpointSays(c, kept) {
		t.Errorf("the standby's head is %q, %v", c, err)
	}
}

// names reports whether an error says sizes and roots of both heads.
func names(err error, heads ...journal.Head) bool {
	for _, h := range heads {
		if !strings.Contains(err.Error(), fmt.Sprintf("size %d root %s", h.Size, h.Root)) {
			return false
		}
	}
	return true
}
