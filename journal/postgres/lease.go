package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"kura/journal"
)

// A held lease is one that is known to be lost in time. A process that is stopped (SIGSTOP, a frozen virtual machine)
// keeps its connection, since the kernel goes on answering for it; so the server is told to end the session when it is
// silent for leaseIdle, and whoever leads says something every leaseBeat. leaseSure is how long after the last word
// that was answered the holder may still take the lease for its own: less than the server waits, on the clock that
// goes on while a process is stopped.
const (
	leaseIdle = 10 * time.Second
	leaseBeat = 2 * time.Second
	leaseSure = 8 * time.Second
)

// Hold waits until this store is the only one that appends, and from then on keeps the lease only while this process is
// alive enough to say so. Append takes the lease by itself where nobody calls Hold, and keeps it until Close or until
// the session breaks. lost is closed when it is gone; the store then appends nothing more (journal.ErrLeaseLost), since
// another one may.
func (s *Store) Hold(ctx context.Context) (lost <-chan struct{}, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.held.Load() {
		return nil, errors.New("the lease is held already")
	}
	s.idle = leaseIdle
	if err := s.waitInLine(ctx); err != nil {
		return nil, err
	}
	if err := s.beat(ctx); err != nil {
		return nil, err
	}
	s.held.Store(true)
	gone := make(chan struct{})
	go s.keep(gone) //nolint:gosec // it ends with the lease, not with the call that took it
	return gone, nil
}

// waitInLine waits for the lease, and asks anew every now and then: the connection may have died without a word, and a
// wait is silent by nature. The caller holds writing.
func (s *Store) waitInLine(ctx context.Context) error {
	for {
		turn, cancel := context.WithTimeout(ctx, s.patience.turn)
		_, err := s.lease(turn)
		late := turn.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late {
			return err
		}
	}
}

// Held reports whether the lease is certainly this store's at this moment.
func (s *Store) Held() bool {
	return s.held.Load() && boottime()-time.Duration(s.sure.Load()) < leaseSure
}

// keep says something on the session until that fails or the store is closed.
func (s *Store) keep(gone chan<- struct{}) {
	defer close(gone)
	defer s.sure.Store(-int64(leaseSure)) // never fresh again
	tick := time.NewTicker(leaseBeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.closed:
			return
		}
		s.writing.Lock() // an append that is under way may take longer than this: its session is not silent
		ctx, cancel := context.WithTimeout(context.Background(), leaseIdle)
		err := s.beat(ctx)
		s.writing.Unlock()
		cancel()
		if err != nil {
			return
		}
	}
}

// beat asks the server whether the session lives. The caller holds writing.
func (s *Store) beat(ctx context.Context) error {
	asked := boottime()
	conn, err := s.lease(ctx)
	if err != nil {
		return err
	}
	if err := conn.Ping(ctx); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", journal.ErrLeaseLost, err), conn.Close(context.WithoutCancel(ctx)))
	}
	s.sure.Store(int64(asked))
	return nil
}

// boottime is the time since the machine started, which goes on while a process is stopped or the machine sleeps.
func boottime() time.Duration {
	var t unix.Timespec
	// CLOCK_BOOTTIME exists on every kernel that runs this program; a zero would make the lease look fresh only once.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano())
}
