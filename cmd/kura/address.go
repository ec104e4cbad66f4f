package main

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"

	"kura/nem"
)

// networkFlag adds --network and returns how to read it.
func networkFlag(cmd *cobra.Command) func() (nem.Network, error) {
	name := cmd.Flags().String("network", "", "nis1-mainnet, nis1-testnet, nis1-mijin, symbol-mainnet or symbol-testnet")
	return func() (nem.Network, error) {
		n, err := nem.ParseNetwork(*name)
		if err != nil {
			return n, usagef("--network: %w", err)
		}
		return n, nil
	}
}

func newAddress() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "address --network N",
		Short: "Turn public keys (hex, one a line, on standard input) into addresses",
		Args:  cobra.NoArgs,
	}
	network := networkFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, err := network()
		if err != nil {
			return err
		}
		return eachLine(cmd.InOrStdin(), cmd.OutOrStdout(), func(number int, line string, out *bufio.Writer) error {
			key, err := nem.ParsePublicKey(line)
			if err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			_, err = fmt.Fprintln(out, key.Address(n))
			return err
		})
	}
	return cmd
}
