package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"kura/api/client"
	"kura/statement"
)

// connection is a home with a client of its gateway.
type connection struct {
	*home
	*client.Client
}

// connect opens the home and a client of its gateway. Nothing is sent yet.
func connect(cmd *cobra.Command) (*connection, error) {
	h, err := openHome(cmd)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := trustOnly(h.ca)
	if err != nil {
		return nil, err
	}
	handovers, err := h.handovers()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{URL: h.gateway, Genesis: h.genesis, Handovers: handovers, TLS: tlsConfig})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.path(homeFileName), err)
	}
	return &connection{home: h, Client: c}, nil
}

// trustOnly trusts one CA file, or the system's roots if ca is "".
func trustOnly(ca string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if ca == "" {
		return config, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("reading the gateway's CA certificate: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	return config, nil
}

// newCommon is what every statement begins with: a fresh id born now.
func (h *home) newCommon(life time.Duration) (id statement.ID, expires int64) {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the process instead
	now := time.Now()
	return statement.NewID(now.UnixMilli(), random), now.Add(life).UnixMilli()
}

// sign makes the envelope of a statement with the home's key.
func (h *home) sign(cmd *cobra.Command, body statement.Body) (statement.Envelope, error) {
	key, err := h.signer(cmd)
	if err != nil {
		return statement.Envelope{}, err
	}
	return signWith(key, body)
}

func signWith(key ssh.Signer, body statement.Body) (statement.Envelope, error) {
	env, err := statement.Sign(key, rand.Reader, body)
	if err != nil {
		return env, fmt.Errorf("signing the %s: %w", body.Type(), err)
	}
	return env, nil
}

// A savedSession lets the next command read without another touch of a security
// key. It is worth reading only, and 15 minutes at most.
type savedSession struct {
	Secret string    `json:"secret"` // 64 hex digits
	Until  time.Time `json:"until"`
}

// sessionMargin keeps a session from ending between two requests of one command.
const sessionMargin = time.Minute

// login opens a session for reading, or goes on with the one of an earlier command.
func (c *connection) login(cmd *cobra.Command) error {
	if secret := c.savedSession(); secret != nil {
		c.Use(secret)
		return nil
	}
	session, secret, err := c.OpenSession(cmd.Context(), func(hash statement.Hash) (statement.Envelope, error) {
		id, expires := c.newCommon(5 * time.Minute)
		return c.sign(cmd, &statement.Login{Journal: statement.Hash(c.genesis.Hash), ID: id, Expires: expires, SecretHash: hash})
	})
	if err != nil {
		return err
	}
	until, err := time.Parse(time.RFC3339, session.Until)
	if err != nil {
		return fmt.Errorf("the session's end: %w", err)
	}
	text, err := json.Marshal(savedSession{Secret: hex.EncodeToString(secret[:]), Until: until})
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("session"), text, 0o600)
}

func (c *connection) savedSession() *[32]byte {
	text, err := os.ReadFile(c.path("session"))
	if err != nil {
		return nil
	}
	var saved savedSession
	if json.Unmarshal(text, &saved) != nil || time.Until(saved.Until) < sessionMargin {
		return nil
	}
	raw, err := hex.DecodeString(saved.Secret)
	if err != nil || len(raw) != 32 {
		return nil
	}
	return (*[32]byte)(raw)
}

// forgetSession is for a gateway that does not know the saved session any more.
func (c *connection) forgetSession() error {
	c.Use(nil)
	if err := os.Remove(c.path("session")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// withSession runs a read that needs a session; if the signer has forgotten the
// saved one (it restarted), it logs in anew and tries once more.
func (c *connection) withSession(cmd *cobra.Command, read func() error) error {
	if err := c.login(cmd); err != nil {
		return err
	}
	err := read()
	if !isUnauthorized(err) {
		return err
	}
	if err := c.forgetSession(); err != nil {
		return err
	}
	if err := c.login(cmd); err != nil {
		return err
	}
	return read()
}
