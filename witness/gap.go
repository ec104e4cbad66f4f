package witness

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"kura/journal"
	"kura/journal/cosign"
	"kura/journal/gap"
)

// ErrGap is wrapped by every error about a gap that this witness does not go on from.
var ErrGap = errors.New("this witness does not go on from the gap")

// A GapOffer is a gap as this witness sees it, for the person who runs it.
type GapOffer struct {
	gap.Gap
	Time     time.Time    // when the signer journalled it, by its clock
	Last     journal.Head // what this witness cosigned last
	Cosigned time.Time    // and when, by this witness's clock
	Named    bool         // the gap names that very head; otherwise its size lies among those that were lost

	next    journal.Head // what the witness goes on from
	bare    journal.Checkpoint
	keys    journal.LogKeys
	receipt journal.Receipt
}

// ReadGap holds the receipt of a gap's entry to the pinned genesis and to what this witness cosigned. A gap that is
// offered may be accepted; whether the directors want it, and why entries were lost, is for people to find out.
//
// Refused are a gap of which nothing was cosigned here (then the journal extends the head of this witness, or was
// rolled back further than the gap says), one that loses less than was cosigned here, a head that was cosigned after
// the gap, which then proves a rollback, and a gap that was accepted before.
func (w *Witness) ReadGap(r journal.Receipt) (*GapOffer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	offer, err := w.readGap(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGap, err)
	}
	return offer, nil
}

func (w *Witness) readGap(r journal.Receipt) (*GapOffer, error) {
	// What it was told of handovers behind the kept head is lost with the rest.
	e, keys, err := r.VerifyUnder(w.state.keys.Below(r.Index))
	if err != nil {
		return nil, err
	}
	next, bare, err := keys.OpenBare(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	g, err := gap.Read(keys, e, r.Before(next.Size))
	if err != nil {
		return nil, err
	}
	last := w.state.Head
	offer := &GapOffer{Gap: g, Time: time.UnixMilli(e.Clock).UTC(), Last: last, Named: g.Names(last), next: next, bare: bare, keys: keys, receipt: r}
	if slices.Contains(w.state.Gaps, g.About(w.genesis.Origin)) {
		return nil, fmt.Errorf("the gap at entry %d was accepted before: if the journal does not extend the head of size %d, it was rolled back since", g.Seq, last.Size)
	}
	if last.Size == 0 {
		return nil, errors.New("nothing was cosigned yet: none is needed")
	}
	cosigned, err := cosign.Verify(w.state.Checkpoint, []cosign.Key{w.key})
	if err != nil || len(cosigned) != 1 {
		return nil, errors.Join(errors.New("the head that was cosigned last lacks this witness's own line"), err)
	}
	offer.Cosigned = time.Unix(int64(cosigned[0].Seconds), 0).UTC()
	switch {
	case offer.Named:
	case last.Size <= g.Kept.Size:
		return nil, fmt.Errorf("the head of size %d that was cosigned last is not among what was lost, which begins at size %d: if the journal does not extend it, it is no lost tail", last.Size, g.Kept.Size)
	case last.Size >= g.Lost.Size:
		return nil, fmt.Errorf("this witness has cosigned a head of size %d, root %s, which the gap does not name: the newest head that it says was lost has size %d. The directors are to decide about that head, too: kura-signer recover-tail --head", last.Size, last.Root, g.Lost.Size)
	case !offer.Cosigned.Before(offer.Time):
		return nil, fmt.Errorf("the head of size %d was cosigned here at %s, after the gap (%s): it belongs to what followed, and proves a rollback", last.Size, offer.Cosigned.Format(time.RFC3339), offer.Time.Format(time.RFC3339))
	}
	return offer, nil
}

// AcceptGap goes on from the head of the offer's receipt, durably. It is the word of whoever runs this witness, after
// speaking with the directors; nothing that comes over the network leads here.
func (w *Witness) AcceptGap(o *GapOffer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	o, err := w.readGap(o.receipt)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGap, err)
	}
	text, err := cosign.Text(o.bare)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGap, err)
	}
	line, err := cosign.Sign(w.key, w.private, text, uint64(w.now().Unix()))
	if err != nil {
		return err
	}
	return w.state.skip(o, append(o.bare, line...))
}
