package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kura/journal"
	"kura/nem"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// A tokenKiller kills processes in the middle of what SoftHSM does to the token's files (testdata/killtoken.c).
type tokenKiller struct{ *installation }

// killsInToken has every process of an installation from here on load the library that kills it.
func (x *installation) killsInToken(t *testing.T) tokenKiller {
	t.Helper()
	compiler, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(x.dir, "killtoken.so")
	build := exec.Command(strings.TrimSpace(string(compiler)), "-shared", "-fPIC", "-o", library, filepath.Join("testdata", "killtoken.c"), "-ldl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the library that kills: %v\n%s", err, out)
	}
	k := tokenKiller{x}
	x.environment = []string{"LD_PRELOAD=" + library, "KURA_KILL_TOKEN=" + k.file()}
	return k
}

// file arms the library while it is there. It lies where a confined signer may write.
func (k tokenKiller) file() string { return filepath.Join(k.dir, "state", "killtoken") }

// at does something with the library armed: for the n-th call that changes the token's files, or for none with 0. It
// returns how many such calls were begun.
func (k tokenKiller) at(t *testing.T, n int, do func()) (calls int) {
	t.Helper()
	k.write(filepath.Join("state", "killtoken"), strconv.Itoa(n))
	do()
	text, err := os.ReadFile(k.file())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(k.file()); err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), ".")
}

// points are the calls to die at, of so many: all of them in the campaign, else the first, one in the middle, the last.
func points(calls int) (all []int) {
	if !everything {
		return []int{1, calls/2 + 1, calls}
	}
	for n := range calls {
		all = append(all, n+1)
	}
	return all
}

// TestRotateLogKeyKilledInTheToken kills the signer inside the making of the next log key, and inside the destruction of
// the old one. Started again it signs, and the same command goes on.
func TestRotateLogKeyKilledInTheToken(t *testing.T) {
	k := newRotatingKiller(t)
	begun, destroyed := k.rotate(t, 0, 0)
	t.Logf("a log key is made in %d calls that change the token's files, another one destroyed in %d", begun, destroyed)
	begins, destroys := points(begun), points(destroyed)
	for i := range max(len(begins), len(destroys)) {
		if i%40 == 39 {
			k.stop()
			k = newRotatingKiller(t) // the journal takes only so many statements of a director within an hour
		}
		k.rotate(t, begins[i%len(begins)], destroys[i%len(destroys)])
	}
}

func newRotatingKiller(t *testing.T) tokenKiller {
	t.Helper()
	x := install(t)
	k := x.killsInToken(t)
	x.start("")
	x.equip(t.Context())
	return k
}

// rotate changes the log key. The signer dies at a call of making the next one, and at a call of destroying the old one,
// 0 for not at all; how many there were without a death is returned.
func (k tokenKiller) rotate(t *testing.T, begin, destroy int) (begun, destroyed int) {
	t.Helper()
	if begin > 0 {
		k.dies(t, begin, "rotate", "log-key", "--config", k.config, "--begin")
	}
	var waits, done string
	begun = k.at(t, 0, func() { waits = k.rotateLog("--begin") })
	current, next := field(waits, "log key"), field(waits, "next")
	key, err := journal.ParseLogKey(next)
	if err != nil {
		t.Fatalf("%v\n%s", err, waits)
	}
	k.permit(key)
	if kept := k.rotateLog(); field(kept, "log key") != next+"," {
		t.Fatalf("handed over:\n%s", kept)
	}
	if destroy > 0 {
		k.dies(t, destroy, "rotate", "log-key", "--config", k.config, "--destroy-old")
	}
	destroyed = k.at(t, 0, func() { done = k.rotateLog("--destroy-old") })
	list := k.must("token", "list", "--config", k.config)
	if strings.Contains(list, current) || strings.Count(list, " log key ") != 1 {
		t.Errorf("killed in %d and %d, the old key is %s:\n%s\n%s", begin, destroy, current, done, list)
	}
	k.pay(t)
	return begun, destroyed
}

// dies runs a command to the call at which the signer dies, and starts another signer. One that has fewer calls is done.
func (k tokenKiller) dies(t *testing.T, n int, command ...string) {
	t.Helper()
	k.diesIn(t, n, func() int {
		_, _, code := k.run(command...)
		return code
	})
}

// diesIn is dies for a command that is run by whoever calls.
func (k tokenKiller) diesIn(t *testing.T, n int, command func() (code int)) {
	t.Helper()
	done := false
	calls := k.at(t, n, func() {
		if done = command() == exitOK; !done && !signertest.Await(time.Millisecond, k.hasEnded) {
			t.Fatalf("nothing died at call %d, and the command failed\n%s", n, k.log)
		}
	})
	if done {
		if calls >= n {
			t.Fatalf("nothing died at call %d", n)
		}
		return
	}
	if status := k.process.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("at call %d the signer ended with %v\n%s", n, status, k.log)
	}
	k.start("")
	k.pay(t)
}

func (k tokenKiller) pay(t *testing.T) {
	t.Helper()
	a := k.Submit(t.Context(), k.gateway, "shop", k.Withdrawal(k.wallets[signertest.XEM], signertest.Small))
	if a.State != rpc.StateSigned {
		t.Fatalf("%s %+v", a.State, a.Decision)
	}
	k.verifyReceipt(t, a)
}

// TestLoginKilledInTheToken kills a command that only looks wherever it changes the token's files. SoftHSM empties one at
// every login: the next command has its copy, and the signer all its keys.
func TestLoginKilledInTheToken(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	x.stop()
	k := x.killsInToken(t)
	x.environment = append(x.environment, "KURA_KILL_AT_CLOSE=1")
	list := []string{"token", "list", "--config", x.config}
	whole := ""
	calls := k.at(t, 0, func() { whole = x.must(list...) })
	emptied := 0
	for n := range calls {
		k.at(t, n+1, func() {
			if _, stderr, code := x.run(list...); code != -1 {
				t.Errorf("at call %d of %d it ended with %d\n%s", n+1, calls, code, stderr)
			}
		})
		objects, err := filepath.Glob(filepath.Join(x.dir, "tokens", "*", "token.object"))
		if err != nil || len(objects) != 1 {
			t.Fatalf("%v, %v", objects, err)
		}
		if text, err := os.ReadFile(objects[0]); err == nil && len(text) == 0 {
			emptied++
		}
		if out, stderr, code := x.run(list...); code != exitOK || out != whole {
			t.Fatalf("killed in call %d of %d, exit %d:\n%s\n%s", n+1, calls, code, out, stderr)
		}
	}
	if emptied == 0 {
		t.Errorf("none of %d calls left the file empty: nothing was tried", calls)
	}
	backup := filepath.Join(x.dir, "state", "kura.backup")
	keep := append([]string{"wallet", "backup", "--config", x.config, "--need", "2", "--out", backup}, newCustodians(t).flags...)
	k.at(t, 1, func() { _, _, _ = x.run(keep...) })
	if _, err := os.Stat(backup); err == nil {
		t.Error("a backup that was cut off has the name of a whole one")
	}
	x.must(keep...)
	x.start("")
	k.pay(t)
}

// TestLoginsAtOnce has several commands log in while the others do: each finds the token whole, and none has to put
// anything back.
func TestLoginsAtOnce(t *testing.T) {
	x := install(t)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 8 {
				if _, stderr, code := x.run("token", "list", "--config", x.config); code != exitOK || strings.Contains(stderr, "put back") {
					t.Errorf("exit %d\n%s", code, stderr)
				}
			}
		})
	}
	running.Wait()
}

// TestRotateSealingKilledInTheToken kills the command that changes the sealing key wherever it changes the token's files.
// At each point the same command goes on, and the sealed wallet signs.
func TestRotateSealingKilledInTheToken(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	x.stop()
	k := x.killsInToken(t)
	rotate := []string{"token", "rotate-sealing", "--config", x.config, "--present", "alice"}
	signs := func() {
		t.Helper()
		x.start("")
		k.pay(t)
		x.stop()
	}
	calls := k.at(t, 0, func() { x.must(rotate...) })
	t.Logf("a sealing key is replaced in %d calls that change the token's files", calls)
	for _, n := range points(calls) {
		before := x.sealingKeys()
		code := 0
		if begun := k.at(t, n, func() { _, _, code = x.run(rotate...) }); code != -1 && (code != exitOK || begun >= n) {
			t.Fatalf("at call %d of %d it ended with %d", n, begun, code)
		}
		signs()
		x.must(rotate...) // what is done already begins anew
		after := x.sealingKeys()
		if len(after) != 1 || slices.Equal(after, before) {
			t.Errorf("killed in call %d: sealing keys %v, then %v", n, before, after)
		}
		signs()
	}
}

// TestCreateWalletKilledInTheToken kills the signer wherever the making of a wallet's key changes the token's files, and the
// next one at the first file that it changes for the same wallet. The one after it makes the wallet, and nothing is left.
func TestCreateWalletKilledInTheToken(t *testing.T) {
	x := install(t)
	k := x.killsInToken(t)
	x.start("")
	x.equip(t.Context())
	create := func(name, network string) []string {
		return []string{"wallet", "create", "--config", x.config, "--name", name, "--network", network, "--present", "alice"}
	}
	calls := k.at(t, 0, func() { x.must(create("whole", "symbol-testnet")...) })
	t.Logf("a wallet's key is made in %d calls that change the token's files", calls)
	for _, n := range points(calls) {
		name := "cut-" + strconv.Itoa(n)
		k.dies(t, n, create(name, "symbol-testnet")...)
		k.dies(t, 1, create(name, "symbol-testnet")...)
		x.must(create(name, "symbol-testnet")...)
		list := x.must("token", "list", "--config", x.config)
		if strings.Count(list, "LABEL=kura-wallet symbol-testnet "+name+" ") != 2 || strings.Contains(list, "has to be") {
			t.Errorf("killed in call %d of %d:\n%s", n, calls, list)
		}
	}
	k.dies(t, calls, create("moved", "symbol-testnet")...)
	x.must(create("moved", "nis1-testnet")...) // a part of a key takes no name
}

// TestImportWalletKilledInTheToken kills the signer wherever it changes the token's files to import a key. Asked again, the
// next one imports it.
func TestImportWalletKilledInTheToken(t *testing.T) {
	x := install(t)
	k := x.killsInToken(t)
	x.start("")
	x.equip(t.Context())
	imports := func(n int) (out string, code int) {
		seed := fmt.Sprintf("%064x", n+1)
		stdout, stderr, code := x.runWithKey(seed, "wallet", "import", "--config", x.config, "--name", "cut-"+strconv.Itoa(n),
			"--network", "symbol-testnet", "--address", addressOf(t, nem.SymbolTestnet, seed), "--present", "alice", "--key-fd", "3")
		return stdout + stderr, code
	}
	calls := k.at(t, 0, func() { _, _ = imports(0) })
	t.Logf("a key is imported in %d calls that change the token's files", calls)
	for _, n := range points(calls) {
		k.diesIn(t, n, func() int {
			_, code := imports(n)
			return code
		})
		if out, code := imports(n); code != exitOK {
			t.Errorf("killed in call %d of %d: %s", n, calls, out)
		}
	}
	if list := x.must("token", "list", "--config", x.config); strings.Contains(list, "has to be") {
		t.Error(list)
	}
}

// TestInitTokenKilledInTheToken kills token init wherever it changes the token's files: the next one goes on. A token that
// SoftHSM left half made is named, with what to do.
func TestInitTokenKilledInTheToken(t *testing.T) {
	x := install(t)
	k := x.killsInToken(t)
	remove := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(x.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(filepath.Join(x.dir, "tokens"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	everyPIN := []string{"tokens", "pin", filepath.Join("state", "so-pin")}
	prepare := []string{"token", "init", "--config", x.config}
	remove(everyPIN...)
	calls := k.at(t, 0, func() { x.must(prepare...) })
	t.Logf("a token is prepared in %d calls that change its files", calls)
	halfMade := 0
	for _, n := range append(points(calls), 8) { // the eighth is within C_InitToken
		remove(everyPIN...)
		k.at(t, n, func() {
			if _, stderr, code := x.run(prepare...); code != -1 {
				t.Errorf("at call %d of %d it ended with %d\n%s", n, calls, code, stderr)
			}
		})
		_, stderr, code := x.run(prepare...)
		if named := regexp.MustCompile(`first remove its directory, .* then run token init again; that directory is (\S+)`).FindStringSubmatch(stderr); code != exitOK && named != nil {
			halfMade++
			if err := os.RemoveAll(named[1]); err != nil {
				t.Fatal(err)
			}
			_, stderr, code = x.run(prepare...)
		}
		if code != exitOK {
			t.Errorf("killed in call %d of %d: %s", n, calls, stderr)
			continue
		}
		list := x.must("token", "list", "--config", x.config)
		if strings.Contains(list, "has to be") {
			t.Errorf("killed in call %d of %d:\n%s", n, calls, list)
		}
	}
	t.Logf("%d times C_InitToken was cut off and the token had to be removed", halfMade)
}
