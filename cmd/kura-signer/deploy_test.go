package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"kura/journal/cosign"
)

// TestDeployedConfig reads the signer's configuration of docker-compose.yml. It does not start before its witness is
// named, and then it parses.
func TestDeployedConfig(t *testing.T) {
	text := string(readAll(t, "../../deploy/signer.toml"))
	if _, err := parseConfig(text, "/etc/kura"); err == nil || !strings.Contains(err.Error(), "witnesses: ") {
		t.Errorf("without a witness: %v", err)
	}
	open, end := strings.Index(text, "<"), strings.LastIndex(text, ">")
	c, err := parseConfig(text[:open]+cosign.Key{Name: "witness.kura.example", Public: [32]byte{1}}.String()+text[end+1:], "/etc/kura")
	if err != nil {
		t.Fatal(err)
	}
	if *c.GatewayUID != 10003 || !c.CosignBeforeRelease || c.WitnessQuorum != 1 {
		t.Errorf("%+v", c)
	}
}

// TestUnitsCommandLine: kura-signer takes the command line of its systemd unit, and finds no configuration here.
func TestUnitsCommandLine(t *testing.T) {
	_, line, _ := strings.Cut(string(readAll(t, "../../deploy/systemd/kura-signer.service")), "\nExecStart=/usr/local/bin/kura-signer ")
	line, _, _ = strings.Cut(line, "\n")
	args := strings.Fields(strings.Replace(line, "/etc/kura/", t.TempDir()+"/", 1))
	if code := run(t.Context(), args, os.Stdin, io.Discard, io.Discard); code != exitConfig {
		t.Errorf("kura-signer %q: exit %d, want %d", args, code, exitConfig)
	}
}
