package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// A Disk is a small file system in memory, for a cluster to fill.
type Disk struct {
	Dir string

	t testing.TB
}

// MountDisk makes a disk of so many MiB that lasts until the test ends. Only root can; and in a container root
// may not either. The skipped test says so, in CI, too: nothing that could be installed would help.
func MountDisk(t testing.TB, size int) *Disk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: a disk that can be filled has to be mounted, which only root can: a full disk was not tried")
	}
	dir, err := os.MkdirTemp("", "kura-disk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := unix.Mount("kura-disk", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, fmt.Sprintf("size=%dm,mode=0700", size)); err != nil {
		t.Skipf("NOT TESTED: nothing can be mounted here, although this is root (%v): a full disk was not tried", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			_ = unix.Unmount(dir, unix.MNT_DETACH) // somebody still has a file open: gone when that is closed
		}
	})
	return &Disk{Dir: dir, t: t}
}

func (d *Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill leaves no room on the disk.
func (d *Disk) Fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close() // it holds nothing of value
	block := make([]byte, 1<<12)
	_, _ = rand.Read(block) // never fails
	for {
		if _, err := f.Write(block); errors.Is(err, unix.ENOSPC) {
			return
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
}

// SwitchLog has the server begin a new file of its log, if it runs and has one, so that what it has kept for later is
// soon used up.
func (c *Cluster) SwitchLog(ctx context.Context) {
	conn, err := pgx.Connect(ctx, c.DSN())
	if err != nil {
		return
	}
	defer conn.Close(ctx)
	_, _ = conn.Exec(ctx, "select pg_switch_wal()") // which is what brings the server down
}

// Free makes room again.
func (d *Disk) Free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.t.Fatal(err)
	}
}
