package client

import (
	"context"
	"errors"
	"net"
	"time"
)

// tries paces asking again: pauses double from one to sixteen times the configured one, until patience ends.
type tries struct {
	next, longest time.Duration
	until         time.Time
}

func (c *Client) tries() *tries {
	return &tries{next: c.cfg.Pause, longest: 16 * c.cfg.Pause, until: time.Now().Add(c.cfg.Patience)}
}

// again pauses and says whether to try once more.
func (t *tries) again(ctx context.Context) bool {
	return !time.Now().Add(t.next).After(t.until) && t.pause(ctx)
}

// pause waits for the next try; false when the context ended.
func (t *tries) pause(ctx context.Context) bool {
	timer := time.NewTimer(t.next)
	defer timer.Stop()
	t.next = min(2*t.next, t.longest)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// neverConnected says whether an error came before a connection stood, so that nothing can have been sent.
func neverConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
