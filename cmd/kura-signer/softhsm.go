package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// keptSuffix names the copy of a token.object, beside it: SoftHSM reads files that end with .object, and no others.
const keptSuffix = ".kept"

// longestLogin is how long another process is waited for: one that hangs in the module must not keep everybody out.
const longestLogin = 30 * time.Second

// enterTokens has processes of this program log in to SoftHSM one after the other: what one has emptied the other would
// find no token in, or none with a PIN. In between nobody writes, so that what is empty is so for good.
func (c *Config) enterTokens(log *slog.Logger) (leave func(), err error) {
	tokens, err := c.tokenDirectory()
	if err != nil || tokens == "" {
		return func() {}, err
	}
	directory, err := os.Open(tokens)
	if err != nil {
		return nil, err
	}
	leave = func() { _ = directory.Close() } // which gives the lock up
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(directory.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) { // not every file system that is shared over a network can
			log.Warn("logins cannot be kept apart here, and no copy is kept of a token's file", "directory", tokens, "cause", err)
			return leave, nil
		}
		if time.Since(begun) > longestLogin {
			log.Warn("another process has been logging in for long: no longer waited for", "directory", tokens)
			return leave, nil
		}
	}
	if err := keepTokens(tokens, log); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// keepTokens keeps a copy of the one file of each of SoftHSM's tokens without which none of its keys opens, token.object,
// and puts it back where it says nothing. SoftHSM empties that file at every login and fills it a moment later: a process
// that is killed between the two, a machine that loses power or a full disk would be the end of every key.
func keepTokens(tokens string, log *slog.Logger) error {
	all, _ := filepath.Glob(filepath.Join(tokens, "*", "token.object")) // it fails only for a bad pattern
	for _, object := range all {
		restored, err := keepObject(object)
		if errors.Is(err, fs.ErrPermission) {
			continue // another user's token, which this process cannot log in to
		}
		if err != nil {
			return fmt.Errorf("keep a copy of %s, which SoftHSM may lose when it logs in: %w", object, err)
		}
		if restored {
			log.Warn("a token's file said nothing: its copy was put back", "file", object, "copy", object+keptSuffix)
		}
	}
	return nil
}

// settleTokens makes durable what SoftHSM wrote: it leaves it to the kernel when a new object reaches the disk.
func (c *Config) settleTokens() error {
	tokens, err := c.tokenDirectory()
	if err != nil || tokens == "" {
		return err
	}
	for _, pattern := range []string{"*/*.object", "*"} { // the directories last: they name the objects
		all, _ := filepath.Glob(filepath.Join(tokens, pattern)) // it fails only for a bad pattern
		for _, name := range all {
			if err := syncFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
				return err // an object may go meanwhile, a token be another user's
			}
		}
	}
	return nil
}

func syncFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// keepObject tells whether it put the copy back.
func keepObject(object string) (restored bool, err error) {
	text, err := os.ReadFile(object)
	if err != nil {
		return false, err
	}
	kept, err := os.ReadFile(object + keptSuffix)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	case blank(text) && blank(kept): // cut off in its making: it has no key yet
		return false, nil
	case blank(text):
		return true, replaceFile(object, kept)
	case bytes.Equal(withoutCount(text), withoutCount(kept)):
		return false, nil
	}
	return false, replaceFile(object+keptSuffix, text)
}

// blank tells whether an object says nothing: after a loss of power some file systems have a file as long as it was, of
// zeros. It fits into one block of the disk, which is written whole or not at all.
func blank(object []byte) bool { return len(bytes.Trim(withoutCount(object), "\x00")) == 0 }

// withoutCount leaves out how often SoftHSM wrote the file, so that a copy is made with a new PIN and not with every login.
func withoutCount(object []byte) []byte { return object[min(8, len(object)):] }

// replaceFile writes a file anew, whole or not at all, durable when it returns.
func replaceFile(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when all went well
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}
