package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kura/journal"
)

// TestDeployedWitness reads the witness's configuration of docker-compose.yml. It does not start before its genesis is
// named, and then it parses.
func TestDeployedWitness(t *testing.T) {
	f, err := readWitnessFile("../../deploy/witness.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.open(); err == nil || !strings.Contains(err.Error(), "genesis") {
		t.Errorf("without a genesis: %v", err)
	}
	f.Genesis, f.Key = journal.Genesis{Origin: "kura.example/main"}.String(), filepath.Join(t.TempDir(), "absent")
	if _, err := f.open(); err == nil || !strings.Contains(err.Error(), "witness key") {
		t.Errorf("with a genesis and without a key: %v", err)
	}
	if _, err := f.stoppers(); err != nil {
		t.Error(err)
	}
}

// TestUnitsCommandLine: kura takes the command line of the witness's systemd unit, and finds no configuration here.
func TestUnitsCommandLine(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/systemd/kura-witness.service")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(unit), "\nExecStart=/usr/local/bin/kura ")
	line, _, _ = strings.Cut(line, "\n")
	args := strings.Fields(strings.Replace(line, "/etc/kura-witness/", t.TempDir()+"/", 1))
	var stderr bytes.Buffer
	if code := run(t.Context(), args, nil, &stderr, &stderr); code == exitOK || !strings.Contains(stderr.String(), "no such file") {
		t.Errorf("kura %q: exit %d\n%s", args, code, &stderr)
	}
}
