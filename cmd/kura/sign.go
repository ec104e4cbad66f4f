package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kura/statement"
)

// newSign signs any statement that some other program wrote, byte for byte.
func newSign() *cobra.Command {
	return &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a statement's text as it stands in a file; prints the envelope",
		Long: `Sign the text of a statement (docs/statements.md) exactly as it stands in the file,
after reading it as strictly as the signer will. ssh-keygen -Y sign does the same.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			h, err := openHome(cmd)
			if err != nil {
				return err
			}
			key, err := h.signer(cmd)
			if err != nil {
				return err
			}
			env, err := statement.SignText(key, rand.Reader, string(text))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(env.Encode()))
			return err
		},
	}
}

// newID gives scripts that write statements themselves the one thing they cannot make.
func newID() *cobra.Command {
	return &cobra.Command{
		Use:   "id",
		Short: "Print a new statement id (UUIDv7), born now",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, _ := new(home).newCommon(time.Hour)
			_, err := fmt.Fprintln(cmd.OutOrStdout(), id)
			return err
		},
	}
}
