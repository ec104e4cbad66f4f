package witness_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"testing"

	"kura/journal"
	"kura/journal/cosign"
)

// withForeign adds signature lines that nobody made, as whoever reaches a witness can: a checkpoint is public.
func withForeign(c journal.Checkpoint, lines, size int) journal.Checkpoint {
	c = bytes.Clone(c)
	for i := range lines {
		c = fmt.Appendf(c, "— foreign%d.example %s\n", i, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(i)}, size)))
	}
	return c
}

// TestForeignSignaturesAreNotKept: a head comes with as many lines of others as a note may have, or as long ones. With
// the witness's own line it would be a note that nobody opens, and the witness could not read its state ever again.
func TestForeignSignaturesAreNotKept(t *testing.T) {
	for name, c := range map[string]struct{ lines, size int }{"many": {99, 68}, "long": {1, 12_080}} {
		t.Run(name, func(t *testing.T) {
			l, dir := newLog(t), t.TempDir()
			w := openWitness(t, l, dir)
			l.grow(5, "a")
			sent := withForeign(l.sign(t, l.tree.Head()), c.lines, c.size)
			if _, err := w.AddCheckpoint(context.Background(), 0, nil, sent); err != nil {
				t.Fatalf("the head is the log's, whatever stands beside its signature: %v", err)
			}
			w = reopen(t, w, l, dir)
			if h, err := journal.OpenCheckpoint(l.genesis, w.Newest()); err != nil || h != l.tree.Head() {
				t.Errorf("what it shows does not open: %v", err)
			}
			if got, err := cosign.Verify(w.Newest(), []cosign.Key{w.Key()}); err != nil || len(got) != 1 {
				t.Errorf("what it shows lacks its own line: %v", err)
			}
		})
	}
}
