package api

import (
	"context"
	"net/http"
	"time"

	"kura/signer/rpc"
)

// signedWithin is how long a posted withdrawal is waited for until it is signed; after that its answer is
// 202 authorized, and asking again tells the rest.
const signedWithin = 10 * time.Second

// callContext bounds a call to the signer, on top of the wait that was asked for. It ends with the
// request; a statement that has arrived is judged all the same.
func (g *Gateway) callContext(r *http.Request, wait time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), g.cfg.Limits.Call+wait)
}

// untilClosing ends a wait when the gateway shuts down. Statements are not cut off so: their answers are
// worth the time.
func (g *Gateway) untilClosing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// allowTime lets an answer take longer than the server's write timeout: a call to the signer, the wait
// that was asked for, and a margin to write it.
func (g *Gateway) allowTime(w http.ResponseWriter, wait time.Duration) {
	// It fails only where a connection has no deadlines, and then none is needed.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(g.cfg.Limits.Call + wait + 10*time.Second))
}

// ask makes one call that only reads, and answers with its result as JSON.
func ask[T any](g *Gateway, w http.ResponseWriter, r *http.Request, wait time.Duration, call func(context.Context) (T, error)) error {
	g.allowTime(w, wait)
	ctx, cancel := g.callContext(r, wait)
	defer cancel()
	if wait > 0 {
		ctx, cancel = g.untilClosing(ctx)
		defer cancel()
	}
	result, err := call(ctx)
	if err != nil {
		return readOnly(err)
	}
	return writeJSON(w, http.StatusOK, result)
}

// reasonWithin is how long the signer is asked why it has not answered.
const reasonWithin = 5 * time.Second

// unanswered has the problem of a statement that the signer has not answered in time say why, where signing has stopped
// meanwhile. What became of the statement nobody knows all the same.
func (g *Gateway) unanswered(ctx context.Context, err error) error {
	p, ok := problemIn(err)
	if !ok || p.Code != rpc.CodeNoAnswer {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reasonWithin)
	defer cancel()
	ready, readyErr := g.signer.Ready(ctx)
	if readyErr != nil { // the signer is away: nobody knows more
		return err
	}
	for _, reason := range ready.Reasons {
		if reason.Stops {
			because := *p
			because.Code, because.Detail = reason.Code, "no answer in time: not signing now: "+reason.Detail
			return &because
		}
	}
	return err
}

// readOnly is the problem of a call that only reads. Where the socket cannot know whether a call had an
// effect, this one had none.
func readOnly(err error) error {
	p, ok := problemIn(err)
	if !ok || p.Effect == rpc.EffectNone {
		return err
	}
	without := *p
	without.Effect = rpc.EffectNone
	return &without
}
