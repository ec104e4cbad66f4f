package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kura/journal"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/signer/token/softhsmtest"
	"kura/statement"
)

const softHSM = softhsmtest.Module

// binary is kura-signer with crash points, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kura-signer")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "kura-signer")
	if out, err := exec.Command("go", "build", "-tags", "crashpoints", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build kura-signer: %v\n%s", err, out)
		return 1
	}
	return softhsmtest.Main(m)
}

// An installation is a directory with everything that the real binary needs, and the process if one runs.
type installation struct {
	*signertest.Parties
	dir     string
	config  string
	genesis journal.Genesis
	wallets map[string]rpc.Wallet
	gateway rpc.GatewayClient
	admin   rpc.AdminClient

	environment []string   // more of it, for every process
	descriptors []*os.File // what the daemon inherits, from 3 on
	terminal    *os.File   // the daemon's, if it has one
	process     *exec.Cmd
	log         *signertest.Log
	ended       chan struct{}
}

// install prepares a token on SoftHSM with the real commands, and founds a journal in the embedded store.
func install(t *testing.T) *installation {
	t.Helper()
	return installWith(t, func(*installation) {})
}

// installWith is install with a change of the configuration before it is used.
func installWith(t *testing.T, change func(*installation)) *installation {
	t.Helper()
	softhsmtest.Need(t, 1, softhsmtest.Missing())
	dir, err := os.MkdirTemp("", "ks") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	x := &installation{Parties: signertest.NewParties(t), dir: dir, config: filepath.Join(dir, "signer.toml")}
	x.write("softhsm2.conf", fmt.Sprintf("directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\nlibrary.reset_on_fork = true\n", dir))
	for _, name := range []string{"state", "tokens"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	x.write("signer.toml", fmt.Sprintf(`origin = "signer.test"
state_dir = "state"
socket = "gateway.sock"
gateway_uid = %d
admin_socket = "admin.sock"
anchor_file = "anchor"

[token]
module = %q
label = "kura"
pin_file = "pin"
softhsm_conf = "softhsm2.conf"
accept_leaky_token = "a test"

[journal]
kind = "embedded"
path = "journal"
`, os.Geteuid(), softHSM))
	change(x)
	x.must("token", "init", "--config", x.config)
	x.write("policy.json", string(x.First.Text()))
	var lines []string
	for _, v := range x.FoundingVerdicts() {
		lines = append(lines, string(v.Encode()))
	}
	x.write("verdicts", strings.Join(lines, "\n")+"\n")
	line := x.must("init", "--config", x.config, "--policy", filepath.Join(dir, "policy.json"),
		"--verdicts", filepath.Join(dir, "verdicts"), "--policy-hash", x.First.Hash().String())
	if x.genesis, err = journal.ParseGenesis(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	x.Journal = statement.Hash(x.genesis.Hash)
	x.gateway = rpc.NewGatewayClient(filepath.Join(dir, "gateway.sock"))
	x.admin = rpc.NewAdminClient(filepath.Join(dir, "admin.sock"))
	t.Cleanup(x.gateway.Close)
	t.Cleanup(x.admin.Close)
	t.Cleanup(x.kill)
	return x
}

func (x *installation) write(name, text string) {
	x.TB.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), []byte(text), 0o600); err != nil {
		x.TB.Fatal(err)
	}
}

// run runs a command to its end.
func (x *installation) run(args ...string) (stdout, stderr string, code int) {
	x.TB.Helper()
	return x.runTo("", args...)
}

// runTo runs a command to its end, or to the point at which it kills itself.
func (x *installation) runTo(crash string, args ...string) (stdout, stderr string, code int) {
	x.TB.Helper()
	cmd := exec.CommandContext(x.TB.Context(), binary, args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "KURA_CRASH=" + crash}, x.environment...)
	if failure := cmd.Run(); failure != nil {
		var ended *exec.ExitError
		if !errors.As(failure, &ended) {
			x.TB.Fatal(failure)
		}
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func (x *installation) must(args ...string) string {
	x.TB.Helper()
	out, stderr, code := x.run(args...)
	if code != exitOK {
		x.TB.Fatalf("kura-signer %s: exit %d\n%s%s", strings.Join(args, " "), code, out, stderr)
	}
	return out
}

// start starts the daemon; crash names the point at which it kills itself, "" for none. It returns when the signer is
// ready or has ended.
func (x *installation) start(crash string) {
	x.TB.Helper()
	x.spawn(crash)
	x.untilReady()
}

// untilReady returns when the signer is ready or has ended.
func (x *installation) untilReady() {
	x.TB.Helper()
	var r rpc.Ready
	var err error
	if !signertest.Await(5*time.Millisecond, func() bool {
		r, err = x.admin.Ready(x.TB.Context())
		return err == nil && r.Ready || x.hasEnded()
	}) {
		x.TB.Fatalf("the signer does not become ready: %v %+v\n%s", err, r, x.log)
	}
}

// untilEnded waits for the end of a daemon that is to end by itself.
func (x *installation) untilEnded() {
	x.TB.Helper()
	if !signertest.Await(time.Millisecond, x.hasEnded) {
		r, err := x.admin.Ready(x.TB.Context())
		x.TB.Fatalf("the signer does not end: %v %+v\n%s", err, r, x.log)
	}
}

// hasEnded tells whether the daemon is gone.
func (x *installation) hasEnded() bool {
	select {
	case <-x.ended:
		return true
	default:
		return false
	}
}

// spawn starts the daemon and waits for nothing.
func (x *installation) spawn(crash string) {
	x.TB.Helper()
	x.process = exec.Command(binary, "serve", "--config", x.config)
	x.process.Env = append([]string{"PATH=/usr/bin:/bin", "KURA_CRASH=" + crash}, x.environment...)
	x.log = new(signertest.Log)
	x.process.Stderr, x.process.ExtraFiles = x.log, x.descriptors
	if x.terminal != nil {
		x.process.Stdin, x.process.SysProcAttr = x.terminal, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
	if err := x.process.Start(); err != nil {
		x.TB.Fatal(err)
	}
	x.ended = make(chan struct{})
	go func(p *exec.Cmd, ended chan struct{}) {
		_ = p.Wait()
		close(ended)
	}(x.process, x.ended)
}

// kill ends the daemon with SIGKILL, if it still runs.
func (x *installation) kill() {
	if x.process == nil {
		return
	}
	_ = x.process.Process.Kill()
	<-x.ended
	x.process = nil
}

// stop ends the daemon as systemd does.
func (x *installation) stop() {
	x.TB.Helper()
	if err := x.process.Process.Signal(os.Interrupt); err != nil {
		x.TB.Fatal(err)
	}
	<-x.ended
	if code := x.process.ProcessState.ExitCode(); code != exitOK {
		x.TB.Errorf("the daemon ended with %d\n%s", code, x.log)
	}
	x.process = nil
}

// equip makes wallets with the real command's socket and has the policy adopted.
func (x *installation) equip(ctx context.Context) {
	x.TB.Helper()
	x.wallets = x.Equip(ctx, x.gateway, func(w rpc.NewWallet) (rpc.Ceremony, error) { return x.admin.CreateWallet(ctx, w) })
}
