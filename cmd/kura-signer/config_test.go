package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodConfig = `
origin = "kura.example/hot"
state_dir = "/var/lib/kura"
socket = "run/gateway.sock"
gateway_uid = 991
admin_socket = "/run/kura/admin.sock"
anchor_file = "/var/lib/kura-anchor/head"
alarm_command = ["/usr/local/bin/page", "kura"]

[token]
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "kura"
pin_file = "/etc/kura/pin"

[journal]
kind = "postgres"
dsn_file = "/etc/kura/dsn"
`

func TestConfig(t *testing.T) {
	c, err := parseConfig(goodConfig, "/etc/kura")
	if err != nil {
		t.Fatal(err)
	}
	if c.Socket != "/etc/kura/run/gateway.sock" || *c.GatewayUID != 991 || c.LogLevel != "info" {
		t.Errorf("%+v", c)
	}
}

func TestConfigIsRefused(t *testing.T) {
	for _, c := range []struct{ name, old, new, says string }{
		{"unknown member", `origin =`, "originn = \"x\"\norigin =", "unknown members: originn"},
		{"unknown member of a table", `label = "kura"`, "label = \"kura\"\naccept_leaky = \"y\"", "token.accept_leaky"},
		{"missing origin", `origin = "kura.example/hot"`, ``, "origin: is missing"},
		{"missing gateway", `gateway_uid = 991`, ``, "gateway_uid: is missing"},
		{"gateway of a wrong type", `gateway_uid = 991`, `gateway_uid = "root"`, "gateway_uid"},
		{"negative gateway", `gateway_uid = 991`, `gateway_uid = -1`, "gateway_uid: -1"},
		{"two PINs", `pin_file =`, "pin_credential = \"x\"\npin_file =", "at most one of"},
		{"no reason", `label = "kura"`, "label = \"kura\"\naccept_leaky_token = \" \"", `token.accept_leaky_token: " " is no reason`},
		{"same sockets", `admin_socket = "/run/kura/admin.sock"`, `admin_socket = "run/gateway.sock"`, "admin_socket: is the gateway's"},
		{"long socket", `socket = "run/gateway.sock"`, `socket = "` + strings.Repeat("x", 120) + `"`, "socket: has"},
		{"unknown journal", `kind = "postgres"`, `kind = "paper"`, `journal.kind: "paper"`},
		{"journal without a place", `dsn_file = "/etc/kura/dsn"`, ``, "journal.dsn_file: is missing"},
		{"two connection strings", `dsn_file = `, "dsn_credential = \"dsn\"\ndsn_file = ", "one of dsn_file and dsn_credential"},
		{"a credential's path", `dsn_file = "/etc/kura/dsn"`, "dsn_credential = \"../dsn\"", "is not a plain name"},
		{"place of the other kind", `dsn_file = `, "path = \"x\"\ndsn_file = ", "journal.path: belongs to kind embedded"},
		{"level", `[token]`, "log_level = \"loud\"\n[token]", "log_level"},
		{"alarm", `"/usr/local/bin/page"`, `"page"`, "alarm_command"},
		{"twice", `origin =`, "origin = \"a\"\norigin =", "origin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(goodConfig, c.old) {
				t.Fatalf("the good configuration has no %q", c.old)
			}
			_, err := parseConfig(strings.Replace(goodConfig, c.old, c.new, 1), "/etc/kura")
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want something about %q", err, c.says)
			}
		})
	}
}

func TestDSNPorts(t *testing.T) {
	for _, c := range []struct {
		dsn  string
		want []uint16
	}{
		{"postgres://kura:secret@db.example/kura", []uint16{5432}},
		{"postgres://kura:secret@db.example:6432/kura?sslmode=verify-full", []uint16{6432}},
		{"postgres://a:1111,b:2222/kura", []uint16{1111, 2222}},
		{"host=db port=7000 user=kura", []uint16{7000}},
		{"host=/run/postgresql user=kura", []uint16{5432}},
		{"host=a,b port='1,2'", []uint16{1, 2}},
	} {
		got, err := dsnPorts(c.dsn)
		if err != nil || !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.dsn, got, err)
		}
	}
	for _, dsn := range []string{"host=db port=70000", "postgres://kura:secret@db/%zz?port=1", "postgres://u:secret@[/x"} {
		if got, err := dsnPorts(dsn); err == nil {
			t.Errorf("%s: %v", dsn, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
