package rpc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen makes the socket at path for one user, replacing what a signer that ended left there: the caller holds the
// lock that says none is running. Where the process may, the file is given to that user with mode 0600; where it may
// not (neither root nor that user itself), everybody may knock and [Server] opens to nobody else.
//
// The socket's directory must be the process's own or root's, and nobody else may replace files in it: whoever could
// would answer in the signer's place, or have the mode and owner of another file changed.
func Listen(path string, uid uint32) (*net.UnixListener, error) {
	if err := checkDirectory(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s is in the way: it is not a socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the old socket: %w", err)
		}
	}
	old := unix.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, err
	}
	if int(uid) == os.Geteuid() {
		return l, nil
	}
	err = os.Lchown(path, int(uid), -1)
	if errors.Is(err, fs.ErrPermission) {
		// By the directory's check, path still is what was made above.
		err = os.Chmod(path, 0o666) //nolint:gosec // peers are told apart by SO_PEERCRED, see above
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("give %s to user %d: %w", path, uid, err), l.Close())
	}
	return l, nil
}

// checkDirectory refuses a directory in which another user could put something in a socket's place.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("the socket's directory: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid // always this type on Linux
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is no directory: a socket cannot be made in it", dir)
	case owner != 0 && int(owner) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, who could replace the socket: want a directory of user %d or root", dir, owner, os.Geteuid())
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("others may write in %s (mode %04o) and could replace the socket: want mode 0755 or less, or the sticky bit", dir, info.Mode().Perm())
	}
	return nil
}

// PeerOf asks the kernel who is at the other end.
func PeerOf(conn *net.UnixConn) (Caller, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Caller{}, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Caller{}, err
	}
	if credErr != nil {
		return Caller{}, fmt.Errorf("SO_PEERCRED: %w", credErr)
	}
	return Caller{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid}, nil
}
