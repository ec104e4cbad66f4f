package main

import (
	"github.com/spf13/cobra"

	"kura/statement"
)

func newAddresses() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "addresses",
		Short: "Show, propose and approve address books",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAddressesShow(), newAddressesPropose(), newProposalApprove("addresses"), newProposalReject(), newProposalCancel(), newProposalVeto())
	return cmd
}

func newAddressesShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "List the addresses in force, as the verified journal has them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error {
				page := newPage(cmd.OutOrStdout())
				for _, e := range m.state.Book().Entries() {
					page.title("%s  %s", e.Book, statement.Quote(e.Name, 64))
					page.field("", "%s on %s", e.Address, e.Network)
					page.field("", "message: %s %s", e.Message.Rule, statement.Quote(e.Message.Value, 1024))
				}
				page.line("%d addresses, hash %s", m.state.Book().Len(), m.state.Book().Hash())
				return page.flush()
			}))
		},
	}
}

func newAddressesPropose() *cobra.Command {
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "propose FILE --reason TEXT",
		Short: "Propose to add or remove addresses",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := readBookChange(cmd, args[0])
			if err != nil {
				return err
			}
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				return c.propose(cmd, m, statement.Proposal{
					Proposes: statement.ProposeAddresses, Document: string(change.Text()), Reason: reason,
				}, asJSON)
			}))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who approve")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}
