package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"kura/nem"
	"kura/signer/rpc"
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
	answer := cmd.Flags().String("answer", "", "decode the transaction in this answer of the gateway instead")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, err := network()
		if err != nil {
			return err
		}
		if *answer != "" {
			hex, err := announcedHex(cmd, *answer)
			if err != nil {
				return err
			}
			cmd.SetIn(strings.NewReader(hex))
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
	answer := cmd.Flags().String("answer", "", "verify the transaction in this answer of the gateway instead")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		n, err := network()
		if err != nil {
			return err
		}
		if *answer != "" {
			line, err := announceBody(cmd, *answer)
			if err != nil {
				return err
			}
			cmd.SetIn(strings.NewReader(line))
		}
		return eachTransaction(cmd, func(line string, out *bufio.Writer) (bool, error) {
			v := nem.VerifyLine(n, []byte(line))
			return v.Valid, writeJSONLine(out, v)
		})
	}
	return cmd
}

// announceBody is what a node takes, out of a gateway's answer: one line of JSON.
func announceBody(cmd *cobra.Command, name string) (string, error) {
	text, err := readAll(cmd, name)
	if err != nil {
		return "", err
	}
	var answer rpc.Answer
	if err := json.Unmarshal(text, &answer); err != nil {
		return "", fmt.Errorf("%s is no answer of a gateway: %w", name, err)
	}
	if answer.Transaction == nil {
		return "", fmt.Errorf("%s says %q and carries no transaction", name, answer.State)
	}
	return answer.Transaction.Announce.Body, nil
}

// announcedHex is the transaction in it, as `decode` takes it.
func announcedHex(cmd *cobra.Command, name string) (string, error) {
	body, err := announceBody(cmd, name)
	if err != nil {
		return "", err
	}
	var in struct {
		Data    string `json:"data"`
		Payload string `json:"payload"`
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		return "", fmt.Errorf("%s: the transaction to announce: %w", name, err)
	}
	return in.Data + in.Payload, nil
}
