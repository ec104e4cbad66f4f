package signer

import (
	"context"
	"errors"
	"fmt"

	"kura/ledger"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

// Codes of problems that arise here; the others are those of package statement and ledger.
const (
	codeWrongPlace = "wrong_place" // a statement of this type is not taken here
	codeNoSession  = "no_session"
	codeNotFound   = "not_found"
	codeBadRange   = "bad_range"
	codeForbidden  = "forbidden"
)

// An unsettledError is about a decision that may or may not become durable.
type unsettledError struct{ error }

func (u unsettledError) Unwrap() error { return u.error }

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// refusing returns the problem of a statement that is not even looked at, because nothing can be decided now.
func (s *Signer) refusing() *rpc.Problem {
	return notNow(s.conditions.stop())
}

// unwritable returns the problem of any statement while nothing that is decided could become durable.
func (s *Signer) unwritable() *rpc.Problem {
	if h := s.haltedBy.Load(); h != nil {
		return notNow(rpc.Reason{Code: h.code, Detail: h.detail}, true)
	}
	return notNow(s.conditions.stopBy(unwritableConditions...))
}

func notNow(r rpc.Reason, stops bool) *rpc.Problem {
	if !stops {
		return nil
	}
	return &rpc.Problem{Code: r.Code, Detail: "not signing now: " + r.Detail, Retry: rpc.RetrySame, Effect: rpc.EffectNone}
}

// undecided is the problem of an input while this signer waits for its turn or for its witnesses.
func (s *Signer) undecided() *rpc.Problem {
	if problem := s.refusing(); problem != nil {
		return problem
	}
	return refusedUnjudged(conditionStarting, "this signer does not decide yet")
}

// deposed is the problem of an answer that must not leave, because another signer may lead by now.
func (s *Signer) deposed() *rpc.Problem {
	return &rpc.Problem{Code: conditionLeaseLost, Detail: "another signer may lead by now: ask again", Retry: rpc.RetrySame, Effect: rpc.EffectUnknown}
}

// problem turns an error of deciding or reading into what its caller is told.
func (s *Signer) problem(err error) *rpc.Problem {
	if p, ok := errors.AsType[*rpc.Problem](err); ok {
		return p
	}
	effect := rpc.EffectNone
	if _, ok := errors.AsType[unsettledError](err); ok || isContext(err) {
		effect = rpc.EffectUnknown
	}
	if h, ok := errors.AsType[*haltError](err); ok {
		return &rpc.Problem{Code: h.code, Detail: "not signing any more: " + h.detail, Retry: rpc.RetrySame, Effect: effect}
	}
	switch {
	case errors.Is(err, errStopping):
		return &rpc.Problem{Code: conditionStopping, Detail: err.Error(), Retry: rpc.RetrySame, Effect: effect}
	case isContext(err):
		return &rpc.Problem{Code: rpc.CodeNoAnswer, Detail: "the decision was not durable before the caller's time was over", Retry: rpc.RetrySame, Effect: effect}
	case errors.Is(err, ledger.ErrClock):
		return &rpc.Problem{Code: conditionClock, Detail: err.Error(), Retry: rpc.RetrySame, Effect: effect}
	}
	s.log.Error("call failed", "error", err)
	return &rpc.Problem{Code: rpc.CodeInternal, Detail: "the signer failed in an unforeseen way; its log says how", Retry: rpc.RetrySame, Effect: rpc.EffectUnknown}
}

func refusedUnjudged(code, detail string) *rpc.Problem {
	return &rpc.Problem{Code: code, Detail: detail, Retry: retryOf(code), Effect: rpc.EffectNone}
}

// problemFor is the problem of a statement that leaves no trace of its own.
func problemFor(code, detail string) *rpc.Problem {
	if detail == "" {
		detail = explain("", code)
	}
	effect := rpc.EffectNone
	if code == ledger.CodeBornBeforeGap {
		effect = rpc.EffectUnknown // the lost entries may have paid it
	}
	return &rpc.Problem{Code: code, Detail: detail, Retry: retryOf(code), Effect: effect}
}

// retryOf says what a caller may do about a code.
func retryOf(code string) string {
	switch code {
	case string(statement.CodeIDFromTheFuture), ledger.CodeOverBudget, rpc.CodeBusy, conditionStopping, conditionStarting, conditionStandby:
		return rpc.RetrySame
	case ledger.CodeUnknownKey, codeWrongPlace, codeNotFound, codeBadRange, codeForbidden, ledger.CodeNotActive, ledger.CodeBornBeforeGap:
		return rpc.RetryNever
	}
	return rpc.RetryNewStatement
}

// sentences are what people read for the codes that this package hands out without numbers.
var sentences = map[string]string{
	ledger.CodeUnknownKey:                 "the policy in force names nobody with this key",
	ledger.CodeWrongJournal:               "the statement names another deployment's genesis hash",
	ledger.CodeOverBudget:                 "whoever signed it has used up their budget of statements for now",
	ledger.CodeConflict:                   "another text was judged under this id",
	ledger.CodeNotActive:                  "the last day of whoever signed is over",
	string(statement.CodeIDTooOld):        "the id is older than this type of statement may live: sign a new statement with a new id",
	string(statement.CodeIDFromTheFuture): "the id is born more than 5 minutes ahead: check the clock where it was made",
	string(statement.CodeExpired):         "the statement expired",
	ledger.CodeBornBeforeGap:              "the journal lost its newest entries, and this may have been judged in them: whether it was paid, only the chain can tell",
	ledger.CodeGap:                        "it waited when the journal lost its newest entries, and may have gone on in them: whether it was paid, only the chain can tell",
	ledger.CodeTailAlive:                  "what the journal's lost entries authorised may still be paid",
	ledger.CodePredecessorAlive:           "a successor: what the journal before this one authorised may still be paid",
	ledger.CodeDeadlineOver:               "it could not be signed before its deadline; it counts as spent, and a signature may or may not have left",
	ledger.CodeStopped:                    "a freeze came between authorisation and signature; it counts as spent, and a signature may or may not have left",
}

// explain is the sentence for a state and its code.
func explain(state, code string) string {
	if text, ok := sentences[code]; ok {
		return text
	}
	if text := policy.Words(code); text != code {
		return text
	}
	switch {
	case code == "":
		return state
	case state == "":
		return code
	}
	return fmt.Sprintf("%s: %s", state, code)
}
