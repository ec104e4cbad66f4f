package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kura/api/client"
	"kura/ledger"
	"kura/statement"
)

// verdictLife is how long a verdict that was signed just now may take to arrive.
const verdictLife = 10 * time.Minute

// lastCharacters is how much of the address an approver types.
const lastCharacters = 4

func newApprove() *cobra.Command {
	var amount, ends string
	var asJSON, printOnly bool
	cmd := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve a pending request, after typing its amount and the end of its address",
		Long: `Approve a pending request. It is shown first, decoded from the text that the client
signed, by this machine. Then the amount and the last four characters of the
address are asked for: whoever approves has read them. --amount and --address-ends
answer beforehand.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				v, err := m.showPending(args[0], cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				if err := confirm(cmd, v, amount, ends); err != nil {
					return err
				}
				if err := m.fresh(); err != nil {
					return err
				}
				env, err := c.verdict(cmd, m, statement.Approve, "", v.request.Hash)
				if err != nil {
					return err
				}
				if printOnly {
					_, err := fmt.Fprintln(cmd.OutOrStdout(), string(env.Encode()))
					return err
				}
				return c.submit(cmd, env, 0, asJSON)
			}))
		},
	}
	cmd.Flags().StringVar(&amount, "amount", "", "the amount, as shown (\"60,000 XEM\")")
	cmd.Flags().StringVar(&ends, "address-ends", "", "the last four characters of the destination")
	cmd.Flags().BoolVar(&printOnly, "print", false, "print the signed envelope, send nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// confirm asks for the amount and the end of the address, so that nobody approves
// what they have not looked at.
func confirm(cmd *cobra.Command, v *pendingView, amount, ends string) error {
	in := bufio.NewReader(cmd.InOrStdin())
	ask := func(given, question string) (string, error) {
		if given != "" {
			return given, nil
		}
		fmt.Fprint(cmd.ErrOrStderr(), question)
		text, err := in.ReadString('\n')
		if err != nil && text == "" {
			return "", errors.New("nothing was typed: not approved")
		}
		return strings.TrimSpace(text), nil
	}
	typed, err := ask(amount, "Type the amount to approve it: ")
	if err != nil {
		return err
	}
	if squeeze(typed) != squeeze(v.amountText()) {
		return fmt.Errorf("the amount is %s, you typed %s: not approved", v.amountText(), statement.Quote(typed, 60))
	}
	typed, err = ask(ends, fmt.Sprintf("Type the last %d characters of the address: ", lastCharacters))
	if err != nil {
		return err
	}
	address := v.payment.Destination.String()
	if want := address[len(address)-lastCharacters:]; strings.ToUpper(typed) != want {
		return fmt.Errorf("the address does not end with %s: not approved", statement.Quote(typed, 20))
	}
	return nil
}

// squeeze drops what people type in different ways: blanks, commas and case.
func squeeze(text string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", ",", "").Replace(text))
}

// verdict signs a verdict about statements, under the policy of the verified view.
func (c *connection) verdict(cmd *cobra.Command, m *mirror, kind statement.VerdictKind, reason string, about ...statement.Hash) (statement.Envelope, error) {
	id, expires := c.newCommon(verdictLife)
	return c.sign(cmd, &statement.Verdict{
		Journal: statement.Hash(c.genesis.Hash), ID: id, Expires: expires,
		Verdict: kind, About: about, Policy: m.state.PolicyInForce().Hash(), Reason: reason,
	})
}

// A shownVerdict is a command that says one thing about one statement, after
// showing what that statement is and asking for the beginning of its hash.
type shownVerdict struct {
	use, short, long string
	kind             statement.VerdictKind
	needsReason      bool
	find             func(*mirror, string) (statement.Hash, error)
	show             func(*mirror, *page, statement.Hash) error
}

func newShownVerdict(v shownVerdict) *cobra.Command {
	var reason, confirmed string
	var asJSON bool
	cmd := &cobra.Command{
		Use: v.use, Short: v.short, Long: v.long,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if v.needsReason && reason == "" {
				return usagef("give --reason: others will read why")
			}
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				hash, err := v.find(m, args[0])
				if err != nil {
					return err
				}
				page := newPage(cmd.ErrOrStderr())
				if err := v.show(m, page, hash); err != nil {
					return err
				}
				m.age(page)
				if err := page.flush(); err != nil {
					return err
				}
				if err := confirmHash(cmd, v.kind, hash, confirmed); err != nil {
					return err
				}
				if err := m.fresh(); err != nil {
					return err
				}
				env, err := c.verdict(cmd, m, v.kind, reason, hash)
				if err != nil {
					return err
				}
				return c.submit(cmd, env, 0, asJSON)
			}))
		},
	}
	cmd.Flags().StringVar(&confirmed, "confirm", "", "the first eight characters of its hash")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for everybody who reads the journal")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// confirmLength is how much of a hash somebody types who judges by it.
const confirmLength = 8

func confirmHash(cmd *cobra.Command, kind statement.VerdictKind, hash statement.Hash, given string) error {
	want := hash.String()[:confirmLength]
	if given == "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "Type the first %d characters of its hash to %s it: ", confirmLength, kind)
		text, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && text == "" {
			return errors.New("nothing was typed: nothing was sent (without a terminal: --confirm)")
		}
		given = strings.TrimSpace(text)
	}
	if given != want {
		return fmt.Errorf("the hash does not begin with %s: nothing was sent", statement.Quote(given, 20))
	}
	return nil
}

// findStop looks a stop in force up by the beginning of its hash.
func findStop(m *mirror, name string) (statement.Hash, error) {
	return findOne(name, "effective stop", "kura stops", m.state.Freezes(), func(f *ledger.Freeze) statement.Hash { return f.Hash })
}

// findProposal looks an open or adopted proposal up by the beginning of its hash.
func findProposal(m *mirror, name string) (statement.Hash, error) {
	return findOne(name, "open or adopted proposal", "kura proposals", m.state.Proposals(), func(p *ledger.Proposal) statement.Hash { return p.Hash })
}

// findOpenProposal is findProposal for what nobody says any more once it is adopted.
func findOpenProposal(m *mirror, name string) (statement.Hash, error) {
	hash, err := findProposal(m, name)
	if r, ok := m.state.Proposal(hash); err == nil && ok && r.State == ledger.StateAdopted {
		return hash, fmt.Errorf("the proposal %s is adopted: only a veto stops it now", hash)
	}
	return hash, err
}

func findOne[T any](name, what, lister string, all []T, hashOf func(T) statement.Hash) (statement.Hash, error) {
	var found []statement.Hash
	for _, x := range all {
		if hash := hashOf(x); name != "" && strings.HasPrefix(hash.String(), name) {
			found = append(found, hash)
		}
	}
	if len(found) != 1 {
		return statement.Hash{}, usagef("%d %ss have a hash that begins with %q, want one; '%s' lists them", len(found), what, name, lister)
	}
	return found[0], nil
}

func newReject() *cobra.Command {
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reject ID…",
		Short: "Reject pending requests",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usagef("give --reason: others will read why")
			}
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				var about []statement.Hash
				for _, name := range args {
					r, err := m.find(name)
					if err != nil {
						return err
					}
					about = append(about, r.Hash)
				}
				env, err := c.verdict(cmd, m, statement.Reject, reason, about...)
				if err != nil {
					return err
				}
				return c.submit(cmd, env, 0, asJSON)
			}))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for everybody who reads the journal")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func newLift() *cobra.Command {
	return newShownVerdict(shownVerdict{
		use: "lift HASH", short: "Agree to lift a freeze, a suspension (of a wallet's key, too) or a lowered limit", kind: statement.Lift,
		find: findStop, show: (*mirror).showStop,
	})
}

// newCancel is the client's: it knows the ids of its own withdrawals and needs no
// view of the journal.
func newCancel() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel an own withdrawal that is still held",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			id, err := statement.ParseID(args[0])
			if err != nil {
				return usageError(err)
			}
			return failure(c.cancel(cmd, id, asJSON))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// cancel says so under the policy that the proven outcome names.
func (c *connection) cancel(cmd *cobra.Command, id statement.ID, asJSON bool) error {
	var o client.Outcome
	err := c.withSession(cmd, func() (err error) {
		o, err = c.Withdrawal(cmd.Context(), id, 0)
		return err
	})
	if err != nil {
		return err
	}
	body, err := ledger.DecodeBody(o.Entry.Kind, o.Entry.Body)
	if err != nil {
		return err
	}
	recorded, ok := body.(*ledger.Outcome)
	if !ok {
		return fmt.Errorf("entry %d is no outcome", o.Entry.Seq)
	}
	verdictID, expires := c.newCommon(verdictLife)
	env, err := c.sign(cmd, &statement.Verdict{
		Journal: statement.Hash(c.genesis.Hash), ID: verdictID, Expires: expires,
		Verdict: statement.Cancel, About: []statement.Hash{recorded.About}, Policy: recorded.Policy,
	})
	if err != nil {
		return err
	}
	return c.submit(cmd, env, 0, asJSON)
}
