package rpc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Listen makes the socket at path for one user, replacing what a signer that ended left there: the caller holds the
// lock that says none is running. Where the process may, the file is given to that user with mode 0600; where it may
// not (neither root nor that user itself), everybody may knock and [Server] opens to nobody else.
func Listen(path string, uid uint32) (*net.UnixListener, error) {
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
	err = os.Chown(path, int(uid), -1)
	if errors.Is(err, fs.ErrPermission) {
		err = os.Chmod(path, 0o666) //nolint:gosec // peers are told apart by SO_PEERCRED, see above
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("give %s to user %d: %w", path, uid, err), l.Close())
	}
	return l, nil
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
