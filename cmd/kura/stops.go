package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kura/ledger"
	"kura/statement"
)

func newStops() *cobra.Command {
	return &cobra.Command{
		Use:   "stops",
		Short: "List what is frozen, suspended or lowered, and who wants it lifted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error {
				p := newPage(cmd.OutOrStdout())
				stops := m.state.Freezes()
				for _, f := range stops {
					if err := m.showStop(p, f.Hash); err != nil {
						return err
					}
				}
				if len(stops) == 0 {
					p.line("Nothing is stopped.")
				}
				return p.flush()
			}))
		},
	}
}

// showStop says what is stopped, by whom, and who wants it lifted.
func (m *mirror) showStop(p *page, hash statement.Hash) error {
	i := slices.IndexFunc(m.state.Freezes(), func(f *ledger.Freeze) bool { return f.Hash == hash })
	if i < 0 {
		return fmt.Errorf("the stop %s is not in force", hash)
	}
	f := m.state.Freezes()[i]
	p.title("%s", f.Hash)
	if f.Wallet != "" {
		m.showSuspendedKey(p, f)
	} else if s, ok := m.state.Overlay().Find(hash); ok {
		p.field("stops", "%s %s", s.Action, strings.TrimSpace(string(s.Kind)+" "+s.Name))
		if s.Action == statement.ActionLower {
			p.field("to", "%s", m.state.PolicyInForce().ShowLimit(s.Name, s.Amount))
		}
		p.field("by", "%s at %s", s.By, statement.FormatTime(s.At))
		if s.Until != 0 {
			p.field("until", "%s, when it ends by itself", statement.FormatTime(s.Until))
		}
	}
	if body, ok := m.statement(hash).(*statement.Freeze); ok {
		p.field("reason", "%s", statement.Quote(body.Reason, 512))
	} else if e := m.entries[f.StatementSeq]; e.Kind == ledger.KindStop {
		body, err := ledger.DecodeBody(e.Kind, e.Body)
		if s, ok := body.(*ledger.Stop); err == nil && ok && s.Reason != "" {
			p.field("reason", "%s", statement.Quote(s.Reason, 512))
		}
	}
	for _, v := range f.Lifts {
		p.field("", "%s wants it lifted", v.By)
	}
	return nil
}

// showSuspendedKey says which key the host took out of service, as the entry that did it has it.
func (m *mirror) showSuspendedKey(p *page, f *ledger.Freeze) {
	p.field("stops", "suspend the key of wallet %s", f.Wallet)
	e := m.entries[f.StatementSeq]
	p.field("by", "host at %s", statement.FormatTime(e.Time))
	body, err := ledger.DecodeBody(e.Kind, e.Body)
	if s, ok := body.(*ledger.WalletState); err == nil && ok {
		p.field("reason", "%s", statement.Quote(s.Reason, 512))
	}
}

// statement finds a statement in the verified journal by its hash; nil if it is
// not there (a stop of the host or of a tripwire has none).
func (m *mirror) statement(hash statement.Hash) statement.Body {
	for _, e := range m.entries {
		if e.Kind != ledger.KindStatement {
			continue
		}
		body, err := ledger.DecodeBody(e.Kind, e.Body)
		if err != nil {
			return nil
		}
		if s, ok := body.(*ledger.Statement); ok && s.Hash == hash {
			decoded, err := statement.Decode(s.Statement)
			if err != nil {
				return nil
			}
			return decoded
		}
	}
	return nil
}
