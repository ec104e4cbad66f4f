package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"kura/signer/rpc"
	"kura/statement"
)

// Unknown says that a statement may or may not have had its effect: no outcome with a valid receipt came
// back. The way on is to send the same text again, never a new statement. Err is a *rpc.Problem when the
// server refused to judge the text (it does not decode, say): that is the server's word and no proof.
type Unknown struct {
	ID   statement.ID
	Sent bool  // false: no connection ever stood, so it cannot have had any
	Err  error // why the last try proved nothing
}

func (u *Unknown) Error() string {
	if !u.Sent {
		return fmt.Sprintf("%s was not sent: %v", u.ID, u.Err)
	}
	if p, ok := errors.AsType[*rpc.Problem](u.Err); ok {
		return fmt.Sprintf("%s: the server says, without proof: %v", u.ID, p)
	}
	return fmt.Sprintf("the outcome of %s is unknown, ask again with the same text: %v", u.ID, u.Err)
}

func (u *Unknown) Unwrap() error { return u.Err }

// Conflict says that the journal provably has another text under a statement's id, so that this text can
// never have an effect.
type Conflict struct{ Recorded Outcome }

func (e *Conflict) Error() string {
	return fmt.Sprintf("another text has the id %s; it is %s", e.Recorded.Answer.ID, e.Recorded.State)
}

// pathOf is where each type of statement is posted.
var pathOf = map[statement.Type]string{
	statement.TypeWithdrawal: "/v1/withdrawals",
	statement.TypeVerdict:    "/v1/verdicts",
	statement.TypeProposal:   "/v1/proposals",
	statement.TypeFreeze:     "/v1/freezes",
}

// Submit sends a signed withdrawal, verdict, proposal or freeze and returns its proven outcome, denials
// included. An answer that proves nothing is asked for again with the same text, until the server says that
// this is of no use, Config.Patience is over or the context ends; then the error is *Unknown. It is a
// *Conflict when the journal provably has another text under the id, and a *statement.Error when the text
// was not sent at all.
func (c *Client) Submit(ctx context.Context, env statement.Envelope) (Outcome, error) {
	body, err := statement.Decode(env.Statement)
	if err != nil {
		return Outcome{}, err
	}
	path, ok := pathOf[body.Type()]
	if !ok {
		return Outcome{}, fmt.Errorf("a %s is not submitted: it opens a session", body.Type())
	}
	common := body.Common()
	if common.Journal != statement.Hash(c.genesis.Hash) {
		return Outcome{}, &statement.Error{Code: statement.CodeBadValue, Field: "journal", Msg: "the statement is for another deployment than the pinned genesis line"}
	}
	hash := statement.HashText(env.Statement)
	tries := c.tries()
	unknown := &Unknown{ID: common.ID}
	for {
		outcome, sent, err := c.submitOnce(ctx, path, env.Encode(), common.ID.String(), hash)
		if err == nil {
			return outcome, nil
		}
		unknown.Sent = unknown.Sent || sent
		unknown.Err = err
		if _, ok := errors.AsType[*Conflict](err); ok {
			return Outcome{}, err
		}
		if p, ok := errors.AsType[*rpc.Problem](err); ok && p.Retry != rpc.RetrySame {
			return Outcome{}, unknown
		}
		if !tries.again(ctx) {
			return Outcome{}, unknown
		}
	}
}

// submitOnce sends a statement once. sent says whether a server may have got it.
func (c *Client) submitOnce(ctx context.Context, path string, envelope []byte, id string, hash statement.Hash) (o Outcome, sent bool, err error) {
	resp, err := c.do(ctx, http.MethodPost, path, envelope)
	if err != nil {
		return Outcome{}, !neverConnected(err), err
	}
	defer resp.Body.Close()
	var answer rpc.Answer
	err = decode(resp, &answer, http.StatusOK, http.StatusCreated, http.StatusAccepted)
	if p, ok := errors.AsType[*rpc.Problem](err); ok && p.Answer != nil {
		// Judged and refused: the recorded state is what counts, if it is proven.
		answer, err = *p.Answer, nil
	}
	if err != nil {
		return Outcome{}, true, err
	}
	if answer.StatementHash != hash.String() {
		recorded, err := c.prove(answer, id, nil)
		if err != nil {
			return Outcome{}, true, fmt.Errorf("the server said that the id is taken and did not prove it: %w", err)
		}
		return Outcome{}, true, &Conflict{recorded}
	}
	o, err = c.prove(answer, id, &hash)
	if err != nil {
		return Outcome{}, true, fmt.Errorf("the server said %s and did not prove it: %w", statement.Quote(answer.State, 40), err)
	}
	return o, true, nil
}

// Wait returns the outcome of a withdrawal or proposal once it is final, or the newest one and the
// context's error. With an open session a withdrawal is waited for at the server, else it asks again and
// again with the same text.
func (c *Client) Wait(ctx context.Context, env statement.Envelope) (Outcome, error) {
	tries := c.tries()
	for {
		o, err := c.Submit(ctx, env)
		if err != nil || o.Final() {
			return o, err
		}
		if c.waitsAtServer(o) {
			hash := statement.HashText(env.Statement)
			if o, err := c.withdrawal(ctx, o.Answer.ID, &hash, atServer); err == nil && o.Final() {
				return o, nil
			}
		}
		// A server that does not wait is not asked without pause.
		if !tries.pause(ctx) {
			return o, ctx.Err()
		}
	}
}

// atServer is how long Wait lets the server wait for a change.
const atServer = 30 * time.Second

func (c *Client) waitsAtServer(o Outcome) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secret != nil && (o.State == rpc.StateHeld || o.State == rpc.StateAuthorized)
}

// Withdrawal reads the proven state of a withdrawal; with a wait the server answers once it changes, or
// after that time. It needs a session.
func (c *Client) Withdrawal(ctx context.Context, id statement.ID, wait time.Duration) (Outcome, error) {
	return c.withdrawal(ctx, id.String(), nil, wait)
}

func (c *Client) withdrawal(ctx context.Context, id string, about *statement.Hash, wait time.Duration) (Outcome, error) {
	path := "/v1/withdrawals/" + id
	if wait > 0 {
		path += "?" + url.Values{"wait": {wait.String()}}.Encode()
	}
	var answer rpc.Answer
	if err := c.read(ctx, path, &answer, http.StatusOK); err != nil {
		return Outcome{}, err
	}
	return c.prove(answer, id, about)
}

// NotFrozen says that a freeze is not proven to be in the journal. Whoever sent it must treat everything as
// running, and freeze in another way. Code is not empty if the journal provably refused it, and says why.
type NotFrozen struct {
	Err  error
	Code string
}

func (e *NotFrozen) Error() string {
	return "NOT FROZEN: " + e.Err.Error() +
		"; freeze another way: kura-signer freeze on the signer's host, a witness, another officer through another network"
}

func (e *NotFrozen) Unwrap() error { return e.Err }

// Freeze sends a freeze and returns its outcome only if the journal provably has it in force. Every other
// error is *NotFrozen.
func (c *Client) Freeze(ctx context.Context, env statement.Envelope) (Outcome, error) {
	body, err := statement.Decode(env.Statement)
	if err == nil && body.Type() != statement.TypeFreeze {
		err = fmt.Errorf("this is a %s", body.Type())
	}
	if err != nil {
		return Outcome{}, &NotFrozen{Err: err}
	}
	o, err := c.Submit(ctx, env)
	if err != nil {
		return Outcome{}, &NotFrozen{Err: err}
	}
	if o.State != rpc.StateInForce {
		return Outcome{}, &NotFrozen{fmt.Errorf("the journal says %s (%s)", o.State, o.Code), o.Code}
	}
	return o, nil
}
