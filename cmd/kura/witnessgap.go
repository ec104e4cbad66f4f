package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"kura/journal"
	"kura/statement"
	"kura/witness"
)

// maxReceipts bounds a file of receipts: there are as many of them as the journal has gaps.
const maxReceipts = 16 << 20

// newWitnessGap is the word of whoever runs a witness: the journal may go on without what this witness cosigned.
func newWitnessGap() *cobra.Command {
	var config, receipt, confirmed string
	cmd := &cobra.Command{
		Use:   "gap --config FILE --receipt FILE",
		Short: "Go on after entries that the journal lost (while the witness is not running)",
		Long: `The journal lost entries whose head this witness has cosigned, and its directors have
decided to go on without them. The witness refuses until you accept that here.

--receipt is the answer of GET /v1/log/gaps, or one receipt of it. It proves that the
gap is in the journal and which keys approved it, not whose keys they are, nor that
nobody rolled the journal back on purpose. Speak with the directors, by a way of your
own, before you accept: compare the hash and the fingerprints of their keys.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := readWitnessFile(config)
			if err != nil {
				return usageError(err)
			}
			text, err := readBounded(receipt, maxReceipts)
			if err != nil {
				return usageError(err)
			}
			w, err := f.open()
			if err != nil {
				return err
			}
			defer w.Close()
			offer, err := offeredGap(w, text)
			if err != nil {
				return withExit(exitNotProven, err)
			}
			about := offer.About(f.origin())
			p := newPage(cmd.ErrOrStderr())
			showOffer(p, offer, about)
			if err := p.flush(); err != nil {
				return err
			}
			if err := confirmHash(cmd, statement.Approve, about, confirmed); err != nil {
				return err
			}
			if err := w.AcceptGap(offer); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "goes on after the gap at entry %d\n", offer.Seq)
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "witness.toml", "configuration of the witness")
	cmd.Flags().StringVar(&receipt, "receipt", "", "the receipt of the gap's entry")
	cmd.Flags().StringVar(&confirmed, "confirm", "", "the first eight characters of the gap's hash")
	return cmd
}

func (f witnessFile) origin() string {
	g, _ := journal.ParseGenesis(f.Genesis) // open has read it
	return g.Origin
}

// offeredGap finds the gap that this witness can go on from: in one receipt, or in the gateway's list of them.
func offeredGap(w *witness.Witness, text []byte) (*witness.GapOffer, error) {
	var list struct {
		Gaps []journal.Receipt `json:"gaps"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(text), &list, json.RejectUnknownMembers(true)); err != nil {
		var one journal.Receipt
		if json.Unmarshal(bytes.TrimSpace(text), &one) != nil {
			return nil, fmt.Errorf("neither a receipt nor a list of them: %w", err)
		}
		list.Gaps = []journal.Receipt{one}
	}
	refused := errors.New("the list has no gap")
	for _, r := range list.Gaps {
		offer, err := w.ReadGap(r)
		if err == nil {
			return offer, nil
		}
		refused = err
	}
	return nil, refused
}

// showOffer says what accepting a gap means.
func showOffer(p *page, o *witness.GapOffer, about statement.Hash) {
	p.title("THE JOURNAL LOST ENTRIES THAT THIS WITNESS HAS COSIGNED")
	showHeads(p, o.Gap)
	p.field("hash", "%s", about)
	p.field("gap", "entry %d, written %s by the signer's clock", o.Seq, o.Time.Format(time.RFC3339))
	p.field("cosigned", "size %d, root %s, here at %s", o.Last.Size, o.Last.Root, o.Cosigned.Format(time.RFC3339))
	if !o.Named {
		p.field("", "NOT NAMED by the gap: its size lies between, and it was cosigned before the gap. Ask the directors why nobody asked this witness")
	}
	for _, a := range o.Approvals {
		p.field("approved by", "%s, until %s", a.Key.Fingerprint(), statement.FormatTime(a.Expires))
	}
	p.blank()
	p.line("If you accept: this witness cosigns what follows the gap, and nothing of what was lost. That is your decision, and only the " +
		"directors can tell you whether it is theirs.")
}
