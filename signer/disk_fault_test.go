package signer_test

import (
	"testing"
	"time"

	"kura/journal/postgres/pgtest"
)

// TestDiskFull fills the disk that holds PostgreSQL's tables, under load: each append is refused, the signer stops and
// says why, and goes on when there is room again.
func TestDiskFull(t *testing.T) {
	disk := pgtest.MountDisk(t, 96)
	cluster := pgtest.StartOn(t, pgtest.Places{Data: disk.Dir})
	db := cluster.Migrated(t)
	d := newDatabase(t, db.Service, 5*time.Second)
	d.pay(t, 4)
	d.during(t, 10, func() {
		disk.Fill()
		d.stopsSaying(t, "journal_unavailable", "No space left on device")
		e := d.Sign("shop", d.Withdrawal(d.Wallets["xem-hot"], 1))
		if _, err := d.Signer.Submit(t.Context(), e.Encode(), 0); codeOf(err) != "journal_unavailable" {
			t.Errorf("a statement that comes meanwhile: %v", err)
		}
		d.checkSigned(t, d.pg) // while nothing more can be written; what was written before may be signed late
		disk.Free()
	})
	d.pay(t, 4)
	d.check(t, db.Service)
}

// TestLogDiskFull fills the disk that holds PostgreSQL's write-ahead log, under load: PostgreSQL itself goes down, and
// comes back when there is room and somebody starts it. The signer needs no restart.
func TestLogDiskFull(t *testing.T) {
	disk := pgtest.MountDisk(t, 24)
	cluster := pgtest.StartOn(t, pgtest.Places{WAL: disk.Dir})
	db := cluster.Migrated(t)
	d := newDatabase(t, db.Service, 5*time.Second)
	d.pay(t, 4)
	disk.Fill()
	d.during(t, 10, func() {
		d.Until("PostgreSQL is down", func() bool {
			cluster.SwitchLog(t.Context())
			return !cluster.Runs()
		})
		d.stopsSaying(t, "journal_un") // unclear or unavailable
		disk.Free()
		if err := cluster.Restart(); err != nil {
			t.Error(err)
		}
	})
	d.pay(t, 4)
	d.check(t, db.Service)
}
