package main

import (
	"fmt"

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
				stops := m.state.Overlay().Stops()
				for _, s := range stops {
					if err := m.showStop(p, s.Hash); err != nil {
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
	s, ok := m.state.Overlay().Find(hash)
	if !ok {
		return fmt.Errorf("the stop %s is not in force", hash)
	}
	p.title("%s", s.Hash)
	p.field("stops", "%s %s %s", s.Action, s.Kind, s.Name)
	p.field("by", "%s at %s", s.By, statement.FormatTime(s.At))
	if s.Until != 0 {
		p.field("until", "%s, when it ends by itself", statement.FormatTime(s.Until))
	}
	if body, ok := m.statement(hash).(*statement.Freeze); ok {
		p.field("reason", "%s", statement.Quote(body.Reason, 512))
	}
	for _, f := range m.state.Freezes() {
		for _, v := range f.Lifts {
			if f.Hash == hash {
				p.field("", "%s wants it lifted", v.By)
			}
		}
	}
	return nil
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
