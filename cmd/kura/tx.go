package main

import (
	"bufio"

	"github.com/spf13/cobra"

	"kura/nem"
)

func newTx() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tx",
		Short: "Decode, verify and price transactions of both chains, offline",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTxDecode(), newTxVerify(), newTxFee())
	return cmd
}

// eachTransaction hands every line of standard input to do, which prints one line
// and says whether all was well; if it was not, once, the exit code is 1.
func eachTransaction(cmd *cobra.Command, do func(line string, out *bufio.Writer) (bool, error)) error {
	failed := false
	err := eachLine(cmd.InOrStdin(), cmd.OutOrStdout(), func(_ int, line string, out *bufio.Writer) error {
		ok, err := do(line, out)
		failed = failed || !ok
		return err
	})
	if err == nil && failed {
		return reported(exitFailed)
	}
	return err
}

func newTxDecode() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "decode --network N",
		Short: "Decode transactions (hex, one a line, on standard input) to JSON lines",
		Long: `Decode transactions, one a line in hex, to one JSON object a line.

NIS1: the data that is signed and announced, without signature. Symbol: the whole
transaction. A line that cannot be decoded gives {"error": …} with the offset and
the field; the exit code is then 1.`,
		Args: cobra.NoArgs,
	}
	network := networkFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, err := network()
		if err != nil {
			return err
		}
		return eachTransaction(cmd, func(line string, out *bufio.Writer) (bool, error) {
			return nem.DescribeLine(out, n, []byte(line))
		})
	}
	return cmd
}

func newTxVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --network N",
		Short: "Verify signed transactions (JSON lines on standard input)",
		Long: `Verify signed transactions: {"data": hex, "signature": hex} for NIS1,
{"payload": hex} for Symbol, as a node takes them, one a line. Each gives
{"valid": bool, "hash": …, "reason": …}; the exit code is 1 if any is not valid.`,
		Args: cobra.NoArgs,
	}
	network := networkFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, err := network()
		if err != nil {
			return err
		}
		return eachTransaction(cmd, func(line string, out *bufio.Writer) (bool, error) {
			v := nem.VerifyLine(n, []byte(line))
			return v.Valid, writeJSONLine(out, v)
		})
	}
	return cmd
}
