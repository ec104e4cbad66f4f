package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"

	"kura/statement"
)

// submit returns the handler of a route that takes statements of one type: it carries the envelope's
// bytes to the signer as they came.
func submit(t statement.Type) handler {
	return func(g *Gateway, w http.ResponseWriter, r *http.Request) error {
		envelope, err := g.envelopeOf(w, r, t)
		if err != nil {
			return err
		}
		g.allowTime(w, signedWithin)
		ctx, cancel := g.callContext(r, signedWithin)
		defer cancel()
		answer, err := g.signer.Submit(ctx, envelope, signedWithin.Milliseconds())
		if err != nil {
			return g.unanswered(r.Context(), err)
		}
		status, problem := endingOf(&answer)
		if problem != nil {
			return &endedError{*problem}
		}
		return writeJSON(w, status, answer)
	}
}

// envelopeOf reads a body and holds it to the route: an envelope, of a statement that says the route's
// type. That is a courtesy to whoever mixed up two routes, and it keeps what is no envelope away from
// the signer; what the statement says is for the signer alone to judge, which reads it strictly.
func (g *Gateway) envelopeOf(w http.ResponseWriter, r *http.Request, t statement.Type) ([]byte, error) {
	if err := queryOf(r).done(); err != nil {
		return nil, err
	}
	most := g.cfg.Limits.Body
	if t == statement.TypeProposal {
		most = g.cfg.Limits.ProposalBody
	}
	body, leave, err := g.bodyOf(w, r, most)
	if err != nil {
		return nil, err
	}
	defer leave()
	envelope, err := statement.DecodeEnvelope(body)
	if e, ok := errors.AsType[*statement.Error](err); ok {
		return nil, refuse(string(e.Code), cmp.Or(e.Field, "body"), e.Msg)
	} else if err != nil {
		return nil, err
	}
	var said struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal([]byte(envelope.Statement), &said); err != nil {
		// Not a JSON object with one type: the signer says exactly why.
		return body, nil
	}
	if said.Type != string(t) {
		return nil, refuse(CodeWrongType, "statement.type", wrongType(said.Type, t))
	}
	return body, nil
}

// wrongType says where a statement belongs.
func wrongType(got string, want statement.Type) string {
	for _, rt := range routes {
		if rt.takes != "" && string(rt.takes) == got {
			return fmt.Sprintf("this route takes %s, the statement says %s: POST it to %s", want, got, rt.path)
		}
	}
	return fmt.Sprintf("this route takes %s, the statement says %s", want, statement.Quote(got, 40))
}

// An endedError is the answer to a posted statement that was judged and pays or does nothing: a problem
// that carries the recorded state and its receipt.
type endedError struct{ problem Problem }

func (e *endedError) Error() string { return e.problem.Code + ": " + e.problem.Detail }
