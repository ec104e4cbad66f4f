package cosign_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kura/journal"
	"kura/journal/cosign"
)

func newKey(t testing.TB, name string) (cosign.Key, ed25519.PrivateKey) {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	private := ed25519.NewKeyFromSeed(seed)
	return cosign.Key{Name: name, Public: [32]byte(private[ed25519.SeedSize:])}, private
}

// checkpointOf makes a signed head with a software log key: a test double of the
// token's.
func checkpointOf(t testing.TB, size uint64) journal.Checkpoint {
	t.Helper()
	_, private := newKey(t, "log key")
	sign := func(_ [32]byte, text []byte) (sig [64]byte, err error) {
		return [64]byte(ed25519.Sign(private, text)), nil
	}
	c, err := journal.SignCheckpoint("kura.test/log", journal.Head{Size: size, Root: journal.LeafHash([]byte("x"))}, sign, [32]byte(private[ed25519.SeedSize:]))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACosignatureVerifiesAndSaysWhen(t *testing.T) {
	key, private := newKey(t, "witness.example/w1")
	other, _ := newKey(t, "witness.example/w2")
	c := checkpointOf(t, 7)
	text, err := cosign.Text(c)
	if err != nil {
		t.Fatal(err)
	}
	line, err := cosign.Sign(key, private, text, 1_700_000_000)
	if err != nil {
		t.Fatal(err)
	}
	got, err := cosign.Verify(append(c, line...), []cosign.Key{other, key})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != (cosign.Cosignature{Witness: key, Seconds: 1_700_000_000}) {
		t.Fatalf("got %+v, want one cosignature of w1", got)
	}
}

func TestACosignatureOverAnotherHeadProvesNothing(t *testing.T) {
	key, private := newKey(t, "witness.example/w1")
	text, _ := cosign.Text(checkpointOf(t, 7))
	line, err := cosign.Sign(key, private, text, 1_700_000_000)
	if err != nil {
		t.Fatal(err)
	}
	got, err := cosign.Verify(append(checkpointOf(t, 8), line...), []cosign.Key{key})
	if err != nil || len(got) != 0 {
		t.Fatalf("got %+v, %v; want nothing", got, err)
	}
}

// Any bit flipped in key id, time or signature: the line proves nothing.
func TestNoBitOfACosignatureIsFree(t *testing.T) {
	key, private := newKey(t, "w")
	c := checkpointOf(t, 7)
	text, _ := cosign.Text(c)
	rapid.Check(t, func(t *rapid.T) {
		line, err := cosign.Sign(key, private, text, rapid.Uint64().Draw(t, "seconds"))
		if err != nil {
			t.Fatal(err)
		}
		b := []byte(line)
		at := rapid.IntRange(len("— w "), len(b)-2).Draw(t, "at")
		replacement := rapid.SampledFrom([]byte("ABCDwxyz0189+/")).Draw(t, "with")
		if b[at] == replacement {
			t.Skip()
		}
		b[at] = replacement
		got, err := cosign.Verify(append(c[:len(c):len(c)], b...), []cosign.Key{key})
		if err == nil && len(got) != 0 {
			t.Fatalf("byte %d of the line is not covered", at)
		}
	})
}

func TestKeyLine(t *testing.T) {
	key, _ := newKey(t, "witness.example/w1")
	again, err := cosign.ParseKey(key.String())
	if err != nil || again != key {
		t.Fatalf("ParseKey(String) = %+v, %v", again, err)
	}
	for _, bad := range []string{
		"", "w", "w+00000000", key.String() + " ", " " + key.String(),
		strings.Replace(key.String(), "w1", "w2", 1), // the id belongs to the name
		strings.ToUpper(key.String()),
	} {
		if _, err := cosign.ParseKey(bad); err == nil {
			t.Errorf("ParseKey(%q) is accepted", bad)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	key, _ := newKey(f, "witness.example/w1")
	f.Add(key.String())
	f.Add("a+b+c")
	f.Fuzz(func(t *testing.T, line string) {
		if k, err := cosign.ParseKey(line); err == nil && k.String() != line {
			t.Fatalf("%q reads as %q", line, k)
		}
	})
}

// need-1 lying clocks cannot move the vouched time past the latest honest one.
func TestFewLiarsCannotVouchForTheFuture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		need := rapid.IntRange(1, 5).Draw(t, "need")
		honest := rapid.SliceOfN(rapid.Uint64Range(0, 1000), 1, 6).Draw(t, "honest")
		latest := uint64(0)
		var all []cosign.Cosignature
		for _, s := range honest {
			latest = max(latest, s)
			all = append(all, cosign.Cosignature{Seconds: s})
		}
		for range rapid.IntRange(0, need-1).Draw(t, "liars") {
			all = append(all, cosign.Cosignature{Seconds: 1 << 40})
		}
		got, ok := cosign.Newest(all, need)
		if ok != (len(all) >= need) {
			t.Fatalf("ok = %v with %d of %d", ok, len(all), need)
		}
		if ok && got > latest {
			t.Fatalf("vouched for %d, the latest honest clock says %d", got, latest)
		}
	})
}
