package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Paths is what the process may still reach after Restrict. The binary itself,
// the shared libraries of /lib and /usr/lib, /proc/self, /dev/null and the
// kernel's random numbers are always among it.
type Paths struct {
	Read  []string // files and directories to read; "?" in front of one that may be missing
	Write []string // files and directories to read and change, likewise
	// ConnectTCP are the only ports that TCP connections may go to (the signer's: the
	// database's), ListenTCP the only ones that may be listened on (the signer's: none,
	// its sockets are Unix sockets; 0 is any free one). This catches mistakes more than
	// intruders: Landlock overlooks Multipath TCP and UDP, so the network itself is
	// closed by the service manager (IPAddressDeny=) or a firewall.
	ConnectTCP, ListenTCP []uint16
	Terminal              bool // /dev/tty may be opened and its echo turned off: a person is asked for a secret
}

// marker tells the second image by which ABI it is confined. It is worth nothing to
// an attacker: whoever sets the environment starts the process.
const marker = "KURA_CONFINED"

// ConfinedBy is the Landlock ABI that confines this process, 0 for none.
func ConfinedBy() int {
	abi, err := strconv.Atoi(os.Getenv(marker))
	if err != nil || abi < 0 {
		return 0
	}
	if held, err := readStatus(); err != nil || !held.noNewPrivileges {
		return 0
	}
	return abi
}

// Restrict sets no-new-privileges, confines the process to paths and executes the
// binary again with the same arguments, environment and inherited descriptors. It
// returns nil at once in that second image, and an error when something failed; a
// kernel without Landlock is no error: the second image then runs with
// no-new-privileges only, and Harden's report says so. Call it before anything is
// opened: descriptors that Go opened are closed by the execution.
func Restrict(paths Paths) error {
	if os.Getenv(marker) != "" {
		return nil
	}
	// Only this thread is confined; the new image starts from it.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("restrict the process: no new privileges: %w", err)
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("restrict the process: find its binary: %w", err)
	}
	abi, err := confine(paths, binary)
	if err != nil {
		return fmt.Errorf("restrict the process: %w", err)
	}
	environment := append(os.Environ(), marker+"="+strconv.Itoa(abi))
	return fmt.Errorf("restrict the process: execute %s again: %w", binary, unix.Exec(binary, os.Args, environment))
}

const (
	readRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	runRights  = readRights | unix.LANDLOCK_ACCESS_FS_EXECUTE
	// writeRights make and change regular files, directories and sockets, and move
	// them about; no devices, no execution.
	writeRights = readRights | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK
	// fileRights are what a rule on a single file may grant.
	fileRights = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// handled are the rights that a ruleset of this ABI takes away where no rule
// grants them: the newer the kernel, the more it knows.
func handled(abi int) (fs, net, scoped uint64) {
	fs = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1 // the thirteen of ABI 1
	if abi >= 2 {
		fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return fs, net, scoped
}

// confine applies a ruleset to the calling thread and returns the kernel's ABI, 0
// when it has no Landlock.
func confine(paths Paths, binary string) (abi int, err error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno == unix.ENOSYS || errno == unix.EOPNOTSUPP {
		return 0, nil
	}
	if errno != 0 {
		return 0, fmt.Errorf("ask for Landlock: %w", errno)
	}
	abi = int(version)
	fs, net, scoped := handled(abi)
	// An older kernel takes the longer structure as long as what it does not know is zero.
	attributes := unix.LandlockRulesetAttr{Handled_access_fs: fs, Handled_access_net: net, Scoped: scoped}
	ruleset, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes), 0) //nolint:gosec // the kernel reads the structure, which holds no pointer
	if errno != 0 {
		return 0, fmt.Errorf("make a Landlock ruleset: %w", errno)
	}
	defer func() { _ = unix.Close(int(ruleset)) }() // the process keeps what it was restricted to

	allow := func(rights uint64, names ...string) {
		for _, name := range names {
			err = errors.Join(err, addPath(int(ruleset), name, rights&fs))
		}
	}
	allow(runRights, binary, "?/lib", "?/lib64", "?/usr/lib", "?/usr/lib64")
	allow(readRights, "?/proc", "?/dev/urandom", "?/dev/random", "?/etc/ld.so.cache", "?/etc/localtime", "?/usr/share/zoneinfo",
		"?/sys/kernel/mm/transparent_hugepage", "?/sys/devices/system/cpu", "?/sys/fs/cgroup")
	allow(readRights|unix.LANDLOCK_ACCESS_FS_WRITE_FILE, "?/dev/null")
	if paths.Terminal {
		allow(readRights|unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, "?/dev/tty")
	}
	allow(readRights, paths.Read...)
	allow(writeRights, paths.Write...)
	if abi >= 4 {
		for _, port := range paths.ConnectTCP {
			err = errors.Join(err, addPort(int(ruleset), unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, port))
		}
		for _, port := range paths.ListenTCP {
			err = errors.Join(err, addPort(int(ruleset), unix.LANDLOCK_ACCESS_NET_BIND_TCP, port))
		}
	}
	if err != nil {
		return 0, err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0); errno != 0 {
		return 0, fmt.Errorf("confine the process: %w", errno)
	}
	return abi, nil
}

// addPath grants rights beneath a path. "?" in front lets it be missing.
func addPath(ruleset int, name string, rights uint64) error {
	optional := len(name) > 0 && name[0] == '?'
	if optional {
		name = name[1:]
	}
	if !filepath.IsAbs(name) {
		return fmt.Errorf("allow %q: the path is not absolute", name)
	}
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if optional && errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("allow %s: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }() // it only names the place
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("allow %s: %w", name, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= fileRights
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 { //nolint:gosec // the kernel reads the structure, which holds no pointer
		return fmt.Errorf("allow %s: %w", name, errno)
	}
	return nil
}

// landlockNetPort is struct landlock_net_port_attr, which x/sys lacks.
type landlockNetPort struct {
	allowed uint64
	port    uint64
}

func addPort(ruleset int, right uint64, port uint16) error {
	const ruleNetPort = 2
	rule := landlockNetPort{allowed: right, port: uint64(port)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), ruleNetPort,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 { //nolint:gosec // the kernel reads the structure, which holds no pointer
		return fmt.Errorf("allow port %d: %w", port, errno)
	}
	return nil
}
