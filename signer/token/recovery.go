package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"kura/nem"
)

// backOff waits 100 ms after the first failed attempt, twice as long after each
// further one, 5 s at most: callers wait no longer for a token that is back.
func backOff(attempt int) <-chan time.Time {
	wait := 5 * time.Second
	if attempt < 6 {
		wait = 100 * time.Millisecond << attempt
	}
	return time.After(wait)
}

// lose retires a connection whose token is gone and starts the one goroutine
// that recovers it. Of many callers that meet the same loss, the first does it.
func (t *Token) lose(c *connection, cause error) {
	t.mutex.Lock()
	if t.current != c || t.final != nil {
		t.mutex.Unlock()
		return
	}
	idle := c.retire()
	ended := make(chan struct{})
	t.recovery = ended
	t.current, t.cause = nil, cause
	t.mutex.Unlock()
	t.log.Warn("the token is lost and is being recovered", "token", t.config.Label, "cause", cause)
	go func() {
		defer close(ended)
		t.recover(idle)
	}()
}

// recover finalizes, initializes and logs in anew until the token answers. The
// PIN was accepted once in this process; if it is refused now (it was changed, or
// locked from elsewhere), that is the end: it is not tried again.
func (t *Token) recover(idle <-chan struct{}) {
	<-idle // a hanging call keeps the module; callers are told so by cause
	for attempt := 0; ; attempt++ {
		select {
		case <-t.closing:
			return
		default:
		}
		recovered, err := t.revive()
		if recovered {
			return
		}
		t.log.Warn("the token is still lost", "token", t.config.Label, "attempt", attempt+1, "cause", err)
		select {
		case <-t.pause(attempt):
		case <-t.closing:
			return
		}
	}
}

// revive makes one attempt; done means that no other is to follow.
func (t *Token) revive() (done bool, err error) {
	c, err := t.dial()
	if err == nil {
		if err = t.checkIdentity(c); err != nil {
			<-c.retire()
		}
	}
	switch {
	case errors.Is(err, ErrPIN):
		t.refusedPIN(err)
		return true, err
	case err != nil:
		t.set(func() { t.cause = err })
		return false, err
	}
	closed := false
	t.set(func() {
		closed = t.final != nil
		if !closed {
			t.current, t.cause = c, nil
		}
	})
	if closed {
		<-c.retire()
		return true, nil
	}
	t.log.Info("the token is back", "token", t.config.Label)
	return true, nil
}

// checkIdentity makes sure that what came back under the label is the token that
// went: it holds the log key in use and is bound to the same genesis.
func (t *Token) checkIdentity(c *connection) error {
	t.mutex.Lock()
	logKey, genesis := t.logKey, t.genesis
	t.mutex.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), t.config.Timeout)
	defer cancel()
	return c.run(ctx, func(s *session) error {
		if logKey != (nem.PublicKey{}) {
			if _, err := s.logKeyFor(logKey); err != nil {
				return fmt.Errorf("what came back is not the token that went: %w", err)
			}
		}
		if genesis == [32]byte{} {
			return nil
		}
		objects, err := s.dataObjects(labelGenesis)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if bytes.Equal(object.value, genesis[:]) {
				return nil
			}
		}
		return fmt.Errorf("what came back is not the token that went: %w", ErrGenesis)
	})
}

// refusedPIN ends the token's use, wipes the PIN, and leaves a mark so that a
// service manager that restarts the process does not try the same PIN again and
// again until a hardware token locks or erases itself.
func (t *Token) refusedPIN(cause error) {
	t.set(func() {
		if t.final == nil {
			t.current, t.final = nil, cause
		}
	})
	t.config.PIN.Wipe()
	markRefusedPIN(t.config, cause)
}

func markRefusedPIN(config Config, cause error) {
	text := fmt.Sprintf("The token %q refused the PIN. Put the PIN right, then remove this file.\n", config.Label)
	if err := os.WriteFile(refusedPINPath(config.StateDir), []byte(text), 0o600); err != nil {
		config.Log.Error("the mark of a refused PIN cannot be written; do not restart before the PIN is right", "error", err)
	}
	config.Log.Error("the token refused the PIN; it is not tried again", "token", config.Label, "cause", cause)
}

func refusedPINPath(stateDir string) string { return filepath.Join(stateDir, "pin-refused") }

func checkRefusedPIN(stateDir string) error {
	mark := refusedPINPath(stateDir)
	_, err := os.Stat(mark)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("open token: look for the mark of a refused PIN: %w", err)
	}
	return fmt.Errorf("open token: %w: put the PIN right, then remove %s", ErrPIN, mark)
}
