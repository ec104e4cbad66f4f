package signer_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kura/journal"
	"kura/journal/embedded"
	"kura/ledger"
	"kura/nem"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// A readStore notes the lowest entry that was read since the last look, and changes what a test tells it to.
type readStore struct {
	journal.Store
	mu     sync.Mutex
	lowest uint64
	change func(*journal.StoredEntry)
}

func (s *readStore) Entries(ctx context.Context, from, to uint64) iter.Seq2[journal.StoredEntry, error] {
	s.mu.Lock()
	s.lowest = min(s.lowest, from)
	change := s.change
	s.mu.Unlock()
	return func(yield func(journal.StoredEntry, error) bool) {
		for e, err := range s.Store.Entries(ctx, from, to) {
			if change != nil {
				change(&e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// read returns the lowest entry that was read since the last look of Open's.
func (s *readStore) read() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lowest
}

// snapshotTest is a deployment that writes a snapshot whenever the journal has grown by ten entries.
type snapshotTest struct {
	*signertest.Deployment
	store     *readStore
	opened    uint64 // lowest entry that opening read
	snapshots string
	change    func(*journal.StoredEntry) // of what the next run reads
}

func newSnapshotTest(t *testing.T) *snapshotTest {
	t.Helper()
	s := &snapshotTest{snapshots: t.TempDir()}
	s.Deployment = signertest.New(t, signertest.Options{
		WrapStore: func(inner journal.Store) journal.Store {
			s.store = &readStore{Store: inner, lowest: math.MaxUint64}
			return s.store
		},
		Open: func(c signer.Config) (*signer.Signer, error) {
			c.Snapshots = signer.Snapshots{Dir: s.snapshots, Every: 10}
			opened, err := signer.Open(t.Context(), c)
			s.store.mu.Lock()
			defer s.store.mu.Unlock()
			s.opened, s.store.lowest = s.store.lowest, math.MaxUint64
			s.store.change = s.change
			return opened, err
		},
	})
	return s
}

func (s *snapshotTest) pay() {
	s.TB.Helper()
	s.Submit(s.TB.Context(), s.Signer, "shop", s.Withdrawal(s.Wallets[signertest.XEM], nem.Amount(signertest.Small)))
}

func (s *snapshotTest) files() []string {
	s.TB.Helper()
	names, err := filepath.Glob(filepath.Join(s.snapshots, "snapshot-*"))
	if err != nil {
		s.TB.Fatal(err)
	}
	return names
}

// newest returns path and size of the newest snapshot.
func (s *snapshotTest) newest() (path string, size uint64) {
	s.TB.Helper()
	names := s.files()
	if len(names) == 0 {
		return "", 0
	}
	path = names[len(names)-1]
	if _, err := fmt.Sscanf(filepath.Base(path), "snapshot-%d", &size); err != nil {
		s.TB.Fatal(err)
	}
	return path, size
}

// grow pays until n newer snapshots were written.
func (s *snapshotTest) grow(n int) {
	s.TB.Helper()
	for range n {
		_, before := s.newest()
		s.Until("a newer snapshot is written", func() bool {
			s.pay()
			_, size := s.newest()
			return size > before
		})
	}
}

func (s *snapshotTest) ready() rpc.Ready {
	s.TB.Helper()
	r, err := s.Signer.Ready(s.TB.Context())
	if err != nil {
		s.TB.Fatal(err)
	}
	return r
}

func (s *snapshotTest) has(code string) bool {
	s.TB.Helper()
	for _, reason := range s.ready().Reasons {
		if reason.Code == code {
			return true
		}
	}
	return false
}

// stateOf folds the whole journal.
func (s *snapshotTest) stateOf() (*ledger.State, journal.Head, []journal.Entry) {
	s.TB.Helper()
	store, err := embedded.Open(s.StorePath())
	if err != nil {
		s.TB.Fatal(err)
	}
	defer func() { _ = store.Close() }() // it was only read
	state := ledger.NewState()
	var entries []journal.Entry
	head, _, err := journal.Verify(s.TB.Context(), store, journal.Verification{Genesis: s.Genesis, Visit: func(e journal.Entry, _ []byte) error {
		entries = append(entries, e)
		return state.Apply(e)
	}})
	if err != nil {
		s.TB.Fatal(err)
	}
	return state, head, entries
}

// TestStartFromSnapshot: a start reads what came after the newest snapshot; the rest is read behind it, and then
// nothing is in doubt any more.
func TestStartFromSnapshot(t *testing.T) {
	s := newSnapshotTest(t)
	if s.opened != 0 {
		t.Fatalf("the first start read from entry %d", s.opened)
	}
	s.grow(4)
	s.pay()
	for range 3 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(s.files()); n != 2 { // while it ran, a third could be about to go
			t.Errorf("%d snapshots are kept, want 2", n)
		}
		_, size := s.newest()
		s.Start()
		if s.opened != size {
			t.Errorf("the start read from entry %d on, the snapshot is of size %d", s.opened, size)
		}
		s.Until("the fold from zero has confirmed the snapshot", func() bool { return !s.has("snapshot_unchecked") })
		if lowest := s.store.read(); lowest != 0 {
			t.Errorf("it was confirmed by a fold from entry %d", lowest)
		}
		if r := s.ready(); !r.Ready {
			t.Errorf("%+v", r.Reasons)
		}
		s.grow(1)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	path, size := s.newest()
	state, _, entries := s.stateOf()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	restored, _, err := ledger.RestoreSnapshot(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries[size:] {
		if err := restored.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	if restored.Hash() != state.Hash() {
		t.Error("snapshot and tail are another state than the whole journal")
	}
}

// TestBadSnapshotIsPassedOver: whatever is wrong with a snapshot, the signer starts, from an older one or from entry 0.
func TestBadSnapshotIsPassedOver(t *testing.T) {
	s := newSnapshotTest(t)
	s.grow(3)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	names := s.files()
	var good [2][]byte
	for i, name := range names {
		var err error
		if good[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	state, head, entries := s.stateOf()
	snapshot := func(head journal.Head) []byte {
		t.Helper()
		var b bytes.Buffer
		if err := state.Snapshot(&b, head); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	whole := snapshot(head)
	// A snapshot of a journal that goes on differently: its head is no head of this one.
	fork := snapshot(journal.Head{Size: head.Size, Root: journal.Hash{1}})
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flipped := bytes.Clone(good[1])
	flipped[len(flipped)/2] ^= 1
	// And one that is ahead of it, as after a rollback.
	last := entries[len(entries)-1]
	refused := ledger.Refused{Code: "over_budget", Count: 1}
	body, err := ledger.EncodeBody(&refused)
	if err != nil {
		t.Fatal(err)
	}
	if err := state.Apply(journal.Entry{Seq: state.Next(), Clock: last.Clock, Time: last.Time, Kind: ledger.KindRefused, Body: body}); err != nil {
		t.Fatal(err)
	}
	ahead := snapshot(journal.Head{Size: state.Next(), Root: journal.Hash{2}})
	foreign := newSnapshotTest(t)
	foreign.grow(1)
	if err := foreign.Stop(); err != nil {
		t.Fatal(err)
	}
	foreignPath, _ := foreign.newest()
	foreignBytes, err := os.ReadFile(foreignPath)
	if err != nil {
		t.Fatal(err)
	}
	var sizes [2]uint64
	for i, name := range names {
		if _, err := fmt.Sscanf(filepath.Base(name), "snapshot-%d", &sizes[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		newest []byte
		second []byte // nil: the good one
		from   uint64
	}{
		{"newer than the journal", ahead, nil, sizes[0]}, // first, for every case writes to the journal
		{"a byte changed", flipped, nil, sizes[0]},
		{"cut", good[1][:len(good[1])-1], nil, sizes[0]},
		{"empty", nil, nil, sizes[0]},
		{"both damaged", flipped, good[0][:100], 0},
		{"another genesis", foreignBytes, foreignBytes, 0},
		{"an older engine", []byte(strings.Replace(string(good[1]), fmt.Sprintf(`"engine":%d`, ledger.Engine), `"engine":0`, 1)), nil, sizes[0]},
		{"of a fork", fork, nil, sizes[0]},
		{"nothing, and it is taken", whole, nil, head.Size},
	} {
		for _, name := range s.files() {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		second := c.second
		if second == nil {
			second = good[0]
		}
		write(names[0], second)
		write(names[1], c.newest)
		before, _, _ := s.stateOf()
		s.Start()
		if s.opened != c.from {
			t.Errorf("%s: the start read from entry %d on, want %d", c.name, s.opened, c.from)
		}
		s.Until(c.name+": all is confirmed", func() bool { return !s.has("snapshot_unchecked") && s.ready().Ready })
		s.pay()
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if after, _, _ := s.stateOf(); after.Next() <= before.Next() {
			t.Errorf("%s: nothing was written", c.name)
		}
	}
}

// TestInterruptedSnapshot: what a crash left between writing and naming is nothing, and is written over.
func TestInterruptedSnapshot(t *testing.T) {
	s := newSnapshotTest(t)
	s.grow(1)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	path, _ := s.newest()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	draft := filepath.Join(s.snapshots, "snapshot.new")
	for _, left := range [][]byte{whole, whole[:len(whole)/2], nil} {
		if err := os.WriteFile(draft, left, 0o600); err != nil {
			t.Fatal(err)
		}
		_, size := s.newest()
		s.Start()
		if s.opened != size {
			t.Errorf("read from entry %d on, the snapshot is of size %d", s.opened, size)
		}
		s.grow(1)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(draft); !os.IsNotExist(err) {
			t.Errorf("the draft is still there: %v", err)
		}
	}
}

// TestRolledBackJournalWithSnapshot: a journal from an old backup beside newer snapshots. The anchor decides: where it
// is newer than the journal, nothing starts; where somebody put it back as well, the newer snapshot is not believed.
func TestRolledBackJournalWithSnapshot(t *testing.T) {
	s := newSnapshotTest(t)
	s.pay()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	backup := map[string][]byte{}
	for _, path := range []string{s.StorePath(), filepath.Join(s.Dir, "anchor")} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		backup[path] = b
	}
	old, _, _ := s.stateOf()
	s.Start()
	s.grow(3)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	put := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, backup[path], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(s.StorePath())
	if err := s.TryStart(); err == nil || !strings.Contains(err.Error(), "anchor") {
		t.Fatalf("started on a journal that was rolled back: %v", err)
	}
	put(filepath.Join(s.Dir, "anchor"))
	if _, size := s.newest(); size <= old.Next() {
		t.Fatal("the snapshot is not newer than the journal")
	}
	s.Start()
	if s.opened != 0 {
		t.Errorf("read from entry %d on", s.opened)
	}
	s.Until("it signs", func() bool { return s.ready().Ready })
}

// TestWrongSnapshotStopsSigning: a snapshot that is whole and has the journal's own head, but was made of another
// history, is believed at first. The fold from zero finds it, stops everything, and has the next start begin elsewhere.
func TestWrongSnapshotStopsSigning(t *testing.T) {
	s := newSnapshotTest(t)
	s.grow(1)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	_, head, entries := s.stateOf()
	wrong := ledger.NewState()
	for _, e := range entries {
		if e.Kind == ledger.KindWallet {
			e.Body = bytes.Replace(e.Body, []byte(`"custody":"token"`), []byte(`"custody":"sealed"`), 1)
		}
		if err := wrong.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := wrong.Snapshot(&b, head); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.snapshots, fmt.Sprintf("snapshot-%020d", head.Size)), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.TryStart(); err != nil {
		t.Fatal(err)
	}
	if s.opened != head.Size {
		t.Fatalf("read from entry %d on, the snapshot is of size %d", s.opened, head.Size)
	}
	s.Until("signing stops", func() bool { return s.has("state_diverged") })
	if r := s.ready(); r.Ready {
		t.Error("it is ready all the same")
	}
	if names := s.files(); len(names) != 0 {
		t.Errorf("the next start would find %v", names)
	}
	if err := s.Stop(); err == nil || !strings.Contains(err.Error(), "state_diverged") {
		t.Errorf("it ended with %v", err)
	}
	s.Start()
	if s.opened != 0 {
		t.Errorf("the next start read from entry %d on", s.opened)
	}
	s.Until("it signs", func() bool { return s.ready().Ready })
}

// TestOldRowsAlteredBehindSnapshot: what the start did not read again, the fold from zero does.
func TestOldRowsAlteredBehindSnapshot(t *testing.T) {
	s := newSnapshotTest(t)
	s.grow(2)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s.change = func(e *journal.StoredEntry) {
		if e.Seq == 5 {
			e.Bytes = bytes.Replace(e.Bytes, []byte("a"), []byte("b"), 1)
		}
	}
	if err := s.TryStart(); err != nil {
		t.Fatal(err)
	}
	s.Until("signing stops", func() bool { return s.has("journal_altered") })
	if r := s.ready(); r.Ready {
		t.Error("it is ready all the same")
	}
}
