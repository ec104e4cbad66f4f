package signer

import (
	"context"
	"errors"
	"time"

	"kura/ledger"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

// longestWait bounds how long one call is kept waiting for a change, whatever it asks for.
const longestWait = 5 * time.Minute

var _ rpc.Gateway = (*Signer)(nil)

// Submit implements rpc.Gateway.
func (s *Signer) Submit(ctx context.Context, envelope []byte, waitMillis int64) (rpc.Answer, error) {
	signed, err := s.openEnvelope(envelope)
	if err != nil {
		return rpc.Answer{}, err
	}
	if signed.Body.Type() == statement.TypeLogin {
		return rpc.Answer{}, refusedUnjudged(codeWrongPlace, "a login opens a session; it is not submitted")
	}
	problem := s.refusing()
	if onlyStops(signed.Body) {
		problem = s.unwritable()
	}
	if problem != nil {
		if res, ok := s.recorded(signed); ok { // to ask for what is known is to read
			return s.answer(ctx, res)
		}
		return rpc.Answer{}, problem
	}
	res, err := s.judge(ctx, ledger.StatementInput{Signed: signed})
	if err != nil {
		return rpc.Answer{}, s.problem(err)
	}
	switch {
	case res.By.Kind == policy.CanaryActor: // whoever holds such a key must not learn what it is
		return rpc.Answer{}, problemFor(ledger.CodeUnknownKey, "")
	case res.Refused:
		return rpc.Answer{}, s.uncounted(res)
	case res.Conflict:
		answer, err := s.answer(ctx, res)
		if err != nil {
			return rpc.Answer{}, err
		}
		problem := problemFor(ledger.CodeConflict, "")
		problem.Field = "id"
		if s.ownOf(signed.Key, res.By) {
			problem.Answer = &answer // what became of another party's statement is none of the sender's business
		}
		return rpc.Answer{}, problem
	}
	if res.State == ledger.StateAuthorized {
		s.waitSigned(ctx, res, waitMillis)
	}
	return s.answer(ctx, res)
}

// onlyStops tells whether a statement can do nothing but keep something from happening: such a one is taken in doubt, too.
func onlyStops(body statement.Body) bool {
	switch body := body.(type) {
	case *statement.Freeze:
		return true
	case *statement.Verdict:
		return body.Verdict == statement.Reject || body.Verdict == statement.Veto || body.Verdict == statement.Cancel
	}
	return false
}

// ownOf tells whether a key stands for the party.
func (s *Signer) ownOf(key statement.Key, party policy.Actor) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	actor, ok := s.state.PolicyInForce().Attribute(key)
	return ok && actor == party
}

// recorded finds the durable outcome of a text that was judged before, for the party that sent it.
func (s *Signer) recorded(signed statement.Signed) (ledger.Result, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.state.ByStatement(signed.Hash)
	if !ok || r.By.Kind == policy.CanaryActor || r.OutcomeSeq >= s.durable.Load() {
		return ledger.Result{}, false
	}
	// Whoever has seen the text can sign it, too.
	if actor, named := s.state.PolicyInForce().Attribute(signed.Key); !named || actor != r.By {
		return ledger.Result{}, false
	}
	return ledger.Result{About: signed.Hash, Seq: r.OutcomeSeq}, true
}

// openEnvelope decodes an envelope and verifies its signature; the caller's goroutine pays for it.
func (s *Signer) openEnvelope(envelope []byte) (statement.Signed, error) {
	env, err := statement.DecodeEnvelope(envelope)
	if err != nil {
		return statement.Signed{}, s.malformed(err)
	}
	signed, err := statement.Open(env)
	if err != nil {
		return statement.Signed{}, s.malformed(err)
	}
	return signed, nil
}

// malformed answers what does not decode or does not verify: it is counted and uses up no id.
func (s *Signer) malformed(err error) *rpc.Problem {
	refusal, ok := errors.AsType[*statement.Error](err)
	if !ok {
		return s.problem(err)
	}
	s.counters.refused.add(string(refusal.Code))
	problem := problemFor(string(refusal.Code), refusal.Msg)
	problem.Field = refusal.Field
	return problem
}

// uncounted answers what is nobody's, too old or over a budget: nothing of it stands in the journal by itself.
func (s *Signer) uncounted(res ledger.Result) *rpc.Problem {
	clock, _ := s.clock.Now()
	s.refusals.add(res.By, res.Code, clock)
	return problemFor(res.Code, "")
}

// OpenSession implements rpc.Gateway.
func (s *Signer) OpenSession(ctx context.Context, envelope []byte) (rpc.Session, error) {
	problem := s.unwritable() // in doubt the service goes on serving reads
	if problem == nil {
		problem = notNow(s.conditions.stopBy(conditionWitnesses, conditionToken)) // for which its answer might wait
	}
	if problem != nil {
		return rpc.Session{}, problem
	}
	signed, err := s.openEnvelope(envelope)
	if err != nil {
		return rpc.Session{}, err
	}
	login, ok := signed.Body.(*statement.Login)
	if !ok {
		return rpc.Session{}, refusedUnjudged(codeWrongPlace, "only a login opens a session")
	}
	res, err := s.judge(ctx, ledger.StatementInput{Signed: signed})
	if err != nil {
		return rpc.Session{}, s.problem(err)
	}
	if res.Refused || res.State != ledger.StateCounted {
		return rpc.Session{}, s.uncounted(res)
	}
	clock, boot := s.clock.Now()
	s.sessions.open(login.SecretHash.String(), session{actor: res.By, key: signed.Key, until: boot + sessionLife}, boot)
	return rpc.Session{
		Actor: rpc.Actor{Kind: res.By.Kind.String(), ID: res.By.ID},
		Until: statement.FormatTime(clock + sessionLife),
	}, nil
}

// waitSigned waits until an authorisation is signed or given up, but at most waitMillis.
func (s *Signer) waitSigned(ctx context.Context, res ledger.Result, waitMillis int64) {
	s.waitWhile(ctx, res.By, res.About, waitMillis, s.down, func(st standing) bool { return st.state == ledger.StateAuthorized })
}

// waitWhile waits while the statement's standing is what the caller does not want yet, if there is a place to wait, and
// not beyond down.
func (s *Signer) waitWhile(ctx context.Context, who policy.Actor, about statement.Hash, waitMillis int64, down <-chan struct{}, unwanted func(standing) bool) {
	leave, ok := s.watches.enter(who)
	if !ok {
		return
	}
	defer leave()
	ctx, cancel := waitFor(ctx, waitMillis)
	defer cancel()
	for {
		changed, off := s.watches.on(about)
		st, ok := s.standing(about)
		if !ok || !unwanted(st) {
			off()
			return
		}
		select {
		case <-changed:
			off()
		case <-down: // nothing will change any more
			off()
			return
		case <-ctx.Done():
			off()
			return
		}
	}
}

// waitFor bounds a wait by what the caller asks for and by longestWait.
func waitFor(ctx context.Context, waitMillis int64) (context.Context, context.CancelFunc) {
	millis := min(max(0, waitMillis), longestWait.Milliseconds())
	return context.WithTimeout(ctx, time.Duration(millis)*time.Millisecond)
}
