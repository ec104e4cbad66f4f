package main

import (
	"sync"

	"kura/ledger"
	"kura/signer"
)

// A Clock is a signer.Clock that is set by hand. Nothing moves it but Set.
type Clock struct {
	mu    sync.Mutex
	begin int64
	now   int64
}

var _ signer.Clock = (*Clock)(nil)

// NewClock starts at a unix time in milliseconds.
func NewClock(unixMillis int64) *Clock { return &Clock{begin: unixMillis, now: unixMillis} }

// Set moves the clock on; it never goes back.
func (c *Clock) Set(unixMillis int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, unixMillis)
}

// Now implements signer.Clock. The simulated machine runs as long as its clock does, so policy time follows.
func (c *Clock) Now() (clock, boot int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, c.now - c.begin
}

// BootID implements signer.Clock.
func (*Clock) BootID() string { return "simulated" }

// Kind implements signer.Clock.
func (*Clock) Kind() string { return ledger.ClockSimulated }
