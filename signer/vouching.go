package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kura/journal"
	"kura/journal/cosign"
	"kura/ledger"
	"kura/statement"
)

// Milliseconds.
const (
	// toleratedBehind is how far policy time may stay behind the clock before it is worth a word or an entry: a
	// cosignature is a second or two old when it comes, and says whole seconds.
	toleratedBehind = 5000
	// worthVouching is by how much witnesses must bring policy time on to be worth an entry. Where they keep to a
	// clock that is right and this host's is ahead, each round would bring a little.
	worthVouching = 1000
)

// vouchPause is how long cosignatures are left to come in before they are looked at again: under load rounds follow each
// other fast, and where the clock is wrong none of them brings anything.
const vouchPause = 500 * time.Millisecond

// lateness is how policy time stands.
type lateness struct {
	clock, time int64 // unix milliseconds
}

func (l lateness) behind() int64 { return l.clock - l.time }

func (s *Signer) lateness() lateness {
	clock, boot := s.clock.Now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return lateness{clock, s.state.PolicyTime(clock, boot)}
}

// keepVouched has the witnesses' times journalled whenever policy time stays behind the clock and a quorum of them
// says that it is later. It returns when ctx ends.
func (s *Signer) keepVouched(ctx context.Context) {
	select {
	case <-s.started: // before that the state counts time as the last run did
	case <-ctx.Done():
		return
	}
	for {
		changed := s.cosigning.changed.wait()
		if in, news := s.news(); news && s.halted() == nil {
			_, err := s.judge(ctx, in)
			if err != nil && !errors.Is(err, ledger.ErrInput) && ctx.Err() == nil { // ErrInput: time went on meanwhile
				s.log.Warn("the witnesses' times could not be journalled", "error", err)
			}
			s.checkTime()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		if !pause(ctx, vouchPause) {
			return
		}
	}
}

// news returns what witnesses vouch for, if policy time is behind and that brings it on.
func (s *Signer) news() (ledger.VouchedInput, bool) {
	late := s.lateness()
	if late.behind() <= toleratedBehind {
		return ledger.VouchedInput{}, false
	}
	best := s.cosigning.best()
	moment, ok := s.cosigning.moment(best.checkpoint)
	if !ok || min(moment, late.clock) < late.time+worthVouching {
		return ledger.VouchedInput{}, false
	}
	in := ledger.VouchedInput{Checkpoint: best.checkpoint, Quorum: s.cosigning.Quorum}
	for _, k := range s.cosigning.Keys {
		in.Witnesses = append(in.Witnesses, k.String())
	}
	return in, true
}

// moment returns until when, in unix milliseconds, a quorum vouches with a cosigned head.
func (c *cosigning) moment(cosigned journal.Checkpoint) (int64, bool) {
	found, err := cosign.Verify(cosigned, c.Keys)
	if err != nil {
		return 0, false // nothing is cosigned yet
	}
	seconds, ok := cosign.Newest(found, c.Quorum)
	return int64(min(seconds, journal.MaxTime/1000)) * 1000, ok
}

// checkTime says when policy time stays behind the clock, and what will end that. It is about this run: a signer that
// only follows, or has not begun to decide, knows no more than how another one counts.
func (s *Signer) checkTime() {
	select {
	case <-s.started:
	default:
		return
	}
	late := s.lateness()
	if late.behind() <= toleratedBehind {
		s.conditions.clear("", conditionTime)
		return
	}
	s.conditions.set(conditionTime, "", "policy time stays behind the clock: windows, time-locks and delays end later until "+s.untilVouched(late), false)
}

// untilVouched says what brings policy time on.
func (s *Signer) untilVouched(late lateness) string {
	const resume = "a quorum's resume vouches for the time"
	c := s.cosigning
	if c == nil {
		return resume + " (no witnesses are configured whose times could)"
	}
	if n := c.answering(); n < c.Quorum {
		return fmt.Sprintf("%d of %d witnesses vouch for the time (%d answer), or %s", c.Quorum, len(c.Keys), n, resume)
	}
	moment, ok := c.moment(c.best().checkpoint)
	if ok && moment < late.time+worthVouching && late.clock-moment > toleratedBehind+renewEvery {
		return fmt.Sprintf("%s; the witnesses do not: %d of them say that it was %s when they cosigned last, so this host's clock is ahead and should be set right",
			resume, c.Quorum, statement.FormatTime(moment))
	}
	return fmt.Sprintf("%d of %d witnesses vouch for the time with the next head or round, within %d seconds, or %s",
		c.Quorum, len(c.Keys), renewEvery/1000, resume)
}
