package main

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/ledger/ledgertest"
)

// TestReadPredecessor takes the last head of a journal whose log key was handed over, and says what is missing without
// the proof of that.
func TestReadPredecessor(t *testing.T) {
	w := ledgertest.New(t)
	w.HandOver()
	w.Restart()
	dir := t.TempDir()
	chain, err := json.Marshal(w.Chain)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, keys := save(t, dir, "last", w.Checkpoint()), save(t, dir, "keys", chain)
	if _, err := readPredecessor(w.Genesis.String(), checkpoint, ""); err == nil || !strings.Contains(err.Error(), "--predecessor-keys") {
		t.Errorf("without the handover: %v", err)
	}
	p, err := readPredecessor(w.Genesis.String(), checkpoint, keys)
	if err != nil || len(p.Handovers) != 1 || p.Checkpoint != string(w.Checkpoint()) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := readPredecessor(w.Genesis.String(), checkpoint, checkpoint); err == nil {
		t.Error("a checkpoint was taken for handovers")
	}
}
