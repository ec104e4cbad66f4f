package token

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Secret is a small piece of memory outside the Go heap: locked (never in swap),
// left out of core dumps and of forked children, wiped by Wipe. The garbage
// collector neither moves nor copies it. A Secret is not safe for concurrent use.
type Secret struct {
	page []byte // whole pages, as mapped
	size int
}

// NewSecret maps and locks room for size bytes, all zero. It fails when the
// limit on locked memory (ulimit -l) leaves no room: a secret that may be
// swapped out is not kept at all.
func NewSecret(size int) (*Secret, error) {
	pageSize := unix.Getpagesize()
	length := (size + pageSize - 1) / pageSize * pageSize
	if size <= 0 {
		return nil, fmt.Errorf("locked memory: size %d is not positive", size)
	}
	page, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("map locked memory: %w", err)
	}
	for _, advice := range []int{unix.MADV_DONTDUMP, unix.MADV_DONTFORK} {
		if err := unix.Madvise(page, advice); err != nil {
			_ = unix.Munmap(page) // what failed before is what is said
			return nil, fmt.Errorf("keep locked memory out of dumps and children: %w", err)
		}
	}
	if err := unix.Mlock(page); err != nil {
		_ = unix.Munmap(page) // what failed before is what is said
		return nil, fmt.Errorf("lock %d bytes of memory (is ulimit -l too low?): %w", length, err)
	}
	return &Secret{page: page, size: size}, nil
}

// Bytes is the locked memory itself, not a copy. After Wipe it is nil.
func (s *Secret) Bytes() []byte {
	if s == nil || s.page == nil {
		return nil
	}
	return s.page[:s.size:s.size]
}

// Wipe overwrites the memory and gives it back. Calling it again, or on nil, does nothing.
func (s *Secret) Wipe() {
	if s == nil || s.page == nil {
		return
	}
	clear(s.page)
	_ = unix.Munmap(s.page) // it fails for no page that was mapped; this one is wiped
	s.page, s.size = nil, 0
}

// fillRandom fills locked memory from the kernel's generator, with no copy elsewhere.
func fillRandom(into []byte) error {
	for len(into) > 0 {
		n, err := unix.Getrandom(into, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the kernel's random numbers: %w", err)
		}
		into = into[n:]
	}
	return nil
}

// String keeps a secret out of anything that formats it.
func (s *Secret) String() string { return "[secret]" }

// GoString keeps a secret out of %#v.
func (s *Secret) GoString() string { return "[secret]" }
