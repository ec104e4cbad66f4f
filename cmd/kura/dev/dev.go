// Package dev sets a whole Kura up in one directory, on SoftHSM and the embedded
// store, and runs it: what `kura dev` does, for trying Kura out, for developing
// against it, and for the demo.
//
// It does by the real binaries what the operations guide has people do by hand:
// token, genesis ceremony, certificate, everybody's keys, wallets, and an example
// policy that its directors adopt. It trusts this machine; the keys of all parties
// lie beside each other in one directory, so nothing in it may ever be funded.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Config says where, and how.
type Config struct {
	Dir      string // everything is in it
	Listen   string // address of the gateway, like 127.0.0.1:8443; port 0 picks one, once
	Journal  string // "" for the embedded store, or a postgres:// DSN of the database's owner
	Binaries string // directory of kura-signer and kura-gateway
	Out      io.Writer
}

// deployment is one directory with what stands in it.
type deployment struct {
	Config
	users users
	step  int
}

// Run sets the directory up if that has not been done, starts signer and gateway
// and serves until the context ends. It returns when both have stopped.
func Run(ctx context.Context, cfg Config) error {
	// Children are told to end when the thread that started them does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var err error
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return err
	}
	d := &deployment{Config: cfg, users: chooseUsers(cfg.Dir, cfg.Binaries)}
	for _, binary := range []string{signerBinary, gatewayBinary} {
		if _, err := os.Stat(d.binary(binary)); err != nil {
			return fmt.Errorf("%s is not beside kura (%w): run make build", binary, err)
		}
	}
	if d.Journal != "" {
		if _, err := ownerOf(d.Journal); err != nil {
			return err // before anything is made
		}
	}
	done, err := d.isSetUp()
	if err != nil {
		return err
	}
	if err := d.chooseListen(ctx, done); err != nil {
		return err
	}
	if !done {
		if err := d.setUp(ctx); err != nil {
			return fmt.Errorf("setting up %s: %w", d.Dir, err)
		}
	}
	return d.serve(ctx, !done)
}

// isSetUp tells whether an earlier run finished the set-up. A directory in which
// one stopped half-way is refused: nothing in it is worth repairing.
func (d *deployment) isSetUp() (bool, error) {
	_, err := os.Stat(d.path(doneFile))
	if err == nil {
		return true, nil
	}
	entries, err := os.ReadDir(d.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case len(entries) > 0:
		return false, fmt.Errorf("%s is neither empty nor a finished kura dev directory: remove it or name another", d.Dir)
	}
	return false, nil
}

func (d *deployment) say(format string, args ...any) {
	fmt.Fprintf(d.Out, format+"\n", args...)
}

// now announces the next step of the set-up, so that whoever waits sees progress.
func (d *deployment) now(format string, args ...any) {
	d.step++
	d.say("%2d. %s", d.step, fmt.Sprintf(format, args...))
}

// startTimeout is how long a daemon may take until it answers.
const startTimeout = 30 * time.Second

// chooseListen settles the gateway's address at set-up; every home names it.
func (d *deployment) chooseListen(ctx context.Context, done bool) error {
	if done {
		text, err := os.ReadFile(d.path(listenFile))
		d.Listen = strings.TrimSpace(string(text))
		return err
	}
	// A port of 0 picks a free one, by taking it for a moment.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.Listen)
	if err != nil {
		return fmt.Errorf("the gateway cannot listen on %s: %w", d.Listen, err)
	}
	d.Listen = l.Addr().String()
	return l.Close()
}
