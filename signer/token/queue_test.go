package token

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/pkcs11"
)

// emptyModule is a double for tests of the queue alone: it has sessions, and
// nothing is done with them. Synctest's bubble sees every goroutine end.
type emptyModule struct{ cryptoki }

func (emptyModule) TokenInfo() (pkcs11.TokenInfo, error)       { return pkcs11.TokenInfo{}, nil }
func (emptyModule) OpenSession() (pkcs11.SessionHandle, error) { return 1, nil }
func (emptyModule) Close() error                               { return nil }

// hung gives a connection of which so many sessions are in a call that does not
// come back before release.
func hung(t *testing.T, sessions, hanging int) (c *connection, release func()) {
	t.Helper()
	c, err := newConnection(emptyModule{}, sessions, &sync.Map{})
	if err != nil {
		t.Fatal(err)
	}
	block := make(chan struct{})
	for range hanging {
		go func() {
			_ = c.run(context.Background(), func(*session) error {
				<-block
				return nil
			})
		}()
	}
	synctest.Wait()
	return c, func() { close(block) }
}

// More callers than the queue has room for: the last ones wait for room.
const crowd = queueRoom + 20

func TestQueueKeepsTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, release := hung(t, 1, 1)
		var order []int
		for caller := range crowd {
			go func() {
				err := c.run(context.Background(), func(*session) error {
					order = append(order, caller)
					return nil
				})
				if err != nil {
					t.Errorf("caller %d: %v", caller, err)
				}
			}()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		if len(order) != crowd || !slices.IsSorted(order) {
			t.Errorf("they were served in the order %v", order)
		}
		<-c.retire()
	})
}

func TestHungSessionStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, release := hung(t, 3, 2)
		served := make(chan error, crowd)
		for range crowd {
			go func() {
				served <- c.run(context.Background(), func(*session) error { return nil })
			}()
		}
		synctest.Wait()
		if len(served) != crowd {
			t.Errorf("%d of %d callers were served beside two hung sessions", len(served), crowd)
		}
		for range len(served) {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
		release()
		<-c.retire()
	})
}

func TestBackOffDoublesToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for attempt, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
			began := time.Now()
			<-backOff(attempt)
			if waited := time.Since(began); waited != want*time.Millisecond {
				t.Errorf("after attempt %d: %v", attempt, waited)
			}
		}
	})
}

// What nobody waits for any more is not done when the token answers again.
func TestCallersThatLeaveTakeTheirWorkAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, release := hung(t, 1, 1)
		ctx, cancel := context.WithCancel(context.Background())
		left, done := make(chan error, crowd), make(chan struct{}, crowd)
		for range crowd {
			go func() {
				left <- c.run(ctx, func(*session) error {
					done <- struct{}{}
					return nil
				})
			}()
		}
		synctest.Wait()
		cancel()
		for range crowd {
			if err := <-left; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "busy") {
				t.Errorf("a caller that left: %v", err)
			}
		}
		release()
		if err := c.run(context.Background(), func(*session) error { return nil }); err != nil {
			t.Errorf("when it answers again: %v", err)
		}
		if len(done) != 0 {
			t.Errorf("the work of %d callers that had left was done", len(done))
		}
		<-c.retire()
	})
}

// Who waits in the queue of a connection that is lost goes to the next one at
// once, however long the call hangs that keeps this one.
func TestQueueOfALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, release := hung(t, 1, 1)
		sent, done := make(chan error, crowd), make(chan struct{}, crowd)
		for range crowd {
			go func() {
				sent <- c.run(context.Background(), func(*session) error {
					done <- struct{}{}
					return nil
				})
			}()
		}
		synctest.Wait()
		idle := c.retire()
		for range crowd {
			err := <-sent
			if _, lost := errors.AsType[*lostError](err); !lost {
				t.Errorf("a caller of a connection that is lost: %v", err)
			}
		}
		synctest.Wait()
		select {
		case <-idle:
			t.Error("the module was closed under a call")
		default:
		}
		release()
		<-idle
		if len(done) != 0 {
			t.Errorf("%d pieces of work were done and reported as not done", len(done))
		}
	})
}
