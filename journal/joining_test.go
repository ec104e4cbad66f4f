package journal_test

import (
	"errors"
	"testing"

	"kura/journal"
	"kura/journal/storetest"
)

// TestJoining has a second signer's log follow the first one's, and take over with an anchor that is still empty.
func TestJoining(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	leader := createLog(t, c, 3)
	own := &memoryAnchor{}
	c.Anchors = []journal.Anchor{own}
	if _, err := journal.Open(ctx, c); !errors.Is(err, journal.ErrAnchorEmpty) {
		t.Errorf("an empty anchor of the only signer: %v", err)
	}
	c.Joining = true
	log := must(journal.Open(ctx, c))
	if _, err := leader.Append(ctx, storetest.Entries(3, 5)); err != nil {
		t.Fatal(err)
	}
	if err := log.Follow(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if own.held != nil {
		t.Error("following moved the anchor")
	}
	if written, _ := log.Written(); written != leader.Head() || log.Head().Size != 0 {
		t.Errorf("it has followed to size %d, readers see %d", written.Size, log.Head().Size)
	}
	if err := log.MoveAnchors(ctx); err != nil || log.Head() != leader.Head() || !journal.CheckpointSays(own.held, leader.Head()) {
		t.Errorf("the anchor holds %q: %v", own.held, err)
	}
	own.held = nil
	if _, err := log.Append(ctx, storetest.Entries(5, 6)); !errors.Is(err, journal.ErrAnchorEmpty) {
		t.Errorf("an anchor that was emptied after it was filled: %v", err)
	}
}

// TestReceiptUnder proves entries under an older head, whose bytes it keeps, and under none that is not the journal's.
func TestReceiptUnder(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	log := createLog(t, c, 3)
	old := log.Checkpoint()
	if _, err := log.Append(ctx, storetest.Entries(3, 9)); err != nil {
		t.Fatal(err)
	}
	r := must(log.ReceiptUnder(ctx, 2, old))
	if _, err := r.Verify(c.Genesis); err != nil || string(r.Checkpoint) != string(old) {
		t.Errorf("under %q: %v", r.Checkpoint, err)
	}
	if _, err := log.ReceiptUnder(ctx, 3, old); err == nil {
		t.Error("an entry past the checkpoint was proven")
	}
	if _, err := log.ReceiptUnder(ctx, 0, nil); !errors.Is(err, journal.ErrCheckpoint) {
		t.Errorf("under no checkpoint: %v", err)
	}
	newest := log.Checkpoint()
	shorter := must(journal.Open(ctx, reopened(c)))
	if _, err := log.Append(ctx, storetest.Entries(9, 10)); err != nil {
		t.Fatal(err)
	}
	if _, err := shorter.ReceiptUnder(ctx, 0, log.Checkpoint()); err == nil {
		t.Error("an entry was proven under a head that this log has not read")
	}
	if _, err := shorter.ReceiptUnder(ctx, 0, newest); err != nil {
		t.Error(err)
	}
}

// reopened is the configuration of a second, reading log.
func reopened(c journal.Config) journal.Config {
	c.Sign, c.Anchors = nil, nil
	return c
}

// TestOpenBesideLeader opens a journal while another signer goes on writing it and moves an anchor that both have, as
// the signers of one token do: that is no rollback.
func TestOpenBesideLeader(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	leader := createLog(t, c, 3)
	beside := c
	beside.Store = &busyStore{Store: c.Store, happens: func() {
		size := leader.Head().Size
		if _, err := leader.Append(ctx, storetest.Entries(size, size+2)); err != nil {
			t.Fatal(err)
		}
	}}
	log, err := journal.Open(ctx, beside)
	if err != nil {
		t.Fatal(err)
	}
	if size := log.Head().Size; size != 3 || leader.Head().Size <= size {
		t.Errorf("opened at size %d, the leader is at %d", size, leader.Head().Size)
	}
}
