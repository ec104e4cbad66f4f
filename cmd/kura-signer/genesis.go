package main

import (
	"context"
	"errors"
	"fmt"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/token"
)

// errUnbound says that a token was not given a journal yet.
var errUnbound = errors.New("the token is bound to no journal: found one with kura-signer init")

// errOtherToken says that a journal was here and the token does not know of it.
var errOtherToken = errors.New("the token is bound to no journal, and the anchor file holds the newest head of one: " +
	"this is another token than the journal's, so put that one back; or its founding was cut off, then run kura-signer init again")

// unbound is errUnbound, or errOtherToken where there was a journal.
func (c *Config) unbound(ctx context.Context) error {
	if newest, err := anchorfile.New(c.AnchorFile).Load(ctx); err == nil && newest != nil {
		return errOtherToken
	}
	return errUnbound
}

// genesisOf is the journal that the token is bound to. The token knows the hash of entry 0, and the entry itself says
// the rest: the log key that it names may have been replaced since, and be gone from the token.
func genesisOf(ctx context.Context, c *Config, t *token.Token, s journal.Store) (journal.Genesis, error) {
	hash, bound := t.Genesis()
	if !bound {
		return journal.Genesis{}, c.unbound(ctx)
	}
	for row, err := range s.Entries(ctx, 0, 1) {
		if err != nil {
			return journal.Genesis{}, fmt.Errorf("read entry 0: %w", err)
		}
		g, err := genesisIn(row.Bytes, hash)
		if err == nil && g.Origin != c.Origin {
			err = fmt.Errorf("the journal is called %s, the configuration's origin is %s", g.Origin, c.Origin)
		}
		return g, err
	}
	return journal.Genesis{}, fmt.Errorf("the token is bound to a journal, and the store: %w", journal.ErrEmpty)
}

// genesisIn reads entry 0, which must be the one with this hash.
func genesisIn(entry []byte, hash journal.Hash) (journal.Genesis, error) {
	if leaf := journal.LeafHash(entry); leaf != hash {
		return journal.Genesis{}, &journal.TamperError{Code: journal.TamperGenesis, Reason: fmt.Sprintf("leaf hash %x, the token is bound to %x", leaf, hash)}
	}
	e, err := journal.DecodeEntry(entry)
	if err != nil {
		return journal.Genesis{}, err
	}
	body, err := ledger.DecodeBody(e.Kind, e.Body)
	if err != nil {
		return journal.Genesis{}, err
	}
	g, ok := body.(*ledger.Genesis)
	if !ok {
		return journal.Genesis{}, fmt.Errorf("entry 0 is a %s", e.Kind)
	}
	return g.Line(hash)
}

// genesisLine is the line that everybody pins: as the running signer says, or from the store, which it has to itself.
func genesisLine(ctx context.Context, c *Config, t *token.Token) (g journal.Genesis, err error) {
	if _, bound := t.Genesis(); !bound {
		return g, c.unbound(ctx)
	}
	runs, err := running(c.StateDir)
	if err != nil {
		return g, err
	}
	if runs {
		admin := rpc.NewAdminClient(c.AdminSocket)
		defer admin.Close()
		ready, err := admin.Ready(ctx)
		if err != nil {
			return g, err
		}
		return journal.ParseGenesis(ready.Genesis)
	}
	return storedGenesis(ctx, c, t)
}

// storedGenesis reads the genesis out of the store.
func storedGenesis(ctx context.Context, c *Config, t *token.Token) (g journal.Genesis, err error) {
	s, err := openStore(ctx, c.Journal)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return genesisOf(ctx, c, t, s)
}
