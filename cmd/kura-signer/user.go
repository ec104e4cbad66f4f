package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"kura/signer/process"
)

// setUp reads the configuration and becomes the user whom the state directory belongs to. Root may run any command;
// what it would leave behind in the token's or the signer's directories as its own would lock the signer out. And root
// believes nothing that anybody else could have written: the configuration names a library that is loaded.
func setUp(configPath string) (*Config, error) {
	root := os.Geteuid() == 0
	if root {
		if err := rootsAlone(configPath); err != nil {
			return nil, exit(exitConfig, fmt.Errorf("read the configuration as root: %w", err))
		}
	}
	c, err := readConfig(configPath)
	if err != nil {
		return nil, err
	}
	if !root {
		return c, nil
	}
	if err := rootsAlone(c.Token.Module); err != nil && !errors.Is(err, fs.ErrNotExist) { // to load what is absent fails by itself
		return nil, exit(exitConfig, fmt.Errorf("token.module: %w", err))
	}
	if err := becomeOwner(c.StateDir); err != nil {
		return nil, exit(exitConfig, err)
	}
	return c, nil
}

// becomeOwner gives up root for the owner of a directory, for good; of root's own it stays root. It refuses a directory
// that does not exist: whoever makes it owns it, and that would be root.
func becomeOwner(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state_dir: %s does not exist, and root would make it its own: make it for the signer's user first (install -d -m 0700 -o USER -g GROUP %s)", dir, dir)
	}
	if err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	// Root may lock all memory. For a user with a limit, memory that root had locked for the future could not grow.
	err = errors.Join(unix.Munlockall(),
		syscall.Setgroups(nil), syscall.Setgid(int(owner.Gid)), syscall.Setuid(int(owner.Uid)))
	if err != nil {
		return fmt.Errorf("become user %d, the owner of %s: %w", owner.Uid, dir, err)
	}
	process.Harden() // as that user; serve logs what is weak
	return nil
}
