package api

import (
	"net/http"

	"kura/signer/rpc"
)

// An ending is how a state of a statement is answered to whoever posted it. A state that pays nobody is
// never a 2xx: a caller that looks at the status alone must not take it for a payment.
type ending struct {
	status int
	title  string // of the problem; empty for a success
	retry  string
	effect string
}

// endings is the one table from states to statuses of a POST. (A GET of a state is 200 whatever it is.)
var endings = map[string]ending{
	// withdrawals
	rpc.StateSigned:     {status: http.StatusCreated},
	rpc.StateAuthorized: {status: http.StatusAccepted},
	rpc.StateHeld:       {status: http.StatusAccepted},
	rpc.StateDenied:     {http.StatusForbidden, "Denied", rpc.RetryNewStatement, rpc.EffectNone},
	rpc.StateRejected:   {http.StatusForbidden, "Rejected by an officer", rpc.RetryNewStatement, rpc.EffectNone},
	rpc.StateCancelled:  {http.StatusConflict, "Cancelled", rpc.RetryNewStatement, rpc.EffectNone},
	rpc.StateStranded:   {http.StatusConflict, "Stranded: counted as paid, its signature may or may not have left", rpc.RetryNever, rpc.EffectUnknown},
	// withdrawals and proposals
	rpc.StateLapsed: {http.StatusConflict, "Lapsed", rpc.RetryNewStatement, rpc.EffectNone},
	// verdicts, freezes, proposals
	rpc.StateCounted: {status: http.StatusOK},
	rpc.StateRefused: {http.StatusForbidden, "Refused", rpc.RetryNewStatement, rpc.EffectNone},
	rpc.StateInForce: {status: http.StatusCreated},
	rpc.StateOpen:    {status: http.StatusAccepted},
	rpc.StateAdopted: {status: http.StatusOK},
	"active":         {status: http.StatusOK},
	"lifted":         {http.StatusConflict, "Lifted", rpc.RetryNewStatement, rpc.EffectNone},
	rpc.StateVetoed:  {http.StatusConflict, "Vetoed", rpc.RetryNewStatement, rpc.EffectNone},
}

// endingOf returns the status of a posted statement's answer, and the problem it is when the state pays
// or does nothing.
func endingOf(a *rpc.Answer) (int, *Problem) {
	if len(a.Results) > 1 {
		// A batch: each of its results has a state of its own.
		return http.StatusOK, nil
	}
	if a.State == rpc.StateSigned && a.Transaction == nil {
		// Signed before a freeze that now covers it: there is nothing to announce.
		return http.StatusAccepted, nil
	}
	e, ok := endings[a.State]
	if !ok {
		p := problemOf(&rpc.Problem{Code: rpc.CodeInternal, Detail: "the signer answered with a state that this gateway does not know", Effect: rpc.EffectUnknown, Answer: a})
		return p.Status, &p
	}
	if e.title == "" {
		return e.status, nil
	}
	code, detail := a.State, e.title
	if a.Decision != nil && a.Decision.Code != "" {
		code, detail = a.Decision.Code, a.Decision.Detail
	}
	return e.status, &Problem{
		Type: typePrefix + code, Title: e.title, Status: e.status, Detail: detail,
		Code: code, Retry: e.retry, Effect: e.effect, Answer: a,
	}
}
