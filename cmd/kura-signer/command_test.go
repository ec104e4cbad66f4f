package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func call(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &out, &err)
	return out.String(), err.String(), code
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "signer.toml")
	text := strings.ReplaceAll(goodConfig, "/var/lib/kura", dir)
	text = strings.ReplaceAll(text, "/run/kura/admin.sock", filepath.Join(dir, "admin.sock"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("origin = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	noSoftHSM := filepath.Join(dir, "softhsm.toml")
	text = strings.Replace(text, "[token]", "[token]\nsofthsm_conf = \"none.conf\"", 1)
	if err := os.WriteFile(noSoftHSM, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", exitUsage, "kura-signer serve"},
		{"help", exitOK, "Exit codes"},
		{"fly", exitUsage, `there is no command "fly"`},
		{"wallet fly --config " + config, exitUsage, `there is no command "wallet fly"`},
		{"wallet retire --retry", exitUsage, "Usage of wallet retire"},
		{"wallet import --config " + config + " --name w --network symbol-private --address A --present alice", exitUsage, "want one of nis1-mainnet"},
		{"wallet backup --config " + config + " --need 1 --recipient a --recipient b --out f", exitUsage, "--need 1: want 2 to 2"},
		{"doctor --config " + config, exitFailed, "kura-signer token init makes it"},
		{"token init --config " + noSoftHSM, exitFailed, "token.softhsm_conf: " + filepath.Join(dir, "none.conf")},
		{"version", exitOK, ""},
		{"serve", exitUsage, "--config is needed"},
		{"serve --config " + bad, exitConfig, "origin"},
		{"serve --config " + config + " now", exitUsage, `"now"`},
		{"token list --config " + filepath.Join(dir, "none"), exitConfig, "no such file"},
		{"init --config " + config + " --policy p --verdicts v --policy-hash 12", exitUsage, "--policy-hash"},
		{"wallet create --config " + config + " --name w --network nis1-testnet", exitUsage, "--present is needed"},
		{"wallet create --config " + config + " --name w --network nis1-testnet --present alice", exitAbsent, "admin.sock: connect: no such file or directory"},
		{"wallet import --config " + config + " --name w --network mars --address A --present alice", exitUsage, "--network"},
		{"wallet import --config " + config + " --name w --network nis1-testnet --address A --present alice", exitUsage, "--address"},
		{"wallet suspend --config " + config + " --name w --reason r", exitAbsent, ""},
		{"rotate log-key --config " + config + " --begin --destroy-old", exitUsage, "give one of them"},
		{"freeze --config " + config + " --reason r", exitAbsent, "NOT FROZEN"},
		{"migrate --dsn-file " + config + " --service-role kura", exitUsage, "go together"},
		{"migrate --dsn-file " + filepath.Join(dir, "none"), exitFailed, "no such file"},
	} {
		stdout, stderr, code := call(t, strings.Fields(c.args)...)
		said := stderr
		if code == exitOK || c.code == exitFailed {
			said += stdout
		}
		if code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("kura-signer %s: exit %d, want %d with %q\n%s", c.args, code, c.code, c.says, said)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// A systemd credential's access list stands where the group's bits are.
	credential := write("credential", "postgres://x\n", 0o440)
	if _, err := readSecretLine(credential); err == nil {
		t.Error("a group may read it, and it is no credential")
	}
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(credential))
	if line, err := readSecretLine(credential); err != nil || line != "postgres://x" {
		t.Errorf("a credential: %q, %v", line, err)
	}
	named := JournalConfig{DSNCredential: filepath.Base(credential)}
	if line, err := named.readDSN(); err != nil || line != "postgres://x" {
		t.Errorf("by its name: %q, %v", line, err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := named.readDSN(); err == nil || !strings.Contains(err.Error(), "LoadCredential=") {
		t.Errorf("without a unit: %v", err)
	}
	if line, err := readSecretLine(write("good", "postgres://x\n", 0o600)); err != nil || line != "postgres://x" {
		t.Errorf("%q, %v", line, err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "good"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		write("open", "postgres://x\n", 0o644), write("two", "a\nb\n", 0o600), write("empty", "", 0o600),
		write("long", strings.Repeat("x", maxSecretLine+1), 0o600), link, dir,
	} {
		if line, err := readSecretLine(path); err == nil {
			t.Errorf("%s was read: %d bytes", path, len(line))
		}
	}
}
