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

// TestAWitnessWhoseClockIsSetBackAnswers: it was ahead once, and what it cosigns since then is dated earlier.
func TestAWitnessWhoseClockIsSetBackAnswers(t *testing.T) {
	key := cosign.Key{Name: "a"}
	head := func(size uint64) signedHead {
		return signedHead{journal.Head{Size: size}, journal.Checkpoint("x\n\n— log x\n")}
	}
	boot := int64(1)
	c := newCosigning(Witnesses{Keys: []cosign.Key{key}, Quorum: 1}, func() int64 { return boot })
	c.begin(head(100))
	c.record(key, head(100), "— a y\n", 2_000_000)
	boot += heardFor
	c.grow(head(101))
	c.record(key, head(100), "— a y\n", 1_000_000)
	if c.answering() != 0 {
		t.Error("an old line over the head that was found makes its witness answer")
	}
	c.record(key, head(101), "— a y\n", 1_000_000)
	if c.answering() != 1 || c.list()[0].Time != "1970-01-12T13:46:40.000Z" {
		t.Errorf("it has cosigned a head that is new, and this is known of it: %+v", c.list())
	}
	boot += heardFor
	c.record(key, head(101), "— a y\n", 1_000_000)
	if c.answering() != 0 {
		t.Error("the same line again makes its witness answer")
	}
	if c.record(key, head(100), "— a y\n", 2_000_000); c.answering() != 0 {
		t.Error("the line of when it was ahead makes its witness answer")
	}
}
