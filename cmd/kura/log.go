package main

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"kura/journal"
	"kura/statement"
)

func newLog() *cobra.Command {
	var kind string
	var last int
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Read the journal, verified on this machine",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 {
				return usagef("--last is %d, want 0 (all) or more", last)
			}
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error {
				var chosen []journal.Entry
				for _, e := range m.entries {
					if kind == "" || e.Kind == kind {
						chosen = append(chosen, e)
					}
				}
				if last > 0 && len(chosen) > last {
					chosen = chosen[len(chosen)-last:]
				}
				p := newPage(cmd.OutOrStdout())
				if len(chosen) == 0 {
					p.line("There is no entry of kind %s. (Verified up to entry %d.)", statement.Quote(kind, 40), len(m.entries)-1)
				}
				for _, e := range chosen {
					p.title("entry %d  %s  %s", e.Seq, e.Kind, statement.FormatTime(e.Clock))
					if err := printMembers(p, e.Body); err != nil {
						return err
					}
				}
				return p.flush()
			}))
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "only entries of this kind, like wallet/1")
	cmd.Flags().IntVar(&last, "last", 0, "only the last so many (0: all)")
	cmd.AddCommand(newLogKeys(), newLogProposeKey(), newLogApproveKey(), newProposalReject(), newProposalCancel(), newProposalVeto())
	return cmd
}

// printMembers prints a body's members as the entry has them, each on a line of its own.
func printMembers(p *page, body []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(body))
	if _, err := decoder.ReadToken(); err != nil { // the brace
		return err
	}
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadValue()
		if err != nil {
			return err
		}
		p.printf("  %s: ", name)
		value, err := decoder.ReadValue()
		if err != nil {
			return err
		}
		if err := value.Format(jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true)); err != nil {
			return err
		}
		p.printf("%s\n", value)
	}
	return nil
}
