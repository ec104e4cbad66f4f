package api

import (
	"fmt"
	"net/netip"
	"time"

	"kura/statement"
)

// Limits bound what one request and one caller may cost. The zero value is not usable: start from
// DefaultLimits.
type Limits struct {
	Body         int64         // bytes of a request's body
	ProposalBody int64         // bytes of a proposal's body: a whole policy stands in it
	LargeBodies  int           // bodies above Body being read at once
	Rate         int           // requests a second and caller, on average
	Burst        int           // requests at once and caller, above that
	Wait         time.Duration // longest ?wait=
	Call         time.Duration // longest time one call to the signer may take, waits not counted
	Streams      int           // exports and event streams at once; of one party, a quarter
}

// DefaultLimits are those of the configuration's defaults.
func DefaultLimits() Limits {
	return Limits{
		Body:         64 << 10,
		ProposalBody: statement.MaxEnvelope,
		LargeBodies:  16,
		Rate:         200,
		Burst:        400,
		Wait:         time.Minute,
		Call:         30 * time.Second,
		Streams:      32,
	}
}

// Check refuses limits under which the gateway could not work, naming the first bad one.
func (l Limits) Check() error {
	for _, c := range []struct {
		name           string
		value, low, up int64
	}{
		{"body", l.Body, 16 << 10, 1 << 20},
		{"proposal_body", l.ProposalBody, 1 << 20, 16 << 20},
		{"large_bodies", int64(l.LargeBodies), 1, 1 << 10},
		{"rate", int64(l.Rate), 1, 1 << 20},
		{"burst", int64(l.Burst), 1, 1 << 20},
		{"wait", l.Wait.Milliseconds(), 0, time.Hour.Milliseconds()},
		{"call", l.Call.Milliseconds(), 1, time.Hour.Milliseconds()},
		{"streams", int64(l.Streams), 1, 1 << 16},
	} {
		if c.value < c.low || c.value > c.up {
			return fmt.Errorf("limit %s is %d, it must be from %d to %d", c.name, c.value, c.low, c.up)
		}
	}
	return nil
}

// Config is what a gateway is made of besides its signer.
type Config struct {
	Limits Limits
	// Observers are the networks that may read /metrics, which tells how much is being paid. There are none by default,
	// not even this machine: behind a proxy on it everybody comes from here.
	Observers []netip.Prefix
	// Now is the clock that rates, logs and deadlines of answers go by; nil means time.Now.
	Now func() time.Time
}
