package ledger

import (
	"fmt"

	"kura/journal"
	"kura/journal/cosign"
)

// vouched takes a moment for true because a quorum of witnesses says that it has passed: each signed its own
// time with a head of this journal (docs/decisions/0010-witnesses-vouch-for-time.md). Fewer than the quorum
// cannot move that moment into the future, and a clock that is turned ahead adds nothing to it. A moment that
// policy time has reached already is no news, and nothing is written: it must not give starts their ten
// minutes again, or old cosignatures would give them for ever.
func (j *judgement) vouched(in VouchedInput) (Result, error) {
	moment, err := j.s.witnessed(in)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	moment = min(moment, j.now.Clock)
	if moment <= j.now.Time {
		return Result{}, fmt.Errorf("%w: the witnesses vouch for nothing later than policy time", ErrInput)
	}
	j.write(&Vouched{
		Checkpoint: string(in.Checkpoint), Witnesses: in.Witnesses, Quorum: in.Quorum,
		Moment: moment, Behind: j.now.Clock - moment,
	})
	return Result{}, nil
}

// witnessed returns the latest moment, in unix milliseconds, that the quorum of these witnesses says has
// passed. The log's own signature is not judged: what counts is the witnesses' word, which names the origin.
func (s *State) witnessed(in VouchedInput) (int64, error) {
	keys := make([]cosign.Key, len(in.Witnesses))
	for i, line := range in.Witnesses {
		var err error
		if keys[i], err = cosign.ParseKey(line); err != nil {
			return 0, err
		}
	}
	if err := cosign.CheckQuorum(keys, in.Quorum); err != nil {
		return 0, err
	}
	if len(in.Checkpoint) > journal.MaxCheckpoint {
		return 0, fmt.Errorf("the checkpoint has %d bytes, at most %d are allowed", len(in.Checkpoint), journal.MaxCheckpoint)
	}
	text, err := cosign.Text(in.Checkpoint)
	if err != nil {
		return 0, err
	}
	head, err := journal.ParseHead(s.genesis.Origin, text)
	if err != nil {
		return 0, fmt.Errorf("the cosigned head is none of this journal: %w", err)
	}
	if head.Size > s.next {
		return 0, fmt.Errorf("the cosigned head has %d entries, the journal %d", head.Size, s.next)
	}
	found, err := cosign.Verify(in.Checkpoint, keys)
	if err != nil {
		return 0, err
	}
	seconds, ok := cosign.Newest(found, in.Quorum)
	if !ok {
		return 0, fmt.Errorf("%d of %d witnesses cosigned it, %d must", len(found), len(keys), in.Quorum)
	}
	if seconds > journal.MaxTime/1000 {
		return 0, fmt.Errorf("the witnesses' time, %d seconds, is past the year 9999", seconds)
	}
	return int64(seconds) * 1000, nil
}

func (s *State) applyVouched(b *Vouched) error {
	if b.Moment <= s.time || b.Moment > s.clock {
		return fmt.Errorf("moment %d is not between policy time and clock", b.Moment)
	}
	s.vouch(b.Moment)
	return nil
}
