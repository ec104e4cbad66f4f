package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// handoversFileName holds the proofs of the log key's handovers that this home has seen, as GET /v1/log/keys gives
// them: what was learned once is not given up, whoever shows another history later.
const handoversFileName = "handovers.json"

// handovers are those that earlier commands kept; nil if there were none.
func (h *home) handovers() (chain journal.Chain, err error) {
	text, err := os.ReadFile(h.path(handoversFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &chain)
	}
	if err != nil {
		return nil, fmt.Errorf("the kept handovers of the log key: %w", err)
	}
	return chain, nil
}

// logKeys says which log key signs which head, as far as this home has seen.
func (h *home) logKeys() (journal.LogKeys, error) {
	chain, err := h.handovers()
	if err != nil {
		return journal.LogKeys{}, err
	}
	keys, err := h.genesis.Keys().Learn(chain)
	if err != nil {
		return keys, fmt.Errorf("%s: %w", h.path(handoversFileName), err)
	}
	return keys, nil
}

// keepHandovers writes down what the client learned, before anything is kept that rests on it.
func (h *home) keepHandovers(chain journal.Chain) error {
	if len(chain) == 0 {
		return nil
	}
	text, err := json.Marshal(chain)
	if err != nil {
		return err
	}
	temporary := h.path(handoversFileName + ".new")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, h.path(handoversFileName))
}

// newLogKeys prints which log keys the journal had, and how that was proven.
func newLogKeys() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show which log key signs which heads, proven under the pinned genesis line",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				chain := c.Handovers()
				if out != "" {
					text, err := json.Marshal(append(journal.Chain{}, chain...))
					if err != nil {
						return err
					}
					if err := os.WriteFile(out, append(text, '\n'), 0o600); err != nil {
						return err
					}
				}
				p := newPage(cmd.OutOrStdout())
				from := uint64(1)
				for _, h := range m.state.LogKeys().Handovers() {
					p.field("heads", "%d to %d: %s", from, h.Seq+1, journal.FormatLogKey(h.Old))
					from = h.Seq + 2
				}
				p.field("heads", "from %d on: %s", from, journal.FormatLogKey(m.state.LogKeys().Newest()))
				if permit := m.state.LogKeyPermit(); permit != nil {
					p.field("permitted", "%s next, from %s on, by the proposal %s", journal.FormatLogKey(permit.New), statement.FormatTime(permit.From), permit.Proposal)
				}
				return p.flush()
			}))
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write the proofs of the handovers to a file, for who pins the genesis line")
	return cmd
}

// newLogProposeKey proposes the log key that the host's token has made.
func newLogProposeKey() *cobra.Command {
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "propose-key KEY --reason TEXT",
		Short: "Propose the next log key, as kura-signer rotate log-key printed it",
		Long: `Propose the log key that is to follow the one in force. Read KEY from the signer's
host yourself: a key that its token does not hold is never handed over to, and only
costs the time until another proposal takes its place.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := journal.ParseLogKey(args[0])
			if err != nil {
				return usagef("%w", err)
			}
			return failure(withMirror(cmd, func(c *connection, m *mirror) error {
				return c.propose(cmd, m, logKeyProposal(key, reason), asJSON)
			}))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who approve")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func logKeyProposal(key [32]byte, reason string) statement.Proposal {
	return statement.Proposal{Proposes: statement.ProposeLogKey, Document: policy.LogKeyText(key), Reason: reason}
}

func newLogApproveKey() *cobra.Command {
	return newShownVerdict(shownVerdict{
		use: "approve-key HASH", short: "Approve a proposal of the next log key",
		long: `Approve handing the log key over to exactly the key that is shown. Compare it with
what the signer's host prints: that is what the approval is for.`,
		kind: statement.Approve, find: findProposal, show: (*mirror).showProposal,
	})
}

// showLogKey says which key would follow which.
func (m *mirror) showLogKey(page *page, document string) error {
	key, err := policy.ParseLogKey([]byte(document))
	if err != nil {
		return fmt.Errorf("the proposed log key: %w", err)
	}
	page.field("log key now", "%s", journal.FormatLogKey(m.state.LogKeys().Newest()))
	page.field("to follow", "%s", journal.FormatLogKey(key))
	page.field("", "the host can hand over to this key only, once, when its token holds it; compare it with what kura-signer rotate log-key prints there")
	return nil
}
