package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// daemon is one child process; its output goes to a log file.
type daemon struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when it has ended
	err  error         // why, once done is closed
}

var errEnded = errors.New("the process ended")

// stopGrace is how long a daemon may take to end after SIGTERM.
const stopGrace = 10 * time.Second

func startDaemon(name, logFile string, uid int, binary string, args ...string) (*daemon, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	// It outlives the context: stop ends it, and waits.
	cmd := exec.CommandContext(context.Background(), binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// A daemon must not outlive this process, even if it is killed with -9, and
	// must not get the terminal's Ctrl-C beside our own SIGTERM.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if uid != os.Geteuid() {
		cmd.SysProcAttr.Credential = credential(uid)
	}
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	d := &daemon{name: name, cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		d.err = cmd.Wait()
		log.Close()
		close(d.done)
	}()
	return d, nil
}

// untilReady polls check until it answers nil, the daemon ends or the time is up.
func (d *daemon) untilReady(ctx context.Context, within time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	err := errors.New("not asked yet")
	for {
		select {
		case <-d.done:
			return fmt.Errorf("%s ended before it was ready; see %s: %w", d.name, d.log.Name(), errors.Join(d.err, errEnded))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w); see %s", d.name, err, d.log.Name())
		case <-tick.C:
			if err = check(ctx); err == nil {
				return nil
			}
		}
	}
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-d.done:
	case <-time.After(stopGrace):
		_ = d.cmd.Process.Kill() // as above
		<-d.done
	}
}
