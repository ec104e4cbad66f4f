package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"kura/nem"
)

// Config names one token and how to use it.
type Config struct {
	Module string // path of the PKCS#11 library
	Label  string // the token's label; exactly one token has to carry it
	// PIN opens the token. The Token owns it from Open on and wipes it when it
	// closes or the PIN is refused.
	PIN *PIN
	// Sessions is how many calls are in the module at once. 0 means one more than
	// there are cores: while one session waits for Go's scheduler to let it out of a
	// call, the others keep every core busy. More only lengthen the tail.
	Sessions int
	// StateDir holds the sealed wallets (StateDir/wallets) and the mark of a
	// refused PIN. It is made when missing, mode 0700.
	StateDir string
	// AcceptLeakyToken is the operator's reason for using a token that gives
	// private keys away to whoever has the PIN (SoftHSM does). Empty refuses it.
	AcceptLeakyToken string
	// Enter is called before each login, and what it returns after it, for a module that
	// several processes must not log in to at once (SoftHSM); nil does nothing.
	Enter func() (leave func(), err error)
	// Settle makes durable what the module wrote, for one that leaves that to the
	// kernel (SoftHSM); nil does nothing. What is made in the token is settled before
	// anything rests on it.
	Settle func() error
	// SOPIN lets Attack try the security officer's routes. Nothing else uses it.
	SOPIN *PIN
	Log   *slog.Logger // nil: slog.Default()
	// Timeout bounds every operation, on top of the caller's own deadline.
	// 0 means 10 seconds.
	Timeout time.Duration
}

// Token is an open token. Its methods may be called from any number of
// goroutines; at most Config.Sessions calls are in the module at once, the others
// wait in the order of arrival.
type Token struct {
	config     Config
	log        *slog.Logger
	connect    func() (cryptoki, error) // tests wrap it
	pause      func(attempt int) <-chan time.Time
	known      sync.Map
	leak       string      // how it loses keys, "" for no way that is known
	randomised atomic.Bool // a trial saw two signatures of one message differ
	wallets    walletCache

	making chan struct{} // capacity 1: full while something is made in the token

	mutex   sync.Mutex
	genesis [32]byte      // zero: not bound; set once
	current *connection   // nil while the token is being recovered
	final   error         // not nil: never usable again
	cause   error         // why current is nil
	changed chan struct{} // closed when current or final changes
	logKey  nem.PublicKey // in use; the oldest until UseLogKey says otherwise
	closing chan struct{}
	// recovery is closed when the goroutine that recovers has ended; nil when
	// there has been none. Only that goroutine and Open use the PIN.
	recovery chan struct{}
}

func (c Config) withDefaults() (Config, error) {
	if c.Module == "" || c.Label == "" || c.StateDir == "" {
		return c, errors.New("token configuration: module, label and state directory are all needed")
	}
	if len(c.Label) > 32 {
		return c, fmt.Errorf("token configuration: the label %q has %d bytes, PKCS#11 allows 32", c.Label, len(c.Label))
	}
	if len(c.PIN.bytes()) == 0 {
		return c, errors.New("token configuration: there is no PIN")
	}
	if c.Sessions < 0 || c.Sessions > 256 {
		return c, fmt.Errorf("token configuration: %d sessions, 0 to 256 are possible", c.Sessions)
	}
	if c.Sessions == 0 {
		c.Sessions = runtime.NumCPU() + 1
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c, nil
}

// Open logs in to the token, checks that it has a sealing key and a log key with
// the right attributes, reads the genesis it is bound to, tries whether it gives
// keys away and whether its Ed25519 is deterministic. It makes one attempt: the
// caller decides whether to wait for a token that is not there.
func Open(ctx context.Context, config Config) (*Token, error) {
	return open(ctx, config, nil)
}

// Look opens a token for List to say what is wrong with it: it logs in, once, and reads
// the genesis, and checks no key, so that it opens a token that Open refuses.
func Look(ctx context.Context, config Config) (*Token, error) {
	return openTo(ctx, config, nil, (*Token).readGenesis)
}

// open takes a wrapper for the module, which only tests give.
func open(ctx context.Context, config Config, wrap func(cryptoki) cryptoki) (*Token, error) {
	return openTo(ctx, config, wrap, (*Token).check)
}

// openTo logs in and has the rest of the start done.
func openTo(ctx context.Context, config Config, wrap func(cryptoki) cryptoki, start func(*Token, context.Context) error) (*Token, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	t, err := unstarted(config, wrap)
	if err != nil {
		return nil, err
	}
	if err = t.enter(); err == nil {
		err = start(t, ctx)
	}
	if err != nil {
		_ = t.Close() // what failed before is what is said
		return nil, fmt.Errorf("open token %q: %w", config.Label, err)
	}
	return t, nil
}

// unstarted claims the module and prepares a Token that has not touched it yet.
func unstarted(config Config, wrap func(cryptoki) cryptoki) (*Token, error) {
	if err := os.MkdirAll(walletDirectory(config.StateDir), 0o700); err != nil {
		return nil, fmt.Errorf("open token: make the state directory: %w", err)
	}
	if err := checkRefusedPIN(config.StateDir); err != nil {
		return nil, err
	}
	if err := claimModule(config.Module); err != nil {
		return nil, err
	}
	t := &Token{
		config:  config,
		log:     config.Log,
		pause:   backOff,
		changed: make(chan struct{}),
		closing: make(chan struct{}),
		making:  make(chan struct{}, 1),
	}
	t.connect = func() (cryptoki, error) {
		module, err := connectModule(config.Module, config.Label, config.PIN)
		if err == nil && wrap != nil {
			module = wrap(module)
		}
		return module, err
	}
	return t, nil
}

// enter makes the first connection.
func (t *Token) enter() error {
	c, err := t.dial()
	if err != nil {
		if errors.Is(err, ErrPIN) {
			t.refusedPIN(err)
			return err
		}
		if errors.Is(err, ErrWeakPIN) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	t.mutex.Lock()
	t.current = c
	t.mutex.Unlock()
	return nil
}

// check is what a token has to pass before it is used.
func (t *Token) check(ctx context.Context) error {
	if err := t.checkLeak(ctx); err != nil {
		return err
	}
	if err := t.checkOwnKeys(ctx); err != nil {
		return err
	}
	if err := t.readGenesis(ctx); err != nil {
		return err
	}
	return t.try(ctx)
}

// dial opens one connection.
func (t *Token) dial() (*connection, error) {
	leave, err := t.config.enter()
	if err != nil {
		return nil, err
	}
	defer leave() // when the token has been asked, too: beside the next login it would not answer
	module, err := t.connect()
	if err != nil {
		return nil, err
	}
	return newConnection(module, t.config.Sessions, &t.known)
}

// do runs work on a free session within the operation's deadline. Work may run
// more than once (on another session, or after a recovery), so it must be able
// to: it looks before it makes.
func (t *Token) do(ctx context.Context, what string, work func(*session) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	vanished := 0
	for attempt := 0; ; attempt++ {
		c, err := t.connection(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		err = c.run(ctx, work)
		lost, isLost := errors.AsType[*lostError](err)
		if errors.Is(err, errVanished) {
			vanished++
		}
		switch {
		case err == nil:
			return nil
		case vanished > 1:
			// A fresh library on a token that answers does not find it either.
			return fmt.Errorf("%s: %w: %w", what, ErrNoKey, err)
		case isLost:
			t.lose(c, lost.cause)
			if attempt < 2 {
				continue
			}
			// The token comes back and is lost again with every attempt: slower,
			// so that one caller's trouble is not everybody's.
			select {
			case <-t.pause(attempt):
			case <-ctx.Done():
				return fmt.Errorf("%s: %w, retry: %w", what, ErrUnavailable, err)
			}
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
		default:
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// create is do for work that makes objects: one such work at a time, to the end of
// the last call, even when its caller has left before. A call that hangs may yet have
// its effect; who made the same meanwhile would have made it twice, and of two keys
// with one name Kura uses neither.
func (t *Token) create(ctx context.Context, what string, work func(*session) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	select {
	case t.making <- struct{}{}:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
		return fmt.Errorf("%s: %w, retry: what is being made in the token has not been answered: %w", what, ErrUnavailable, ctx.Err())
	}
	var running sync.Mutex
	left := false
	finish := func() {
		left = true
		running.Unlock()
		<-t.making
	}
	err := t.do(ctx, what, func(s *session) error {
		running.Lock()
		defer running.Unlock()
		if left {
			return context.Canceled
		}
		return work(s)
	})
	if running.TryLock() {
		finish()
		return err
	}
	go func() {
		running.Lock()
		finish()
	}()
	return err
}

func (c Config) enter() (leave func(), err error) {
	if c.Enter == nil {
		return func() {}, nil
	}
	return c.Enter()
}

func (t *Token) settle() error {
	if t.config.Settle == nil {
		return nil
	}
	if err := t.config.Settle(); err != nil {
		return fmt.Errorf("make durable what the token wrote: %w", err)
	}
	return nil
}

// connection waits for a connection that is up.
func (t *Token) connection(ctx context.Context) (*connection, error) {
	for {
		t.mutex.Lock()
		current, final, cause, changed := t.current, t.final, t.cause, t.changed
		t.mutex.Unlock()
		if final != nil {
			return nil, final
		}
		if current != nil {
			return current, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w, retry: %w", ErrUnavailable, cause)
		}
	}
}

// set changes the state under the mutex and wakes whoever waits for it.
func (t *Token) set(change func()) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	change()
	close(t.changed)
	t.changed = make(chan struct{})
}

// Close ends every session, finalizes the module and wipes the PIN. It waits for
// calls in the module up to the configured timeout; a module that hangs longer is
// left as it is and an error says so.
func (t *Token) Close() error {
	t.mutex.Lock()
	if errors.Is(t.final, ErrClosed) {
		t.mutex.Unlock()
		return nil
	}
	current, ended := t.current, (<-chan struct{})(t.recovery)
	t.mutex.Unlock()
	t.set(func() { t.current, t.final = nil, ErrClosed })
	close(t.closing)
	if current != nil {
		ended = current.retire()
	}
	if ended != nil {
		select {
		case <-ended:
		case <-time.After(t.config.Timeout):
			return fmt.Errorf("close token: a call into the module has not come back in %v; only the process's end closes it", t.config.Timeout)
		}
	}
	t.config.PIN.Wipe()
	releaseModule(t.config.Module)
	return nil
}
