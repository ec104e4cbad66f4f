package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/journal"
)

// TestWitnessGap has the one who runs a witness accept a gap: after typing the hash, and once.
func TestWitnessGap(t *testing.T) {
	w, kept := lostWorld(t)
	dir := t.TempDir()
	if _, said, code := kura(t, "", "witness", "key", "--name", "witness.example/kura", "--out", filepath.Join(dir, "witness.key")); code != exitOK {
		t.Fatal(said)
	}
	config := put(t, dir, "witness.toml", []byte(`genesis = "`+w.Genesis.String()+`"
name = "witness.example/kura"
key = "witness.key"
state = "state.json"
listen = "127.0.0.1:0"
`))
	settings, err := readWitnessFile(config)
	if err != nil {
		t.Fatal(err)
	}
	running, err := settings.open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running.AddCheckpoint(context.Background(), 0, nil, w.Checkpoint()); err != nil {
		t.Fatal(err)
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	between := w.Checkpoint()
	w.Restart()
	l := w.Lose(kept)
	l.Between = append(l.Between, between)
	l.Approve().Continue()
	hash := l.Verdict().About[0].String()
	receipts, err := json.Marshal(map[string][]journal.Receipt{"gaps": {w.Receipt(uint64(kept))}})
	if err != nil {
		t.Fatal(err)
	}
	list := put(t, dir, "gaps", receipts)
	if _, _, code := kura(t, "no\n", "witness", "gap", "--config", config, "--receipt", list); code != exitFailed {
		t.Errorf("after typing something else: exit %d", code)
	}
	if _, _, code := kura(t, "", "witness", "gap", "--config", config, "--receipt", put(t, dir, "none", []byte(`{"gaps":[]}`))); code != exitNotProven {
		t.Errorf("without a gap: exit %d", code)
	}
	out, said, code := kura(t, hash[:8]+"\n", "witness", "gap", "--config", config, "--receipt", list)
	if code != exitOK || !strings.Contains(out, "goes on after the gap") || strings.Count(said, "SHA256:") != 2 || !strings.Contains(said, hash) || !strings.Contains(said, l.Gap().Between[0].Root.String()) {
		t.Errorf("exit %d\n%s%s", code, out, said)
	}
	if _, said, code := kura(t, hash[:8]+"\n", "witness", "gap", "--config", config, "--receipt", list); code != exitNotProven || !strings.Contains(said, "accepted before") {
		t.Errorf("again: exit %d\n%s", code, said)
	}
	if running, err = settings.open(); err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	if _, err := running.AddCheckpoint(context.Background(), w.Head().Size, nil, w.Checkpoint()); err != nil {
		t.Errorf("what follows the gap: %v", err)
	}
}
