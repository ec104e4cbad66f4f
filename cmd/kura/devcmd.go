package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"kura/cmd/kura/dev"
)

func newDev() *cobra.Command {
	var cfg dev.Config
	cmd := &cobra.Command{
		Use:   "dev --dir D",
		Short: "Set a whole Kura up in a directory, on SoftHSM, and run it",
		Long: `Set signer and gateway up in a directory, with generated keys, TLS and an example
policy, and run them until stopped. A directory that was set up before is started
again. Nothing in it may ever be funded: all keys lie beside each other.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Dir == "" {
				return usagef("give --dir")
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding kura-signer beside this program: %w", err)
			}
			cfg.Binaries, cfg.Out = filepath.Dir(self), cmd.OutOrStdout()
			return dev.Run(cmd.Context(), cfg)
		},
	}
	cmd.Flags().StringVar(&cfg.Dir, "dir", "", "directory that everything is in")
	cmd.Flags().StringVar(&cfg.Listen, "listen", "127.0.0.1:8443", "address of the gateway at set-up; port 0 picks a free one")
	cmd.Flags().StringVar(&cfg.Journal, "journal", "", "postgres:// DSN of the database's owner (default: the embedded store)")
	return cmd
}
