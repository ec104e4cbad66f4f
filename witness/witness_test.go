package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kura/journal"
	"kura/journal/cosign"
	"kura/witness"
)

const origin = "kura.test/witnessed"

// testLog signs heads with a software key: a test double of signer and token.
type testLog struct {
	genesis journal.Genesis
	private ed25519.PrivateKey
	tree    *journal.Tree
}

func newLog(t testing.TB) *testLog {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{
		genesis: journal.Genesis{Origin: origin, Hash: journal.LeafHash([]byte("genesis")), LogKey: [32]byte(private[ed25519.SeedSize:])},
		private: private, tree: tree,
	}
}

func (l *testLog) grow(n int, salt string) {
	for range n {
		l.tree.Append(journal.LeafHash(fmt.Appendf(nil, "%s %d", salt, l.tree.Head().Size)))
	}
}

func (l *testLog) sign(t testing.TB, h journal.Head) journal.Checkpoint {
	t.Helper()
	c, err := journal.SignCheckpoint(origin, h, func(_ [32]byte, text []byte) ([64]byte, error) {
		return [64]byte(ed25519.Sign(l.private, text)), nil
	}, [32]byte(l.private[ed25519.SeedSize:]))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (l *testLog) proof(t testing.TB, old uint64) []journal.Hash {
	t.Helper()
	p, err := l.tree.ProveConsistency(old, l.tree.Head().Size)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func openWitness(t testing.TB, l *testLog, dir string) *witness.Witness {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	key := cosign.Key{Name: "w.example", Public: [32]byte(private[ed25519.SeedSize:])}
	w, err := witness.Open(l.genesis, key, private, filepath.Join(dir, "state.json"), func() time.Time { return time.Unix(1_800_000_000, 0) })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// reopen is a restart.
func reopen(t testing.TB, w *witness.Witness, l *testLog, dir string) *witness.Witness {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return openWitness(t, l, dir)
}

func TestTwoWitnessesNeverShareAState(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	w := openWitness(t, l, dir)
	if _, err := witness.Open(l.genesis, w.Key(), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize)), filepath.Join(dir, "state.json"), time.Now); err == nil {
		t.Fatal("two witnesses opened one state: each could cosign its own history")
	}
}

func TestAWitnessFollowsOneHistory(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	w := openWitness(t, l, dir)
	last := uint64(0)
	for _, n := range []int{1, 1, 3, 64, 7} {
		l.grow(n, "a")
		c := l.sign(t, l.tree.Head())
		line, err := w.AddCheckpoint(context.Background(), last, l.proof(t, last), c)
		if err != nil {
			t.Fatalf("size %d: %v", l.tree.Head().Size, err)
		}
		got, err := cosign.Verify(append(c, line...), []cosign.Key{w.Key()})
		if err != nil || len(got) != 1 || got[0].Seconds != 1_800_000_000 {
			t.Fatalf("the cosignature does not verify: %+v, %v", got, err)
		}
		last = l.tree.Head().Size
		w = reopen(t, w, l, dir) // it remembers over a restart
	}
}

// Whatever is sent to it, restarts included, all heads that a witness cosigned
// lie on one history.
func TestNoTwoCosignedHeadsDisagree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "witness")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		forks := []*testLog{newLog(t), newLog(t)}
		w := openWitness(t, forks[0], dir)
		common := rapid.IntRange(0, 5).Draw(rt, "common")
		for i, l := range forks {
			l.grow(common, "same")
			l.grow(rapid.IntRange(1, 5).Draw(rt, "own"), fmt.Sprint(i))
		}
		var cosigned []journal.Head
		for range rapid.IntRange(1, 8).Draw(rt, "requests") {
			l := forks[rapid.IntRange(0, 1).Draw(rt, "fork")]
			l.grow(rapid.IntRange(0, 2).Draw(rt, "grow"), fmt.Sprintf("%p", l))
			h := l.tree.Head()
			old := rapid.Uint64Range(0, h.Size).Draw(rt, "old")
			if _, err := w.AddCheckpoint(context.Background(), old, l.proof(t, old), l.sign(t, h)); err == nil {
				cosigned = append(cosigned, h)
			}
			if rapid.Bool().Draw(rt, "restart") {
				w = reopen(t, w, forks[0], dir)
			}
		}
		for _, h := range cosigned {
			if h.Size > uint64(common) && onFork(forks[0], h) != onFork(forks[0], cosigned[len(cosigned)-1]) && cosigned[len(cosigned)-1].Size > uint64(common) {
				rt.Fatalf("cosigned heads of both forks: %+v", cosigned)
			}
		}
	})
}

// onFork says whether the head lies on the log's history.
func onFork(l *testLog, h journal.Head) bool {
	if h.Size > l.tree.Head().Size {
		return false
	}
	again, err := journal.NewTree(h.Size, l.tree)
	return err == nil && again.Head() == h
}

func TestRefusals(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	w := openWitness(t, l, dir)
	l.grow(5, "a")
	five := l.sign(t, l.tree.Head())
	if _, err := w.AddCheckpoint(context.Background(), 0, nil, five); err != nil {
		t.Fatal(err)
	}
	l.grow(3, "a")
	eight := l.sign(t, l.tree.Head())
	good := l.proof(t, 5)

	other := newLog(t)
	other.grow(9, "b")

	stranger := newLog(t)
	stranger.private = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	stranger.genesis.LogKey = [32]byte(stranger.private[ed25519.SeedSize:])

	conflict := new(witness.Conflict)
	for _, c := range []struct {
		name  string
		old   uint64
		proof []journal.Hash
		head  journal.Checkpoint
		want  any
	}{
		{"from the beginning again", 0, nil, eight, &conflict},
		{"a rollback", 5, nil, l.sign(t, journal.Head{Size: 4, Root: journal.LeafHash(nil)}), witness.ErrOldSize},
		{"a rollback that says so", 4, nil, l.sign(t, journal.Head{Size: 4, Root: journal.LeafHash(nil)}), &conflict},
		{"the same size, another root", 5, nil, l.sign(t, journal.Head{Size: 5, Root: journal.LeafHash(nil)}), &conflict},
		{"a fork", 5, other.proof(t, 5), other.sign(t, other.tree.Head()), witness.ErrProof},
		{"no proof", 5, nil, eight, witness.ErrProof},
		{"a proof too long", 5, append(good[:len(good):len(good)], journal.Hash{}), eight, witness.ErrProof},
		{"another log key", 5, good, stranger.sign(t, l.tree.Head()), witness.ErrSignature},
		{"no checkpoint", 5, good, journal.Checkpoint("hello"), witness.ErrSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.AddCheckpoint(context.Background(), c.old, c.proof, c.head)
			if target, ok := c.want.(error); ok && !errors.Is(err, target) || !ok && !errors.As(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, err := w.AddCheckpoint(context.Background(), 5, good, eight); err != nil {
		t.Fatalf("after all the refusals the honest head is refused, too: %v", err)
	}
}

func TestAStoppedWitnessCosignsNothing(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	w := openWitness(t, l, dir)
	if err := w.Stop("told so"); err != nil {
		t.Fatal(err)
	}
	w = reopen(t, w, l, dir)
	l.grow(1, "a")
	c := l.sign(t, l.tree.Head())
	if _, err := w.AddCheckpoint(context.Background(), 0, nil, c); !errors.Is(err, witness.ErrStopped) {
		t.Fatalf("got %v", err)
	}
	if err := w.Resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddCheckpoint(context.Background(), 0, nil, c); err != nil {
		t.Fatal(err)
	}
}

func TestStateThatCannotBeKept(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	w := openWitness(t, l, dir)
	l.grow(1, "a")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	line, err := w.AddCheckpoint(context.Background(), 0, nil, l.sign(t, l.tree.Head()))
	if err == nil || line != "" {
		t.Fatalf("cosigned what it could not keep: %q, %v", line, err)
	}
	if w.Newest() != nil {
		t.Fatal("it says that it cosigned")
	}
}

// TestAStateThatIsGone is not begun anew: from the empty journal on the witness would cosign another history. A crash
// before the first state was written leaves nothing that is in the way.
func TestAStateThatIsGone(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state.json.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := openWitness(t, l, dir)
	l.grow(5, "a")
	if _, err := w.AddCheckpoint(context.Background(), 0, nil, l.sign(t, l.tree.Head())); err != nil {
		t.Fatal(err)
	}
	key := w.Key()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state.json")
	if err := os.Rename(state, state+".away"); err != nil {
		t.Fatal(err)
	}
	again, err := witness.Open(l.genesis, key, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize)), state, time.Now)
	if err == nil {
		other := newLog(t)
		other.grow(5, "b")
		line, err := again.AddCheckpoint(context.Background(), 0, nil, other.sign(t, other.tree.Head()))
		t.Fatalf("it begins anew and cosigns another history: %q, %v", line, err)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("a state was made")
	}
	if err := os.Rename(state+".away", state); err != nil {
		t.Fatal(err)
	}
	w = openWitness(t, l, dir)
	defer w.Close()
	if !journal.CheckpointSays(w.Newest(), l.tree.Head()) {
		t.Errorf("with the file back it has %q", w.Newest())
	}
}

func TestAStateOfAnotherJournalIsRefused(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	if err := openWitness(t, l, dir).Close(); err != nil {
		t.Fatal(err)
	}
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	key := cosign.Key{Name: "w.example", Public: [32]byte(private[ed25519.SeedSize:])}
	l.genesis.Hash = journal.LeafHash([]byte("another"))
	if _, err := witness.Open(l.genesis, key, private, filepath.Join(dir, "state.json"), time.Now); err == nil {
		t.Fatal("the state of another journal is taken")
	}
}

func TestOverHTTP(t *testing.T) {
	l := newLog(t)
	w := openWitness(t, l, t.TempDir())
	srv := httptest.NewServer(w.Handler(nil, nil, slog.New(slog.DiscardHandler)))
	defer srv.Close()
	post := func(path, body string) (int, string, string) {
		t.Helper()
		resp, err := http.Post(srv.URL+path, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(text)
	}
	request := func(old uint64, proof []journal.Hash, c journal.Checkpoint) string {
		text := fmt.Sprintf("old %d\n", old)
		for _, h := range proof {
			text += base64.StdEncoding.EncodeToString(h[:]) + "\n"
		}
		return text + "\n" + string(c)
	}
	l.grow(5, "a")
	c := l.sign(t, l.tree.Head())
	status, _, line := post("/add-checkpoint", request(0, nil, c))
	if status != http.StatusOK || !strings.HasPrefix(line, "— w.example ") {
		t.Fatalf("%d %q", status, line)
	}
	l.grow(2, "a")
	c = l.sign(t, l.tree.Head())
	for _, bad := range []struct {
		body   string
		status int
		kind   string
		text   string
	}{
		{request(0, nil, c), http.StatusConflict, "text/x.tlog.size", "5\n"},
		{request(5, nil, c), http.StatusUnprocessableEntity, "text/plain", ""},
		{strings.Replace(request(5, l.proof(t, 5), c), origin, "kura.test/else", 1), http.StatusNotFound, "text/plain", ""},
		{"old 05\n\n" + string(c), http.StatusBadRequest, "text/plain", ""},
		{"hello", http.StatusBadRequest, "text/plain", ""},
		{"old 5\nnot base64\n\n" + string(c), http.StatusBadRequest, "text/plain", ""},
		{strings.Replace(request(5, l.proof(t, 5), c), "— "+origin, "— somebody", 1), http.StatusForbidden, "text/plain", ""},
	} {
		status, kind, text := post("/add-checkpoint", bad.body)
		if status != bad.status || !strings.HasPrefix(kind, bad.kind) || bad.text != "" && text != bad.text {
			t.Errorf("%.60q…: %d %s %q, want %d", bad.body, status, kind, text, bad.status)
		}
	}
	if status, _, _ := post("/add-checkpoint", request(5, l.proof(t, 5), c)); status != http.StatusOK {
		t.Errorf("the honest head: %d", status)
	}
	resp, err := http.Get(srv.URL + "/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	newest, _ := io.ReadAll(resp.Body)
	if got, err := cosign.Verify(newest, []cosign.Key{w.Key()}); err != nil || len(got) != 1 {
		t.Errorf("GET /checkpoint gives %q", newest)
	}
}
