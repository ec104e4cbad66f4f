package main

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

func newPolicySimulate() *cobra.Command {
	var history string
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "simulate FILE --history EXPORT",
		Short: "Decide a recorded history again under another policy",
		Long: `Decide every withdrawal of an export again under a proposed policy: what would have
been decided otherwise, whose approval it would have needed, and how full the limits
would have been. Address books and stops are those of the time; what no policy decides
(a wallet without its key, say) stays as it was. The export is verified first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if history == "" {
				return usagef("give --history")
			}
			p, err := readPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			h := newHistory()
			if _, err := foldExport(cmd, history, h.visit); err != nil {
				return err
			}
			if h.err != nil {
				return fmt.Errorf("%s: %w", history, h.err)
			}
			simulation, err := policy.Simulate(p, h.recorded())
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return writeJSONLine(cmd.OutOrStdout(), simulation)
			case asCSV:
				_, err = fmt.Fprint(cmd.OutOrStdout(), simulation.CSV())
			default:
				_, err = fmt.Fprint(cmd.OutOrStdout(), simulation.Table(p))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&history, "history", "", "export to decide again")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the withdrawals as CSV")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	return cmd
}

// A history gathers the withdrawals of a journal, with what people said about
// each, while the journal is folded.
type history struct {
	order    []statement.Hash
	requests map[statement.Hash]*policy.Recorded
	verdicts map[statement.Hash]policy.Verdict // by their own hash, until they are counted
	err      error
}

func newHistory() *history {
	return &history{
		requests: map[statement.Hash]*policy.Recorded{},
		verdicts: map[statement.Hash]policy.Verdict{},
	}
}

func (h *history) recorded() []policy.Recorded {
	list := make([]policy.Recorded, 0, len(h.order))
	for _, hash := range h.order {
		if r := h.requests[hash]; r.Outcome != policy.Undecided {
			list = append(list, *r)
		}
	}
	return list
}

func (h *history) visit(e journal.Entry, body ledger.Body, s *ledger.State) {
	now := policy.Now{Clock: e.Clock, Time: e.Time}
	switch b := body.(type) {
	case *ledger.Statement:
		h.statement(b, now)
	case *ledger.Outcome:
		h.counted(b)
	case *ledger.Reasons:
		if r, ok := h.requests[b.About]; ok {
			var d policy.Decision
			if err := json.Unmarshal(b.Decision, &d); err != nil && h.err == nil {
				h.err = fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			moment := policy.Moment{Now: now, Book: s.Book(), Overlay: s.Overlay(), Settled: ledger.Settles(d.Code)}
			if r.First.Now == (policy.Now{}) {
				r.First = moment
			}
			r.Last, r.Outcome, r.Code, r.Rule = moment, d.Outcome, d.Code, d.Rule
		}
	}
}

func (h *history) statement(s *ledger.Statement, now policy.Now) {
	decoded, err := statement.Decode(s.Statement)
	if err != nil {
		h.err = err
		return
	}
	switch body := decoded.(type) {
	case *statement.Withdrawal:
		h.order = append(h.order, s.Hash)
		h.requests[s.Hash] = &policy.Recorded{Request: policy.Request{
			Hash: s.Hash, Client: policy.ClientID(s.By.ID), Key: statement.Key(s.Key), Withdrawal: body, Since: now.Time,
		}}
	case *statement.Verdict:
		var kind policy.ActorKind
		if err := kind.UnmarshalText([]byte(s.By.Kind)); err != nil {
			h.err = err
			return
		}
		h.verdicts[s.Hash] = policy.Verdict{
			By: policy.Actor{Kind: kind, ID: s.By.ID}, Key: statement.Key(s.Key), Kind: body.Verdict,
			Policy: body.Policy, At: now.Time, Hash: s.Hash,
		}
	}
}

// counted gives a verdict to the withdrawals for which it counted.
func (h *history) counted(o *ledger.Outcome) {
	v, ok := h.verdicts[o.About]
	if !ok {
		return
	}
	for _, result := range o.Results {
		if r, ok := h.requests[result.About]; ok && result.State == ledger.StateCounted {
			r.Verdicts = append(r.Verdicts, v)
		}
	}
	delete(h.verdicts, o.About)
}
