package dev

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// users are the uids under which the two daemons run. As root they are two
// unnamed ones, so that the gateway cannot read the signer's files; otherwise
// both are the caller's, which is said loudly.
type users struct {
	signer, gateway int
	separate        bool
	why             string // why they are not separate
}

// Unnamed uids out of the range that Debian gives to anybody (adduser(8) ends at
// 59999, dynamic system users begin at 61184 and end at 65519).
const (
	signerUID  = 60901
	gatewayUID = 60902
)

func chooseUsers(dir, binaries string) users {
	uid := os.Geteuid()
	same := users{signer: uid, gateway: uid}
	if uid != 0 {
		same.why = "not started as root"
		return same
	}
	for _, d := range []string{dir, binaries} {
		if closed, ok := closedAncestor(d); ok {
			same.why = fmt.Sprintf("%s is closed to other users", closed)
			return same
		}
	}
	return users{signer: signerUID, gateway: gatewayUID, separate: true}
}

// closedAncestor finds a directory on the way to dir that a stranger cannot pass.
func closedAncestor(dir string) (string, bool) {
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return d, true
		}
		if d == filepath.Dir(d) {
			return "", false
		}
	}
}

// own gives a directory tree to a uid.
func own(root string, uid int) error {
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, uid)
	})
}

func credential(uid int) *syscall.Credential {
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
}
