package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"kura/audit"
	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

func newPolicyExplain() *cobra.Command {
	var request, history, client, book string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain FILE --request R.json",
		Short: "Say what a policy would decide about a request, and why, condition by condition",
		Long: `Decide about a withdrawal that was never made. R.json is the text of a withdrawal
statement (docs/statements.md), unsigned; journal and expires are not looked at.
With --history the limits are as full as that export left them, and the stops in force
there are in force.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if request == "" {
				return usagef("give --request")
			}
			p, err := readPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			w, err := readWithdrawal(cmd, request)
			if err != nil {
				return err
			}
			in, err := explainInput(cmd, p, w, client, history, book)
			if err != nil {
				return err
			}
			d := policy.Decide(in)
			if asJSON {
				return writeJSONLine(cmd.OutOrStdout(), d)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), policy.Explain(p, w, &d))
			return err
		},
	}
	s := cmd.Flags()
	s.StringVar(&request, "request", "", "text of a withdrawal statement")
	s.StringVar(&client, "client", "", "who asks (default: the policy's only client)")
	s.StringVar(&history, "history", "", "export whose payments have filled the limits")
	s.StringVar(&book, "addresses", "", "address book (a change file; default: that of the history)")
	s.BoolVar(&asJSON, "json", false, "print the decision as JSON")
	return cmd
}

func readWithdrawal(cmd *cobra.Command, name string) (*statement.Withdrawal, error) {
	text, err := readAll(cmd, name)
	if err != nil {
		return nil, err
	}
	body, err := statement.Decode(string(bytes.TrimSpace(text))) // nobody signs it, so a newline at its end is fine
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w, ok := body.(*statement.Withdrawal)
	if !ok {
		return nil, fmt.Errorf("%s is a %s, want a withdrawal", name, body.Type())
	}
	return w, nil
}

func explainInput(cmd *cobra.Command, p *policy.Policy, w *statement.Withdrawal, client, history, book string) (policy.Input, error) {
	now := wallTime()
	// The request is judged as if it had just been made.
	w.Expires = max(w.Expires, now.Clock+1)
	in := policy.Input{
		Policy: p, Usage: policy.NewUsage(p), Book: new(policy.Book),
		Request: policy.Request{Client: policy.ClientID(client), Withdrawal: w, Since: now.Time},
	}
	if client == "" {
		clients := p.Document().Clients
		if len(clients) != 1 {
			return in, usagef("the policy has %d clients: say with --client who asks", len(clients))
		}
		in.Request.Client = clients[0].ID
	}
	if c, ok := p.Client(in.Request.Client); ok && len(c.Keys) > 0 {
		in.Request.Key = statement.Key(c.Keys[0])
	}
	if history != "" {
		state, err := foldExport(cmd, history, nil)
		if err != nil {
			return in, err
		}
		in.Book, in.Usage, in.Overlay = state.Book(), state.Usage(), state.Overlay()
		in.Usage.Bind(p)
		now.Time = max(now.Time, state.Last().Time)
	}
	if book != "" {
		b, err := readBook(cmd, book)
		if err != nil {
			return in, err
		}
		in.Book = b
	}
	in.Now = now
	return in, nil
}

// foldExport verifies an export and returns the state that it leads to. An export
// that does not verify is refused: nothing is concluded from it.
func foldExport(cmd *cobra.Command, name string, visit func(journal.Entry, ledger.Body, *ledger.State)) (*ledger.State, error) {
	options, err := auditOptions(cmd, "", "", nil)
	if err != nil {
		return nil, err
	}
	var last *ledger.State
	options.Visit = func(e journal.Entry, body ledger.Body, s *ledger.State) {
		last = s
		if visit != nil {
			visit(e, body, s)
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	report, err := audit.Verify(cmd.Context(), f, options)
	if err != nil {
		return nil, err
	}
	if !report.OK {
		return nil, fmt.Errorf("%s does not verify: %w", name, report.Failure)
	}
	return last, nil
}
