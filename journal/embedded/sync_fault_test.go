package embedded_test

import (
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"kura/journal"
	"kura/journal/storetest"
)

// TestSyncFails has the disk refuse the page that makes a group count. The operating system shows that page all the same
// until the machine dies: the group is said to be there only when the disk has taken what says so.
func TestSyncFails(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "journal"))
	w := storetest.NewWriter()
	w.Grow(t, s, 3)
	var refuses atomic.Bool
	var taken atomic.Int64 // pages that make a write count
	writeAt := s.WriteAt()
	write := *writeAt
	*writeAt = func(b []byte, offset int64) (int, error) {
		n, err := write(b, offset)
		switch {
		case err != nil || offset >= 2*page:
		case refuses.Load():
			return n, syscall.EIO
		default:
			taken.Add(1)
		}
		return n, err
	}
	refuses.Store(true)
	if err := s.Append(t.Context(), w.Next(2)); err == nil {
		t.Fatal("appended")
	}
	for range 3 {
		if c, err := s.Head(t.Context()); err == nil {
			t.Fatalf("the head is said to be %q while the disk takes nothing", c)
		}
	}
	refuses.Store(false)
	c, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !journal.CheckpointSays(c, w.Head) || taken.Load() == 0 {
		t.Errorf("the head is said to be %q, and %d pages say so on the disk", c, taken.Load())
	}
	w.Grow(t, s, 2)
	if head, _, err := journal.Verify(t.Context(), s, journal.Verification{Genesis: storetest.Genesis()}); err != nil || head != w.Head {
		t.Errorf("afterwards: %v, %v", head, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
