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
// proposal. Until the host uses it, the permission is a proposal that is adopted, and ends as one does: by a veto, by
// another policy, by another permission, after a month.

// A LogKeyPermit is the newest adopted proposal of a log key that was not used yet.
type LogKeyPermit struct {
	Proposal statement.Hash
	New      [32]byte
	From     int64 // policy time at which its time-lock ends, unix milliseconds
}

// LogKeys returns which log key signs the head of which size.
func (s *State) LogKeys() journal.LogKeys { return s.keys }

// LogKeyPermit returns to which log key may be handed over, from when on, nil if to none. Whether the time has come, and
// has not passed, a HandoverInput is judged by.
func (s *State) LogKeyPermit() *LogKeyPermit {
	for _, p := range s.proposals {
		if p.permits() && !s.replaced(p) {
			if key, err := policy.ParseLogKey([]byte(p.Body.Document)); err == nil && !s.keys.Used(key) {
				return &LogKeyPermit{p.Hash, key, p.Effective}
			}
		}
	}
	return nil
}

// permits tells whether it is an adopted proposal of a log key.
func (p *Proposal) permits() bool {
	return p.State == StateAdopted && p.Body.Proposes == statement.ProposeLogKey
}

// replaced tells whether another proposal of a log key was adopted after this one.
func (s *State) replaced(p *Proposal) bool {
	if !p.permits() {
		return false
	}
	for _, other := range s.proposals {
		if other.permits() && other.adopted > p.adopted {
			return true
		}
	}
	return false
}

// permitted returns the proposal that permits handing over to a key now, nil if none does.
func (j *judgement) permitted(next [32]byte) *Proposal {
	permit := j.s.LogKeyPermit()
	if permit == nil || permit.New != next {
		return nil
	}
	p := j.s.proposals[permit.Proposal]
	if policy.JudgeProposal(j.proposalInput(p)).Code != policy.CodePermitted {
		return nil
	}
	return p
}

// handOver writes the entry by which the log key hands over. It is the last of its group, which is for the caller
// to see to; that the proposal has come into force, the next tick says.
func (j *judgement) handOver(in HandoverInput) (Result, error) {
	p := j.permitted(in.New)
	if p == nil {
		return Result{}, fmt.Errorf("%w: no proposal permits now to hand over to the log key %s", ErrInput, journal.FormatLogKey(in.New))
	}
	return Result{Seq: j.write(&LogKey{
		Old: journal.FormatLogKey(j.s.keys.Newest()), New: journal.FormatLogKey(in.New), Proposal: p.Hash,
	})}, nil
}

// applyLogKey changes the key. Every fold demands the permission, not only who judges again: what the log key is
// decides which heads are believed.
func (s *State) applyLogKey(e journal.Entry, b *LogKey) error {
	keys, err := s.keys.After(e)
	if err != nil {
		return err
	}
	j := judgement{s: s, now: policy.Now{Clock: e.Clock, Time: e.Time}}
	if p := j.permitted(keys.Newest()); p == nil || p.Hash != b.Proposal {
		return fmt.Errorf("no proposal permits this log key now")
	}
	s.keys = keys
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
}

func (d *decoder) logKeys() {
	handovers := list(d, func() (h journal.Handover) {
		h.Seq = d.count()
		d.raw(h.Old[:])
		d.raw(h.New[:])
		return h
	})
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
