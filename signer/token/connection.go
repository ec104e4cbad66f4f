package token

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/miekg/pkcs11"
)

// connection is one life of the module, from C_Initialize to C_Finalize: its
// sessions, each owned by one goroutine, and the object handles found so far.
// Handles mean nothing in the next life.
type connection struct {
	module cryptoki
	info   pkcs11.TokenInfo
	quirk  quirk
	size   int       // sessions
	known  *sync.Map // CKA_IDs that this process has seen, in this life or an earlier one
	jobs   chan *job
	stop   chan struct{}
	live   sync.WaitGroup // sessions' goroutines

	mutex sync.RWMutex
	keys  map[string]foundKey // by CKA_ID
}

// queueRoom is how many jobs lie ready for a session that comes free. Callers
// beyond it wait for room, in the order of arrival, too.
const queueRoom = 256

// job is one piece of work for whichever session is free. Results are captured
// by work; a caller that left before done must not read them.
type job struct {
	work  func(*session) error
	done  chan error  // capacity 1: a session never waits for a caller that left
	taken atomic.Bool // by a session, or back by its caller: whoever is first
}

// take claims the job: for a session that will do it, or for a caller that leaves
// and wants it never done.
func (j *job) take() bool { return j.taken.CompareAndSwap(false, true) }

// session is one PKCS#11 session and the locked page that seeds are opened into.
type session struct {
	*connection
	handle pkcs11.SessionHandle
	seed   *Secret
}

// lostError says that the module has to be finalized and opened anew.
type lostError struct{ cause error }

func (e *lostError) Error() string { return e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }

// newConnection opens count sessions on a module that is logged in. When it
// fails, the module is closed.
func newConnection(module cryptoki, count int, known *sync.Map) (*connection, error) {
	info, err := module.TokenInfo()
	if err != nil {
		_ = module.Close() // what failed before is what is said
		return nil, fmt.Errorf("ask the token: %w", err)
	}
	c := &connection{
		module: module,
		info:   info,
		quirk:  quirkOf(info),
		size:   count,
		known:  known,
		jobs:   make(chan *job, queueRoom),
		stop:   make(chan struct{}),
		keys:   map[string]foundKey{},
	}
	var sessions []*session
	for range count {
		s := &session{connection: c}
		if s.seed, err = NewSecret(seedRoom); err == nil {
			s.handle, err = module.OpenSession()
		}
		if err != nil {
			s.seed.Wipe()
			for _, opened := range sessions {
				opened.seed.Wipe()
			}
			_ = module.Close() // what failed before is what is said
			return nil, fmt.Errorf("open a session: %w", err)
		}
		sessions = append(sessions, s)
	}
	c.live.Add(count)
	for _, s := range sessions {
		go s.serve()
	}
	return c, nil
}

// run queues work for the first free session, in the order of arrival, and waits
// for it. When ctx ends first, run returns at once, and work that no session has
// begun is never done. A call into the module cannot be interrupted: its session
// stays busy until the module answers.
func (c *connection) run(ctx context.Context, work func(*session) error) error {
	j := &job{work: work, done: make(chan error, 1)}
	select {
	case c.jobs <- j:
	case <-c.stop:
		return errRecovering
	case <-ctx.Done():
		return c.busy(ctx)
	}
	stop := c.stop
	for {
		select {
		case err := <-j.done:
			return err
		case <-stop:
			if j.take() {
				return errRecovering
			}
			stop = nil // its session is at it and will answer
		case <-ctx.Done():
			if j.take() {
				return c.busy(ctx)
			}
			return fmt.Errorf("the token has not answered in time: %w", ctx.Err())
		}
	}
}

var errRecovering = &lostError{errors.New("the token is being recovered")}

func (c *connection) busy(ctx context.Context) error {
	return fmt.Errorf("all %d sessions are busy: %w", c.size, ctx.Err())
}

// retire lets the sessions end and finalizes the module once the last call has
// come back: finalizing under a call in flight is undefined. idle is closed then.
func (c *connection) retire() (idle <-chan struct{}) {
	close(c.stop)
	ended := make(chan struct{})
	go func() {
		c.live.Wait()
		_ = c.module.Close() // nobody uses it any more
		close(ended)
	}()
	return ended
}

func (s *session) serve() {
	defer s.live.Done()
	defer s.seed.Wipe()
	for {
		select {
		case <-s.stop:
			return
		case j := <-s.jobs:
			if !j.take() {
				continue
			}
			j.done <- s.perform(j.work)
			// The caller goes first: it may come back with more. A session that went on
			// into the module at once would keep it waiting for a processor, and one that
			// slept would be woken by the next to come, the two handing each other the
			// processor while everybody else waits.
			runtime.Gosched()
		}
	}
}

// perform does the work and whatever can be mended within this connection: a
// lost session is replaced, a stale handle is found again, each once. It then
// tells a token that is gone (lostError) from a call that was refused.
func (s *session) perform(work func(*session) error) error {
	err := work(s)
	switch failureOf(err) {
	case failureSession:
		if reopened := s.reopen(); reopened != nil {
			return &lostError{fmt.Errorf("replace a session after %w: %w", err, reopened)}
		}
		err = work(s)
	case failureHandle:
		s.forgetKeys()
		err = work(s)
	case failureNone, failurePlain, failureDoubt, failureDevice:
	}
	switch failureOf(err) {
	case failureNone, failurePlain:
		return err
	case failureDoubt:
		if s.probe() == nil && !errors.Is(err, errVanished) && !errors.Is(err, errBinding) {
			return err
		}
	case failureSession, failureHandle, failureDevice:
	}
	return &lostError{err}
}

// reopen replaces the session. It fails when the process is logged out: a session
// without login finds no private object and calls that success.
func (s *session) reopen() error {
	_ = s.module.CloseSession(s.handle) // it may be gone already
	handle, err := s.module.OpenSession()
	if err != nil {
		return err
	}
	s.handle = handle
	return s.probe()
}

// probe tells whether an answer of "nothing found" means anything: the token is
// there and the process is logged in.
func (s *session) probe() error {
	if _, err := s.module.TokenInfo(); err != nil {
		return &lostError{fmt.Errorf("the token does not answer: %w", err)}
	}
	in, err := s.module.LoggedIn(s.handle)
	if err != nil {
		return &lostError{fmt.Errorf("the session does not answer: %w", err)}
	}
	if !in {
		return &lostError{errors.New("the process has been logged out")}
	}
	return nil
}

func (c *connection) forgetKeys() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	clear(c.keys)
}
