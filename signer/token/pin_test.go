package token

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPINFileIsForItsOwnerOnly(t *testing.T) {
	directory := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const digits = "0123456789abcdef0123456789abcdef"
	good := write("good", digits+"\n", 0o600)
	link := filepath.Join(directory, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	foreign := write("foreign", digits, 0o600)
	if os.Geteuid() == 0 {
		if err := os.Chown(foreign, 12345, -1); err != nil {
			t.Fatal(err)
		}
	} else {
		foreign = directory
	}
	if _, err := ReadPINFile(link); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("of a link it says %v", err)
	}
	for name, path := range map[string]string{
		"readable by the group": write("group", digits, 0o640),
		"readable by others":    write("others", digits, 0o604),
		"writable by the group": write("writable", digits, 0o620),
		"a link":                link,
		"a directory":           directory,
		"somebody else's":       foreign,
		"empty":                 write("empty", "\n", 0o600),
		"two lines":             write("two", digits+"\n"+digits+"\n", 0o600),
		"too long":              write("long", strings.Repeat("0", 300), 0o600),
		"missing":               filepath.Join(directory, "missing"),
	} {
		if pin, err := ReadPINFile(path); err == nil {
			t.Errorf("%s was accepted", name)
			pin.Wipe()
		} else if strings.Contains(err.Error(), digits) {
			t.Errorf("%s: the error repeats the PIN", name)
		}
	}
	for _, text := range []string{digits, digits + "\n"} {
		pin, err := ReadPINFile(write("ok", text, 0o400))
		if err != nil {
			t.Fatal(err)
		}
		if string(pin.bytes()) != digits || !pin.Strong() {
			t.Error("the PIN was read wrongly")
		}
		pin.Wipe()
		if len(pin.bytes()) != 0 {
			t.Error("a wiped PIN can be read")
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", directory)
	pin, err := ReadPINCredential("good")
	if err != nil {
		t.Fatal(err)
	}
	pin.Wipe()
	if _, err := ReadPINCredential("../good"); err == nil {
		t.Error("a credential's name left the directory")
	}
	if _, err := ReadPINCredential("others"); err == nil {
		t.Error("a credential that everybody reads was accepted")
	}
}

func TestPINFromADescriptorClosesIt(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.WriteString("1234\n"); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	defer reader.Close()                   // it was only read
	own, err := unix.Dup(int(reader.Fd())) // ReadPINFD closes what it is given, and reader closes its own
	if err != nil {
		t.Fatal(err)
	}
	pin, err := ReadPINFD(own)
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Wipe()
	if string(pin.bytes()) != "1234" || pin.Strong() {
		t.Error("the PIN was read wrongly")
	}
	if _, err := unix.FcntlInt(uintptr(own), unix.F_GETFD, 0); err == nil {
		t.Error("the descriptor is still open")
	}
}

func TestPINsAreMadeStrongAndDifferent(t *testing.T) {
	shape := regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := map[string]bool{}
	for range 50 {
		pin, err := NewPIN(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		digits := string(pin.bytes())
		if !shape.MatchString(digits) || !pin.Strong() || seen[digits] {
			t.Error("a PIN is not 128 random bits in hex")
		}
		seen[digits] = true
		for _, printed := range []string{fmt.Sprint(pin), fmt.Sprintf("%+v", pin), fmt.Sprintf("%#v", pin), pin.secret.String(), fmt.Sprintf("%#v", pin.secret)} {
			if strings.Contains(printed, digits) {
				t.Error("a PIN can be printed")
			}
		}
		pin.Wipe()
	}
	for _, weak := range []string{"", "1234", strings.Repeat("a", 32), "0123456789ABCDEF0123456789ABCDEF", strings.Repeat("01", 16)} {
		pin := pinOf(t, weak)
		if pin.Strong() {
			t.Errorf("%q counts as strong", weak)
		}
		pin.Wipe()
	}
}

func TestWrittenPINFileIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	pin, err := NewPIN(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Wipe()
	if err := os.WriteFile(path+".new", []byte("what a killed run left"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pin.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	again, err := ReadPINFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Wipe()
	if string(again.bytes()) != string(pin.bytes()) {
		t.Error("another PIN came back")
	}
	if err := pin.WriteFile(path); err == nil {
		t.Error("a PIN file was overwritten")
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("beside the PIN file: %v, %v", files, err)
	}
}

func TestWeakPINIsRefusedOnASoftwareToken(t *testing.T) {
	b := newBench(t)
	strong := b.digits
	b.digits = "1234567890"
	if _, err := Initialise(context.Background(), b.config(), soPINOf(t, b.so)); !errors.Is(err, ErrWeakPIN) {
		t.Errorf("a weak PIN: %v", err)
	}
	b.digits = strong
	if _, err := Initialise(context.Background(), b.config(), soPINOf(t, "1234")); !errors.Is(err, ErrWeakPIN) {
		t.Errorf("a weak SO PIN: %v", err)
	}
	if _, err := Initialise(context.Background(), b.config(), nil); err == nil {
		t.Error("a token was made without an SO PIN")
	}
	setup, err := Initialise(context.Background(), b.config(), soPINOf(t, b.so))
	if err != nil {
		t.Fatal(err)
	}
	if !setup.Made || !setup.Leaky || len(setup.LogKey) != 64 || len(setup.SealingKey) != 32 {
		t.Errorf("setup %+v", setup)
	}
	again, err := Initialise(context.Background(), b.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.Made || again.LogKey != setup.LogKey || again.SealingKey != setup.SealingKey {
		t.Errorf("a second run changed something: %+v", again)
	}
}

// A PIN that was made weaker with another tool is not used, whether it opens the token or not.
func TestWeakPINIsNotUsed(t *testing.T) {
	b := initialised(t)
	b.digits = "1234567890"
	for name, try := range map[string]func() error{
		"open":   func() error { _, err := Open(context.Background(), b.config()); return err },
		"attack": func() error { _, err := Attack(context.Background(), b.config()); return err },
	} {
		if err := try(); !errors.Is(err, ErrWeakPIN) || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(refusedPINPath(b.stateDir)); err == nil {
		t.Error("it was tried")
	}
}

func TestLeakyTokenNeedsAReason(t *testing.T) {
	b := initialised(t)
	config := b.config()
	config.AcceptLeakyToken = ""
	if tok, err := Open(context.Background(), config); !errors.Is(err, ErrLeakyToken) {
		if err == nil {
			_ = tok.Close()
		}
		t.Errorf("without a reason: %v", err)
	}
	b.open()
}

func TestConfigIsChecked(t *testing.T) {
	b := &bench{t: t, label: "x", stateDir: t.TempDir(), digits: "1"}
	for name, change := range map[string]func(*Config){
		"no module":          func(c *Config) { c.Module = "" },
		"no label":           func(c *Config) { c.Label = "" },
		"a long label":       func(c *Config) { c.Label = strings.Repeat("x", 33) },
		"no state directory": func(c *Config) { c.StateDir = "" },
		"no PIN":             func(c *Config) { c.PIN = nil },
		"too many sessions":  func(c *Config) { c.Sessions = 1000 },
		"negative sessions":  func(c *Config) { c.Sessions = -1 },
		"a missing module":   func(c *Config) { c.Module = "/nonexistent.so" },
	} {
		config := b.config()
		change(&config)
		if _, err := Open(context.Background(), config); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for path, says := range map[string]string{"/nonexistent.so": "No such file", "/etc/passwd": "ELF", "libc.so.6": "C_GetFunctionList"} {
		config := b.config()
		config.Module = path
		if _, err := Open(context.Background(), config); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("of the module %s it says %v", path, err)
		}
	}
	for _, name := range []string{"", ".hidden", "a/b", "a b", "a\n", "ä", strings.Repeat("a", 65), "-x", "Hot"} {
		if checkName(name) == nil {
			t.Errorf("the wallet name %q was accepted", name)
		}
	}
	for _, name := range []string{"hot", "hot-1", "0a.b_c", strings.Repeat("a", 64)} {
		if err := checkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
