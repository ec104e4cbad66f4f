package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kura/api/client"
	"kura/nem"
	"kura/statement"
)

// freezeLife is how long a freeze that was signed just now may take to arrive.
const freezeLife = 5 * time.Minute

func newFreeze() *cobra.Command {
	return newStop("freeze", statement.ActionFreeze,
		"freeze all | wallet:W | client:C", "Stop a wallet, a client or everything, at once",
		`Stop a wallet, a client or everything, at once. Any officer can; it can only add a
deny, and the unfreeze quorum lifts it.

It counts when its receipt is verified. Whatever else happens, this says NOT FROZEN
and how to freeze another way: --print makes what a witness takes at POST /freeze.`)
}

func newSuspend() *cobra.Command {
	return newStop("suspend", statement.ActionSuspend,
		"suspend person:P | key:FINGERPRINT | client:C | address:A", "Suspend a person, key, client or address, at once", "")
}

func newStop(name string, action statement.FreezeAction, use, short, long string) *cobra.Command {
	var reason string
	var asJSON, printOnly bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := parseTarget(args[0])
			if err != nil {
				return usagef("%s: %w", name, err)
			}
			return failure(sendFreeze(cmd, statement.Freeze{Action: action, Target: target, Reason: reason}, asJSON, printOnly))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for everybody who reads the journal")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	cmd.Flags().BoolVar(&printOnly, "print", false, "print the signed envelope, send nothing")
	return cmd
}

func newLower() *cobra.Command {
	var reason string
	var asJSON, printOnly bool
	cmd := &cobra.Command{
		Use:   "lower LIMIT NUMBER",
		Short: "Lower the number of a limit, at once: '20000 XEM', a count, or smallest units",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := nem.ParseAmount(args[1])
			if err != nil {
				amount, err = readLimit(cmd, args[0], args[1])
			}
			if err != nil {
				return failure(err)
			}
			return failure(sendFreeze(cmd, statement.Freeze{
				Action: statement.ActionLower, Target: statement.Target{Kind: statement.TargetLimit, Name: args[0]},
				Amount: &amount, Reason: reason,
			}, asJSON, printOnly))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for everybody who reads the journal")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	cmd.Flags().BoolVar(&printOnly, "print", false, "print the signed envelope, send nothing")
	return cmd
}

// readLimit reads a limit's number with its unit, as the policy in force says what
// it is of.
func readLimit(cmd *cobra.Command, name, text string) (nem.Amount, error) {
	var amount nem.Amount
	err := withMirror(cmd, func(_ *connection, m *mirror) error {
		p := m.state.PolicyInForce()
		l, ok := p.Limit(name)
		if !ok {
			return usagef("the policy in force has no limit %s", statement.Quote(name, 64))
		}
		if len(l.Asset) != 1 || l.Of != "amount" {
			return usagef("limit %s counts withdrawals: want plain digits", name)
		}
		asset, _ := p.AssetRef(l.Asset[0])
		network, err := nem.ParseNetwork(asset.Network)
		if err != nil {
			return err
		}
		value, err := readAmount(p, network, text)
		if err == nil && value.Asset != asset.ID {
			err = fmt.Errorf("%s: the limit is of %s", statement.Quote(text, 64), asset.Name)
		}
		if err != nil {
			return usageError(err)
		}
		amount = nem.Amount(value.Amount)
		return nil
	})
	return amount, err
}

// parseTarget reads "all" or KIND:NAME. A key's fingerprint has a colon of its own.
func parseTarget(text string) (statement.Target, error) {
	if text == string(statement.TargetAll) {
		return statement.Target{Kind: statement.TargetAll}, nil
	}
	kind, name, ok := strings.Cut(text, ":")
	if !ok || name == "" {
		return statement.Target{}, usagef("%q, want all or KIND:NAME, like wallet:hot-xem", text)
	}
	return statement.Target{Kind: statement.TargetKind(kind), Name: name}, nil
}

func sendFreeze(cmd *cobra.Command, f statement.Freeze, asJSON, printOnly bool) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	f.Journal = statement.Hash(c.genesis.Hash)
	f.ID, f.Expires = c.newCommon(freezeLife)
	env, err := c.sign(cmd, &f)
	if err != nil {
		return err
	}
	if printOnly {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), string(env.Encode()))
		return err
	}
	o, err := c.Freeze(cmd.Context(), env)
	if not, ok := errors.AsType[*client.NotFrozen](err); ok && not.Code != "" {
		not.Err = fmt.Errorf("%s (%s)", words(not.Code), not.Code)
		switch f.Action {
		case statement.ActionSuspend:
			return withExit(exitNotProven, fmt.Errorf("NOT SUSPENDED: %w", not.Err))
		case statement.ActionLower:
			return withExit(exitNotProven, fmt.Errorf("NOT LOWERED: %w", not.Err))
		case statement.ActionFreeze: // says itself how to freeze another way
		}
	}
	if err != nil {
		return err
	}
	return printOutcome(cmd, o, asJSON)
}
