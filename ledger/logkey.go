package ledger

import (
	"fmt"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// The log key is handed over in two steps (docs/decisions/0009-log-key-rotation.md): a quorum permits it to one
// key that the proposal names, and only then the host hands over to the key that its token holds. A key that was
// mistyped in a proposal is held by no token, so it never comes to sign anything, and can be replaced by another
// proposal.

// A LogKeyPermit is what a proposal that came into force permits, until it is used or another one takes its
// place.
type LogKeyPermit struct {
	Proposal statement.Hash
	New      [32]byte
}

// LogKeys returns which log key signs the head of which size.
func (s *State) LogKeys() journal.LogKeys { return s.keys }

// LogKeyPermit returns to which log key may be handed over, nil if to none.
func (s *State) LogKeyPermit() *LogKeyPermit { return s.permit }

// handOver writes the entry by which the log key hands over. It is the last of its group, which is for the caller
// to see to, so nothing else follows from it.
func (j *judgement) handOver(in HandoverInput) (Result, error) {
	if j.s.permit == nil || j.s.permit.New != in.New {
		return Result{}, fmt.Errorf("%w: no proposal in force permits handing over to the log key %s", ErrInput, journal.FormatLogKey(in.New))
	}
	return Result{Seq: j.write(&LogKey{
		Old: journal.FormatLogKey(j.s.keys.Newest()), New: journal.FormatLogKey(in.New), Proposal: j.s.permit.Proposal,
	})}, nil
}

// applyLogKey changes the key. Every fold demands the permission, not only who judges again: what the log key is
// decides which heads are believed.
func (s *State) applyLogKey(e journal.Entry, b *LogKey) error {
	keys, err := s.keys.After(e)
	if err != nil {
		return err
	}
	if s.permit == nil || s.permit.New != keys.Newest() || s.permit.Proposal != b.Proposal {
		return fmt.Errorf("no proposal in force permits this log key")
	}
	s.keys, s.permit = keys, nil
	return nil
}

// permitLogKey takes note of what a proposal permits from here on.
func (s *State) permitLogKey(p *Proposal) error {
	next, err := policy.ParseLogKey([]byte(p.Body.Document))
	if err != nil {
		return err
	}
	s.permit = &LogKeyPermit{Proposal: p.Hash, New: next}
	return nil
}

func (e *encoder) logKeys(s *State) {
	handovers := s.keys.Handovers()
	e.count(uint64(len(handovers)))
	for _, h := range handovers {
		e.count(h.Seq)
		e.raw(h.Old[:])
		e.raw(h.New[:])
	}
	e.flag(s.permit != nil)
	if s.permit != nil {
		e.raw(s.permit.Proposal[:])
		e.raw(s.permit.New[:])
	}
}

func (d *decoder) logKeys() {
	handovers := list(d, func() (h journal.Handover) {
		h.Seq = d.count()
		d.raw(h.Old[:])
		d.raw(h.New[:])
		return h
	})
	if d.flag() {
		d.s.permit = &LogKeyPermit{Proposal: d.hash()}
		d.raw(d.s.permit.New[:])
	}
	if d.err != nil || d.s.genesis == nil {
		return
	}
	line, err := d.s.genesis.Line(journal.Hash(d.s.journal))
	if err != nil {
		d.keep(err)
		return
	}
	d.s.keys, err = line.Keys().WithAll(handovers)
	d.keep(err)
}
