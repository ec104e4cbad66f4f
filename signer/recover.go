package signer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"kura/journal"
	"kura/journal/cosign"
	"kura/journal/gap"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

// A LostTail is what is known of entries that the journal lost: the signed heads that prove them.
type LostTail struct {
	Kept, Lost HeldHead
	Between    []HeldHead  // smaller heads that were lost with it, the largest first
	Policy     policy.Hash // in force at the kept head
	Last       policy.Now  // times of the last entry that was kept
	// Until is proposed to the directors: the latest time, in unix milliseconds, that this clock, the kept entries and
	// the cosignatures on the heads that were lost know of. If the clock of the lost entries was ahead of all these,
	// only people know.
	Until int64
}

// A HeldHead is a signed head and who holds it.
type HeldHead struct {
	journal.Head
	Checkpoint journal.Checkpoint
	Holder     string
}

// Heads returns the heads alone.
func (t *LostTail) Heads() gap.Gap {
	g := gap.Gap{Seq: t.Kept.Size, Kept: t.Kept.Head, Lost: t.Lost.Head, Until: t.Until}
	for _, h := range t.Between {
		g.Between = append(g.Between, h.Head)
	}
	return g
}

// Question is what the directors are asked about it.
func (t *LostTail) Question(g journal.Genesis) gap.Question {
	q := gap.Question{Genesis: g, Kept: t.Kept.Checkpoint, Lost: t.Lost.Checkpoint, Until: t.Until, Policy: t.Policy}
	for _, h := range t.Between {
		q.Between = append(q.Between, h.Checkpoint)
	}
	return q
}

// names tells whether the tail's entry will name a head.
func (t *LostTail) names(h journal.Head) bool {
	return t != nil && t.Heads().Names(h)
}

func (t *LostTail) input(verdicts []statement.Envelope) ledger.GapInput {
	b := ledger.Gap{Kept: string(t.Kept.Checkpoint), Lost: string(t.Lost.Checkpoint), Between: []string{}, Until: t.Until, Verdicts: []gap.Envelope{}}
	for _, h := range t.Between {
		b.Between = append(b.Between, string(h.Checkpoint))
	}
	for _, v := range verdicts {
		b.Verdicts = append(b.Verdicts, gap.Envelope(v))
	}
	return ledger.GapInput{Gap: b}
}

// A Recovery looks for a lost tail, and goes on after it, while no signer runs on the journal.
type Recovery struct {
	Config // genesis, store, anchors, witnesses' newest head, token, clock, version
	// More are signed heads that others hold: witnesses, the other signers of the journal. Their Head is not read.
	More []HeldHead
	// Until is a later time than those that a LostTail proposes from, in unix milliseconds: somebody knows that the
	// clock of the lost entries was ahead.
	Until int64
	// Joining says that an anchor may hold nothing: several signers share the journal, and it was never filled on this
	// host, or somebody says that it was lost.
	Joining bool

	log     *journal.Log
	state   *ledger.State
	tail    *LostTail
	looking bool // heads that are not extended are what is looked for
}

// Find opens the journal and returns what it lost, nil if it extends every head or says itself that it goes on
// without it. Nothing is written.
func (r *Recovery) Find(ctx context.Context) (*LostTail, error) {
	anchors := slices.Clone(r.Anchors)
	if r.TokenAnchor != nil {
		anchors = append(anchors, r.TokenAnchor)
	}
	r.state, r.looking = ledger.NewState(), true
	var err error
	r.log, err = journal.Open(ctx, journal.Config{
		Genesis: r.Genesis, Store: r.Store, Sign: signHead(r.Token), Anchors: anchors, Joining: r.Joining,
		Visit: func(e journal.Entry, _ []byte) error { return r.state.Apply(e) },
		Lost:  func(h journal.Head) bool { return r.looking || r.state.Lost(h) || r.tail.names(h) },
	})
	if err != nil {
		return nil, err
	}
	r.looking = false
	if genesis, _ := r.state.Genesis(); genesis == nil || r.state.PolicyInForce() == nil || genesis.Clock != r.Clock.Kind() {
		return nil, fmt.Errorf("the journal has no policy, or lives by another clock than this program, whose is %s", r.Clock.Kind())
	}
	if r.Witnesses.Newest != nil {
		anchors = append(anchors, r.Witnesses.Newest)
	}
	held := slices.Clone(r.More)
	for _, a := range anchors {
		c, err := a.Load(ctx)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", a.Name(), err)
		}
		if c != nil {
			held = append(held, HeldHead{Checkpoint: c, Holder: a.Name()})
		}
	}
	lost, err := r.notExtended(ctx, held)
	if err != nil || len(lost) == 0 {
		return nil, err
	}
	head, checkpoint := r.log.Written()
	kept := HeldHead{head, checkpoint, "the journal"}
	tail := &LostTail{Kept: kept, Lost: lost[0], Between: lost[1:], Policy: r.state.PolicyInForce().Hash(), Last: r.state.Last()}
	for i, h := range tail.Between {
		switch {
		case h.Size == lost[i].Size:
			return nil, fmt.Errorf("%s and %s hold signed heads of size %d that disagree (roots %s and %s): that is no lost tail, the journal had two leaders", lost[i].Holder, h.Holder, h.Size, lost[i].Root, h.Root)
		case h.Size <= kept.Size:
			return nil, fmt.Errorf("%s holds a signed head of size %d that the journal of size %d does not lead to, and others hold larger ones: that is no lost tail, the journal was replaced", h.Holder, h.Size, kept.Size)
		}
	}
	if tail.Until, err = r.until(held); err != nil {
		return nil, err
	}
	r.tail = tail
	return tail, nil
}

// until is the latest time that anything which is known here speaks of.
func (r *Recovery) until(held []HeldHead) (int64, error) {
	clock, _ := r.Clock.Now()
	last := r.state.Last()
	until := max(clock, last.Clock, last.Time, r.Until)
	for _, h := range held {
		cosigned, err := cosign.Verify(h.Checkpoint, r.Witnesses.Keys)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", h.Holder, err)
		}
		for _, c := range cosigned {
			until = max(until, (int64(min(c.Seconds, math.MaxInt32*1000))+1)*1000)
		}
	}
	return until, nil
}

// notExtended returns the heads that the journal does not lead to, the largest first, each once.
func (r *Recovery) notExtended(ctx context.Context, held []HeldHead) ([]HeldHead, error) {
	var lost []HeldHead
	for _, h := range held {
		err := r.log.CheckExtends(ctx, h.Holder, h.Checkpoint)
		if rollback, ok := errors.AsType[*journal.RollbackError](err); ok {
			if _, err := r.log.Keys().Open(h.Checkpoint); err != nil {
				return nil, fmt.Errorf("%s: %w: if the entries that are lost handed the log key over, the journal cannot be gone on with, and a successor is left (kura-signer restore)", h.Holder, err)
			}
			h.Head = rollback.Anchored
			lost = append(lost, h)
		} else if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(lost, func(a, b HeldHead) int {
		// Of two copies of one head the one with more cosignatures.
		return cmp.Or(cmp.Compare(b.Size, a.Size), bytes.Compare(a.Root[:], b.Root[:]), cmp.Compare(len(b.Checkpoint), len(a.Checkpoint)))
	})
	return slices.CompactFunc(lost, func(a, b HeldHead) bool { return a.Head == b.Head }), nil
}

// GoOn journals the gap that the directors were asked about and that their verdicts allow, behind it a start, in one
// group, and moves the anchors. It follows a Find that found something. Interrupted at any point, Find and, if that finds nothing, Finish complete it.
func (r *Recovery) GoOn(ctx context.Context, question []byte, verdicts []statement.Envelope) error {
	_, asked, err := gap.ParseQuestion(r.log.Keys(), question)
	if err != nil {
		return err
	}
	// What they say of the clock is theirs; the heads are what is found now.
	r.tail.Until = asked.Until
	if found := r.tail.Heads(); found.About(r.Genesis.Origin) != asked.About(r.Genesis.Origin) {
		return fmt.Errorf("the directors were asked about other heads than are found lost now: they are to be asked again, about\n%s", found.Text(r.Genesis.Origin))
	}
	clock, boot := r.Clock.Now()
	entries, err := judged(r.state, r.tail.input(verdicts), policy.Now{Clock: clock, Time: r.state.Last().Time})
	if err != nil {
		return err
	}
	start := ledger.StartInput{Version: r.Version, BootID: r.Clock.BootID(), Boot: boot}
	started, err := judged(r.state, start, policy.Now{Clock: clock, Time: r.state.StartTime(start, clock)})
	if err != nil {
		return err
	}
	_, err = r.log.Append(ctx, append(entries, started...))
	return err
}

// Finish moves the anchors to the journal's head, which a GoOn that was interrupted may not have done.
func (r *Recovery) Finish(ctx context.Context) error { return r.log.MoveAnchors(ctx) }

// Kept returns the newest head of the journal that Find opened.
func (r *Recovery) Kept() journal.Head {
	head, _ := r.log.Written()
	return head
}

// Gaps returns the gaps that the journal has.
func (r *Recovery) Gaps() []ledger.GapRecord { return r.state.Gaps() }

// OpensAt is the policy time from which withdrawals are authorised again, in unix milliseconds.
func (r *Recovery) OpensAt() int64 { return r.state.OpensAt() }
