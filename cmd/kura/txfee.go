package main

import (
	"bufio"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"kura/nem"
)

// feeView is what `kura tx fee` prints for one transaction, in micro-XEM or
// micro-XYM.
type feeView struct {
	Size  int    `json:"size"`  // bytes
	Fee   string `json:"fee"`   // NIS1: the least that nodes accept; Symbol: size × multiplier
	Given string `json:"given"` // what the transaction offers
	OK    bool   `json:"ok"`    // whether that is enough
}

type errorView struct {
	Error string `json:"error"`
}

func newTxFee() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fee --network N",
		Short: "Say what transactions (hex, one a line, on standard input) must pay",
		Args:  cobra.NoArgs,
	}
	network := networkFlag(cmd)
	multiplier := cmd.Flags().Uint32("multiplier", 100, "Symbol: micro-XYM per byte")
	cosignatures := cmd.Flags().Int("cosignatures", 0, "Symbol aggregates: cosignatures still to come, 104 bytes each")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, err := network()
		if err != nil {
			return err
		}
		if *cosignatures < 0 {
			return usagef("--cosignatures is %d, want 0 or more", *cosignatures)
		}
		return eachTransaction(cmd, func(line string, out *bufio.Writer) (bool, error) {
			view, err := priceLine(n, line, *multiplier, *cosignatures)
			if err != nil {
				return false, writeJSONLine(out, errorView{err.Error()})
			}
			return true, writeJSONLine(out, view)
		})
	}
	return cmd
}

func priceLine(n nem.Network, line string, multiplier uint32, cosignatures int) (feeView, error) {
	raw, err := hex.DecodeString(line)
	if err != nil {
		return feeView{}, fmt.Errorf("transaction is not hex: %w", err)
	}
	tx, err := nem.Decode(n, raw)
	if err != nil {
		return feeView{}, err
	}
	fee, err := nem.FeeOf(tx, nil, multiplier, cosignatures)
	if err != nil {
		return feeView{}, err
	}
	return feeView{Size: len(raw), Fee: fee.String(), Given: tx.Fee().String(), OK: tx.Fee() >= fee}, nil
}
