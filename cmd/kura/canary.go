package main

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kura/nem"
	"kura/policy"
)

func newPolicyCanary() *cobra.Command {
	return &cobra.Command{
		Use:   "canary [ADDRESS]",
		Short: "Hide an address as a canary, ready for tripwires.canaryAddresses",
		Long: `Hide an address that nobody honest pays under a fresh random salt, and print the entry
for tripwires.canaryAddresses in the policy's YAML. Without ADDRESS: one a line on standard
input, which keeps them out of the shell's history and the list of processes.

The entry does not say the address, but whoever has a list of addresses can try them all: take
one that was never used on the chain nor published, and note it down elsewhere. Where a client asks to pay it, the client is suspended.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				entry, err := canaryEntry(args[0])
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), entry)
				return err
			}
			return eachLine(cmd.InOrStdin(), cmd.OutOrStdout(), func(number int, line string, out *bufio.Writer) error {
				entry, err := canaryEntry(line)
				if err != nil {
					return fmt.Errorf("line %d: %w", number, err)
				}
				_, err = fmt.Fprintln(out, entry)
				return err
			})
		},
	}
}

// canaryEntry gives the YAML of a canary for an address of any network. The hash
// is of its plain form, by which decisions compare.
func canaryEntry(text string) (string, error) {
	address, err := anyAddress(text)
	if err != nil {
		return "", err
	}
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails: it ends the process instead
	c := policy.NewCanary(salt, address.String())
	return fmt.Sprintf(`- {salt: "%s", hash: "%s"}`, c.Salt, c.Hash), nil
}

// anyAddress reads an address of whichever network it is of: no text is one of
// two. The error is what the main network of its length says.
func anyAddress(text string) (nem.Address, error) {
	likely := nem.NIS1Mainnet
	if len(strings.ReplaceAll(text, "-", "")) == 39 {
		likely = nem.SymbolMainnet
	}
	a, mistake := nem.ParseAddress(likely, text)
	for _, n := range []nem.Network{nem.NIS1Testnet, nem.NIS1Mijin, nem.SymbolTestnet} {
		if other, err := nem.ParseAddress(n, text); err == nil {
			return other, nil
		}
	}
	return a, mistake
}
