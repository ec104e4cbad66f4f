package journal_test

import (
	"errors"
	"strings"
	"testing"

	"kura/journal"
	"kura/journal/storetest"
)

// TestFollow keeps a standby warm behind a leader that appends.
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

// TestReceiptFromAnotherStore: rows that were exchanged under an open journal give errors and no receipts.
func TestReceiptFromAnotherStore(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	createLog(t, c, 9)
	swap := &swapStore{Store: c.Store}
	c.Store = swap
	log := must(journal.Open(ctx, c)) // so that nothing is in memory
	other := storetest.NewWriter()
	other.Salt = "exchanged"
	replaced := testConfig(t).Store
	if err := replaced.Append(ctx, other.Next(9)); err != nil {
		t.Fatal(err)
	}
	swap.Store = replaced
	for index := range uint64(9) {
		r, err := log.Receipt(ctx, index)
		if tamper, ok := errors.AsType[*journal.TamperError](err); !ok || tamper.First != index {
			t.Errorf("receipt of entry %d: %v, %v", index, r, err)
		}
	}
	swap.Store = testConfig(t).Store
	if r, err := log.Receipt(ctx, 3); err == nil {
		t.Errorf("receipt from an empty store: %v", r)
	}
}
