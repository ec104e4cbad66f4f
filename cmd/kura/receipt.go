package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"kura/journal"
)

func newReceipt() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receipt",
		Short: "Check receipts, offline",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var genesis string
	verify := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that an entry stands in the journal (a receipt, or an answer with one; - for standard input)",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := pinned(cmd, genesis)
			if err != nil {
				return err
			}
			text, err := readAll(cmd, args[0])
			if err != nil {
				return err
			}
			receipt, err := receiptIn(text)
			if err != nil {
				return err
			}
			entry, keys, err := receipt.VerifyUnder(keys)
			if err != nil {
				return err
			}
			head, err := keys.Open(receipt.Checkpoint)
			if err != nil {
				return err
			}
			page := newPage(cmd.OutOrStdout())
			if keys.At(head.Size) != keys.Newest() {
				page.printf("note: its head is of a log key that was handed over since; whoever kept that key could have made it. Ask for a receipt of today.\n")
			}
			page.printf("ok: entry %d (%s) stands in %s\n%s\n", entry.Seq, entry.Kind, keys.Genesis().Origin, entry.Body)
			return page.flush()
		},
	}
	verify.Flags().StringVar(&genesis, "genesis", "", "genesis line (default: the one that the home pins)")
	cmd.AddCommand(verify)
	return cmd
}

// pinned is the genesis line of the flag, or of the home with the handovers of the log key that it has seen.
func pinned(cmd *cobra.Command, line string) (journal.LogKeys, error) {
	if line != "" {
		g, err := journal.ParseGenesis(line)
		if err != nil {
			return journal.LogKeys{}, usagef("--genesis: %w", err)
		}
		return g.Keys(), nil
	}
	h, err := openHome(cmd)
	if err != nil {
		return journal.LogKeys{}, err
	}
	return h.logKeys()
}

// maxInput bounds a file that is read whole.
const maxInput = 16 << 20

func readAll(cmd *cobra.Command, name string) ([]byte, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err == nil && len(text) > maxInput {
		err = fmt.Errorf("%s has more than %d bytes", name, maxInput)
	}
	return text, err
}

// receiptIn reads a receipt, or the receipt in a gateway's answer or problem.
func receiptIn(text []byte) (journal.Receipt, error) {
	var answer struct {
		Receipt *journal.Receipt `json:"receipt"`
		Answer  *struct {
			Receipt *journal.Receipt `json:"receipt"`
		} `json:"answer"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return journal.Receipt{}, fmt.Errorf("this is no receipt; want its JSON, or that of an answer with one: %w", err)
	}
	if answer.Receipt != nil {
		return *answer.Receipt, nil
	}
	if answer.Answer != nil && answer.Answer.Receipt != nil {
		return *answer.Answer.Receipt, nil
	}
	var receipt journal.Receipt
	if err := json.Unmarshal(text, &receipt, json.RejectUnknownMembers(true)); err != nil {
		return receipt, fmt.Errorf("this is no receipt; want its JSON, or that of an answer with one: %w", err)
	}
	if len(receipt.Entry) == 0 {
		return receipt, errors.New("there is no receipt in it")
	}
	return receipt, nil
}
