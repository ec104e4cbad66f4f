package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A Cluster is a private PostgreSQL server on a unix socket, in a directory of its own. Kill and Restart
// are for tests of what survives.
type Cluster struct {
	dir    string
	bin    string
	cred   *syscall.Credential // nil: this process's own user
	server *server
}

type server struct {
	process *os.Process
	ended   chan struct{} // closed when the process is gone
}

// Start makes and starts a cluster. The caller stops it. Without PostgreSQL the test is skipped, or fails
// in CI.
func Start(t testing.TB) *Cluster {
	t.Helper()
	bin := binaries()
	if bin == "" {
		missing := "no PostgreSQL: neither KURA_TEST_DATABASE nor /usr/lib/postgresql/*/bin/initdb"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	c := &Cluster{bin: bin}
	if err := c.initialise(); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(); err != nil {
		c.Stop()
		t.Fatal(err)
	}
	return c
}

// binaries returns the directory of the newest PostgreSQL that is installed, "" if there is none.
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// initialise makes the directory. PostgreSQL refuses to run as root, so root hands it to another user.
func (c *Cluster) initialise() error {
	dir, err := os.MkdirTemp("", "kura-pg")
	if err != nil {
		return err
	}
	c.dir = dir
	if os.Geteuid() == 0 {
		uid, gid, err := unprivileged()
		if err != nil {
			return err
		}
		c.cred = &syscall.Credential{Uid: uid, Gid: gid}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	cmd := c.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// command prepares one of PostgreSQL's programs, to be run in the cluster's directory as its user.
func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(c.bin, program), args...) //nolint:gosec // a test runs the installed PostgreSQL
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred}
	return cmd
}

func unprivileged() (uid, gid uint32, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return uint32(uid), uint32(gid), nil
		}
	}
	return 0, 0, fmt.Errorf("neither user postgres nor nobody exists: PostgreSQL cannot run as root")
}

// DSN returns the superuser's DSN.
func (c *Cluster) DSN() string {
	return "postgres:///postgres?" + url.Values{"host": {c.dir}, "user": {"postgres"}}.Encode()
}

// Restart starts the server, with options like "fsync=off", and returns when it takes connections.
func (c *Cluster) Restart(options ...string) error {
	args := []string{"-D", filepath.Join(c.dir, "data"), "-k", c.dir, "-c", "listen_addresses=", "-c", "logging_collector=off"}
	for _, option := range options {
		args = append(args, "-c", option)
	}
	ready := make(chan error, 1)
	go c.serve(args, ready)
	return <-ready
}

// serve runs the server to its end. The thread stays locked so that the kernel ends the server when this
// process dies, and not when a thread does.
func (c *Cluster) serve(args []string, ready chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := c.command("postgres", args...)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		ready <- err
		return
	}
	s := &server{process: cmd.Process, ended: make(chan struct{})}
	c.server = s
	var log strings.Builder
	waiting := true
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if waiting {
			log.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "ready to accept connections") {
				waiting = false
				ready <- nil
			}
		}
	}
	err = cmd.Wait()
	close(s.ended)
	if waiting {
		ready <- fmt.Errorf("the server did not start: %w\n%s", err, log.String())
	}
}

// RequirePasswords restarts the server so that every role but the superuser must give a password.
func (c *Cluster) RequirePasswords() error {
	c.Kill()
	hba := "local all postgres trust\nlocal all all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(c.dir, "data", "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	return c.Restart()
}

// Kill ends the server and all its sessions with SIGKILL, as a crash of the machine's memory does, and
// returns when the server is gone.
func (c *Cluster) Kill() {
	if c.server == nil {
		return
	}
	pid := c.server.process.Pid
	// The children first, while the server is there to be asked for them: one that outlived it would
	// keep the next start waiting.
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	for child := range strings.FieldsSeq(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	<-c.server.ended
	c.server = nil
}

// Stop ends the server and removes everything.
func (c *Cluster) Stop() {
	c.Kill()
	_ = os.RemoveAll(c.dir)
}
