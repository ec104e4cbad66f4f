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
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A Cluster is a private PostgreSQL server on a unix socket, in a directory of its own. Kill and Restart
// are for tests of what survives.
type Cluster struct {
	dir     string
	data    string // inside dir, or on a Disk
	wal     string // "" for inside data
	bin     string
	cred    *syscall.Credential // nil: this process's own user
	options []string            // settings of every start
	server  *server
}

// Places says where a cluster keeps what it writes; "" is its own directory.
type Places struct {
	Data string // tables and everything else but the write-ahead log
	WAL  string // the write-ahead log
}

// readyLine is what a server says when it takes connections: a standby takes those that only read.
var readyLine = regexp.MustCompile(`ready to accept (read-only )?connections`)

type server struct {
	process *os.Process
	ended   chan struct{} // closed when the process is gone
}

// Start makes and starts a cluster, and stops it when the test ends. Without PostgreSQL the test is skipped, or fails
// in CI.
func Start(t testing.TB) *Cluster {
	t.Helper()
	return StartOn(t, Places{})
}

// StartOn is Start with places elsewhere.
func StartOn(t testing.TB, p Places) *Cluster {
	t.Helper()
	c := start(t, p)
	t.Cleanup(c.stop)
	return c
}

// start makes one that outlives the test.
func start(t testing.TB, p Places) *Cluster {
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
	err := c.initialise(p)
	if err == nil {
		err = c.Restart()
	}
	if err != nil {
		c.stop()
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

// initialise makes the cluster.
func (c *Cluster) initialise(p Places) error {
	if err := c.makeDir(); err != nil {
		return err
	}
	args := []string{"-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"}
	if p.Data != "" {
		c.data = filepath.Join(p.Data, "data")
		c.wal = filepath.Join(c.dir, "wal")
		if err := c.own(p.Data); err != nil {
			return err
		}
	}
	if p.WAL != "" {
		c.wal = filepath.Join(p.WAL, "wal")
		if err := c.own(p.WAL); err != nil {
			return err
		}
		// Small segments, and none kept in advance: a small disk is soon full.
		args = append(args, "--wal-segsize=1")
		c.options = append(c.options, "min_wal_size=2MB", "max_wal_size=4MB")
	}
	if c.wal != "" {
		args = append(args, "--waldir", c.wal)
	}
	return c.run("initdb", append(args, "-D", c.data)...)
}

// makeDir makes the directory. PostgreSQL refuses to run as root, so root hands it to another user.
func (c *Cluster) makeDir() error {
	dir, err := os.MkdirTemp("", "kura-pg")
	if err != nil {
		return err
	}
	c.dir, c.data = dir, filepath.Join(dir, "data")
	if os.Geteuid() == 0 {
		uid, gid, err := unprivileged()
		if err != nil {
			return err
		}
		c.cred = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return c.own(dir)
}

// own hands a directory to the cluster's user.
func (c *Cluster) own(dir string) error {
	if c.cred == nil {
		return nil
	}
	return os.Chown(dir, int(c.cred.Uid), int(c.cred.Gid))
}

// run runs one of PostgreSQL's programs to its end.
func (c *Cluster) run(program string, args ...string) error {
	if out, err := c.command(program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
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
	args := []string{"-D", c.data, "-k", c.dir, "-c", "listen_addresses=", "-c", "logging_collector=off",
		// A server that is killed leaves its shared memory behind: here, and not in /dev/shm.
		"-c", "dynamic_shared_memory_type=mmap"}
	for _, option := range slices.Concat(c.options, options) {
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
			if readyLine.MatchString(lines.Text()) {
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
	if err := os.WriteFile(filepath.Join(c.data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	return c.Restart()
}

// Kill ends the server and all its sessions with SIGKILL, as a crash of the machine's memory does, and
// returns when the server is gone.
func (c *Cluster) Kill() {
	if !c.Runs() {
		c.server = nil
		return
	}
	pid := c.server.process.Pid
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	// The children first: one that outlived it would keep the next start waiting.
	for _, child := range c.children() {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	<-c.server.ended
	c.server = nil
}

// children are the server's sessions and workers.
func (c *Cluster) children() (pids []int) {
	pid := c.server.process.Pid
	list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(list)) {
		if n, err := strconv.Atoi(child); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// Pause stops the server's processes where they are, as a frozen machine does. Resume has them go on.
func (c *Cluster) Pause() { c.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (c *Cluster) Resume() { c.signal(syscall.SIGCONT) }

func (c *Cluster) signal(s syscall.Signal) {
	_ = syscall.Kill(c.server.process.Pid, s)
	for _, child := range c.children() {
		_ = syscall.Kill(child, s)
	}
}

// End ends the server in its fast way, as `systemctl restart` does: sessions are ended, what they had under
// way is undone.
func (c *Cluster) End() {
	if !c.Runs() {
		c.server = nil
		return
	}
	_ = c.server.process.Signal(syscall.SIGINT)
	<-c.server.ended
	c.server = nil
}

// Runs reports whether the server runs; one whose log has no room ends by itself.
func (c *Cluster) Runs() bool {
	if c.server == nil {
		return false
	}
	select {
	case <-c.server.ended:
		return false
	default:
		return true
	}
}

// stop ends the server and removes everything.
func (c *Cluster) stop() {
	c.Kill()
	c.forget()
	_ = os.RemoveAll(c.dir)
	_ = os.RemoveAll(c.data)
	if c.wal != "" {
		_ = os.RemoveAll(c.wal)
	}
}

// forget gives the kernel the segment of shared memory back by which a server knows that another one is at its data: a
// killed one leaves it for the next start, and the kernel has few of them.
func (c *Cluster) forget() {
	text, _ := os.ReadFile(filepath.Join(c.data, "postmaster.pid")) // gone where the server ended by itself
	const line = 6                                                  // the segment's key and number
	if lines := strings.Split(string(text), "\n"); len(lines) > line {
		if segment := strings.Fields(lines[line]); len(segment) == 2 {
			if id, err := strconv.Atoi(segment[1]); err == nil {
				_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // where it is gone already there is nothing to free
			}
		}
	}
}

// Dump returns what pg_dump makes of a schema.
func (c *Cluster) Dump(schema string) ([]byte, error) {
	cmd := c.command("pg_dump", "-h", c.dir, "-U", "postgres", "-n", schema, "postgres")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w", err)
	}
	return out, nil
}

// Restore puts a dump into a new database of the cluster.
func (c *Cluster) Restore(name string, dump []byte) error {
	if err := c.run("createdb", "-h", c.dir, "-U", "postgres", name); err != nil {
		return err
	}
	_, err := c.Psql("postgres:///"+name+"?"+url.Values{"host": {c.dir}, "user": {"postgres"}}.Encode(), string(dump))
	return err
}

// Psql runs a script with PostgreSQL's own client, up to the first error, and returns what it prints.
func (c *Cluster) Psql(dsn, script string) (string, error) {
	dsn = strings.Replace(dsn, "search_path=", "options=-csearch_path%3D", 1) // the one spelling that it understands
	cmd := c.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", dsn)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("psql: %w\n%s", err, out)
	}
	return string(out), nil
}
