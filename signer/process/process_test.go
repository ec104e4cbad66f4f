package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain lets the tests run a second process of this binary, which restricts
// and hardens itself and then tries what it must not be able to do.
func TestMain(m *testing.M) {
	if directory := os.Getenv("KURA_TEST_CONFINED"); directory != "" {
		confined(directory)
		return
	}
	os.Exit(m.Run())
}

func confined(directory string) {
	port, err := strconv.ParseUint(os.Getenv("KURA_TEST_PORT"), 10, 16)
	if err != nil {
		fmt.Println("port:", err)
		os.Exit(1)
	}
	listenPort, err := strconv.ParseUint(os.Getenv("KURA_TEST_LISTEN"), 10, 16)
	if err != nil {
		fmt.Println("port:", err)
		os.Exit(1)
	}
	err = Restrict(Paths{
		Read:       []string{filepath.Join(directory, "read"), "?/nonexistent"},
		Write:      []string{filepath.Join(directory, "write")},
		ConnectTCP: []uint16{uint16(port)},
		ListenTCP:  []uint16{uint16(listenPort)},
	})
	if err != nil {
		fmt.Println("restrict:", err)
		os.Exit(1)
	}
	report := Harden()
	fmt.Printf("dumpable=%t core=%t privileges=%t landlock=%t\n", !report.NotDumpable, !report.NoCore, !report.NoNewPrivileges, report.Landlock > 0)
	tell := func(what string, err error) { fmt.Printf("%s=%t\n", what, err == nil) }
	_, err = os.ReadFile(filepath.Join(directory, "read", "file"))
	tell("read what may be read", err)
	tell("write where only reading is allowed", os.WriteFile(filepath.Join(directory, "read", "new"), nil, 0o600))
	tell("write what may be written", os.WriteFile(filepath.Join(directory, "write", "new"), nil, 0o600))
	tell("rename within it", os.Rename(filepath.Join(directory, "write", "new"), filepath.Join(directory, "write", "newer")))
	_, err = os.ReadFile(filepath.Join(directory, "closed", "file"))
	tell("read what is closed", err)
	_, err = os.ReadFile("/etc/passwd")
	tell("read the system's files", err)
	tell("run a program", exec.Command("/bin/true").Run())
	_, err = net.Dial("tcp", "127.0.0.1:"+strconv.FormatUint(port, 10))
	tell("connect to the database", err)
	_, err = net.Dial("tcp", os.Getenv("KURA_TEST_OTHER"))
	tell("connect elsewhere", err)
	var listening net.ListenConfig
	listening.SetMultipathTCP(false) // which Landlock overlooks
	_, err = listening.Listen(context.Background(), "tcp", "127.0.0.1:0")
	tell("listen", err)
	_, err = listening.Listen(context.Background(), "tcp", "127.0.0.1:"+os.Getenv("KURA_TEST_LISTEN"))
	tell("listen where it may", func() error {
		if errors.Is(err, unix.EADDRINUSE) { // the other process keeps the port, so that nobody else takes it meanwhile
			return nil
		}
		return err
	}())
	tell("environment kept", func() error {
		if os.Getenv("KURA_TEST_OTHER") == "" {
			return unix.ENOENT
		}
		return nil
	}())
}

func TestConfinedProcess(t *testing.T) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || version < 4 {
		t.Skipf("this kernel's Landlock is too old or absent (ABI %d, %v)", version, errno)
	}
	// Not below /tmp's parent that the rules open; nothing here is in Paths but what is named.
	directory := t.TempDir()
	for _, name := range []string{"read", "write", "closed"} {
		if err := os.Mkdir(filepath.Join(directory, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, name, "file"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	database, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = database.Close() }()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	kept, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
	_, listen, err := net.SplitHostPort(kept.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	_, port, err := net.SplitHostPort(database.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	command.Env = append(os.Environ(), "KURA_TEST_CONFINED="+directory, "KURA_TEST_PORT="+port, "KURA_TEST_OTHER="+other.Addr().String(), "KURA_TEST_LISTEN="+listen)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	want := []string{
		"dumpable=false core=false privileges=false landlock=true",
		"read what may be read=true",
		"write where only reading is allowed=false",
		"write what may be written=true",
		"rename within it=true",
		"read what is closed=false",
		"read the system's files=false",
		"run a program=false",
		"connect to the database=true",
		"connect elsewhere=false",
		"listen=false",
		"listen where it may=true",
		"environment kept=true",
	}
	if got := strings.TrimSpace(string(output)); got != strings.Join(want, "\n") {
		t.Errorf("the confined process says:\n%s", got)
	}
}

func TestRestrictRefusesRelativePaths(t *testing.T) {
	if err := addPath(-1, "state", readRights); err == nil {
		t.Error("a relative path was accepted")
	}
	if err := addPath(-1, "/nonexistent/kura", readRights); err == nil {
		t.Error("a missing path was accepted")
	}
	if err := addPath(-1, "?/nonexistent/kura", readRights); err != nil {
		t.Errorf("a path that may be missing: %v", err)
	}
}

func TestHardenSaysWhatIsWeak(t *testing.T) {
	// In the test process itself only reading is harmless: the report of a process
	// that Restrict has not confined names that.
	if ConfinedBy() != 0 {
		t.Error("an unconfined process calls itself confined")
	}
	t.Setenv(marker, "7")
	if held, err := readStatus(); err == nil && !held.noNewPrivileges && ConfinedBy() != 0 {
		t.Error("the marker alone was believed")
	}
}
