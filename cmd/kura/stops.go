package main

import (
	"github.com/spf13/cobra"

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
					p.title("%s", s.Hash)
					p.field("", "%s %s %s, by %s at %s", s.Action, s.Kind, s.Name, s.By, statement.FormatTime(s.At))
					if s.Until != 0 {
						p.field("", "ends by itself at %s", statement.FormatTime(s.Until))
					}
				}
				for _, f := range m.state.Freezes() {
					for _, v := range f.Lifts {
						p.field("lift", "%s wants %s lifted", v.By, f.Hash)
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
