package ledger

import (
	"errors"
	"slices"

	"kura/policy"
	"kura/statement"
)

// CodeIDTooOld is the code of a held request that outlived what ids may live under the policy in force.
const CodeIDTooOld = string(statement.CodeIDTooOld)

// lookAgain is after how many milliseconds of policy time requests are looked at again that still wait
// although their time had come. Looking at all of them after every input would let one client with many
// large requests, none of which fits, slow down everybody.
const lookAgain = 10 * 1000

// Due tells whether a tick at these times has something to look at. So: after each input, and once a
// second, judge ticks while Due and while they return drafts. A request that waits for room is looked at
// when it may first fit, and again every ten seconds if it does not.
func (s *State) Due(now policy.Now) bool {
	if s.policy == nil {
		return false
	}
	if s.leftOver() {
		return true
	}
	j := judgement{s: s, now: now}
	for _, f := range s.freezes {
		if f.ready {
			return true
		}
	}
	for _, p := range s.proposals {
		if p.ready || p.expired(now) || j.dueChange(p) != policy.ProposalAdopted {
			return true
		}
	}
	for _, r := range s.unsigned {
		if r.Transaction.Deadline < now.Clock {
			return true
		}
	}
	return s.looking(now) || slices.ContainsFunc(s.held, func(r *Request) bool { return s.stirs(r, now, false) })
}

// looking tells whether the requests are to be looked at whose time has come: when one's comes, and after
// a while.
func (s *State) looking(now policy.Now) bool {
	again := now.Time >= s.looked+lookAgain
	return slices.ContainsFunc(s.held, func(r *Request) bool {
		return r.wakeAt <= now.Time && (again || r.wakeAt > s.looked)
	})
}

// stirs tells whether a held request is to be judged again; looking, if its time has come.
func (s *State) stirs(r *Request, now policy.Now, looking bool) bool {
	return r.ready || r.Expires < now.Clock || looking && r.wakeAt <= now.Time || s.outlived(r)
}

// expired tells whether a proposal is open past its last moment.
func (p *Proposal) expired(now policy.Now) bool { return p.State == StateOpen && p.Expires < now.Clock }

func (s *State) outlived(r *Request) bool {
	return r.ID.Born() <= s.memory.floor[statement.TypeWithdrawal]
}

// tick does the first thing that is due, and only one: whatever it decides uses up room or changes rules
// for the next.
func (j *judgement) tick(in TickInput) (Result, error) {
	j.write(&Tick{InDoubt: in.InDoubt})
	j.inDoubt = in.InDoubt
	var behind error
	for _, step := range []func() (Result, error){j.tickGap, j.tickChange, j.tickLifts, j.tickProposals, j.tickUnsigned, j.tickHeld} {
		res, err := step()
		switch {
		case errors.Is(err, ErrClock): // nothing is authorised under this clock; the rest goes on
			behind = err
		case err != nil || len(j.drafts) > 1:
			return res, err
		}
	}
	j.drafts = nil // nothing was due
	// In doubt, or under a clock that is behind, something may wait that would go on otherwise.
	if behind == nil && !j.inDoubt && j.s.looking(j.now) {
		j.write(&Look{})
	}
	return Result{}, behind
}

// tickUnsigned ends the first authorisation whose deadline passed without a signature.
func (j *judgement) tickUnsigned() (Result, error) {
	for _, r := range inOrder(j.s.unsigned) {
		if r.Transaction.Deadline < j.now.Clock {
			return j.stranded(r), nil
		}
	}
	return Result{}, nil
}

// tickHeld judges the first held request that may go on or has ended.
func (j *judgement) tickHeld() (Result, error) {
	var behind error
	looking := j.s.looking(j.now)
	for _, r := range j.s.held {
		if !j.s.stirs(r, j.now, looking) {
			continue
		}
		res, err := j.again(r)
		switch {
		case errors.Is(err, ErrClock):
			behind = err
		case err != nil || len(j.drafts) > 1:
			return res, err
		}
	}
	return Result{}, behind
}

// again judges a held request anew, under everything that is in force now.
func (j *judgement) again(r *Request) (Result, error) {
	if slices.ContainsFunc(r.Verdicts, func(v policy.Verdict) bool { return v.Kind == statement.Cancel && v.By == r.By }) {
		return j.end(r, StateCancelled, ""), nil
	}
	switch {
	case r.Expires < j.now.Clock:
		return j.end(r, StateLapsed, CodeExpired), nil
	case j.s.outlived(r):
		return j.end(r, StateLapsed, CodeIDTooOld), nil
	}
	res := Result{Type: string(r.Type), About: r.Hash, ID: r.ID.String(), By: r.By}
	if code := j.s.walletReady(r.Wallet); code != "" {
		return j.outcome(res, r.Withdrawal, policy.Decision{Outcome: policy.Deny, Code: code}, StateDenied, nil), nil
	}
	return j.decide(res, r.request(), r, !r.ready)
}

func clientOf(r *Request) policy.ClientID { return policy.ClientID(r.By.ID) }
