package client

import (
	"context"
	"crypto/sha256"
	"net/http"

	"kura/signer/rpc"
	"kura/statement"
)

// OpenSession opens a session for reading. It makes the secret, has sign make and sign the login that
// carries its hash, and from then on shows the secret when it reads. The secret is returned for callers
// that keep it for a later run (see Use); it is worth 15 minutes of reading.
func (c *Client) OpenSession(ctx context.Context, sign func(secretHash statement.Hash) (statement.Envelope, error)) (rpc.Session, *[32]byte, error) {
	secret := newSecret()
	env, err := sign(sha256.Sum256(secret[:]))
	if err != nil {
		return rpc.Session{}, nil, err
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/sessions", env.Encode())
	if err != nil {
		return rpc.Session{}, nil, err
	}
	defer resp.Body.Close()
	var session rpc.Session
	if err := decode(resp, &session, http.StatusCreated); err != nil {
		return rpc.Session{}, nil, err
	}
	c.Use(secret)
	return session, secret, nil
}

// Wallets lists the wallets that the session may see, as the server tells: unproven, each member in its form.
func (c *Client) Wallets(ctx context.Context) ([]rpc.Wallet, error) {
	var list struct {
		Wallets []rpc.Wallet `json:"wallets"`
	}
	err := c.read(ctx, "/v1/wallets", &list, http.StatusOK)
	return heldWallets(list.Wallets), err
}

// Limits lists the limits that the session may see, as the server tells: unproven, each member in its form.
func (c *Client) Limits(ctx context.Context) ([]rpc.Limit, error) {
	var list struct {
		Limits []rpc.Limit `json:"limits"`
	}
	err := c.read(ctx, "/v1/limits", &list, http.StatusOK)
	return heldLimits(list.Limits), err
}

// Ready says whether the signer signs, and if not why, as the server tells: unproven, its prose quoted.
func (c *Client) Ready(ctx context.Context) (rpc.Ready, error) {
	var ready rpc.Ready
	err := c.read(ctx, "/readyz", &ready, http.StatusOK, http.StatusServiceUnavailable)
	holdReady(&ready)
	return ready, err
}
