package api

import (
	"net/netip"
	"sync"
	"time"
)

// maxCallers bounds how many callers a limiter remembers at once. Above it strangers share one
// allowance until old ones are forgotten, so that a flood of addresses cannot grow the gateway's memory.
const maxCallers = 1 << 16

// A limiter holds each caller to a rate with a burst. A caller is an IP address (a /64 of IPv6, which is
// what one subscriber holds) or, with mutual TLS, a client certificate. The keys of statements are not
// callers: the gateway does not verify signatures, so anybody could spend another's allowance by
// naming their key. The signer has a budget of its own for each client.
//
// It is the generic cell rate algorithm: one integer for each caller, the time at which the allowance
// will be whole again. Safe for concurrent use.
type limiter struct {
	interval time.Duration // one request's share of the rate
	burst    time.Duration // how far ahead of now that time may lie
	mu       sync.Mutex
	whole    map[string]time.Time
	forgot   time.Time // when callers were forgotten last
}

// newLimiter allows perSecond requests a second on average and burst at once.
func newLimiter(perSecond, burst int) *limiter {
	interval := time.Second / time.Duration(perSecond)
	return &limiter{interval: interval, burst: interval * time.Duration(burst), whole: map[string]time.Time{}}
}

// allow takes one request from the caller's allowance, or says after what time there will be one.
func (l *limiter) allow(caller string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	whole, known := l.whole[caller]
	if !known && len(l.whole) >= maxCallers {
		// At most once a second: a flood of addresses must not have the whole map walked for each request.
		if now.Sub(l.forgot) >= time.Second {
			l.forgot = now
			l.forget(now)
		}
		if len(l.whole) >= maxCallers {
			caller = ""
			whole = l.whole[caller]
		}
	}
	if whole.Before(now) {
		whole = now
	}
	whole = whole.Add(l.interval)
	if over := whole.Sub(now) - l.burst; over > 0 {
		return over, false
	}
	l.whole[caller] = whole
	return 0, true
}

// forget drops the callers whose allowance is whole: a stranger has the same.
func (l *limiter) forget(now time.Time) {
	for caller, whole := range l.whole {
		if !whole.After(now) {
			delete(l.whole, caller)
		}
	}
}

// CallerOf names the caller behind a connection's remote address: the address, or the /64 of IPv6 that it is in.
func CallerOf(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
