package signer

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

// A Founding is what a journal begins with.
type Founding struct {
	Origin   string
	LogKey   [32]byte // public key of the token's log key
	Policy   []byte   // JSON text of policy 1; of a successor, of the policy that was in force
	Verdicts []statement.Envelope
	// PolicyHash is what the directors read to each other; it must be the policy's.
	PolicyHash policy.Hash
	// Predecessor is the journal that this one follows after a restore; nil for none.
	Predecessor *ledger.Predecessor

	Store   journal.Store
	Anchors []journal.Anchor
	Token   Token
	Clock   Clock
	// Bind writes the genesis hash into the token, once and for ever. Called again with the same hash it does nothing.
	Bind func(genesis journal.Hash) error
}

// Found writes entry 0 and entry 1 of a new journal, binds the token to it, and returns the genesis line that
// everybody pins. Interrupted at any point it is called again with the same arguments and finishes what was begun.
func Found(ctx context.Context, f Founding) (journal.Genesis, error) {
	p, err := policy.Parse(f.Policy)
	if err != nil {
		return journal.Genesis{}, fmt.Errorf("policy 1: %w", err)
	}
	if p.Hash() != f.PolicyHash {
		return journal.Genesis{}, fmt.Errorf("the policy's hash is %s, the directors named %s: this is not the document they read", p.Hash(), f.PolicyHash)
	}
	entries, err := f.begun(ctx)
	if err != nil {
		return journal.Genesis{}, err
	}
	if entries == nil {
		if entries, err = f.entries(); err != nil {
			return journal.Genesis{}, err
		}
	}
	first, err := entries[0].Encode()
	if err != nil {
		return journal.Genesis{}, err
	}
	genesis := journal.Genesis{Origin: f.Origin, Hash: journal.LeafHash(first), LogKey: f.LogKey}
	c := journal.Config{Genesis: genesis, Store: f.Store, Sign: signHead(f.Token), Anchors: f.Anchors}
	log, err := journal.Create(ctx, c, entries)
	if err != nil {
		return journal.Genesis{}, err
	}
	if size := log.Head().Size; size != uint64(len(entries)) {
		return journal.Genesis{}, fmt.Errorf("the journal has %d entries already: it is in use", size)
	}
	if err := f.Bind(genesis.Hash); err != nil {
		return journal.Genesis{}, fmt.Errorf("bind the token to genesis %x: %w", genesis.Hash, err)
	}
	return genesis, nil
}

// begun returns what an interrupted founding left in the store, nil if there is nothing.
func (f *Founding) begun(ctx context.Context) ([]journal.Entry, error) {
	var entries []journal.Entry
	for row, err := range f.Store.Entries(ctx, 0, 2) {
		if err != nil {
			return nil, fmt.Errorf("read the store: %w", err)
		}
		e, err := journal.DecodeEntry(row.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the store is not empty: %w", err)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil, nil
	}
	if len(entries) != 2 || entries[0].Kind != ledger.KindGenesis {
		return nil, errors.New("the store is not empty, and what it holds is not the beginning of a journal")
	}
	wanted := f.genesis()
	body, err := ledger.EncodeBody(&wanted)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(body, entries[0].Body) {
		return nil, errors.New("the store holds the genesis of another journal")
	}
	return entries, nil
}

func (f *Founding) genesis() ledger.Genesis {
	return ledger.Genesis{
		Origin: f.Origin, LogKey: base64.StdEncoding.EncodeToString(f.LogKey[:]), Policy: f.PolicyHash,
		Clock: f.Clock.Kind(), Predecessor: f.Predecessor,
	}
}

// entries judges genesis and policy 1.
func (f *Founding) entries() ([]journal.Entry, error) {
	clock, _ := f.Clock.Now()
	now := policy.Now{Clock: clock, Time: clock}
	state := ledger.NewState()
	var entries []journal.Entry
	for _, in := range []ledger.Input{
		ledger.GenesisInput{Genesis: f.genesis()},
		ledger.FoundingInput{Policy: string(f.Policy), Verdicts: f.Verdicts},
	} {
		written, err := judged(state, in, now)
		if err != nil {
			return nil, err
		}
		entries = append(entries, written...)
	}
	return entries, nil
}
