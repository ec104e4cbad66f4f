package rpc

import "fmt"

// What a caller may do after a problem.
const (
	RetryNever        = "never"         // the same request will get the same answer for ever
	RetrySame         = "same"          // ask again with the very same text, later
	RetryNewStatement = "new_statement" // sign a new statement, with a new id
)

// What a refused or failed call may have done.
const (
	EffectNone    = "none"    // nothing happened and nothing will
	EffectUnknown = "unknown" // it may have taken effect: ask again with the same text
)

// Codes of problems that arise on the socket itself. All others come from the signer and are listed in
// docs/errors.md.
const (
	CodeUnavailable = "signer_unavailable" // no connection: the call was not sent
	CodeNoAnswer    = "no_answer"          // sent, but the connection or the caller's patience ended first
	CodeBusy        = "busy"               // too many calls in flight: refused unread
	CodeTooLarge    = "too_large"
	CodeBadCall     = "bad_call"    // unknown method or parameters that do not decode: the gateway's fault
	CodeNotAllowed  = "not_allowed" // the peer is not who may use this socket
	CodeInternal    = "internal"    // the handler failed in an unforeseen way; the signer's log says how
)

// A Problem is an answer that is not an Answer. It is also an error.
type Problem struct {
	Code   string  `json:"code"`             // stable, snake_case
	Detail string  `json:"detail"`           // one sentence for people
	Field  string  `json:"field,omitempty"`  // which member of the statement or of the parameters is meant
	Retry  string  `json:"retry"`            // one of the Retry constants
	Effect string  `json:"effect"`           // one of the Effect constants
	Answer *Answer `json:"answer,omitempty"` // the recorded state with its receipt, when there is one

	cause error
}

func (p *Problem) Error() string {
	if p.Field != "" {
		return fmt.Sprintf("%s: %s: %s", p.Code, p.Field, p.Detail)
	}
	return p.Code + ": " + p.Detail
}

// Unwrap returns what the socket reported, for problems that arose there.
func (p *Problem) Unwrap() error { return p.cause }
