package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/nem"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/signer/token"
)

func TestServe(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	for _, name := range []string{signertest.XEM, signertest.XYM} {
		a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[name], signertest.Small))
		if a.State != rpc.StateSigned {
			t.Fatalf("%s: %+v", name, a)
		}
	}
	if out := x.must("wallet", "list", "--config", x.config); !strings.Contains(out, x.wallets[signertest.XEM].Address) {
		t.Errorf("wallet list:\n%s", out)
	}
	if _, stderr, code := x.run("init", "--config", x.config, "--policy", filepath.Join(x.dir, "policy.json"),
		"--verdicts", filepath.Join(x.dir, "verdicts"), "--policy-hash", x.First.Hash().String()); code != exitBusy {
		t.Errorf("init beside a running signer: exit %d, %s", code, stderr)
	}
	if _, stderr, code := x.run("serve", "--config", x.config); code != exitBusy {
		t.Errorf("a second signer: exit %d, %s", code, stderr)
	}
	out, _, code := x.run("doctor", "--config", x.config)
	if code != exitOK || !strings.Contains(out, "token_leaky") {
		t.Errorf("doctor beside the signer: exit %d\n%s", code, out)
	}
	if out := x.must("freeze", "--config", x.config, "--reason", "a test"); !strings.HasPrefix(out, "FROZEN") {
		t.Errorf("freeze: %s", out)
	}
	if a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small)); a.State != rpc.StateDenied {
		t.Errorf("under a freeze: %+v", a)
	}
	x.stop()
	out, _, code = x.run("doctor", "--config", x.config)
	if code != exitOK || !strings.Contains(out, "every signed head verify") {
		t.Errorf("doctor without a signer: exit %d\n%s", code, out)
	}
	if _, _, code := x.run("wallet", "list", "--config", x.config); code != exitAbsent {
		t.Errorf("wallet list without a signer: exit %d", code)
	}
}

// TestAlarms has the operator's command called, from outside the confinement, for what people must know. It inherits
// neither the descriptor that the signer takes its PIN from, nor the relay that calls it.
// TestServeWithoutItsDatabase: a database that is away at the start is what the signer ends with, and nothing else.
func TestServeWithoutItsDatabase(t *testing.T) {
	x := install(t)
	embedded := "kind = \"embedded\"\npath = \"journal\""
	x.write("dsn", "host="+x.dir+" user=kura dbname=kura\n") // no socket is there
	x.write("signer.toml", strings.Replace(string(readAll(t, x.config)), embedded, "kind = \"postgres\"\ndsn_file = \"dsn\"", 1))
	_, stderr, code := x.run("serve", "--config", x.config)
	if code != exitFailed || strings.Contains(stderr, "panic") || !strings.Contains(stderr, "open the journal's store") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestAlarms(t *testing.T) {
	x := install(t)
	script := filepath.Join(x.dir, "page.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nls -l /proc/$PPID/fd /proc/$$/fd > \"$1.fds\"\ncat >> \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(x.config)
	if err != nil {
		t.Fatal(err)
	}
	paged := filepath.Join(x.dir, "paged")
	x.write("signer.toml", fmt.Sprintf("alarm_command = [%q, %q]\n%s", script, paged,
		strings.Replace(string(text), `pin_file = "pin"`, "pin_fd = 9", 1)))
	pin, err := os.Open(filepath.Join(x.dir, "pin"))
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Close()                                             // it was only read
	x.descriptors = []*os.File{pin, pin, pin, pin, pin, pin, pin} // 3 to 9
	x.start("")
	x.must("freeze", "--config", x.config, "--reason", "a test")
	x.stop()
	x.Until("the command was called", func() bool {
		got, err := os.ReadFile(paged)
		return err == nil && strings.Contains(string(got), `"code":"frozen"`) && strings.HasSuffix(string(got), "\n")
	})
	open := string(readAll(t, paged+".fds"))
	readable := 1 // the relay's are closed to all but root
	if os.Geteuid() == 0 {
		readable = 2
	}
	if strings.Count(open, "/fd:") != readable || strings.Contains(open, pin.Name()) {
		t.Errorf("relay and command hold these descriptors:\n%s", open)
	}
	if !strings.Contains(x.log.String(), `"landlock":`) {
		t.Errorf("the log does not say what confines the process:\n%s", x.log)
	}
}

// TestImport takes an account's key from a descriptor, and refuses one that leads to another address.
func TestImport(t *testing.T) {
	x := install(t)
	x.start("")
	key := strings.Repeat("5", 63) + "7"
	seed, err := nem.ParsePrivateKeyText(nem.NIS1, key)
	if err != nil {
		t.Fatal(err)
	}
	address := nem.NIS1PublicKey(&seed).Address(nem.NIS1Testnet).String()
	importKey := func(name, address string) (string, error) {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(out, key)
		_ = out.Close()
		cmd := exec.Command(binary, "wallet", "import", "--config", x.config, "--name", name, "--network", "nis1-testnet",
			"--address", address, "--present", "alice", "--key-fd", "3")
		cmd.ExtraFiles = []*os.File{in}
		said, err := cmd.CombinedOutput()
		return string(said), err
	}
	other := nem.PublicKey{1}.Address(nem.NIS1Testnet).String()
	if said, err := importKey("wrong", other); err == nil || !strings.Contains(said, address) {
		t.Errorf("a key of another address: %v\n%s", err, said)
	}
	said, err := importKey("old", address)
	if err != nil || !strings.Contains(said, "imported") || !strings.Contains(said, address) {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err := importKey("older", address); err == nil || !strings.Contains(said, `it is wallet "old"'s: nothing was imported`) {
		t.Errorf("the same key once more: %v\n%s", err, said)
	}
	if left, err := filepath.Glob(filepath.Join(x.dir, "state", "wallets", "older*")); err != nil || len(left) > 0 {
		t.Errorf("a refused import left %v, %v", left, err)
	}
	out := x.must("wallet", "list", "--config", x.config)
	if !strings.Contains(out, "old ") || !strings.Contains(out, "imported") || strings.Contains(out, "wrong") {
		t.Errorf("wallet list:\n%s", out)
	}
	x.stop()
	for _, text := range []string{said, out, x.log.String()} {
		if strings.Contains(strings.ToLower(text), key) {
			t.Error("the private key was printed")
		}
	}
}

func TestTokenCommands(t *testing.T) {
	x := install(t)
	out := x.must("token", "list", "--config", x.config)
	if !strings.Contains(out, "LABEL") || strings.Count(out, "none") < 2 {
		t.Errorf("token list:\n%s", out)
	}
	if again := x.must("token", "init", "--config", x.config); !strings.Contains(again, "nothing was changed") {
		t.Errorf("token init, twice:\n%s", again)
	}
	if again := x.must("token", "init", "--config", x.config); !strings.Contains(again, "put it in a safe now") {
		t.Errorf("token init, where the SO PIN is still there:\n%s", again)
	}
	officer := filepath.Join(x.dir, "state", "so-pin")
	if out := x.must("doctor", "--config", x.config); !strings.HasPrefix(lineWith(out, "so_pin_here"), "warn") {
		t.Errorf("doctor, beside the SO PIN:\n%s", out)
	}
	elsewhere := filepath.Join(x.dir, "so-pin")
	if err := os.Rename(officer, elsewhere); err != nil {
		t.Fatal(err)
	}
	if again := x.must("token", "init", "--config", x.config); strings.Contains(again, "SO PIN") {
		t.Errorf("token init, where the SO PIN was taken away:\n%s", again)
	}
	if _, err := os.Stat(officer); err == nil {
		t.Error("token init made an SO PIN that is not the token's")
	}
	said := x.must("token", "attack", "--config", x.config)
	if !strings.Contains(said, "4 of them stole a key\n  log or wallet key (Ed25519, generated): C_DigestKey with SHA-512\n") || !strings.Contains(said, "Not tried: the security officer's") {
		t.Errorf("token attack:\n%s", said)
	}
	if said := x.must("token", "attack", "--config", x.config, "--so-pin-file", elsewhere); !strings.Contains(said, "read as security officer") || strings.Contains(said, "Not tried") {
		t.Errorf("token attack with the SO PIN:\n%s", said)
	}
	var rows []token.AttackRow
	if err := json.Unmarshal([]byte(x.must("token", "attack", "--config", x.config, "--json")), &rows, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(rows, func(r token.AttackRow) bool { return r.Stolen && strings.Contains(r.Attack, "Digest") }) {
		t.Errorf("SoftHSM gives Ed25519 keys away through C_DigestKey, and the attack does not say so: %+v", rows)
	}
}

// TestProductionHasNoCrashPoints builds the signer as it is shipped and looks for what only tests may contain.
func TestProductionHasNoCrashPoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kura-signer")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for file, want := range map[string]bool{path: false, binary: true} {
		if got := bytes.Contains(readAll(t, file), []byte("KURA_CRASH")); got != want {
			t.Errorf("%s knows crash points: %t", file, got)
		}
	}
}
