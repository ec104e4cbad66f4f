package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockState takes the lock that says that a signer, or a command that excludes one, is at work on the state directory.
// The kernel lets go of it when the process ends, however it ends.
func lockState(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // what failed before is what is said
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, exit(exitBusy, fmt.Errorf("a signer, or a command that excludes one, is at work: it holds %s", path))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil // nothing was written; closed or not, the lock ends with the process
}

// running tells whether a signer is at work on the state directory.
func running(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, "lock")); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	unlock, err := lockState(dir)
	var e *exitError
	switch {
	case errors.As(err, &e) && e.code == exitBusy:
		return true, nil
	case err != nil:
		return false, err
	}
	unlock()
	return false, nil
}
