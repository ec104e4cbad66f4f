package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestDeployedConfig reads the gateway's configuration of docker-compose.yml.
func TestDeployedConfig(t *testing.T) {
	text, err := os.ReadFile("../../deploy/gateway.toml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(string(text), "/etc/kura")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Witnesses) != 1 || c.Witnesses[0].Name != "witness.kura.example" || c.AcceptRoot != "" {
		t.Errorf("%+v", c)
	}
}

// TestUnitsCommandLine: kura-gateway takes the command line of its systemd unit, and finds no configuration here.
func TestUnitsCommandLine(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/systemd/kura-gateway.service")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(unit), "\nExecStart=/usr/local/bin/kura-gateway ")
	line, _, _ = strings.Cut(line, "\n")
	args := strings.Fields(strings.Replace(line, "/etc/kura/", t.TempDir()+"/", 1))
	var stderr bytes.Buffer
	if code := (daemon{}).run(t.Context(), args, nil, &stderr, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "no such file") {
		t.Errorf("kura-gateway %q: exit %d, want %d\n%s", args, code, exitFailed, &stderr)
	}
}
