package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links the kernel follows in one path.
const maxLinks = 40

// rootsAlone refuses a path that somebody other than root could have put there, or could put something else in place
// of: every directory on it, every link and what it ends at must belong to root, and nobody else may write to them. A
// directory where others may write is good enough if it is sticky: what root has in it stays root's.
func rootsAlone(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at, shared := "/", false // shared: others may make entries in it
	rest := strings.Split(path, "/")
	for links := 0; ; {
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) && shared {
			return fmt.Errorf("%s does not exist, and anybody may make it", at)
		}
		if err != nil {
			return err
		}
		if err := rootsOwn(at, info); err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			target, err := os.Readlink(at)
			if err != nil {
				return err
			}
			if links++; links > maxLinks {
				return fmt.Errorf("%s: more than %d links", path, maxLinks)
			}
			if at = filepath.Dir(at); filepath.IsAbs(target) {
				at, shared = "/", false
			}
			rest = append(strings.Split(target, "/"), rest...)
		} else {
			shared = info.Mode().Perm()&0o022 != 0
		}
		for len(rest) > 0 && (rest[0] == "" || rest[0] == ".") {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return nil
		}
		at, rest = filepath.Join(at, rest[0]), rest[1:]
	}
}

// rootsOwn holds one entry of the file system to root.
func rootsOwn(path string, info fs.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !ok || owner.Uid != 0:
		return fmt.Errorf("%s does not belong to root: root takes nothing from where others can write; run this as the signer's user, or give the path to root", path)
	case mode.Type() == fs.ModeSymlink: // nobody can write to a link
		return nil
	case mode.Perm()&0o022 != 0 && (!mode.IsDir() || mode&fs.ModeSticky == 0):
		return fmt.Errorf("others than root may write to %s (mode %04o): root takes nothing from there; run this as the signer's user, or close it (chmod go-w)", path, mode.Perm())
	}
	return nil
}
