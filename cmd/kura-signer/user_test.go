package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kura/nem"
)

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this is about what root may do; the tests do not run as root")
	}
}

// nobody is some user who is not root.
const nobody = 65534

// TestRootTakesNothingFromOthers gives root a configuration, and a module, that somebody else could have written.
func TestRootTakesNothingFromOthers(t *testing.T) {
	asRoot(t)
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		says  string // "" if root may take it
	}{
		{"root's own", func(string) error { return nil }, ""},
		{"a sticky directory", func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, ""},
		{"a link of root's", func(dir string) error {
			return errors.Join(os.Rename(dir+"/sub/signer.toml", dir+"/real"), os.Symlink("../real", dir+"/sub/signer.toml"))
		}, ""},
		{"another's file", func(dir string) error { return os.Chown(dir+"/sub/signer.toml", nobody, nobody) }, "signer.toml does not belong to root"},
		{"another's directory", func(dir string) error { return os.Chown(dir, nobody, 0) }, "does not belong to root"},
		{"an open file", func(dir string) error { return os.Chmod(dir+"/sub/signer.toml", 0o620) }, "others than root may write to"},
		{"an open directory", func(dir string) error { return os.Chmod(dir, 0o770) }, "others than root may write to"},
		{"a link of another's", func(dir string) error {
			return errors.Join(os.Rename(dir+"/sub/signer.toml", dir+"/real"), os.Symlink("../real", dir+"/sub/signer.toml"),
				os.Lchown(dir+"/sub/signer.toml", nobody, nobody))
		}, "signer.toml does not belong to root"},
		{"a link into another's directory", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/theirs", 0o755), os.Rename(dir+"/sub/signer.toml", dir+"/theirs/signer.toml"),
				os.Symlink(dir+"/theirs/signer.toml", dir+"/sub/signer.toml"), os.Chown(dir+"/theirs", nobody, nobody))
		}, "theirs does not belong to root"},
		{"another's module", func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/module.so", nil, 0o755), os.Chown(dir+"/module.so", nobody, nobody))
		}, "token.module: "},
		{"a module that anybody may make", func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, "module.so does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			text := strings.Replace(strings.ReplaceAll(goodConfig, "/var/lib/kura", dir), "/run/kura/admin.sock", dir+"/admin.sock", 1)
			if strings.Contains(c.says, "module") {
				text = strings.Replace(text, "/usr/lib/softhsm/libsofthsm2.so", dir+"/module.so", 1)
			}
			if err := errors.Join(os.Mkdir(dir+"/sub", 0o755), os.WriteFile(dir+"/sub/signer.toml", []byte(text), 0o644), c.spoil(dir)); err != nil {
				t.Fatal(err)
			}
			_, stderr, code := call(t, "wallet", "list", "--config", dir+"/sub/signer.toml")
			want := exitAbsent // all was well up to the signer, which does not run
			if c.says != "" {
				want = exitConfig
			}
			if code != want || !strings.Contains(stderr, c.says) {
				t.Errorf("exit %d, want %d with %q\n%s", code, want, c.says, stderr)
			}
		})
	}
}

// TestRootOwnsNoState has root prepare a token before there is a state directory that says whose it is.
func TestRootOwnsNoState(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "signer.toml")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(goodConfig, "/var/lib/kura", dir+"/state")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := call(t, "token", "init", "--config", config)
	if code != exitConfig || !strings.Contains(stderr, "install -d -m 0700 -o USER") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if _, err := os.Lstat(dir + "/state"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state directory was made: %v", err)
	}
}

// TestFailedBackupLeavesNoFile has a backup of root's fail before and after it has become the signer's user.
func TestFailedBackupLeavesNoFile(t *testing.T) {
	asRoot(t)
	dir, err := os.MkdirTemp("", "ks") // below t.TempDir the signer's user could not enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "signer.toml")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(dir+"/state", 0o700), os.Chown(dir+"/state", nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	for out, text := range map[string]string{
		dir + "/backup":       "origin = 1",
		dir + "/state/backup": strings.Replace(strings.ReplaceAll(goodConfig, "/var/lib/kura", dir+"/state"), "/etc/kura/pin", dir+"/none", 1),
	} {
		write(text)
		// A process of its own: it gives root up for good.
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"wallet", "backup", "--config", config, "--need", "2", "--out", out}, newCustodians(t).flags...)...)
		if said, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(said), "--need") {
			t.Errorf("%v: there is a backup, or it did not come to that\n%s", err, said)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(out), "*backup*")); err != nil || len(left) != 0 { // hidden ones, too
			t.Errorf("%q are left behind (%v)", left, err)
		}
	}
}

// TestPromptEndsWithASignal interrupts a command that waits for its PIN, which is also the moment to look whether it is
// hardened as serve is.
func TestPromptEndsWithASignal(t *testing.T) {
	x := install(t)
	text := strings.Replace(string(readAll(t, x.config)), `pin_file = "pin"`, "", 1)
	x.write("signer.toml", text)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		master, terminal := openTerminal(t)
		// The shell allows a core, where it may, so that it can be seen who forbids it.
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `ulimit -c 1; exec "$@"`, "sh", binary, "token", "list", "--config", x.config)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.Stdin = &out, &out, terminal
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		readUntil(t, master, "PIN of token kura: ")
		if echoes(t, master) {
			t.Error("the prompt would show the PIN")
		}
		limits := string(readAll(t, fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid)))
		if line := lineWith(limits, "Max core file size"); !strings.Contains(line, " 0 ") {
			t.Errorf("a core is possible at the prompt: %q", line)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "nobody answered the prompt") {
			t.Errorf("%v: %v\n%s", signal, err, out.String())
		}
		if !echoes(t, master) {
			t.Errorf("%v left the terminal's echo off", signal)
		}
	}
}

// TestDaemonAsksForItsPIN types the PIN to a daemon, which asks within its wall.
func TestDaemonAsksForItsPIN(t *testing.T) {
	x := install(t)
	x.write("signer.toml", strings.Replace(string(readAll(t, x.config)), `pin_file = "pin"`, "", 1))
	master, terminal := openTerminal(t)
	x.terminal = terminal
	x.spawn("")
	if err := terminal.Close(); err != nil { // the daemon has its own: when it ends, so does what can be read
		t.Fatal(err)
	}
	readUntil(t, master, "PIN of token kura: ")
	if echoes(t, master) {
		t.Error("the prompt would show the PIN")
	}
	if _, err := master.Write(readAll(t, filepath.Join(x.dir, "pin"))); err != nil {
		t.Fatal(err)
	}
	x.untilReady()
	if !echoes(t, master) {
		t.Error("the terminal's echo is left off")
	}
	x.stop()
}

// TestDescriptorEndsWithASignal interrupts commands that wait for a secret on a descriptor.
func TestDescriptorEndsWithASignal(t *testing.T) {
	x := install(t)
	for name, args := range map[string][]string{
		"a PIN": {"token", "list"},
		"a key": {"wallet", "import", "--name", "old", "--network", "nis1-testnet", "--present", "alice",
			"--address", nem.PublicKey{1}.Address(nem.NIS1Testnet).String(), "--key-fd", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(x.dir, strings.ReplaceAll(name, " ", "-")+".toml")
			x.write(filepath.Base(config), strings.Replace(string(readAll(t, x.config)), `pin_file = "pin"`, "pin_fd = 3", 1))
			in, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close() // the rest of the line does not come
			if _, err := out.WriteString("ab"); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), binary, append(args, "--config", config)...)
			var said bytes.Buffer
			cmd.Stderr, cmd.ExtraFiles = &said, []*os.File{in}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = in.Close()
			x.Until("it has read what came", func() bool {
				left, err := unix.IoctlGetInt(int(out.Fd()), unix.TIOCINQ)
				return err == nil && left == 0
			})
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil || !strings.Contains(said.String(), "nothing whole came from descriptor 3") {
				t.Errorf("%v\n%s", err, said.String())
			}
		})
	}
}

// TestDescriptorOfTheRuntime names descriptors that nobody handed over: the lowest are the Go runtime's own.
func TestDescriptorOfTheRuntime(t *testing.T) {
	x := install(t)
	for fd := 3; fd < 9; fd++ {
		x.write("signer.toml", regexp.MustCompile("pin_(file|fd) = .*").ReplaceAllString(string(readAll(t, x.config)), fmt.Sprintf("pin_fd = %d", fd)))
		if _, stderr, code := x.run("token", "list", "--config", x.config); code != exitFailed || !strings.Contains(stderr, "is not open: hand it over") {
			t.Errorf("descriptor %d: exit %d, %s", fd, code, stderr)
		}
	}
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}
