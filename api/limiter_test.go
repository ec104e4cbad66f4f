package api

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCallerOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:4711":            "192.0.2.7",
		"[::ffff:192.0.2.7]:4711":   "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":         "fe80::/64",
		"@":                         "@",
	} {
		if got := CallerOf(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// TestLimiterNeverExceedsItsRate: whatever the times of the requests, in no span are more allowed than
// burst and rate give together.
func TestLimiterNeverExceedsItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate, burst := rapid.IntRange(1, 1000).Draw(t, "rate"), rapid.IntRange(1, 20).Draw(t, "burst")
		l := newLimiter(rate, burst)
		start := time.UnixMilli(1767225600000)
		now := start
		var allowed []time.Time
		for _, gap := range rapid.SliceOfN(rapid.Int64Range(0, int64(2*time.Second)/int64(rate)), 1, 200).Draw(t, "gaps") {
			now = now.Add(time.Duration(gap))
			wait, ok := l.allow("a", now)
			if ok {
				allowed = append(allowed, now)
				continue
			}
			if wait <= 0 {
				t.Fatal("refused without a time to wait")
			}
			// What it says about the wait is true: a moment before it is still refused.
			if _, early := l.allow("a", now.Add(wait-1)); early {
				t.Fatal("allowed before the time it named")
			}
		}
		interval := time.Second / time.Duration(rate)
		for i, from := range allowed {
			for n, to := range allowed[i:] {
				if most := burst + int(to.Sub(from)/interval); n+1 > most {
					t.Fatalf("%d requests in %s, at most %d", n+1, to.Sub(from), most)
				}
			}
		}
		if len(allowed) == 0 {
			t.Fatal("nobody was ever allowed")
		}
	})
}

func TestLimiterIsBounded(t *testing.T) {
	l := newLimiter(1, 1)
	now := time.UnixMilli(1767225600000)
	for i := range maxCallers + 1000 {
		l.allow(fmt.Sprint(i), now)
	}
	if len(l.whole) > maxCallers+1 {
		t.Errorf("%d callers are remembered", len(l.whole))
	}
	if _, ok := l.allow("a stranger", now); ok {
		t.Error("strangers beyond the bound share one allowance, which is used up")
	}
	if _, ok := l.allow("0", now); ok {
		t.Error("a known caller was forgotten")
	}
	now = now.Add(time.Minute)
	if _, ok := l.allow("another stranger", now); !ok || len(l.whole) > 2 {
		t.Errorf("old callers were not forgotten: %d", len(l.whole))
	}
}

func TestLimiterKeepsCallersApart(t *testing.T) {
	l := newLimiter(1, 1)
	now := time.UnixMilli(1767225600000)
	if _, ok := l.allow("a", now); !ok {
		t.Error("a's first")
	}
	if _, ok := l.allow("a", now); ok {
		t.Error("a's second")
	}
	if _, ok := l.allow("b", now); !ok {
		t.Error("b's first")
	}
}
