package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kura/journal"
	"kura/ledger"
	"kura/signer/rpc"
)

// alarmLogKey is the code of the alarm that people are called by when the log key has changed. Its entry is the first
// that the new key signs for.
const alarmLogKey = "log_key_changed"

// cosignWait bounds how long the destruction of an old log key waits for the witnesses before it is to be asked for again.
const cosignWait = 20 * time.Second

// RotateLogKey implements rpc.Admin. Everything that it finds done it leaves, so it may be broken off anywhere and asked
// for again. The old key goes last, and only when that is asked for: until every anchor holds a head of the new one, a
// crash leaves a journal that goes on, and nothing brings a destroyed key back.
func (a administrator) RotateLogKey(ctx context.Context, _ rpc.Caller, step rpc.LogKeyStep) (rpc.LogKeyRotation, error) {
	if problem := a.refusing(); problem != nil {
		return rpc.LogKeyRotation{}, problem
	}
	if step != rpc.LogKeyBegin && step != rpc.LogKeyGoOn && step != rpc.LogKeyDestroyOld {
		return rpc.LogKeyRotation{}, badParameter("step", "begin, go_on or destroy_old")
	}
	r, err := a.rotateLogKey(ctx, step)
	if err != nil {
		return rpc.LogKeyRotation{}, a.adminProblem(err)
	}
	return r, nil
}

func (a administrator) rotateLogKey(ctx context.Context, step rpc.LogKeyStep) (rpc.LogKeyRotation, error) {
	held, err := a.token.LogKeys(ctx)
	if err != nil {
		return rpc.LogKeyRotation{}, a.tokenProblem(err)
	}
	keys, permit := a.logKeys()
	replaced := slices.DeleteFunc(slices.Clone(held), func(key [32]byte) bool { return !keys.Used(key) || key == keys.Newest() })
	if len(replaced) > 0 {
		r, err := a.useNewLogKey(ctx, keys)
		if err != nil || step != rpc.LogKeyDestroyOld {
			return r, err
		}
		return a.destroyLogKeys(ctx, r, replaced)
	}
	r := rpc.LogKeyRotation{State: rpc.LogKeyNone, Current: journal.FormatLogKey(keys.Newest())}
	if step != rpc.LogKeyBegin && !slices.ContainsFunc(held, func(key [32]byte) bool { return !keys.Used(key) }) {
		return r, nil
	}
	next, err := a.token.NextLogKey(ctx)
	if err != nil {
		return r, a.tokenProblem(err)
	}
	r.State, r.Next = rpc.LogKeyWaits, journal.FormatLogKey(next)
	if permit == nil || permit.New != next || step == rpc.LogKeyDestroyOld {
		return r, nil
	}
	switch _, err := a.judge(ctx, ledger.HandoverInput{New: next}); {
	case errors.Is(err, ledger.ErrInput):
		r.From = permit.From // the time-lock is not over
		return r, nil
	case err != nil:
		return r, err
	}
	keys, _ = a.logKeys()
	return a.useNewLogKey(ctx, keys)
}

// logKeys returns which log key signs which head, and to which it may be handed over, by the state that decides.
func (s *Signer) logKeys() (journal.LogKeys, *ledger.LogKeyPermit) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.LogKeys(), s.state.LogKeyPermit()
}

// useNewLogKey brings the handover to every anchor once it is decided, under a head of the new key.
func (a administrator) useNewLogKey(ctx context.Context, keys journal.LogKeys) (rpc.LogKeyRotation, error) {
	last := keys.Handovers()[len(keys.Handovers())-1]
	r := rpc.LogKeyRotation{State: rpc.LogKeyChanged, Current: journal.FormatLogKey(last.New), Seq: last.Seq}
	if err := a.untilDurable(ctx, last.Seq); err != nil {
		return r, err
	}
	if err := a.token.UseLogKey(ctx, last.New); err != nil {
		return r, a.tokenProblem(err)
	}
	if !a.calledFor(last) {
		alarm := ledger.Alarm{Code: alarmLogKey, Facts: []ledger.Fact{
			{Name: "old", Value: journal.FormatLogKey(last.Old)}, {Name: "new", Value: journal.FormatLogKey(last.New)},
		}}
		if _, err := a.judge(ctx, ledger.AlarmInput{Alarm: alarm}); err != nil {
			return r, err
		}
	}
	if a.tokenAnchor != nil {
		a.tokenAnchor.renew()
	}
	return r, a.journal.MoveAnchors(ctx)
}

// destroyLogKeys destroys what was replaced, behind useNewLogKey and when the witnesses know of the handover, too.
func (a administrator) destroyLogKeys(ctx context.Context, r rpc.LogKeyRotation, replaced [][32]byte) (rpc.LogKeyRotation, error) {
	if a.cosigning != nil {
		waiting, cancel := context.WithTimeout(ctx, cosignWait)
		defer cancel()
		if err := a.untilCosigned(waiting, func() bool { return a.cosigning.best().Size > r.Seq+1 }); err != nil {
			r.Waits = "no quorum of witnesses has cosigned a head of the new key yet: the old key stays until then"
			return r, nil
		}
	}
	for _, key := range replaced {
		if err := a.token.DestroyLogKey(ctx, key); err != nil {
			return r, a.tokenProblem(err)
		}
		r.Destroyed = append(r.Destroyed, journal.FormatLogKey(key))
	}
	r.State = rpc.LogKeyDone
	return r, nil
}

// calledFor tells whether the alarm about a handover is in the journal.
func (s *Signer) calledFor(h journal.Handover) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.state.Alarms(), func(a ledger.AlarmRecord) bool { return a.Code == alarmLogKey && a.Seq > h.Seq })
}

// useLogKey tells the token which log key the journal goes on with, when that is not the one of the genesis line: it is
// the one that the token's health is asked about, and that is not destroyed.
func (s *Signer) useLogKey(ctx context.Context, keys journal.LogKeys) error {
	if len(keys.Handovers()) == 0 {
		return nil
	}
	if err := s.token.UseLogKey(ctx, keys.Newest()); err != nil {
		return fmt.Errorf("the journal's log key is %s: %w", journal.FormatLogKey(keys.Newest()), err)
	}
	return nil
}
