package host

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kura/ledger"
)

// A MachineClock is the machine's own time: a signer.Clock. Nothing here can set it.
type MachineClock struct{ bootID string }

// NewMachineClock returns the clock of this run of the machine.
func NewMachineClock() (MachineClock, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return MachineClock{}, fmt.Errorf("read the machine's boot id: %w", err)
	}
	return MachineClock{strings.TrimSpace(string(id))}, nil
}

// Now returns unix milliseconds, and milliseconds since the machine started, sleep included.
func (MachineClock) Now() (clock, boot int64) {
	var t unix.Timespec
	// CLOCK_BOOTTIME exists on every kernel that runs this program; without it no time would pass, and none would be given.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Now().UnixMilli(), t.Nano() / int64(time.Millisecond)
}

// BootID implements signer.Clock.
func (c MachineClock) BootID() string { return c.bootID }

// Kind implements signer.Clock.
func (MachineClock) Kind() string { return ledger.ClockReal }
