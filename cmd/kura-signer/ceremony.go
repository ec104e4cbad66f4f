package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"kura/ledger"
	"kura/signer"
	"kura/signer/token"
)

// leaseTimeout is how long a ceremony waits for the lease of a shared journal: whoever leads it does not give it up.
const leaseTimeout = 2 * time.Second

// A ceremony is a command that works on token and journal while no signer runs.
type ceremony struct {
	config *Config
	token  *token.Token
	unlock func()
}

// begin sets the process up and takes the lock that excludes a signer, then opens the token.
func (in *invocation) begin(ctx context.Context, configPath string) (*ceremony, error) {
	c, err := setUp(configPath)
	if err != nil {
		return nil, err
	}
	unlock, err := lockState(c.StateDir)
	if err != nil {
		return nil, err
	}
	t, err := openToken(ctx, c, slog.New(slog.NewTextHandler(in.stderr, nil)))
	if err != nil {
		unlock()
		return nil, err
	}
	return &ceremony{c, t, unlock}, nil
}

func (x *ceremony) end() error {
	defer x.unlock()
	return x.token.Close()
}

// record journals what inputs returns for the state that the journal adds up to.
func (x *ceremony) record(ctx context.Context, inputs func(*ledger.State) []ledger.Input) error {
	return x.onJournal(ctx, func(c signer.Config) error { return signer.Record(ctx, c, inputs) })
}

// onJournal has work done on the journal, which is led and open meanwhile.
func (x *ceremony) onJournal(ctx context.Context, work func(signer.Config) error) (err error) {
	s, err := openStore(ctx, x.config.Journal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := x.lead(ctx, s); err != nil {
		return err
	}
	c, err := signerConfig(ctx, x.config, x.token, s)
	if err != nil {
		return err
	}
	return work(c)
}

// lead makes sure that no signer on another host leads a shared journal, until the store is closed.
func (x *ceremony) lead(ctx context.Context, s store) error {
	lease, err := leaseOf(x.config.Journal, s)
	if err != nil || lease == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	if _, err := lease.Hold(ctx); err != nil {
		return exit(exitBusy, fmt.Errorf("another signer leads the journal, stop it first: %w", err))
	}
	return nil
}
