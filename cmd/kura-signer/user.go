package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// setUp reads the configuration and becomes the user whom the state directory belongs to. Root may run any command;
// what it would leave behind in the token's or the signer's directories as its own would lock the signer out.
func setUp(configPath string) (*Config, error) {
	c, err := readConfig(configPath)
	if err != nil {
		return nil, err
	}
	if err := becomeOwner(c.StateDir); err != nil {
		return nil, exit(exitConfig, err)
	}
	return c, nil
}

// becomeOwner gives up root for the owner of a directory, for good. It does nothing for anybody else, for a directory
// that is root's, and for one that does not exist yet.
func becomeOwner(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	err = errors.Join(syscall.Setgroups(nil), syscall.Setgid(int(owner.Gid)), syscall.Setuid(int(owner.Uid)))
	if err != nil {
		return fmt.Errorf("become user %d, the owner of %s: %w", owner.Uid, dir, err)
	}
	return nil
}
