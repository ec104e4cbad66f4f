package ledger

import (
	"errors"
	"fmt"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// statement judges what a person, client, service or sentinel signed.
func (j *judgement) statement(in statement.Signed) (Result, error) {
	c := in.Body.Common()
	res := Result{Type: string(in.Body.Type()), About: in.Hash, ID: c.ID.String()}
	actor, known := j.s.policy.Attribute(in.Key)
	if !known {
		return res.refused(CodeUnknownKey), nil
	}
	res.By = actor
	if c.Journal != j.s.journal {
		return res.refused(CodeWrongJournal), nil
	}
	if have := j.s.memory.ids[c.ID]; have != nil {
		return recorded(res, have.record(), in.Hash), nil
	}
	if j.s.bornBeforeGap(c.ID, in.Body.Type()) {
		return res.refused(CodeBornBeforeGap), nil // it may have been judged in the entries that are lost
	}
	code, err := j.admit(c, in.Body.Type())
	if err != nil {
		return res, err
	}
	if code == string(statement.CodeIDTooOld) || code == string(statement.CodeIDFromTheFuture) {
		// The first would come again and again, the second is right later: neither uses up its id.
		return res.refused(code), nil
	}
	if actor.Kind == policy.CanaryActor {
		return j.canaryKey(in, actor, res)
	}
	if code == "" && j.s.policy.UserVerification(actor) && !in.SK.UserVerified {
		code = CodeNoUserCheck
	}
	if in.Body.Type() == statement.TypeLogin {
		return j.login(actor, code, res), nil
	}
	if actor.Kind == policy.ClientActor && j.s.overBudget(policy.ClientID(actor.ID), j.now) {
		return res.refused(CodeOverBudget), nil
	}
	judged, err := j.body(in, actor, code, res)
	if err == nil && actor.Kind != policy.ClientActor && j.s.inVain(actor, j.now) && !takes(in.Body.Type(), judged.State) {
		j.drafts = nil
		return res.refused(CodeOverBudget), nil
	}
	return judged, err
}

// body judges a statement by what it says. code is why it is refused whatever it says, "" if it is not.
func (j *judgement) body(in statement.Signed, actor policy.Actor, code string, res Result) (Result, error) {
	j.writeStatement(in, actor)
	switch body := in.Body.(type) {
	case *statement.Withdrawal:
		return j.withdrawal(in, body, actor, code, res)
	case *statement.Verdict:
		return j.verdict(in, body, actor, code, res)
	case *statement.Freeze:
		return j.freeze(in, body, actor, code, res)
	case *statement.Proposal:
		return j.proposal(body, actor, code, res)
	}
	return res, fmt.Errorf("%w: a statement of type %s cannot be judged", ErrInput, in.Body.Type())
}

// refused is the result of what is only counted.
func (r Result) refused(code string) Result {
	r.Refused, r.Code = true, code
	return r
}

// recorded answers an id that came before: the same text with its current state, another with a conflict.
// Somebody else's id is a conflict too, of which nothing is told.
func recorded(res Result, have *Record, hash statement.Hash) Result {
	if have.By != res.By {
		return res.refused(CodeConflict)
	}
	res.Known, res.Conflict = have.Hash == hash, have.Hash != hash
	res.About, res.Type = have.Hash, string(have.Type)
	res.State, res.Code, res.Seq = have.State, have.Code, have.OutcomeSeq
	if res.Conflict {
		res.Code = CodeConflict
	}
	return res
}

// admit checks a statement's times: "" or a stable code.
func (j *judgement) admit(c statement.Common, t statement.Type) (string, error) {
	if c.ID.Born() <= j.s.memory.floor[t] {
		return string(statement.CodeIDTooOld), nil
	}
	clock := j.now.Clock
	if t == statement.TypeFreeze {
		clock = stopClock(c.ID.Born(), j.now)
	}
	err := statement.CheckTimes(c, clock, j.s.life(t))
	if err == nil {
		return "", nil
	}
	if e, ok := errors.AsType[*statement.Error](err); ok {
		return string(e.Code), nil
	}
	return "", err
}

// stopAhead is how far the birth of a stop may lie ahead of the clock, in milliseconds. A clock that is
// behind by more than a wallet's longest life authorises nothing that its chain would still take.
const stopAhead = 24 * 60 * 60 * 1000

// stopClock is the clock that a stop is held to: its own birth, as long as the true time may be that. A signer whose
// clock is wrong goes on paying whoever signs under that clock, and must not refuse the officers who want to end it:
// if the clock is ahead, policy time is not, and if it is behind, they are born after it.
func stopClock(born int64, now policy.Now) int64 {
	return min(max(born, min(now.Clock, now.Time)), now.Clock+stopAhead)
}

// login attributes a login; nothing of it is journalled.
func (j *judgement) login(actor policy.Actor, code string, res Result) Result {
	if code == "" && !j.s.policy.Active(actor, j.now) {
		code = CodeNotActive
	}
	if code != "" {
		return res.refused(code)
	}
	res.State = StateCounted
	return res
}

func (j *judgement) writeStatement(in statement.Signed, actor policy.Actor) {
	j.write(&Statement{
		Hash: in.Hash, Type: in.Body.Type(), By: byActor(actor), Key: string(in.Key),
		Statement: in.Statement, Signature: in.Signature,
	})
}

func byActor(a policy.Actor) By { return By{Kind: a.Kind.String(), ID: a.ID} }

func (b By) actor() (policy.Actor, error) {
	var kind policy.ActorKind
	if err := kind.UnmarshalText([]byte(b.Kind)); err != nil {
		return policy.Actor{}, err
	}
	return policy.Actor{Kind: kind, ID: b.ID}, nil
}

// applyStatement remembers a statement; what became of it is in the outcome that follows.
func (s *State) applyStatement(e journal.Entry, b *Statement, body statement.Body) error {
	actor, err := b.By.actor()
	if err != nil {
		return err
	}
	if statement.HashText(b.Statement) != b.Hash || body.Type() != b.Type {
		return fmt.Errorf("hash or type is not that of the text")
	}
	c := body.Common()
	if s.memory.ids[c.ID] != nil {
		return fmt.Errorf("id %s is recorded already", c.ID)
	}
	actor.ID = s.shared(actor.ID)
	rec := Record{
		ID: c.ID, Hash: b.Hash, Type: body.Type(), By: actor, Expires: c.Expires,
		Policy: s.policy.Hash(), StatementSeq: e.Seq,
	}
	var r remembered
	switch body := body.(type) {
	case *statement.Withdrawal:
		r = &Request{
			Record: rec, Wallet: policy.WalletID(s.shared(body.Wallet)), Destination: body.Destination,
			Replaces: body.Replaces, Since: e.Time, Withdrawal: body, Key: statement.Key(s.shared(b.Key)),
		}
	case *statement.Proposal:
		r = &Proposal{Record: rec, Body: body, Since: e.Time}
	case *statement.Freeze:
		r = &Freeze{Record: rec, Body: body}
	case *statement.Verdict:
		r = &verdict{Record: rec, body: body, key: statement.Key(b.Key)}
	case *statement.Login:
		r = &verdict{Record: rec} // only a canary's gets here
	}
	s.memory.remember(r, c.ID.Born()+s.kept(b.Type))
	if actor.Kind == policy.ClientActor {
		s.countEntry(policy.ClientID(actor.ID))
	}
	return nil
}
