// Package process makes the signer's process hard to read and hard to leave: not
// dumpable, no core, memory locked, no new privileges, and a file system and
// network narrowed by Landlock to what it needs.
//
// It is for: the first lines of kura-signer's main; kura-gateway takes the Landlock
// part. It trusts the kernel. It
// promises that what it could not do is said, in Report.Weak, and never passed
// over in silence; it does not decide whether that is acceptable.
//
// Two steps, because of how Linux works: Restrict confines one thread and then
// executes the same binary again, so that every thread of the new image is
// confined from its first instruction (a Go program that links C has threads that
// could not be confined otherwise). So Restrict comes first of all, before a PIN is
// read or a file is opened, and Harden in the image that follows.
package process

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Report is what was done, for the log and for doctor.
type Report struct {
	NotDumpable     bool   // no ptrace, no core, /proc/self closed to others
	NoCore          bool   // RLIMIT_CORE is 0, soft and hard
	NoNewPrivileges bool   // no set-uid program, no file capabilities, for good
	MemoryLocked    bool   // everything, now and later; otherwise only what locks itself: secrets
	Landlock        int    // ABI in force; 0 when the process is not confined
	LockLimit       uint64 // bytes that may be locked; math.MaxUint64 when there is no limit

	Weak []string // what could not be done and why
}

// Harden makes the process not dumpable, forbids cores and new privileges, and
// locks memory as far as the limit allows. It holds for all threads. When only
// some memory may be locked, that room is left to the secrets, which lock
// themselves: locking everything would make the runtime's next allocation fail.
func Harden() Report {
	var report Report
	weak := func(what string, err error) {
		report.Weak = append(report.Weak, fmt.Sprintf("%s: %v", what, err))
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		weak("the process can be dumped", err)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	report.NotDumpable = err == nil && dumpable == 0

	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		weak("core files are possible", err)
	} else {
		report.NoCore = true
	}
	status, err := readStatus()
	if err != nil {
		weak("the process's own status cannot be read", err)
	}
	report.NoNewPrivileges = status.noNewPrivileges
	if !status.noNewPrivileges {
		report.Weak = append(report.Weak, "new privileges are possible: Restrict has not run, and the service manager has not set NoNewPrivileges")
	}
	report.Landlock = ConfinedBy()
	if report.Landlock == 0 {
		report.Weak = append(report.Weak, "the file system is not confined by Landlock")
	}
	lockMemory(&report, status)
	return report
}

func lockMemory(report *Report, status status) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		report.Weak = append(report.Weak, fmt.Sprintf("the limit on locked memory cannot be read: %v", err))
		return
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
			report.Weak = append(report.Weak, fmt.Sprintf("the limit on locked memory cannot be raised: %v", err))
		}
	}
	report.LockLimit = limit.Cur
	if status.mayLock {
		report.LockLimit = math.MaxUint64
	}
	if report.LockLimit != math.MaxUint64 {
		report.Weak = append(report.Weak, fmt.Sprintf("only secrets are kept out of swap: %d bytes may be locked (LimitMEMLOCK=infinity or CAP_IPC_LOCK lifts that)", report.LockLimit))
		return
	}
	// On fault: the runtime reserves far more address space than it ever touches.
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		report.Weak = append(report.Weak, fmt.Sprintf("only secrets are kept out of swap: %v", err))
		return
	}
	report.MemoryLocked = true
}

// status is what /proc/self/status says.
type status struct {
	noNewPrivileges bool
	mayLock         bool // CAP_IPC_LOCK
}

func readStatus() (status, error) {
	file, err := os.Open("/proc/thread-self/status")
	if err != nil {
		return status{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	var found status
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "NoNewPrivs":
			found.noNewPrivileges = value == "1"
		case "CapEff":
			capabilities, err := strconv.ParseUint(value, 16, 64)
			found.mayLock = err == nil && capabilities>>unix.CAP_IPC_LOCK&1 == 1
		}
	}
	return found, lines.Err()
}
