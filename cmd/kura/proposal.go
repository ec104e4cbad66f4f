package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kura/ledger"
	"kura/policy"
	"kura/policy/source"
	"kura/statement"
)

// proposalLife is how long a proposal may gather verdicts, unless said otherwise.
const proposalLife = 7 * 24 * time.Hour

// propose signs a proposal and sends it, unless it could not come into force.
func (c *connection) propose(cmd *cobra.Command, m *mirror, p statement.Proposal, asJSON bool) error {
	if err := m.state.CheckProposal(&p); err != nil {
		return fmt.Errorf("nothing was sent: %w", err)
	}
	p.Journal, p.Base = statement.Hash(c.genesis.Hash), m.state.PolicyInForce().Hash()
	p.ID, p.Expires = c.newCommon(proposalLife)
	env, err := c.sign(cmd, &p)
	if err != nil {
		return err
	}
	return c.submit(cmd, env, 0, asJSON)
}

func newPolicyPropose() *cobra.Command {
	var book, reason string
	var recovery, asJSON bool
	cmd := &cobra.Command{
		Use:   "propose FILE --reason TEXT",
		Short: "Propose a policy; others approve it, and it waits out its time-lock",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if recovery && book != "" {
				return usagef("a recovery replaces people only: leave out --addresses")
			}
			p, err := readPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			proposal := statement.Proposal{Proposes: statement.ProposePolicy, Document: string(p.Text()), Reason: reason}
			if recovery {
				proposal.Proposes = statement.ProposeRecovery
			}
			if book != "" {
				change, err := readBookChange(cmd, book)
				if err != nil {
					return err
				}
				proposal.Addresses = string(change.Text())
			}
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				out := newPage(cmd.ErrOrStderr())
				printDiff(out, m.state.PolicyInForce(), p, m.state.Book(), m.bookAfter(proposal.Addresses))
				if err := out.flush(); err != nil {
					return err
				}
				return c.propose(cmd, m, proposal, asJSON)
			}))
		},
	}
	cmd.Flags().StringVar(&book, "addresses", "", "address-book change that comes with it (file)")
	cmd.Flags().BoolVar(&recovery, "recovery", false, "propose it as a recovery: only people differ, and the recovery group approves")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who approve")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func readBookChange(cmd *cobra.Command, name string) (*policy.BookChange, error) {
	text, err := readAll(cmd, name)
	if err != nil {
		return nil, err
	}
	change, err := source.Addresses(text)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", name, err)
	}
	return change, nil
}

// newProposalApprove is `policy approve` and `addresses approve`: the same verdict
// about the same kind of statement, shown first in words.
func newProposalApprove(what string) *cobra.Command {
	return newShownVerdict(shownVerdict{
		use: "approve HASH", short: "Approve a proposal of " + what + ", after reading what it changes",
		long: `Approve a proposal. What it changes is computed on this machine, from the document
in the signed statement and the proven policy in force, and shown first.`,
		kind: statement.Approve, find: findProposal, show: (*mirror).showProposal,
	})
}

// newProposalReject says no before adoption, as a veto does after it.
func newProposalReject() *cobra.Command {
	return newShownVerdict(shownVerdict{
		use: "reject HASH", short: "Say no to an open proposal; as many directors as veto an adopted one end it",
		long: `Say no to an open proposal, as a director. It is not taken back: who rejects does not
approve it any more. As many directors as the policy's veto takes end the proposal;
fewer only refuse their own approval.`,
		kind: statement.Reject, needsReason: true, find: findOpenProposal, show: (*mirror).showProposal,
	})
}

func newProposalCancel() *cobra.Command {
	return newShownVerdict(shownVerdict{
		use: "cancel HASH", short: "Take back an own proposal that is still open",
		kind: statement.Cancel, find: findOpenProposal, show: (*mirror).showProposal,
	})
}

func newProposalVeto() *cobra.Command {
	return newShownVerdict(shownVerdict{
		use: "veto HASH", short: "Veto an adopted proposal before its time-lock ends, a log key until it is handed over to",
		kind: statement.Veto, needsReason: true, find: findProposal, show: (*mirror).showProposal,
	})
}

// showProposal says in words what a proposal would change.
func (m *mirror) showProposal(page *page, hash statement.Hash) error {
	r, ok := m.state.Proposal(hash)
	if !ok {
		return fmt.Errorf("the proposal %s is not open", hash)
	}
	page.title("Proposal %s", r.Hash)
	page.field("proposes", "%s", r.Body.Proposes)
	page.field("by", "%s, reason %s", r.By, statement.Quote(r.Body.Reason, 512))
	page.field("state", "%s", r.State)
	for _, v := range r.Verdicts {
		page.field("", "%s: %s", v.By, v.Kind)
	}
	if r.AdoptedAt != 0 {
		page.field("acts from", "%s", statement.FormatTime(r.Effective))
	}
	page.blank()
	switch r.Body.Proposes {
	case statement.ProposePolicy, statement.ProposeRecovery:
		next, err := policy.Parse([]byte(r.Body.Document))
		if err != nil {
			return fmt.Errorf("the proposed policy: %w", err)
		}
		page.field("policy", "version %d, hash %s", next.Document().Version, next.Hash())
		printDiff(page, m.state.PolicyInForce(), next, m.state.Book(), m.bookAfter(r.Body.Addresses))
		if r.Body.Addresses == "" {
			return nil
		}
		return m.showBookChange(page, r.Body.Addresses)
	case statement.ProposeAddresses:
		if err := m.showBookChange(page, r.Body.Document); err != nil {
			return err
		}
		p := m.state.PolicyInForce()
		printLosses(page, p, p, m.state.Book(), m.bookAfter(r.Body.Document))
		return nil
	case statement.ProposeEvacuation:
		return m.showEvacuation(page, r.Body.Document)
	case statement.ProposeResume:
		return m.showResume(page, r.Body.Document)
	case statement.ProposeLogKey:
		return m.showLogKey(page, r.Body.Document)
	default:
		// The others' documents are a few lines of JSON that say all there is.
		page.field("document", "%s", statement.Quote(r.Body.Document, 4096))
		return nil
	}
}

// showEvacuation says which wallet is swept, and above all where to.
func (m *mirror) showEvacuation(page *page, document string) error {
	e, err := policy.ParseEvacuation([]byte(document))
	if err != nil {
		return fmt.Errorf("the proposed evacuation: %w", err)
	}
	p := m.state.PolicyInForce()
	account, ok := p.Account(e.Wallet)
	if !ok {
		return fmt.Errorf("the proposed evacuation is of wallet %q, which the policy in force does not have", e.Wallet)
	}
	page.field("sweeps", "%s on %s", e.Wallet, account.Network)
	page.field("to", "%s, its rescue address by the policy in force", account.Rescue)
	for _, s := range m.state.Overlay().Stops() {
		if s.Kind == statement.TargetAddress && s.Name == account.Rescue.String() {
			page.field("SUSPENDED", "by %s at %s: who approves an evacuation that was proposed later overrides that", s.By, statement.FormatTime(s.At))
		}
	}
	for _, a := range e.Assets {
		page.field("amount", "%s", p.Show(a.Asset, a.Amount))
	}
	return nil
}

// bookAfter is the address book with a proposed change made, "" for none. One that cannot be made changes nothing.
func (m *mirror) bookAfter(document string) *policy.Book {
	book := m.state.Book()
	if change, err := policy.ParseBookChange([]byte(document)); err == nil {
		if next, err := book.Apply(change); err == nil {
			return next
		}
	}
	return book
}

// showBookChange says who would be paid and who no longer, and names an address that looks like a listed one.
func (m *mirror) showBookChange(page *page, document string) error {
	change, err := policy.ParseBookChange([]byte(document))
	if err != nil {
		return fmt.Errorf("the proposed address-book change: %w", err)
	}
	for _, e := range change.Remove {
		page.field("remove", "%s from book %s", statement.Quote(e.Name, 64), e.Book)
	}
	for _, e := range change.Add {
		page.field("add", "%s to book %s: %s on %s, message %s %s %s", statement.Quote(e.Name, 64), e.Book, e.Address, e.Network,
			e.Message.Rule, e.Message.Kind, statement.Quote(e.Message.Value, 1024))
		if e.LastDay != "" {
			page.field("", "until %s", e.LastDay)
		}
		if like, ok := m.resembles(e.Address); ok {
			page.field("", "RESEMBLES %s, which is %s: look at every character", like.address, statement.Quote(like.name, 64))
		}
	}
	return nil
}

func newProposals() *cobra.Command {
	return &cobra.Command{
		Use:   "proposals [HASH]",
		Short: "List what is proposed, or show what one proposal would change",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error {
				page := newPage(cmd.OutOrStdout())
				if len(args) == 1 {
					hash, err := findProposal(m, args[0])
					if err != nil {
						return err
					}
					if err := m.showProposal(page, hash); err != nil {
						return err
					}
					return page.flush()
				}
				for _, r := range m.state.Proposals() {
					page.title("%s", r.Hash)
					page.field("", "%s by %s, %s: %s", r.Body.Proposes, r.By, r.State, statement.Quote(r.Body.Reason, 200))
				}
				if len(m.state.Proposals()) == 0 {
					page.line("Nothing is proposed.")
				}
				return page.flush()
			}))
		},
	}
}

func newPolicyShow() *cobra.Command {
	var out string
	var words bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the policy in force, as the verified journal has it",
		Long: `Show the policy in force, as the verified journal has it: the JSON that is signed and
hashed, or with --words what it says and what can be lost, as kura policy diff would
from a policy that allows nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if words && out != "" {
				return usagef("--out takes the JSON, --words is for standard output: give one of them")
			}
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error {
				p := m.state.PolicyInForce()
				fmt.Fprintf(cmd.ErrOrStderr(), "policy %d, hash %s\n", p.Document().Version, p.Hash())
				if words {
					page := newPage(cmd.OutOrStdout())
					printDiff(page, new(policy.Policy), p, nil, m.state.Book())
					return page.flush()
				}
				if out != "" {
					return os.WriteFile(out, p.Text(), 0o644)
				}
				_, err := cmd.OutOrStdout().Write(p.Text())
				return err
			}))
		},
	}
	cmd.Flags().BoolVar(&words, "words", false, "say in words what it allows, and what can be lost")
	cmd.Flags().StringVar(&out, "out", "", "file to write instead of standard output")
	return cmd
}

func newPolicyHistory() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List every policy and address-book change that came into force",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error {
				page := newPage(cmd.OutOrStdout())
				for _, e := range m.entries {
					switch e.Kind {
					case ledger.KindFounding:
						page.title("entry %d  %s  policy 1, with the genesis", e.Seq, statement.FormatTime(e.Time))
					case ledger.KindInForce:
						body, err := ledger.DecodeBody(e.Kind, e.Body)
						if err != nil {
							return err
						}
						b := body.(*ledger.InForce)
						page.title("entry %d  %s", e.Seq, statement.FormatTime(e.Time))
						page.field("policy", "%s", b.Policy)
						page.field("addresses", "%s", b.Book)
						page.field("proposal", "%s", b.Proposal)
					}
				}
				return page.flush()
			}))
		},
	}
}
