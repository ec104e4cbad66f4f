package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"kura/journal"
	"kura/journal/gap"
	"kura/signer/rpc"
	"kura/statement"
)

// A Gap is a place where the journal lost entries and goes on without them. It is proven as far as the genesis line
// can: the entry is in the journal, the log key signed both heads, and every approval is about exactly this gap. Whose
// keys approved, only a reader of the whole journal knows.
type Gap struct {
	gap.Gap
	Clock int64 // of its entry, unix milliseconds

	under journal.Head // the head that its receipt leads to
}

// A LostTail says why the journal does not extend a head that the caller kept: it lost entries, and goes on without
// them by a gap. It is no head to go on from silently: a person reads what was lost, asks the directors whether that
// was their decision, and keeps Newest in the place of the lost one. What the caller asked for in the lost entries is
// looked up on its chain; the same text is never paid.
type LostTail struct {
	Gap  Gap
	Kept journal.Head // what the caller kept
	// Named says that the gap names that very head. Otherwise its size only lies among those that were lost: if the
	// caller kept it after the gap (Gap.Clock), the journal was rolled back since, and the gap is no excuse.
	Named  bool
	Newest journal.Checkpoint // what the journal shows now, proven to hold the gap
	Head   journal.Head
}

func (e *LostTail) Error() string {
	var keys []string
	for _, a := range e.Gap.Approvals {
		keys = append(keys, a.Key.Fingerprint())
	}
	text := fmt.Sprintf("the journal lost entries: it had a signed head of size %d, and goes on after size %d by the directors' gap of %s (entry %d, approved by %s)",
		e.Gap.Lost.Size, e.Gap.Kept.Size, statement.FormatTime(e.Gap.Clock), e.Gap.Seq, strings.Join(keys, ", "))
	if !e.Named {
		text += fmt.Sprintf("; the kept head of size %d is not named by it: kept after that time, it proves a rollback", e.Kept.Size)
	}
	return text
}

// Gaps fetches the places where the journal lost entries, oldest first, and verifies each. The error is a
// *Contradiction when one does not hold.
func (c *Client) Gaps(ctx context.Context) ([]Gap, error) {
	var told rpc.Gaps
	if err := c.read(ctx, "/v1/log/gaps", &told, http.StatusOK); err != nil {
		return nil, err
	}
	var all []Gap
	for _, one := range told.Gaps {
		g, err := c.openGap(one)
		if err != nil {
			return nil, &Contradiction{fmt.Errorf("a gap that the server shows: %w", err)}
		}
		all = append(all, g)
	}
	return all, nil
}

func (c *Client) openGap(told rpc.Receipt) (Gap, error) {
	r, err := receiptOf(told)
	if err != nil {
		return Gap{}, err
	}
	// What was seen of handovers behind the kept head is lost with the rest.
	e, keys, err := r.VerifyUnder(c.logKeys().Below(r.Index))
	if err != nil {
		return Gap{}, err
	}
	under, err := keys.Open(r.Checkpoint)
	if err != nil {
		return Gap{}, err
	}
	g, err := gap.Read(keys, e, r.Before(under.Size))
	return Gap{Gap: g, Clock: e.Clock, under: under}, err
}

// explain looks for a gap that is why the journal does not extend a checkpoint that was kept. It returns the error that
// it was given if there is none.
func (c *Client) explain(ctx context.Context, last journal.Checkpoint, newest journal.Checkpoint, head journal.Head, err error) error {
	if _, ok := errors.AsType[*Contradiction](err); !ok {
		return err
	}
	gaps, gapErr := c.Gaps(ctx)
	if gapErr != nil {
		return errors.Join(err, gapErr)
	}
	for _, g := range gaps {
		// What was lost is older than every handover behind the gap, whatever its size.
		old, err := c.logKeys().Below(g.Seq).Open(last)
		if err != nil || !g.Spans(old) {
			continue
		}
		// The receipt's head and the newest one must be of one history: the one with the gap.
		older, newer := g.under, head
		if older.Size > newer.Size {
			older, newer = newer, older
		}
		if head.Size <= g.Seq || c.CheckConsistency(ctx, older, newer) != nil {
			continue
		}
		return &LostTail{Gap: g, Kept: old, Named: g.Names(old), Newest: newest, Head: head}
	}
	return err
}
