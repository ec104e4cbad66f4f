package signer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// worldToken is a FakeToken with the log key of ledgertest's worlds.
type worldToken struct{ *signertest.FakeToken }

func worldLogKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("kura test key log"))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (worldToken) SignHead(_ context.Context, _ [32]byte, text []byte) ([64]byte, error) {
	return [64]byte(ed25519.Sign(worldLogKey(), text)), nil
}

// worldClock is a clock for a journal that lives by a simulated one.
type worldClock struct{ *signertest.Clock }

func (worldClock) Kind() string { return ledger.ClockSimulated }

// TestStartOfManyEntries measures starts on an embedded journal of KURA_START_ENTRIES entries: payments that are signed
// at once, one every KURA_START_PACE milliseconds (by default as many as make it a week's). Each start has a process of
// its own, so that its memory is its own, too.
func TestStartOfManyEntries(t *testing.T) {
	if dir := os.Getenv("KURA_START_DIR"); dir != "" {
		measureStart(t, dir)
		return
	}
	n, _ := strconv.Atoi(os.Getenv("KURA_START_ENTRIES"))
	if n == 0 {
		n = 2000
	}
	pace, _ := strconv.Atoi(os.Getenv("KURA_START_PACE"))
	if pace == 0 {
		pace = int(7*ledgertest.Day) / (n / 4)
	}
	dir := t.TempDir()
	buildJournal(t, dir, n, int64(pace))
	for _, name := range []string{"from entry 0", "from a snapshot"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestStartOfManyEntries$", "-test.v")
		cmd.Env = append(os.Environ(), "KURA_START_DIR="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, line := range strings.Split(string(out), "\n") {
			if _, measured, ok := strings.Cut(line, "measured: "); ok {
				t.Logf("%d entries, %s: %s", n, name, measured)
			}
		}
	}
}

// buildJournal writes an embedded journal, in groups of a hundred entries and more.
func buildJournal(t *testing.T, dir string, n int, pace int64) {
	t.Helper()
	ctx := t.Context()
	w := ledgertest.NewWith(t, func(doc *policy.Document) {
		for i := range doc.Limits {
			doc.Limits[i].Max = 1 << 60
		}
		doc.Clients[0].Budget.Entries = 10_000_000
	})
	store, err := embedded.Open(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	sign := func(key [32]byte, text []byte) ([64]byte, error) { return worldToken{}.SignHead(ctx, key, text) }
	log, err := journal.Create(ctx, journal.Config{
		Genesis: w.Genesis, Store: store, Sign: sign, Anchors: []journal.Anchor{anchorfile.New(filepath.Join(dir, "anchor"))},
	}, w.Entries)
	if err != nil {
		t.Fatal(err)
	}
	w.Entries, w.Lines = nil, nil
	key, err := statement.ParseKey(w.PublicKey("shop"))
	if err != nil {
		t.Fatal(err)
	}
	armor := w.Envelope("shop", w.Withdrawal(w.Wallets[0], 1)).Signature // nobody looks at it
	for i := 0; int(log.Head().Size) < n; i++ {
		b := w.Withdrawal(w.Wallets[i%2], nem.Amount(1+i%7))
		text, err := statement.Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		res := w.Must(ledger.StatementInput{Signed: statement.Signed{
			Envelope: statement.Envelope{Statement: text, Signature: armor}, Hash: statement.HashText(text), Key: key, Body: b,
		}})
		w.Must(ledger.SignatureInput{About: res.About, Signature: nem.Signature{1}})
		w.Advance(pace)
		if len(w.Entries) >= 1000 || int(log.Head().Size)+len(w.Entries) >= n {
			if _, err := log.Append(ctx, w.Entries); err != nil {
				t.Fatal(err)
			}
			w.Entries, w.Lines = nil, nil
		}
	}
}

// measureStart opens the journal, runs the signer until nothing is unconfirmed and a snapshot lies there, and says what
// that took.
func measureStart(t *testing.T, dir string) {
	store, err := embedded.Open(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }() // the process ends
	var first []byte
	for row, err := range store.Entries(t.Context(), 0, 1) {
		if err != nil {
			t.Fatal(err)
		}
		first = row.Bytes
	}
	clock := signertest.NewClock()
	genesis := journal.Genesis{Origin: "kura.test/main", Hash: journal.LeafHash(first), LogKey: [32]byte(worldLogKey().Public().(ed25519.PublicKey))}
	began := time.Now()
	s, err := signer.Open(t.Context(), signer.Config{
		Genesis: genesis, Store: store, Anchors: []journal.Anchor{anchorfile.New(filepath.Join(dir, "anchor"))},
		Token: worldToken{signertest.NewFakeToken()}, Clock: worldClock{clock}, Version: "test",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Snapshots: signer.Snapshots{Dir: dir},
	})
	if err != nil {
		t.Fatal(err)
	}
	opened, processor, taken := time.Since(began), processorTime(t), goMemory()
	runtime.GC()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for done := false; !done; { // a fold of many entries may take longer than anything else that is waited for
		done = signertest.Await(20*time.Millisecond, func() bool { return confirmedAndSaved(t, s, dir) })
	}
	confirmed := time.Since(began)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	t.Logf("measured: open %v (processor %v, heap %d MB, taken from the system %d MB), confirmed after %v (%d MB)",
		opened.Round(time.Millisecond), processor.Round(time.Millisecond), heap.HeapAlloc>>20, taken, confirmed.Round(time.Millisecond), goMemory())
}

// processorTime is what the process has used of all processors: on a machine that others use too, it says more than the
// time that passed.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func confirmedAndSaved(t *testing.T, s *signer.Signer, dir string) bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "snapshot-*"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(names) > 0 && !slices.ContainsFunc(r.Reasons, func(r rpc.Reason) bool { return r.Code == "snapshot_unchecked" })
}

// goMemory returns how much memory the program has ever taken from the system, in MB: the store's file, which is mapped,
// does not count.
func goMemory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys >> 20
}

// TestStartBehindABrokenAnchor: what the last run wrote and did not anchor is told to nobody by the next one before the
// anchor holds it.
func TestStartBehindABrokenAnchor(t *testing.T) {
	stuck := new(atomic.Bool)
	d := signertest.New(t, signertest.Options{WrapAnchor: func(a journal.Anchor) journal.Anchor { return stuckAnchor{a, stuck} }})
	before := ready(t, d.Signer).Size
	stuck.Store(true)
	t.Cleanup(func() { stuck.Store(false) })
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := d.Signer.Submit(ctx, d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)).Encode(), 0)
		answered <- err
	}()
	d.Until("the anchor is known to be stuck", func() bool { return hasReason(ready(t, d.Signer), "anchor_unavailable") })
	cancel()
	if err := <-answered; err == nil {
		t.Error("it was answered")
	}
	_ = d.Stop()
	if size := headSize(t, d.StorePath(), d.Genesis); size <= before {
		t.Fatalf("the journal has %d entries, it had %d: nothing was written past the anchor", size, before)
	}
	if err := d.TryStart(); err != nil {
		t.Fatal(err)
	}
	d.Until("the next run meets the stuck anchor", func() bool { return hasReason(ready(t, d.Signer), "anchor_unavailable") })
	if r := ready(t, d.Signer); r.Ready || r.Size != before {
		t.Errorf("it says %+v, the anchor holds size %d", r, before)
	}
	if c, err := d.Signer.Checkpoint(t.Context()); err == nil {
		t.Errorf("it shows %q", c.Checkpoint)
	}
	stuck.Store(false)
	d.Until("it goes on", func() bool { return ready(t, d.Signer).Ready })
	if _, err := d.Signer.Checkpoint(t.Context()); err != nil || ready(t, d.Signer).Size <= before {
		t.Errorf("it is at %+v: %v", ready(t, d.Signer), err)
	}
}

// stuckAnchor is a test double of an anchor whose disk takes nothing while it is stuck.
type stuckAnchor struct {
	journal.Anchor
	stuck *atomic.Bool
}

func (a stuckAnchor) Save(ctx context.Context, c journal.Checkpoint) error {
	if a.stuck.Load() {
		return errors.New("disk full (test)")
	}
	return a.Anchor.Save(ctx, c)
}
