package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/witness"
)

// handOver appends the entry by which the log's key hands over to another, and goes on with that.
func (l *testLog) handOver(t testing.TB, seed byte) journal.Receipt {
	t.Helper()
	old, next := l.private, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	seq := l.tree.Head().Size
	body := `{"old":"` + journal.FormatLogKey([32]byte(old[ed25519.SeedSize:])) + `","new":"` + journal.FormatLogKey([32]byte(next[ed25519.SeedSize:])) + `","proposal":""}`
	entry, err := journal.Entry{Seq: seq, Kind: journal.KindHandover, Body: []byte(body)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.tree.Append(journal.LeafHash(entry))
	proof, err := l.tree.Prove(seq)
	if err != nil {
		t.Fatal(err)
	}
	r := journal.Receipt{Index: seq, Entry: entry, Proof: proof, Checkpoint: l.sign(t, l.tree.Head())}
	l.private = next
	return r
}

// cosigns has the witness cosign the log's newest head.
func (l *testLog) cosigns(t testing.TB, w *witness.Witness, old uint64) error {
	t.Helper()
	_, err := w.AddCheckpoint(context.Background(), old, l.proof(t, old), l.sign(t, l.tree.Head()))
	return err
}

// TestAWitnessFollowsHandovers: it takes a handover only for the head that it cosigned last, remembers it over a
// restart, and refuses what the old key signs afterwards.
func TestAWitnessFollowsHandovers(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	w := openWitness(t, l, dir)
	first := l.private
	l.grow(5, "a")
	if err := l.cosigns(t, w, 0); err != nil {
		t.Fatal(err)
	}
	handover := l.handOver(t, 21)
	var conflict *witness.Conflict
	if err := w.AddHandover(handover); !errors.As(err, &conflict) || conflict.Size != 5 {
		t.Errorf("a handover under a head that was not cosigned: %v", err)
	}
	if _, err := w.AddCheckpoint(t.Context(), 5, l.proof(t, 5), handover.Checkpoint); err != nil {
		t.Fatal(err)
	}
	l.grow(2, "a")
	if err := l.cosigns(t, w, 6); !errors.Is(err, witness.ErrSignature) {
		t.Errorf("a head of a key that it does not know: %v", err)
	}
	for range 2 {
		if err := w.AddHandover(handover); err != nil {
			t.Fatal(err)
		}
	}
	w = reopen(t, w, l, dir)
	if n := len(w.Handovers()); n != 1 {
		t.Errorf("after a restart it knows of %d handovers", n)
	}
	second := l.private
	l.private = first
	if err := l.cosigns(t, w, 6); !errors.Is(err, witness.ErrSignature) {
		t.Errorf("a head that the old key signed too late: %v", err)
	}
	l.private = second
	if err := l.cosigns(t, w, 6); err != nil {
		t.Fatal(err)
	}
	another := l.handOver(t, 22)
	if _, err := w.AddCheckpoint(t.Context(), 8, l.proof(t, 8), another.Checkpoint); err != nil {
		t.Fatal(err)
	}
	if err := w.AddHandover(another); err != nil {
		t.Fatal(err)
	}
	l.grow(1, "a")
	w = reopen(t, w, l, dir)
	if err := l.cosigns(t, w, 9); err != nil {
		t.Error(err)
	}
}

// TestForgedHandovers are taught by nobody: not on another branch, not without the key's signature.
func TestForgedHandovers(t *testing.T) {
	l, dir := newLog(t), t.TempDir()
	w := openWitness(t, l, dir)
	l.grow(5, "a")
	if err := l.cosigns(t, w, 0); err != nil {
		t.Fatal(err)
	}
	fork := newLog(t)
	fork.grow(4, "b")
	onFork := fork.handOver(t, 23) // of the size that was cosigned last, by the right key
	var conflict *witness.Conflict
	if err := w.AddHandover(onFork); !errors.As(err, &conflict) {
		t.Errorf("on another branch: %v", err)
	}
	stranger := newLog(t)
	stranger.grow(4, "a")
	stranger.private = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{24}, ed25519.SeedSize))
	if err := w.AddHandover(stranger.handOver(t, 25)); !errors.Is(err, witness.ErrSignature) {
		t.Errorf("by a stranger: %v", err)
	}
	l.grow(1, "a")
	if err := l.cosigns(t, w, 5); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestHandoversOverHTTP(t *testing.T) {
	l := newLog(t)
	w := openWitness(t, l, t.TempDir())
	srv := httptest.NewServer(w.Handler(nil, nil, slog.New(slog.DiscardHandler)))
	defer srv.Close()
	post := func(body string, want int, says string) {
		t.Helper()
		resp, err := http.Post(srv.URL+"/add-handover", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != want || !strings.Contains(string(text), says) {
			t.Errorf("%.60s: %s %s, want %d", body, resp.Status, text, want)
		}
	}
	shown := func() (chain journal.Chain) {
		t.Helper()
		resp, err := http.Get(srv.URL + "/handovers")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.UnmarshalRead(resp.Body, &chain); err != nil {
			t.Fatal(err)
		}
		return chain
	}
	l.grow(1, "a")
	handover := l.handOver(t, 26)
	text, err := json.Marshal(handover)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(shown()); n != 0 {
		t.Errorf("%d handovers at first", n)
	}
	post("{}", http.StatusBadRequest, "must all be there")
	post(strings.Repeat("x", 1<<20), http.StatusRequestEntityTooLarge, "")
	post(string(text), http.StatusConflict, "0")
	if _, err := w.AddCheckpoint(t.Context(), 0, nil, handover.Checkpoint); err != nil {
		t.Fatal(err)
	}
	changed := handover
	changed.Checkpoint = bytes.Replace(changed.Checkpoint, []byte("\n2\n"), []byte("\n3\n"), 1)
	forged, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	post(string(forged), http.StatusForbidden, "")
	post(string(text), http.StatusOK, "heads above size 2")
	if chain := shown(); len(chain) != 1 || chain[0].Index != 1 {
		t.Errorf("shown: %+v", chain)
	}
}
