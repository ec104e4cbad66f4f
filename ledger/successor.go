package ledger

import (
	"errors"
	"fmt"

	"kura/journal"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A successor is the journal that follows one whose token is lost. It knows nothing of what the one before
// it authorised, so it takes the worst for true (docs/decisions/0008-successor-journal.md).

// succeeds tells whether this journal is a successor.
func (s *State) succeeds() bool { return s.genesis != nil && s.genesis.Predecessor != nil }

// Check holds the predecessor's parts together: the checkpoint is one of that journal, under the log key of its size.
func (p *Predecessor) Check() error {
	_, err := p.open()
	return err
}

func (p *Predecessor) open() (journal.Genesis, error) {
	g, err := journal.ParseGenesis(p.Genesis)
	if err != nil {
		return g, err
	}
	keys, err := g.Keys().Learn(p.Handovers)
	if err != nil {
		return g, err
	}
	head, err := keys.Open([]byte(p.Checkpoint))
	if err == nil && head.Size < 2 {
		err = errors.New("the checkpoint is of a journal without a policy")
	}
	return g, err
}

// checkVerdict demands that a director of the predecessor approves this very succession: going on under the
// policy that was in force, after the head that the genesis names. A verdict for the founding of a journal,
// or for another head, is no help to a thief.
func (p *Predecessor) checkVerdict(v *statement.Verdict, first *policy.Policy, now policy.Now) error {
	g, err := p.open()
	if err != nil {
		return err
	}
	head := statement.HashText(p.Checkpoint)
	switch {
	case v.Verdict != statement.Approve || v.Policy != first.Hash() || len(v.About) != 2 || v.About[0] != first.Hash() || v.About[1] != head:
		return fmt.Errorf("is not an approval, under policy %s, of that policy and of the predecessor's checkpoint, whose SHA-256 is %s", first.Hash(), head)
	case v.Journal != Leaf(g.Hash):
		return fmt.Errorf("is for journal %s, want the predecessor, %s", v.Journal, Leaf(g.Hash))
	case v.Expires < now.Clock:
		return fmt.Errorf("expired at %s", statement.FormatTime(v.Expires))
	case v.ID.Born() > now.Clock+statement.MaxAhead:
		// Windows count as full of the founding's time, and the wait begins with it: were that past, both would be
		// over as soon as somebody vouches for the time.
		return fmt.Errorf("was signed at %s, the clock says %s and is behind: set it right first", statement.FormatTime(v.ID.Born()), statement.FormatTime(now.Clock))
	}
	return nil
}

// forgot tells whether there are authorisations that this journal cannot know: those of a predecessor, or of
// entries that it lost.
func (s *State) forgot() bool { return s.succeeds() || len(s.gaps) > 0 }

// OpensAt returns the policy time from which withdrawals are authorised, in unix milliseconds, in a successor and after
// a gap: when nothing that this journal does not know of can be paid any more, by the longest life that any policy can
// give on the wallets' chains. 0: there is nothing that it does not know of. What starts are given without proof, and
// what the machine's count may run ahead by, is waited for in addition.
func (s *State) OpensAt() int64 {
	if !s.forgot() {
		return 0
	}
	wait := s.longestTransaction()
	return s.usage.Filled() + wait + wait/bootRate + startCredit + runLead
}

// longestTransaction is how long after its authorisation a transaction of any wallet may still turn up on its chain, by
// the longest life that any policy can give it.
func (s *State) longestTransaction() (wait int64) {
	for _, w := range s.policy.Document().Wallets {
		if n, err := nem.ParseNetwork(w.Network); err == nil {
			wait = max(wait, nem.MaxLife(n)+settleMargin)
		}
	}
	return wait
}
