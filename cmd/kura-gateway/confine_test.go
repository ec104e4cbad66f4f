package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kura/api/apitest"
)

// TestReach says what the process may still reach once it is confined: directories of what is replaced while it serves,
// behind links, too; its own ports; and of the network nothing without witnesses.
func TestReach(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"etc", "live", "archive"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	makeCertificate(t, filepath.Join(dir, "archive"), "server", 1)
	for _, name := range []string{"server.crt", "server.key"} {
		if err := os.Symlink(filepath.Join("../archive", name), filepath.Join(dir, "live", name)); err != nil {
			t.Fatal(err)
		}
	}
	const head = "listen = \"0.0.0.0:8443\"\nsigner = \"/run/kura/gateway.sock\"\n"
	const rest = "[tls]\ncertificate = \"../live/server.crt\"\nkey = \"../live/server.key\"\n[metrics]\nlisten = \"127.0.0.1:9464\"\n"
	file := filepath.Join(dir, "etc", "gateway.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig(head+rest, filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	paths, err := c.reach(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "etc"), filepath.Join(dir, "live"), filepath.Join(dir, "archive")}
	if !slices.Equal(paths.Read, want) || len(paths.Write) != 0 || !slices.Equal(paths.ListenTCP, []uint16{8443, 9464}) || len(paths.ConnectTCP) != 0 {
		t.Errorf("%+v", paths)
	}
	c, err = parseConfig(head+rest+"[[witness]]\nname = \"a\"\nurl = \"https://a.example\"\n[[witness]]\nname = \"b\"\nurl = \"http://b.example:8460/kura\"\n", filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	if paths, err = c.reach(file); err != nil || !slices.Equal(paths.ConnectTCP, []uint16{53, 443, 8460}) || !slices.Contains(paths.Read, "?/etc") {
		t.Errorf("%+v, %v", paths, err)
	}
}

// TestConfined runs the real binary, which confines itself: it serves, and reads a certificate that took the old one's
// place, in a file of its own as tools that renew certificates make it.
func TestConfined(t *testing.T) {
	socket, _ := apitest.ServeSigner(t, apitest.NewSigner())
	p := newProcess(t, socket)
	if status, _, err := get(t, p.tls, p.url+"/readyz"); err != nil || status != 200 {
		t.Errorf("before its signer: %d, %v", status, err)
	}
	_, _, none := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if (none == 0) != strings.Contains(p.log.String(), `"msg":"confined","landlock":`) {
		t.Errorf("whether the kernel has Landlock: %v; the log says\n%s", none, p.log)
	}
	renewed := t.TempDir()
	_, leaf := makeCertificate(t, renewed, "server", 2)
	for _, name := range []string{"server.crt", "server.key"} {
		if err := os.Rename(filepath.Join(renewed, name), filepath.Join(p.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.log.until(t, "certificate reloaded")
	if status, served, err := get(t, trust(leaf), p.url+"/healthz"); err != nil || status != 200 || !served.Equal(leaf) {
		t.Errorf("with the new certificate: %d, %v", status, err)
	}
}
