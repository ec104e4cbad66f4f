package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// confine gives up for good what the gateway never needs: gaining rights by starting another program, and
// being looked into. A core dump or a debugger of the same user would show the TLS key and the bearer
// secrets that pass by. The user that it runs as, and its unit's hardening, are the wall; this is the
// second one.
func confine() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("not dumpable: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("no core dumps: %w", err)
	}
	return nil
}
