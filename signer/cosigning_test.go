package signer

import (
	"testing"

	"kura/journal"
	"kura/journal/cosign"
)

// TestAQuorumOnAnotherHistoryReleasesNothing: whoever replays witnesses' lines about a fork, however large, brings
// the signer no cosigned head: only a head that it asked about counts while it leads.
func TestAQuorumOnAnotherHistoryReleasesNothing(t *testing.T) {
	keys := []cosign.Key{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	head := func(size uint64, what string) signedHead {
		return signedHead{journal.Head{Size: size, Root: journal.LeafHash([]byte(what))}, journal.Checkpoint(what + "\n\n— log x\n")}
	}
	c := newCosigning(Witnesses{Keys: keys, Quorum: 2}, func() int64 { return 1 })
	c.begin(head(100, "own"))
	for _, k := range keys[:2] {
		if c.record(k, head(200, "fork"), "— "+k.Name+" y\n", 1) {
			t.Fatal("a quorum on a fork is taken for one on the own head")
		}
	}
	c.grow(head(101, "own 101"))
	if c.reached.Size != 0 {
		t.Fatalf("a head of size %d counts as cosigned, and nobody has cosigned the own one", c.reached.Size)
	}
	// What was reached on another history before this signer took the lead is dropped with the lead.
	c.reached = head(300, "fork")
	c.begin(head(101, "own 101"))
	if c.reached.Size != 0 {
		t.Fatalf("a head of size %d of before is kept", c.reached.Size)
	}
}
