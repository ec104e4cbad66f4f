package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// What directors propose on a bad day: to sweep a wallet to its rescue address, and
// to vouch for the time.

func newEvacuate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "evacuate",
		Short: "Propose and approve to sweep a wallet to its rescue address",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEvacuatePropose(), newProposalApprove("an evacuation"), newProposalReject(), newProposalCancel())
	return cmd
}

func newEvacuatePropose() *cobra.Command {
	var amounts []string
	var maxFee, reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "propose WALLET --amount '1000 XEM' [--amount …] --reason TEXT",
		Short: "Propose to sweep a wallet; it acts as soon as the unfreeze quorum approves",
		Long: `Propose to pay what a wallet holds to its rescue address, which the policy in force
names. The unfreeze quorum approves it. Limits do not count it, and a freeze that was
there before does not hold it back.

What a wallet holds stands on the chain: give it with --amount, less the fee. Once the
quorum has approved, 'kura status ID --json' has the transaction to announce; ID is
the proposal's.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				e, err := readEvacuation(m.state.PolicyInForce(), policy.WalletID(args[0]), amounts, maxFee)
				if err != nil {
					return usageError(err)
				}
				document, err := json.Marshal(e)
				if err != nil {
					return err
				}
				page := newPage(cmd.ErrOrStderr())
				if err := m.showEvacuation(page, string(document)); err != nil {
					return err
				}
				if err := page.flush(); err != nil {
					return err
				}
				return c.propose(cmd, m, statement.Proposal{Proposes: statement.ProposeEvacuation, Document: string(document), Reason: reason}, asJSON)
			}))
		},
	}
	cmd.Flags().StringArrayVar(&amounts, "amount", nil, "what is swept, in whole units, once for each asset")
	cmd.Flags().StringVar(&maxFee, "max-fee", "", "highest fee, in whole units of the currency (default: the wallet's by the policy)")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who approve")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// readEvacuation makes an evacuation's document out of what a person typed.
func readEvacuation(p *policy.Policy, id policy.WalletID, amounts []string, maxFee string) (*policy.Evacuation, error) {
	account, ok := p.Account(id)
	w, named := p.Wallet(id)
	if !ok || !named {
		return nil, fmt.Errorf("the policy in force has no wallet %s", statement.Quote(string(id), 64))
	}
	e := &policy.Evacuation{Wallet: id, MaxFee: w.MaxFee}
	if maxFee != "" {
		fee, err := parseWhole(maxFee, currencyDivisibility)
		if err != nil {
			return nil, fmt.Errorf("--max-fee: %w", err)
		}
		e.MaxFee = policy.Units(fee)
	}
	if len(amounts) == 0 {
		return nil, fmt.Errorf("give --amount: what the wallet holds, less the fee")
	}
	for _, text := range amounts {
		value, err := readAmount(p, account.Network, text)
		if err != nil {
			return nil, fmt.Errorf("--amount: %w", err)
		}
		e.Assets = append(e.Assets, value)
	}
	// The very rules that the signer will judge it by.
	if _, err := e.Transfer(p); err != nil {
		return nil, err
	}
	return e, nil
}

// readAmount reads "1000 XEM": a number and the name or id of an asset of the registry.
func readAmount(p *policy.Policy, network nem.Network, text string) (policy.Value, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	assets := p.Document().Assets
	i := slices.IndexFunc(assets, func(a policy.Asset) bool {
		return a.Network == network.String() && (strings.EqualFold(a.Name, strings.TrimSpace(unit)) || string(a.ID) == strings.TrimSpace(unit))
	})
	if i < 0 {
		return policy.Value{}, fmt.Errorf("%s: want a number and an asset that the policy registers on %s", statement.Quote(text, 64), network)
	}
	amount, err := parseWhole(number, assets[i].Divisibility)
	return policy.Value{Asset: assets[i].ID, Amount: policy.Units(amount)}, err
}

func newResume() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Propose and approve to vouch for the time, where policy time stays behind",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newResumePropose(), newProposalApprove("a resume"), newProposalReject(), newProposalCancel())
	return cmd
}

func newResumePropose() *cobra.Command {
	var moment, reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "propose [--time 2026-01-02T03:04:05.000Z] --reason TEXT",
		Short: "Propose that a moment has passed; policy time may then reach it",
		Long: `Propose that a moment has passed. Once the policy's quorum agrees, policy time may
follow the signer's clock up to it. It is for a signer without witnesses, or while
they are away: they vouch by themselves.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := time.Now().UnixMilli()
			if moment != "" {
				given, err := statement.ParseTime(moment)
				if err != nil {
					return usagef("--time: %w", err)
				}
				at = given
			}
			document, err := json.Marshal(policy.Resume{Time: at})
			if err != nil {
				return err
			}
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				page := newPage(cmd.ErrOrStderr())
				if err := m.showResume(page, string(document)); err != nil {
					return err
				}
				if err := page.flush(); err != nil {
					return err
				}
				return c.propose(cmd, m, statement.Proposal{Proposes: statement.ProposeResume, Document: string(document), Reason: reason}, asJSON)
			}))
		},
	}
	cmd.Flags().StringVar(&moment, "time", "", "the moment (default: now, by this machine's clock)")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who approve")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// showResume says what is vouched for, beside the clock of whoever reads it.
func (m *mirror) showResume(page *page, document string) error {
	r, err := policy.ParseResume([]byte(document))
	if err != nil {
		return fmt.Errorf("the proposed resume: %w", err)
	}
	last := m.state.Last()
	page.field("vouches for", "%s: approve it only if that has passed", statement.FormatTime(r.Time))
	page.field("your clock", "%s", statement.FormatTime(time.Now().UnixMilli()))
	page.field("policy time", "%s at the newest entry, %s behind the signer's clock",
		statement.FormatTime(last.Time), time.Duration(m.state.Behind())*time.Millisecond)
	return nil
}
