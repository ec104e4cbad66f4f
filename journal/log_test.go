package journal_test

import (
	"context"
	"errors"
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

// memoryAnchor is an anchor for tests.
type memoryAnchor struct{ held journal.Checkpoint }

func (a *memoryAnchor) Name() string                                     { return "memory anchor" }
func (a *memoryAnchor) Load(context.Context) (journal.Checkpoint, error) { return a.held, nil }
func (a *memoryAnchor) Save(_ context.Context, c journal.Checkpoint) error {
	a.held = c
	return nil
}

func TestEveryAppendChecksTheAnchors(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	anchor := &memoryAnchor{}
	c.Anchors = append(c.Anchors, anchor)
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
		if _, err := log.Settle(ctx); !errors.Is(err, journal.ErrForked) {
			t.Errorf("settle after a fork: %v", err)
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

func TestFollow(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	leader := createLog(t, c, 3)
	reading := c
	reading.Sign, reading.Anchors = nil, nil
	var seen []uint64
	visit := func(e journal.Entry, leaf []byte) error {
		seen = append(seen, e.Seq)
		return nil
	}
	reading.Visit = visit
	standby := must(journal.Open(ctx, reading))
	for size := uint64(3); size < 400; size = leader.Head().Size {
		if _, err := leader.Append(ctx, storetest.Entries(size, size+1+size%7)); err != nil {
			t.Fatal(err)
		}
		if size%3 == 0 {
			continue
		}
		if err := standby.Follow(ctx, visit); err != nil {
			t.Fatal(err)
		}
		if standby.Head() != leader.Head() {
			t.Fatalf("standby at %v, leader at %v", standby.Head(), leader.Head())
		}
		if _, err := must(standby.Receipt(ctx, size/2)).Verify(c.Genesis); err != nil {
			t.Fatal(err)
		}
	}
	if err := standby.Follow(ctx, visit); err != nil {
		t.Fatal(err)
	}
	for i, seq := range seen {
		if seq != uint64(i) {
			t.Fatalf("visited %v", seen)
		}
	}
	if uint64(len(seen)) != leader.Head().Size {
		t.Errorf("visited %d of %d", len(seen), leader.Head().Size)
	}

	// The standby is shown another, shorter journal: it keeps what it has verified.
	before := standby.Head()
	replaced := testConfig(t)
	createLog(t, replaced, 5)
	shown := reading
	swap := &swapStore{Store: c.Store}
	shown.Store, shown.Visit = swap, nil
	standby = must(journal.Open(ctx, shown))
	swap.Store = replaced.Store
	var tamper *journal.TamperError
	if err := standby.Follow(ctx, nil); !errors.As(err, &tamper) || tamper.Code != journal.TamperMissing {
		t.Errorf("follow a rolled-back store: %v", err)
	}
	if standby.Head() != before {
		t.Errorf("the standby went from %v to %v", before, standby.Head())
	}
}

// swapStore is a store that can be replaced under a log's feet.
type swapStore struct{ journal.Store }

// TestOpenFromTrustedHead reads only the tail, and refuses a trusted head that the store does not have.
func TestOpenFromTrustedHead(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	log := createLog(t, c, 5)
	trusted := log.Head()
	for _, n := range []uint64{3, 1, 9} {
		if _, err := log.Append(ctx, storetest.Entries(log.Head().Size, log.Head().Size+n)); err != nil {
			t.Fatal(err)
		}
	}
	first := uint64(1000)
	c.Visit = func(e journal.Entry, leaf []byte) error {
		first = min(first, e.Seq)
		return nil
	}
	c.Trusted = trusted
	if got := must(journal.Open(ctx, c)); got.Head() != log.Head() || first != 5 {
		t.Errorf("opened at %v, read from entry %d on", got.Head(), first)
	}
	c.Trusted = log.Head()
	if got := must(journal.Open(ctx, c)); got.Head() != log.Head() {
		t.Errorf("opened at %v with nothing to read", got.Head())
	}
	foreign, longer := trusted, journal.Head{Size: 99, Root: trusted.Root}
	foreign.Root[0] ^= 1
	for _, c.Trusted = range []journal.Head{foreign, longer} {
		var tamper *journal.TamperError
		if _, err := journal.Open(ctx, c); !errors.As(err, &tamper) {
			t.Errorf("trusted %v: %v", c.Trusted, err)
		}
	}
	c.Trusted = journal.Head{}
	stop := errors.New("an unknown kind")
	c.Visit = func(e journal.Entry, leaf []byte) error {
		if e.Seq == 6 {
			return stop
		}
		return nil
	}
	if _, err := journal.Open(ctx, c); !errors.Is(err, stop) || !strings.Contains(err.Error(), "entry 6") {
		t.Errorf("a visit that failed: %v", err)
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
