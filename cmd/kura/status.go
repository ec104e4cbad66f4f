package main

import (
	"time"

	"github.com/spf13/cobra"

	"kura/api/client"
	"kura/statement"
)

func newStatus() *cobra.Command {
	var asJSON bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "status ID",
		Short: "Show the proven state of a withdrawal, or of an evacuation in force",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := statement.ParseID(args[0])
			if err != nil {
				return usageError(err)
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			var o client.Outcome
			err = c.withSession(cmd, func() (err error) {
				o, err = c.Withdrawal(cmd.Context(), id, wait)
				return err
			})
			if err != nil {
				return failure(err)
			}
			return printOutcome(cmd, o, asJSON)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long for a change while the state is not final")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}
