package api

import (
	"context"
	"net/http"

	"kura/signer/rpc"
	"kura/statement"
)

// withdrawal reads the state of one withdrawal, waiting for a change when asked to.
func withdrawal(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, "wait")
	wait := q.wait("wait", g.cfg.Limits.Wait)
	if err := q.done(); err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := statement.ParseID(id); err != nil {
		return refuse(CodeBadParameter, "id", err.Error())
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	return ask(g, w, r, wait, func(ctx context.Context) (rpc.Answer, error) {
		return g.signer.Withdrawal(ctx, bearer, id, wait.Milliseconds())
	})
}

// openSession takes a login.
func openSession(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	envelope, err := g.envelopeOf(w, r, statement.TypeLogin)
	if err != nil {
		return err
	}
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	session, err := g.signer.OpenSession(ctx, envelope)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, session)
}

// A WalletList is the answer of GET /v1/wallets: an object, so that members can be added.
type WalletList struct {
	Wallets []rpc.Wallet `json:"wallets"`
}

func wallets(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	return askList(g, w, r, g.signer.Wallets, func(list []rpc.Wallet) WalletList { return WalletList{list} })
}

// A LimitList is the answer of GET /v1/limits.
type LimitList struct {
	Limits []rpc.Limit `json:"limits"`
}

func limits(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	return askList(g, w, r, g.signer.Limits, func(list []rpc.Limit) LimitList { return LimitList{list} })
}

// askList asks for what a session may see, and wraps the list into an object.
func askList[E, T any](g *Gateway, w http.ResponseWriter, r *http.Request, call func(context.Context, string) ([]E, error), wrap func([]E) T) error {
	if err := queryOf(r).done(); err != nil {
		return err
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	return ask(g, w, r, 0, func(ctx context.Context) (T, error) {
		list, err := call(ctx, bearer)
		return wrap(list), err
	})
}
