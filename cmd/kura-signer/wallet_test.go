package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kura/nem"
	"kura/signer/signertest"
	"kura/signer/token"
)

// The first of the vectors of NIS1's key derivation, and where it leads.
const (
	nis1Key    = "575DBB3062267EFF57C970A336EBBC8FBCFE12C5BD3ED7BC11EB0481D7704CED"
	nis1Public = "C5F54BA980FCBB657DBAAA42700539B207873E134D2375EFEAB5F1AB52F87844"
)

// runWithKey runs a command with text on descriptor 3.
func (x *installation) runWithKey(text string, args ...string) (stdout, stderr string, code int) {
	x.TB.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		x.TB.Fatal(err)
	}
	defer read.Close() // a test's
	if _, err := write.WriteString(text); err != nil {
		x.TB.Fatal(err)
	}
	if err := write.Close(); err != nil {
		x.TB.Fatal(err)
	}
	cmd := exec.CommandContext(x.TB.Context(), binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &out, &errs, []*os.File{read}
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	if err := cmd.Run(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			x.TB.Fatal(err)
		}
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// addressOf derives the address that a seed leads to.
func addressOf(t *testing.T, n nem.Network, seedHex string) string {
	t.Helper()
	raw, err := hex.DecodeString(seedHex)
	if err != nil {
		t.Fatal(err)
	}
	seed := [32]byte(raw)
	if n.Chain() == nem.NIS1 {
		return nem.NIS1PublicKey(&seed).Address(n).String()
	}
	return nem.PublicKey(ed25519.NewKeyFromSeed(raw).Public().(ed25519.PublicKey)).Address(n).String()
}

// reversed is the seed of a key that NIS1 tools print.
func reversed(t *testing.T, keyHex string) string {
	t.Helper()
	raw, err := hex.DecodeString(strings.Repeat("0", 64-len(keyHex)) + keyHex)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(raw)
	return hex.EncodeToString(raw)
}

// TestWalletCommands drives the commands that make wallets and take them out of service.
func TestWalletCommands(t *testing.T) {
	x := install(t)
	x.start("")
	nis1, symbol := nem.NIS1Testnet, nem.SymbolTestnet
	public, err := nem.ParsePublicKey(nis1Public)
	if err != nil {
		t.Fatal(err)
	}
	top, short, plain := "e"+strings.Repeat("71", 31)+"f", strings.Repeat("5c", 30), strings.Repeat("3d", 32)
	imports := []struct{ name, text, network, address string }{
		{"vector", nis1Key + "\n", nis1.String(), public.Address(nis1).String()},
		{"signed", "00" + top, nis1.String(), addressOf(t, nis1, reversed(t, top))},
		{"zeros", short + "\n", nis1.String(), addressOf(t, nis1, reversed(t, short))},
		{"xym", plain + "\n", symbol.String(), addressOf(t, symbol, plain)},
	}
	importing := func(name, network, address string) []string {
		return []string{"wallet", "import", "--config", x.config, "--name", name, "--network", network, "--address", address, "--present", "alice", "--key-fd", "3"}
	}
	for _, refused := range []struct{ text, network, address string }{
		{nis1Key, nis1.String(), imports[1].address},      // another account's
		{nis1Key, symbol.String(), imports[3].address},    // the same digits are another key there
		{"01" + top, nis1.String(), imports[1].address},   // 66 digits
		{"0x" + short, nis1.String(), imports[2].address}, // not a digit
		{short, symbol.String(), imports[3].address},      // Symbol's are 64
		{"", nis1.String(), imports[0].address},
		{strings.Repeat(nis1Key, 40), nis1.String(), imports[0].address},
	} {
		stdout, stderr, code := x.runWithKey(refused.text, importing("refused", refused.network, refused.address)...)
		if code != exitFailed {
			t.Errorf("%d digits for %s were imported: %s%s", len(refused.text), refused.network, stdout, stderr)
		}
		if len(refused.text) > 8 && strings.Contains(strings.ToUpper(stdout+stderr), strings.ToUpper(refused.text[:8])) {
			t.Errorf("the key is repeated: %s", stderr)
		}
	}
	for _, one := range imports {
		stdout, stderr, code := x.runWithKey(one.text, importing(one.name, one.network, one.address)...)
		if code != exitOK || !strings.Contains(stdout, one.address) || !strings.Contains(stdout, "imported") {
			t.Errorf("%s: exit %d\n%s%s", one.name, code, stdout, stderr)
		}
	}
	x.must("wallet", "create", "--config", x.config, "--name", "made", "--network", symbol.String(), "--present", "alice")

	x.must("wallet", "suspend", "--config", x.config, "--name", "zeros", "--reason", "a test")
	x.must("wallet", "retire", "--config", x.config, "--name", "zeros", "--reason", "a test")
	x.must("wallet", "suspend", "--config", x.config, "--name", "vector", "--reason", "a test")
	if out, stderr, code := x.run("wallet", "suspend", "--config", x.config, "--name", "zeros", "--reason", "again"); code == exitOK {
		t.Errorf("a retired wallet was suspended: %s%s", out, stderr)
	}
	list := x.must("wallet", "list", "--config", x.config)
	for _, want := range []struct{ wallet, state string }{
		{"vector", "suspended"}, {"signed", "active"}, {"zeros", "retired"}, {"xym", "active"}, {"made", "active"},
	} {
		if line := lineOf(list, want.wallet); !strings.Contains(line, " "+want.state+" ") || strings.Contains(line, "imported") == (want.wallet == "made") {
			t.Errorf("wallet list says of %s: %q", want.wallet, line)
		}
	}
	x.backupImported(t, plain)
	x.stop()

	objects := x.must("token", "list", "--config", x.config)
	for _, label := range []string{"sealing key", "log key", "xym", "made"} {
		if !strings.Contains(objects, label) {
			t.Errorf("token list says nothing of %q:\n%s", label, objects)
		}
	}
	if strings.Contains(strings.ToLower(objects), strings.ToLower(plain)) {
		t.Error("token list shows a key")
	}
}

// TestCreateTakesNoImportedKey: an import whose record was lost is found by the next import, and by no create: that would
// be a key with copies elsewhere, where a new one was asked for.
func TestCreateTakesNoImportedKey(t *testing.T) {
	x := install(t)
	key := strings.Repeat("5c", 32)
	x.ceremony(func(c *ceremony) {
		seed := importedSeed(t, key)
		defer seed.Wipe()
		genesis, _ := c.token.Genesis()
		if _, err := c.token.ImportWallet(t.Context(), token.WalletSpec{Name: "half", Network: nem.SymbolTestnet, Genesis: genesis}, seed); err != nil {
			t.Error(err)
		}
	})
	x.start("")
	wallet := []string{"--config", x.config, "--name", "half", "--network", nem.SymbolTestnet.String(), "--present", "alice"}
	if _, stderr, code := x.run(append([]string{"wallet", "create"}, wallet...)...); code == exitOK || !strings.Contains(stderr, "whose key was imported") {
		t.Errorf("wallet create: exit %d\n%s", code, stderr)
	}
	args := append([]string{"wallet", "import", "--address", addressOf(t, nem.SymbolTestnet, key), "--key-fd", "3"}, wallet...)
	if out, stderr, code := x.runWithKey(key, args...); code != exitOK {
		t.Errorf("wallet import: exit %d\n%s%s", code, out, stderr)
	}
}

// importedSeed is a key that a descriptor brought.
func importedSeed(t *testing.T, key string) *token.Secret {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(read.Fd())) // ReadPrivateKeyFD closes what it reads
	if _, writing := write.WriteString(key + "\n"); errors.Join(err, writing, write.Close(), read.Close()) != nil {
		t.Fatal(err, writing)
	}
	seed, err := token.ReadPrivateKeyFD(nem.Symbol, fd)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func lineOf(text, first string) string {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == first {
			return line
		}
	}
	return ""
}

// backupImported keeps a key in a backup that the token does not give out: it is read once more.
func (x *installation) backupImported(t *testing.T, key string) {
	t.Helper()
	people := newCustodians(t)
	path := filepath.Join(x.dir, "imported.backup")
	args := append([]string{"wallet", "backup", "--config", x.config, "--need", "2", "--out", path, "--imported", "xym=3"}, people.flags...)
	if _, stderr, code := x.runWithKey(strings.Repeat("4d", 32), args...); code == exitOK {
		t.Errorf("another key was kept for the wallet: %s", stderr)
	}
	out, stderr, code := x.runWithKey(key, args...)
	contains, misses, _ := strings.Cut(out, "It does not contain")
	if code != exitOK || lineOf(contains, "xym") == "" || lineOf(contains, "vector") == "" || lineOf(misses, "made") == "" || lineOf(misses, "xym") != "" {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(bytes.ToLower(text), []byte(key)) {
		t.Errorf("the backup shows a key, or nothing: %v", err)
	}
}

// TestDoctor looks at a sound installation, beside its signer and without, and at one that is not.
func TestDoctor(t *testing.T) {
	x := install(t)
	config := string(readAll(t, x.config))
	x.write("signer.toml", strings.Replace(config, `accept_leaky_token = "a test"`, "", 1))
	if out, _, code := x.run("doctor", "--config", x.config); code != exitFailed || !strings.HasPrefix(lineWith(out, "C_DigestKey"), "fail") || (lineWith(out, "seeds_not_erased") == "") != token.ErasesArithmetic {
		t.Errorf("exit %d, with a leaky token that nobody accepts:\n%s", code, out)
	}
	x.write("signer.toml", config)
	if out := x.must("doctor", "--config", x.config); lineWith(out, "token_leaky") == "" || !strings.Contains(lineWith(out, "no_witness"), "rollback of this host: unbounded") || lineWith(out, "pin_beside_token") == "" {
		t.Errorf("without a signer:\n%s", out)
	}
	x.start("")
	if out := x.must("doctor", "--config", x.config); !strings.HasPrefix(lineWith(out, "it runs"), "ok") {
		t.Errorf("beside a signer:\n%s", out)
	}
	x.equip(t.Context())
	x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small))
	x.stop()
	if out := x.must("doctor", "--config", x.config); !strings.HasPrefix(lineWith(out, "wallet_keys"), "ok") {
		t.Errorf("with every wallet's key here:\n%s", out)
	}
	sealed := filepath.Join(x.dir, "state", "wallets", signertest.XEM+".sealed")
	if err := os.Rename(sealed, sealed+".away"); err != nil {
		t.Fatal(err)
	}
	if out, _, code := x.run("doctor", "--config", x.config); code != exitFailed || !strings.HasPrefix(lineWith(out, "wallet "+signertest.XEM+" cannot sign here"), "fail") {
		t.Errorf("exit %d, without the sealed wallet's file:\n%s", code, out)
	}
	if err := os.Rename(sealed+".away", sealed); err != nil {
		t.Fatal(err)
	}
	tokens := filepath.Join(x.dir, "tokens")
	if err := errors.Join(os.Rename(tokens, tokens+".away"), os.Mkdir(tokens, 0o700)); err != nil {
		t.Fatal(err)
	}
	x.must("token", "init", "--config", x.config)
	if out, _, code := x.run("doctor", "--config", x.config); code != exitFailed || !strings.Contains(lineWith(out, "genesis"), "another token than the journal's") {
		t.Errorf("exit %d, with another token of the same name:\n%s", code, out)
	}
	if err := errors.Join(os.RemoveAll(tokens), os.Rename(tokens+".away", tokens)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(x.dir, "anchor")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(x.dir, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, _, code := x.run("doctor", "--config", x.config)
	if code != exitFailed || !strings.HasPrefix(lineWith(out, "anchor is empty"), "fail") && !strings.HasPrefix(lineWith(out, "anchors"), "fail") || !strings.HasPrefix(lineWith(out, "has mode"), "fail") {
		t.Errorf("exit %d, without its anchor and with an open state directory:\n%s", code, out)
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// TestImportFromThePrompt types a key on a terminal, which does not show it.
func TestImportFromThePrompt(t *testing.T) {
	x := install(t)
	x.start("")
	master, terminal := openTerminal(t)
	key := strings.Repeat("6e", 32)
	cmd := exec.CommandContext(t.Context(), binary, "wallet", "import", "--config", x.config, "--name", "typed",
		"--network", nem.SymbolTestnet.String(), "--address", addressOf(t, nem.SymbolTestnet, key), "--present", "alice")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Stdin = &out, &out, terminal
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown := readUntil(t, master, "(not shown): ")
	if _, err := master.WriteString(key + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if _, err := terminal.WriteString("end"); err != nil {
		t.Fatal(err)
	}
	shown += readUntil(t, master, "end")
	if strings.Contains(shown+out.String(), key[:8]) {
		t.Errorf("the key is shown: %q", shown)
	}
	if lineOf(x.must("wallet", "list", "--config", x.config), "typed") == "" {
		t.Error("the wallet is not listed")
	}
}

// openTerminal makes a pseudo-terminal: what is written to the master is typed on the terminal.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return master, terminal
}

// readUntil reads what is shown, up to an end.
func readUntil(t *testing.T, master *os.File, end string) string {
	t.Helper()
	var shown []byte
	for b := make([]byte, 1); !bytes.HasSuffix(shown, []byte(end)); shown = append(shown, b[0]) {
		if _, err := master.Read(b); err != nil {
			t.Fatalf("after %q: %v", shown, err)
		}
	}
	return string(shown)
}
