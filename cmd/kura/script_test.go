package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kura/signer/token/softhsmtest"
)

// binaries is where TestMain built the real ones.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "kura-binaries")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		// The daemons run under users of their own when the tests run as root.
		if err := os.Chmod(dir, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		build := exec.Command("go", "build", "-o", dir+"/", "kura/cmd/kura", "kura/cmd/kura-signer", "kura/cmd/kura-gateway")
		build.Stdout, build.Stderr = os.Stdout, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "building the binaries:", err)
			return 1
		}
		binaries = dir
		return softhsmtest.Main(m)
	}())
}

// TestScripts runs the real binaries as their users do: testdata/*.txtar.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	softhsmtest.Need(t, int64(len(scripts)), softhsmtest.Missing()) // for kura dev
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", binaries+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			examples, err := filepath.Abs("../../examples")
			if err != nil {
				return err
			}
			env.Setenv("EXAMPLES", examples)
			env.Values[devKey{}] = new(devProcesses)
			// The daemons' users must be able to pass to what lies below.
			for dir := env.WorkDir; dir != filepath.Dir(dir) && dir != os.TempDir(); dir = filepath.Dir(dir) {
				if err := os.Chmod(dir, 0o755); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"dev":     cmdDev,
			"capture": cmdCapture,
			"replace": cmdReplace,
		},
	})
}

// cmdDev starts `kura dev` in a directory and waits until it serves; `dev stop`
// stops it.
func cmdDev(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: dev DIR | dev stop")
	}
	running := ts.Value(devKey{}).(*devProcesses)
	if args[0] == "stop" {
		running.last.stop()
		return
	}
	p := &devProcess{cmd: exec.Command(filepath.Join(binaries, "kura"), "dev", "--dir", ts.MkAbs(args[0]), "--listen", "127.0.0.1:0")}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	ts.Defer(p.stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready ") {
			go func() {
				for lines.Scan() { // so that it never blocks on a full pipe
				}
			}()
			running.last = p
			return
		}
	}
	ts.Fatalf("kura dev ended before it was ready: %v", p.cmd.Wait())
}

type devKey struct{}

// devProcesses is what one script has running.
type devProcesses struct{ last *devProcess }

type devProcess struct {
	cmd     *exec.Cmd
	stopped bool
}

func (p *devProcess) stop() {
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// cmdCapture sets a variable to what a regular expression's first group finds in
// the last standard output: capture NAME REGEXP.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("%s does not match the last output", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// cmdReplace writes FILE with every OLD as NEW to OUT: replace FILE OLD NEW OUT.
// It fails if there is none.
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: replace FILE OLD NEW OUT")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o644))
}
