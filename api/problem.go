package api

import (
	"errors"
	"net/http"

	"kura/signer/rpc"
	"kura/statement"
)

// Codes of the problems that the gateway itself finds. Those of the signer come through as they are.
const (
	CodeBodyTooLarge      = "body_too_large"
	CodeBodyUnread        = "body_unread"
	CodeUnsupportedCoding = "unsupported_coding"
	CodeWrongType         = "wrong_type"
	CodeBadParameter      = "bad_parameter"
	CodeNoSession         = "no_session"
	CodeNoRoute           = "no_route"
	CodeMethodNotAllowed  = "method_not_allowed"
	CodeNotObserver       = "not_observer"
	CodeRateLimited       = "rate_limited"
)

// A Problem is the body of every failure: application/problem+json of RFC 9457 with members of our own.
// Answer is the recorded state of the statement, with its receipt, when there is one.
type Problem struct {
	Type   string      `json:"type"`
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Code   string      `json:"code"`
	Field  string      `json:"field,omitempty"`
	Retry  string      `json:"retry"`
	Effect string      `json:"effect"`
	Answer *rpc.Answer `json:"answer,omitempty"`
}

// ProblemMedia is the media type of a Problem.
const ProblemMedia = "application/problem+json"

// typePrefix and a code make a problem's type: a name, not an address.
const typePrefix = "urn:kura:problem:"

// A meaning is what a code stands for to HTTP: its status, a title that never changes, and what retry
// says when whoever found the problem did not.
type meaning struct {
	status int
	title  string
	retry  string
}

// What the codes of statements have in common.
var (
	undecodable  = meaning{http.StatusBadRequest, "The statement does not decode", rpc.RetryNewStatement}
	unverifiable = meaning{http.StatusBadRequest, "The signature does not verify", rpc.RetryNewStatement}
	untimely     = meaning{http.StatusBadRequest, "The statement is not of this time", rpc.RetryNewStatement}
)

// problems is the one table from codes to statuses. For codes that are not in it see meaningOf.
var problems = map[string]meaning{
	// Found by the gateway: the signer has not seen the request.
	CodeBodyTooLarge:      {http.StatusRequestEntityTooLarge, "Body too large", rpc.RetryNewStatement},
	CodeBodyUnread:        {http.StatusBadRequest, "Body did not arrive", rpc.RetrySame},
	CodeUnsupportedCoding: {http.StatusUnsupportedMediaType, "Content coding not taken", rpc.RetryNever},
	CodeWrongType:         {http.StatusBadRequest, "Statement of another type", rpc.RetryNever},
	CodeBadParameter:      {http.StatusBadRequest, "Bad parameter", rpc.RetryNever},
	CodeNoRoute:           {http.StatusNotFound, "No such route", rpc.RetryNever},
	CodeMethodNotAllowed:  {http.StatusMethodNotAllowed, "Method not allowed", rpc.RetryNever},
	CodeNotObserver:       {http.StatusForbidden, "For observers only", rpc.RetryNever},
	CodeRateLimited:       {http.StatusTooManyRequests, "Too many requests", rpc.RetrySame},
	rpc.CodeBusy:          {http.StatusServiceUnavailable, "Busy", rpc.RetrySame},
	rpc.CodeInternal:      {http.StatusInternalServerError, "Internal error", rpc.RetrySame},

	// The way to the signer.
	rpc.CodeUnavailable: {http.StatusServiceUnavailable, "Signer unavailable", rpc.RetrySame},
	rpc.CodeNoAnswer:    {http.StatusServiceUnavailable, "No answer from the signer", rpc.RetrySame},
	rpc.CodeTooLarge:    {http.StatusRequestEntityTooLarge, "Too large", rpc.RetryNewStatement},
	rpc.CodeBadCall:     {http.StatusInternalServerError, "Internal error", rpc.RetryNever},
	rpc.CodeNotAllowed:  {http.StatusInternalServerError, "Internal error", rpc.RetryNever},

	// Statements that do not decode or verify (docs/statements.md, "Error codes").
	string(statement.CodeSyntax):             undecodable,
	string(statement.CodeUnknownType):        undecodable,
	string(statement.CodeUnknownMember):      undecodable,
	string(statement.CodeMissingMember):      undecodable,
	string(statement.CodeDuplicateMember):    undecodable,
	string(statement.CodeBadValue):           undecodable,
	string(statement.CodeSignatureMalformed): unverifiable,
	string(statement.CodeKeyTypeRefused):     unverifiable,
	string(statement.CodeKeyMalformed):       unverifiable,
	string(statement.CodeNamespaceMismatch):  unverifiable,
	string(statement.CodeTouchMissing):       unverifiable,
	string(statement.CodeSignatureInvalid):   unverifiable,
	string(statement.CodeIDFromTheFuture):    untimely,
	string(statement.CodeIDTooOld):           untimely,
	string(statement.CodeExpiresTooLate):     untimely,
	string(statement.CodeExpired):            untimely,

	// Of the signer: what it answers without a recorded state. Denials go by their state (state.go).
	CodeNoSession:      {http.StatusUnauthorized, "No session", rpc.RetryNever},
	"forbidden":        {http.StatusForbidden, "Not for this session", rpc.RetryNever},
	"not_found":        {http.StatusNotFound, "Not found", rpc.RetryNever},
	"bad_range":        {http.StatusBadRequest, "Beyond the journal's end", rpc.RetryNever},
	"wrong_place":      {http.StatusBadRequest, "Statement of another type", rpc.RetryNever},
	"id_conflict":      {http.StatusConflict, "Another text has this id", rpc.RetryNewStatement},
	"unknown_key":      {http.StatusForbidden, "Signed by nobody whom the policy names", rpc.RetryNever},
	"not_active":       {http.StatusForbidden, "Signed by somebody whose last day is over", rpc.RetryNever},
	"wrong_journal":    {http.StatusBadRequest, "For another deployment", rpc.RetryNewStatement},
	"born_before_gap":  {http.StatusConflict, "The journal lost entries that may hold it", rpc.RetryNever},
	"over_budget":      {http.StatusTooManyRequests, "Over the sender's budget", rpc.RetrySame},
	"too_many_pending": {http.StatusTooManyRequests, "Too many requests are waiting", rpc.RetrySame},
}

// meaningOf says what a code stands for. Whether the signer sends a code that is not in the table is its
// own business; what it carries decides: a recorded refusal is a 403, what can be sent again as it is a
// 503 (the signer has stopped, and says why in the code), what names a field a 400.
func meaningOf(p *rpc.Problem) meaning {
	if m, ok := problems[p.Code]; ok {
		return m
	}
	switch {
	case p.Answer != nil:
		return meaning{http.StatusForbidden, "Refused", rpc.RetryNewStatement}
	case p.Retry == rpc.RetrySame:
		return meaning{http.StatusServiceUnavailable, "Not now", rpc.RetrySame}
	case p.Field != "" || p.Retry == rpc.RetryNewStatement:
		return meaning{http.StatusBadRequest, "Bad statement", rpc.RetryNewStatement}
	}
	return meaning{http.StatusInternalServerError, "Internal error", rpc.RetrySame}
}

// problemOf is the body of a problem, with what its finder left open filled in. An effect that nobody
// vouched for is unknown: only a refusal that surely came before the signer may say none.
func problemOf(p *rpc.Problem) Problem {
	m := meaningOf(p)
	out := Problem{
		Type: typePrefix + p.Code, Title: m.title, Status: m.status, Detail: p.Detail,
		Code: p.Code, Field: p.Field, Retry: p.Retry, Effect: p.Effect, Answer: p.Answer,
	}
	if out.Retry == "" {
		out.Retry = m.retry
	}
	if out.Effect == "" {
		out.Effect = rpc.EffectUnknown
	}
	return out
}

// refuse is a problem that the gateway found before the signer saw anything.
func refuse(code, field, detail string) *rpc.Problem {
	return &rpc.Problem{Code: code, Field: field, Detail: detail, Effect: rpc.EffectNone}
}

// problemIn finds the problem in an error.
func problemIn(err error) (*rpc.Problem, bool) { return errors.AsType[*rpc.Problem](err) }
