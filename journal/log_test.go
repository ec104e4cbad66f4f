package journal_test

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
	"kura/journal/storetest"
)

// testConfig is a journal in a new embedded file with a file anchor.
func testConfig(t testing.TB) journal.Config {
	t.Helper()
	dir := t.TempDir()
	store, err := embedded.Open(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return journal.Config{
		Genesis: storetest.Genesis(), Store: store, Sign: storetest.Sign,
		Anchors: []journal.Anchor{anchorfile.New(filepath.Join(dir, "anchor"))},
	}
}

func TestLogGrowsAndProves(t *testing.T) {
	c := testConfig(t)
	ctx := t.Context()
	if _, err := journal.Open(ctx, c); !errors.Is(err, journal.ErrEmpty) {
		t.Fatalf("open an empty store: %v", err)
	}
	log, err := journal.Create(ctx, c, storetest.Entries(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	heads := []journal.Checkpoint{log.Checkpoint()}
	for size := uint64(2); size < 600; size = log.Head().Size {
		g, err := log.Append(ctx, storetest.Entries(size, size+1+size%23))
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, g.Checkpoint)
	}
	reopened, err := journal.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if reopened.Head() != log.Head() {
		t.Fatalf("reopened at %v, was at %v", reopened.Head(), log.Head())
	}
	for _, l := range []*journal.Log{log, reopened} {
		for index := range l.Head().Size {
			r, err := l.Receipt(ctx, index)
			if err != nil {
				t.Fatal(err)
			}
			e, err := r.Verify(c.Genesis)
			if err != nil {
				t.Fatal(err)
			}
			if string(e.Body) != string(storetest.NewEntry(index, "").Body) {
				t.Fatalf("entry %d has body %s", index, e.Body)
			}
		}
		for _, old := range heads {
			if err := l.CheckExtends(ctx, "old head", old); err != nil {
				t.Fatal(err)
			}
			oldHead, err := journal.OpenCheckpoint(c.Genesis, old)
			if err != nil {
				t.Fatal(err)
			}
			proof, err := l.ProveConsistency(ctx, oldHead.Size, l.Head().Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := journal.VerifyConsistency(oldHead, l.Head(), proof); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// anchoredConfig is a testConfig with one anchor.
func anchoredConfig(t testing.TB) (journal.Config, *memoryAnchor) {
	c, anchor := testConfig(t), &memoryAnchor{}
	c.Anchors = []journal.Anchor{anchor}
	return c, anchor
}

func createLog(t testing.TB, c journal.Config, size uint64) *journal.Log {
	t.Helper()
	log, err := journal.Create(t.Context(), c, storetest.Entries(0, size))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestCreate(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	foreign := c
	foreign.Genesis.Hash[0] ^= 1
	if _, err := journal.Create(ctx, foreign, storetest.Entries(0, 1)); err == nil {
		t.Error("created with an entry 0 that is not the genesis")
	}
	if _, err := journal.Create(ctx, c, nil); err == nil {
		t.Error("created without entries")
	}
	if _, err := journal.Create(ctx, c, storetest.Entries(1, 2)); err == nil {
		t.Error("created from entry 1 on")
	}
	if head := must(c.Store.Head(ctx)); head != nil {
		t.Fatalf("a refused creation wrote %q", head)
	}
	createLog(t, c, 2)
	createLog(t, c, 2) // finishes what was begun, and finds it done
	if _, err := journal.Create(ctx, c, storetest.Entries(0, 3)); err == nil {
		t.Error("created over another beginning")
	}
	c.Anchors = []journal.Anchor{&memoryAnchor{}}
	if _, err := journal.Open(ctx, c); !errors.Is(err, journal.ErrAnchorEmpty) {
		t.Errorf("open with an anchor that was lost: %v", err)
	}
}

func TestAppendRefuses(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	log := createLog(t, c, 2)
	for name, entries := range map[string][]journal.Entry{
		"no entries":       nil,
		"a gap":            storetest.Entries(3, 4),
		"a number again":   storetest.Entries(1, 2),
		"a gap in between": {storetest.NewEntry(2, ""), storetest.NewEntry(4, "")},
		"a malformed one":  {storetest.NewEntry(2, ""), {Seq: 3, Kind: "a/1", Body: []byte("[]")}},
	} {
		if _, err := log.Append(ctx, entries); err == nil {
			t.Errorf("%s was appended", name)
		}
	}
	if log.Head().Size != 2 {
		t.Errorf("size %d after refusals", log.Head().Size)
	}
	c.Sign = nil
	reader := must(journal.Open(ctx, c))
	if _, err := reader.Append(ctx, storetest.Entries(2, 3)); !errors.Is(err, journal.ErrReadOnly) {
		t.Errorf("append to a journal opened for reading: %v", err)
	}
}

// memoryAnchor is an anchor for tests; its saves fail while broken says why.
type memoryAnchor struct {
	held   journal.Checkpoint
	broken error
}

func (a *memoryAnchor) Name() string                                     { return "memory anchor" }
func (a *memoryAnchor) Load(context.Context) (journal.Checkpoint, error) { return a.held, nil }
func (a *memoryAnchor) Save(_ context.Context, c journal.Checkpoint) error {
	if a.broken == nil {
		a.held = c
	}
	return a.broken
}

// TestAnchorFails: the group whose anchor did not move is in the journal and said to be; nothing follows it
// until the anchor has moved.
func TestAnchorFails(t *testing.T) {
	ctx := t.Context()
	c, anchor := anchoredConfig(t)
	log := createLog(t, c, 2)
	anchor.broken = errors.New("disk full")
	g, err := log.Append(ctx, storetest.Entries(2, 4))
	if !errors.Is(err, journal.ErrAnchorNotMoved) || !errors.Is(err, anchor.broken) || g.Head.Size != 4 || log.Head().Size != 2 {
		t.Errorf("append: %v, group to %v, head %v", err, g.Head, log.Head())
	}
	for range 2 {
		if _, err := log.Append(ctx, storetest.Entries(4, 5)); !errors.Is(err, journal.ErrAnchorNotMoved) {
			t.Errorf("append after it: %v", err)
		}
		if err := log.MoveAnchors(ctx); !errors.Is(err, journal.ErrAnchorNotMoved) {
			t.Errorf("move the anchors: %v", err)
		}
	}
	if c := must(c.Store.Head(ctx)); !journal.CheckpointSays(c, g.Head) {
		t.Errorf("the store went on to %q", c)
	}
	anchor.broken = nil
	if err := log.MoveAnchors(ctx); err != nil || !journal.CheckpointSays(anchor.held, g.Head) {
		t.Errorf("move the anchors: %v, they hold %q", err, anchor.held)
	}
	if _, err := log.Append(ctx, storetest.Entries(4, 5)); err != nil {
		t.Error(err)
	}
}

func TestEveryAppendChecksTheAnchors(t *testing.T) {
	ctx := t.Context()
	c, anchor := anchoredConfig(t)
	log := createLog(t, c, 2)
	old := anchor.held
	if _, err := log.Append(ctx, storetest.Entries(2, 4)); err != nil {
		t.Fatal(err)
	}
	other := storetest.NewWriter()
	other.Salt = "another history"
	ahead := storetest.NewWriter()
	ahead.Next(9)
	for name, test := range map[string]struct {
		held journal.Checkpoint
		want journal.RollbackError
	}{
		"ahead":           {ahead.Checkpoint, journal.RollbackError{Anchor: "memory anchor", Anchored: ahead.Head, Journal: log.Head()}},
		"another history": {other.Next(2).Checkpoint, journal.RollbackError{Anchor: "memory anchor", Anchored: other.Head, Journal: log.Head(), At: must(journal.OpenCheckpoint(c.Genesis, old)).Root}},
	} {
		anchor.held = test.held
		_, err := log.Append(ctx, storetest.Entries(4, 5))
		var rollback *journal.RollbackError
		if !errors.As(err, &rollback) || *rollback != test.want {
			t.Errorf("%s: %v, want %v", name, err, &test.want)
		}
		for _, part := range []string{"size 4", test.want.Anchored.Root.String(), log.Head().Root.String()} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
	}
	for _, held := range []journal.Checkpoint{nil, journal.Checkpoint("rubbish")} {
		anchor.held = held
		if _, err := log.Append(ctx, storetest.Entries(4, 5)); err == nil {
			t.Errorf("appended although the anchor held %q", held)
		}
	}
	if log.Head().Size != 4 {
		t.Fatalf("size %d after refusals", log.Head().Size)
	}
	anchor.held = old // an anchor that lags (a token's) is extended by the journal
	if _, err := log.Append(ctx, storetest.Entries(4, 5)); err != nil {
		t.Error(err)
	}
	if !journal.CheckpointSays(anchor.held, log.Head()) {
		t.Errorf("the anchor holds %q", anchor.held)
	}
}

// TestForked lets another hand move the store: this log stops for good and says what it saw.
func TestForked(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	c.Anchors = nil
	log := createLog(t, c, 2)
	intruder := must(journal.Open(ctx, c))
	if _, err := intruder.Append(ctx, []journal.Entry{storetest.NewEntry(2, "another signer's")}); err != nil {
		t.Fatal(err)
	}
	_, err := log.Append(ctx, storetest.Entries(2, 4))
	if !errors.Is(err, journal.ErrForked) || !strings.Contains(err.Error(), intruder.Head().Root.String()) {
		t.Errorf("append after another signer's: %v", err)
	}
	for range 2 {
		if _, err := log.Append(ctx, storetest.Entries(2, 3)); !errors.Is(err, journal.ErrForked) {
			t.Errorf("append after a fork: %v", err)
		}
	}
	if r, err := log.Receipt(ctx, 1); err != nil {
		t.Errorf("reading goes on: %v, %v", r, err)
	}
}

// lateStore reports an append lost and lets it land later, as a network does.
type lateStore struct {
	journal.Store
	late []journal.Group
	hold bool
}

func (s *lateStore) Append(ctx context.Context, g journal.Group) error {
	if s.hold {
		s.hold = false
		s.late = append(s.late, g)
		return errors.New("connection lost")
	}
	for _, g := range s.late {
		if err := s.Store.Append(ctx, g); err != nil {
			return err
		}
	}
	s.late = nil
	return s.Store.Append(ctx, g)
}

// TestUnclearAppend: while nobody knows, nothing is appended; the settled answer is the store's.
func TestUnclearAppend(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := testConfig(t)
	store := &deafStore{Store: c.Store}
	c.Store = store
	log := createLog(t, c, 1)
	store.deaf = true
	if _, err := log.Append(ctx, storetest.Entries(1, 3)); !errors.Is(err, journal.ErrUnclear) {
		t.Errorf("append: %v", err)
	}
	cancel()
	for range 2 {
		if _, err := log.Append(t.Context(), storetest.Entries(1, 3)); !errors.Is(err, journal.ErrUnclear) {
			t.Errorf("append before it is settled: %v", err)
		}
		if err := log.Follow(t.Context(), nil); !errors.Is(err, journal.ErrUnclear) {
			t.Errorf("follow: %v", err)
		}
	}
	store.deaf = false
	if log.Head().Size != 1 {
		t.Errorf("readers see size %d of a journal that is unclear", log.Head().Size)
	}
	if g, err := log.Append(t.Context(), storetest.Entries(1, 3)); err != nil || g.Head.Size != 3 || log.Head() != g.Head {
		t.Errorf("append again: %v, size %d", err, log.Head().Size)
	}
	if _, err := log.Append(t.Context(), storetest.Entries(1, 3)); err == nil || log.Head().Size != 3 {
		t.Errorf("what is in the journal was appended again, size %d", log.Head().Size)
	}
}

// deafStore does what it is told while it is deaf, and cannot say so.
type deafStore struct {
	journal.Store
	deaf bool
}

func (s *deafStore) Append(ctx context.Context, g journal.Group) error {
	err := s.Store.Append(ctx, g)
	if s.deaf {
		err = errors.Join(err, errors.New("no answer"))
	}
	return err
}

func (s *deafStore) Head(ctx context.Context) (journal.Checkpoint, error) {
	if s.deaf {
		return nil, errors.New("no answer")
	}
	return s.Store.Head(ctx)
}

// TestLateAppend: an append lands after its head was read back as not done. Appending the same entries
// again finds it done; other entries stop the log.
func TestLateAppend(t *testing.T) {
	for _, same := range []bool{true, false} {
		ctx := t.Context()
		c := testConfig(t)
		store := &lateStore{Store: c.Store}
		c.Store = store
		log := createLog(t, c, 1)
		store.hold = true
		if _, err := log.Append(ctx, storetest.Entries(1, 3)); !errors.Is(err, journal.ErrNotDone) {
			t.Fatalf("a lost append: %v", err)
		}
		again := storetest.Entries(1, 3)
		if !same {
			again[0] = storetest.NewEntry(1, "decided anew")
		}
		_, err := log.Append(ctx, again)
		if same && (err != nil || log.Head().Size != 3) {
			t.Errorf("the same again: %v, size %d", err, log.Head().Size)
		}
		if !same && !errors.Is(err, journal.ErrForked) {
			t.Errorf("others: %v", err)
		}
	}
}

// TestReadersDuringAppends runs under the race detector: every proof that is given out holds.
func TestReadersDuringAppends(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	log := createLog(t, c, 200)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for reader := range 3 {
		readers.Go(func() {
			for i := uint64(reader); ; i++ {
				select {
				case <-done:
					return
				default:
				}
				old := log.Head()
				r, err := log.Receipt(ctx, i*31%old.Size)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := r.Verify(c.Genesis); err != nil {
					t.Error(err)
					return
				}
				newer := log.Head()
				proof, err := log.ProveConsistency(ctx, old.Size, newer.Size)
				if err != nil || journal.VerifyConsistency(old, newer, proof) != nil {
					t.Errorf("from %d to %d: %v", old.Size, newer.Size, err)
					return
				}
			}
		})
	}
	for range 100 {
		size := log.Head().Size
		if _, err := log.Append(ctx, storetest.Entries(size, size+size%11+1)); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

// TestForeignGenesis opens a journal under the same key and name whose entry 0 is another one.
func TestForeignGenesis(t *testing.T) {
	c := testConfig(t)
	createLog(t, c, 3)
	c.Genesis.Hash[5] ^= 1
	_, err := journal.Open(t.Context(), c)
	if tamper, ok := errors.AsType[*journal.TamperError](err); !ok || tamper.Code != journal.TamperGenesis {
		t.Errorf("open: %v", err)
	}
}

// hidingStore hides the newest rows of the chain of heads, while it still names the newest head.
type hidingStore struct{ journal.Store }

func (s hidingStore) Heads(ctx context.Context, after uint64) iter.Seq2[journal.StoredHead, error] {
	return func(yield func(journal.StoredHead, error) bool) {
		for head, err := range s.Store.Heads(ctx, after) {
			if head.Prev.Size > 0 || !yield(head, err) {
				return
			}
		}
	}
}

func TestChainOfHeadsMustArrive(t *testing.T) {
	c := testConfig(t)
	log := createLog(t, c, 3)
	if _, err := log.Append(t.Context(), storetest.Entries(3, 5)); err != nil {
		t.Fatal(err)
	}
	c.Store = hidingStore{c.Store}
	_, err := journal.Open(t.Context(), c)
	if tamper, ok := errors.AsType[*journal.TamperError](err); !ok || tamper.Code != journal.TamperChain || tamper.First != 3 {
		t.Errorf("open: %v", err)
	}
}

// TestTokenFails: a head that cannot be signed, or is signed wrongly, writes nothing, and the next one goes
// through.
func TestTokenFails(t *testing.T) {
	c := testConfig(t)
	var failure error
	spoil := byte(0)
	c.Sign = func(key [32]byte, text []byte) ([64]byte, error) {
		signature, err := storetest.Sign(key, text)
		signature[0] ^= spoil
		return signature, errors.Join(err, failure)
	}
	log := createLog(t, c, 2)
	before := log.Head()
	failure = errors.New("token gone")
	if _, err := log.Append(t.Context(), storetest.Entries(2, 3)); !errors.Is(err, failure) {
		t.Errorf("append without a token: %v", err)
	}
	failure, spoil = nil, 1
	if _, err := log.Append(t.Context(), storetest.Entries(2, 3)); !errors.Is(err, journal.ErrWrongSignature) {
		t.Errorf("append with a bad signature: %v", err)
	}
	if must(journal.Open(t.Context(), c)).Head() != before || log.Head() != before {
		t.Errorf("the head moved from %v to %v", before, log.Head())
	}
	spoil = 0
	if _, err := log.Append(t.Context(), storetest.Entries(2, 3)); err != nil {
		t.Error(err)
	}
}
