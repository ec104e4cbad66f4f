package signer

import (
	"context"
	"errors"
	"time"
)

const (
	healthEvery   = 5 * time.Second
	healthTimeout = 10 * time.Second
)

// watchToken asks the token how it is: regularly, and at once when a signature failed. The same rhythm looks at the
// clock.
func (s *Signer) watchToken(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		s.checkToken(ctx)
		s.checkTime()
		select {
		case <-tick.C:
		case <-s.probe:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Signer) prodToken() {
	select {
	case s.probe <- struct{}{}:
	default:
	}
}

func (s *Signer) checkToken(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	switch err := s.token.Health(ctx); {
	case err == nil:
		s.conditions.clear("token", conditionToken)
	case errors.Is(ctx.Err(), context.Canceled): // the process ends
	default:
		s.conditions.set(conditionToken, "token", codeOf(err, conditionToken)+": "+err.Error(), true)
	}
}

// toleratedBehind is how far policy time may stay behind the clock before it is worth a word.
const toleratedBehind = 5000

func (s *Signer) checkTime() {
	clock, boot := s.clock.Now()
	s.mu.RLock()
	behind := clock - s.state.PolicyTime(clock, boot)
	s.mu.RUnlock()
	if behind <= toleratedBehind {
		s.conditions.clear("", conditionTime)
		return
	}
	s.conditions.set(conditionTime, "", "policy time stays behind the clock: windows, time-locks and delays end later until a quorum's resume vouches for the time", false)
}
