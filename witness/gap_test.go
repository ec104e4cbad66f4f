package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kura/journal"
	"kura/journal/cosign"
	"kura/ledger/ledgertest"
	"kura/witness"
)

// gapCase is a world that lost its tail and went on, and a witness that has cosigned something of it.
type gapCase struct {
	w             *ledgertest.World
	kept          journal.Checkpoint
	before, after journal.Checkpoint // of the lost tail: the second is the newest
	newer         journal.Checkpoint // signed behind it, and not named
	gap           uint64
	clock         int64 // the witness's, unix milliseconds
	dir           string
}

func newGapCase(t *testing.T) *gapCase {
	t.Helper()
	w := ledgertest.New(t)
	c := &gapCase{w: w, dir: t.TempDir()}
	size := len(w.Entries)
	w.Restart()
	w.Restart()
	c.before = w.Checkpoint()
	w.Restart()
	c.after = w.Checkpoint()
	w.Restart()
	c.newer = w.Checkpoint()
	c.clock = w.Clock
	w.Advance(ledgertest.Minute)
	l := w.Lose(size)
	c.kept, l.Lost, c.gap = l.Kept, c.after, uint64(size)
	l.Approve()
	if err := l.Judge(); err != nil {
		t.Fatal(err)
	}
	return c
}

// open returns the witness, which has cosigned a head.
func (c *gapCase) open(t *testing.T, cosigned journal.Checkpoint) *witness.Witness {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	key := cosign.Key{Name: "w.example", Public: [32]byte(private[ed25519.SeedSize:])}
	w, err := witness.Open(c.w.Genesis, key, private, filepath.Join(c.dir, "state.json"), func() time.Time { return time.UnixMilli(c.clock) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	if cosigned != nil {
		if _, err := w.AddCheckpoint(context.Background(), 0, nil, cosigned); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestAWitnessGoesOnFromAGap that its operator accepts, once, and cosigns what follows and nothing of what was lost.
func TestAWitnessGoesOnFromAGap(t *testing.T) {
	for name, cosigned := range map[string]func(*gapCase) journal.Checkpoint{
		"the head that was lost": func(c *gapCase) journal.Checkpoint { return c.after },
		"one between":            func(c *gapCase) journal.Checkpoint { return c.before },
	} {
		t.Run(name, func(t *testing.T) {
			c := newGapCase(t)
			had := cosigned(c)
			w := c.open(t, had)
			next := c.w.Checkpoint()
			if _, err := w.AddCheckpoint(context.Background(), c.w.Head().Size, nil, next); err == nil {
				t.Fatal("it cosigned the new history without being told")
			}
			offer, err := w.ReadGap(c.w.Receipt(c.gap))
			if err != nil {
				t.Fatal(err)
			}
			if offer.Named != (name == "the head that was lost") || offer.Kept.Size != c.gap || len(offer.Approvals) != 2 {
				t.Errorf("it offers %+v", offer)
			}
			if !journal.CheckpointSays(w.Newest(), offer.Last) {
				t.Error("reading a gap changed the state")
			}
			if err := w.AcceptGap(offer); err != nil {
				t.Fatal(err)
			}
			if got, err := cosign.Verify(w.Newest(), []cosign.Key{w.Key()}); err != nil || len(got) != 1 || !journal.CheckpointSays(w.Newest(), c.w.Head()) {
				t.Errorf("it goes on from %q: %v", w.Newest(), err)
			}
			_ = w.Close()
			w = c.open(t, nil)
			if _, err := w.AddCheckpoint(context.Background(), c.w.Head().Size, nil, next); err != nil {
				t.Errorf("the journal's head, after a restart: %v", err)
			}
			if _, err := w.ReadGap(c.w.Receipt(c.gap)); !errors.Is(err, witness.ErrGap) || !strings.Contains(err.Error(), "accepted before") {
				t.Errorf("the same gap again: %v", err)
			}
			conflict := new(witness.Conflict)
			if _, err := w.AddCheckpoint(context.Background(), 0, nil, had); !errors.As(err, &conflict) {
				t.Errorf("the lost history again: %v", err)
			}
		})
	}
}

// TestAWitnessRefusesAGap that would let go of more than was lost.
func TestAWitnessRefusesAGap(t *testing.T) {
	for name, c := range map[string]struct {
		cosigned func(*gapCase) journal.Checkpoint
		receipt  func(*gapCase) journal.Receipt
		says     string
	}{
		"a newer head": {func(c *gapCase) journal.Checkpoint { return c.newer }, nil, "does not name"},
		"the kept one": {func(c *gapCase) journal.Checkpoint { return c.kept }, nil, "not among what was lost"},
		"nothing":      {func(*gapCase) journal.Checkpoint { return nil }, nil, "nothing was cosigned"},
		"a head that followed the gap": {func(c *gapCase) journal.Checkpoint {
			c.clock = c.w.Clock + ledgertest.Minute
			return c.w.Checkpoint()
		}, nil, "after the gap"},
		"another entry": {func(c *gapCase) journal.Checkpoint { return c.after }, func(c *gapCase) journal.Receipt { return c.w.Receipt(c.gap - 1) }, "is of kind"},
		"a receipt of another journal": {func(c *gapCase) journal.Checkpoint { return c.after }, func(c *gapCase) journal.Receipt {
			r := c.w.Receipt(c.gap)
			r.Entry = bytes.Replace(r.Entry, []byte(`"between"`), []byte(`"betwee"`), 1)
			return r
		}, "not under the checkpoint"},
		// Who has the log key puts the directors' own gap behind entries of their own: as many, and others.
		"the gap behind another history": {func(c *gapCase) journal.Checkpoint { return c.after }, func(c *gapCase) journal.Receipt {
			c.w.Lines[c.gap-1] = bytes.Replace(c.w.Lines[c.gap-1], []byte(`"clock":"2026`), []byte(`"clock":"2025`), 1)
			return c.w.ForgedReceipt(c.gap)
		}, "this is another history"},
	} {
		t.Run(name, func(t *testing.T) {
			x := newGapCase(t)
			w := x.open(t, c.cosigned(x))
			before := string(w.Newest())
			receipt := x.w.Receipt(x.gap)
			if c.receipt != nil {
				receipt = c.receipt(x)
			}
			if _, err := w.ReadGap(receipt); !errors.Is(err, witness.ErrGap) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("offered: %v", err)
			}
			if string(w.Newest()) != before {
				t.Error("the refusal changed the state")
			}
		})
	}
}

// TestTheSameOldCopyTwice has the journal put back to the head of its first gap once more, before which this witness went
// on from that: the second gap stands at the same entry, and is another one.
func TestTheSameOldCopyTwice(t *testing.T) {
	c := newGapCase(t)
	w := c.open(t, c.after)
	accept := func() {
		t.Helper()
		offer, err := w.ReadGap(c.w.Receipt(c.gap))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AcceptGap(offer); err != nil {
			t.Fatal(err)
		}
	}
	accept()
	c.w.Restart()
	c.w.Lose(int(c.gap)).Continue()
	accept()
	_ = w.Close()
	w = c.open(t, nil)
	if _, err := w.AddCheckpoint(context.Background(), c.w.Head().Size, nil, c.w.Checkpoint()); err != nil {
		t.Errorf("the journal's head, after a restart: %v", err)
	}
	if _, err := w.ReadGap(c.w.Receipt(c.gap)); err == nil || !strings.Contains(err.Error(), "accepted before") {
		t.Errorf("the second gap again: %v", err)
	}
}
