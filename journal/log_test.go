package journal_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
)

// logKey is a fixed Ed25519 key: tests must repeat.
func logKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
}

func signWith(key ed25519.PrivateKey) journal.Sign {
	return func(text []byte) ([64]byte, error) { return [64]byte(ed25519.Sign(key, text)), nil }
}

func testEntry(seq uint64) journal.Entry {
	return journal.Entry{Seq: seq, Clock: 1767323045678 + int64(seq), Time: 1767323045678, Kind: "test/1", Body: fmt.Appendf(nil, `{"n":%d}`, seq)}
}

func testEntries(from, to uint64) (entries []journal.Entry) {
	for seq := from; seq < to; seq++ {
		entries = append(entries, testEntry(seq))
	}
	return entries
}

func testGenesis(t testing.TB) journal.Genesis {
	t.Helper()
	b, err := testEntry(0).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return journal.Genesis{Origin: "kura.test/journal", Hash: journal.LeafHash(b), LogKey: [32]byte(logKey(1).Public().(ed25519.PublicKey))}
}

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
		Genesis: testGenesis(t), Store: store, Sign: signWith(logKey(1)),
		Anchors: []journal.Anchor{anchorfile.New(filepath.Join(dir, "anchor"))},
	}
}

func TestLogGrowsAndProves(t *testing.T) {
	c := testConfig(t)
	ctx := t.Context()
	if _, err := journal.Open(ctx, c); !errors.Is(err, journal.ErrEmpty) {
		t.Fatalf("open an empty store: %v", err)
	}
	log, err := journal.Create(ctx, c, testEntries(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	heads := []journal.Checkpoint{log.Checkpoint()}
	for size := uint64(2); size < 600; size = log.Head().Size {
		g, err := log.Append(ctx, testEntries(size, size+1+size%23))
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
			if string(e.Body) != string(testEntry(index).Body) {
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
