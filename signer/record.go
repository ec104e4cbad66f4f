package signer

import (
	"context"
	"fmt"
	"slices"

	"kura/journal"
	"kura/ledger"
	"kura/policy"
)

// Record writes the inputs of a ceremony into a journal on which no signer runs: one group, behind the start that gives
// it its time. inputs is shown the state that the journal adds up to; if it returns none, nothing is written. Nothing is
// signed or released, so no witness is asked: the next signer has the head cosigned before it decides.
func Record(ctx context.Context, c Config, inputs func(*ledger.State) []ledger.Input) error {
	state := ledger.NewState()
	anchors := slices.Clone(c.Anchors)
	if c.TokenAnchor != nil {
		anchors = append(anchors, c.TokenAnchor)
	}
	log, err := journal.Open(ctx, journal.Config{
		Genesis: c.Genesis, Store: c.Store, Sign: signHead(c.Token), Anchors: anchors,
		Visit: func(e journal.Entry, _ []byte) error { return state.Apply(e) },
		Lost:  state.Lost,
	})
	if err != nil {
		return err
	}
	if genesis, _ := state.Genesis(); genesis == nil || genesis.Clock != c.Clock.Kind() {
		return fmt.Errorf("the journal lives by another clock than this program, whose is %s", c.Clock.Kind())
	}
	all := inputs(state)
	if len(all) == 0 {
		return nil
	}
	clock, boot := c.Clock.Now()
	start := ledger.StartInput{Version: c.Version, BootID: c.Clock.BootID(), Boot: boot}
	now := policy.Now{Clock: clock, Time: state.StartTime(start, clock)}
	var entries []journal.Entry
	for _, in := range append([]ledger.Input{start}, all...) {
		written, err := judged(state, in, now)
		if err != nil {
			return err
		}
		entries = append(entries, written...)
	}
	_, err = log.Append(ctx, entries)
	return err
}

// judged judges an input and applies what comes of it.
func judged(state *ledger.State, in ledger.Input, now policy.Now) ([]journal.Entry, error) {
	drafts, _, err := ledger.Judge(state, in, now)
	if err != nil {
		return nil, err
	}
	var entries []journal.Entry
	for _, d := range drafts {
		e := journal.Entry{Seq: state.Next(), Clock: now.Clock, Time: now.Time, Kind: d.Kind, Body: d.Body}
		if err := state.Apply(e); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Ceremonies are the inputs that journal wallets which a backup brought back. Those that the journal knows already, with
// the same key, are left out.
func Ceremonies(state *ledger.State, records []ledger.Wallet, present []string) []ledger.Input {
	var all []ledger.Input
	for _, record := range records {
		if known, ok := state.Wallet(record.Name); ok && known.PublicKey == record.PublicKey {
			continue
		}
		record.Present = present
		all = append(all, ledger.WalletInput{Wallet: record})
	}
	return all
}
