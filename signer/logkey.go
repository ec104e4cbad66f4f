package signer

import (
	"context"
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

// cosignWait bounds how long the change of the log key waits for its witnesses before it is to be asked for again.
const cosignWait = 20 * time.Second

// RotateLogKey implements rpc.Admin. Everything that it finds done it leaves, so it may be broken off anywhere and asked
// for again. The old key goes last: until every anchor holds a head of the new one, a crash leaves a journal that goes on.
func (a administrator) RotateLogKey(ctx context.Context, _ rpc.Caller, begin bool) (rpc.LogKeyRotation, error) {
	if problem := a.refusing(); problem != nil {
		return rpc.LogKeyRotation{}, problem
	}
	r, err := a.rotateLogKey(ctx, begin)
	if err != nil {
		return rpc.LogKeyRotation{}, a.adminProblem(err)
	}
	return r, nil
}

func (a administrator) rotateLogKey(ctx context.Context, begin bool) (rpc.LogKeyRotation, error) {
	held, err := a.token.LogKeys(ctx)
	if err != nil {
		return rpc.LogKeyRotation{}, a.tokenProblem(err)
	}
	keys, permit := a.logKeys()
	replaced := slices.DeleteFunc(slices.Clone(held), func(key [32]byte) bool { return !keys.Used(key) || key == keys.Newest() })
	if len(replaced) > 0 {
		return a.finishLogKey(ctx, keys)
	}
	r := rpc.LogKeyRotation{State: rpc.LogKeyNone, Current: journal.FormatLogKey(keys.Newest())}
	if !begin && !slices.ContainsFunc(held, func(key [32]byte) bool { return !keys.Used(key) }) {
		return r, nil
	}
	next, err := a.token.NextLogKey(ctx)
	if err != nil {
		return r, a.tokenProblem(err)
	}
	r.State, r.Next = rpc.LogKeyWaits, journal.FormatLogKey(next)
	if permit == nil || permit.New != next {
		return r, nil
	}
	if _, err := a.judge(ctx, ledger.HandoverInput{New: next}); err != nil {
		return r, err
	}
	keys, _ = a.logKeys()
	return a.finishLogKey(ctx, keys)
}

// logKeys returns which log key signs which head, and to which it may be handed over, by the state that decides.
func (s *Signer) logKeys() (journal.LogKeys, *ledger.LogKeyPermit) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.LogKeys(), s.state.LogKeyPermit()
}

// finishLogKey does what is left once the handover is decided.
func (a administrator) finishLogKey(ctx context.Context, keys journal.LogKeys) (rpc.LogKeyRotation, error) {
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
	if err := a.journal.MoveAnchors(ctx); err != nil {
		return r, err
	}
	if a.cosigning != nil {
		waiting, cancel := context.WithTimeout(ctx, cosignWait)
		defer cancel()
		if err := a.untilCosigned(waiting, func() bool { return a.cosigning.best().Size > last.Seq+1 }); err != nil {
			r.Waits = "no quorum of witnesses has cosigned a head of the new key yet: the old key stays until then"
			return r, nil
		}
	}
	held, err := a.token.LogKeys(ctx)
	if err != nil {
		return r, a.tokenProblem(err)
	}
	for _, key := range held {
		if !keys.Used(key) || key == last.New {
			continue
		}
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
