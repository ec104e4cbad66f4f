package audit

import (
	"context"
	"fmt"

	"kura/journal"
)

// Notes about the journal before a successor.
const (
	NoteSuccessor = "this journal follows another one whose token was lost, and the export of that one was not given: whether it ended where, and under the policy that, the genesis says was not checked"
	noteBeyond    = "the journal before this one goes on for %d entries after the head that the genesis names: what they authorised is covered by the full windows and the wait, and what they changed is not in force here"
)

// predecessor holds a successor to the journal that it follows.
func (v *verifier) predecessor(ctx context.Context) error {
	genesis, _ := v.state.Genesis()
	switch {
	case genesis == nil || genesis.Predecessor == nil:
		if v.before != nil {
			return &Failure{Code: FailPredecessor, Reason: "the genesis names no journal before this one"}
		}
		return nil
	case v.before == nil:
		v.report.Notes = append(v.report.Notes, NoteSuccessor)
		return nil
	}
	named := genesis.Predecessor
	last := journal.Checkpoint(named.Checkpoint)
	old, err := Verify(ctx, v.before, Options{Genesis: named.Genesis, From: last})
	if err != nil {
		return fmt.Errorf("the predecessor: %w", err)
	}
	if !old.OK {
		return &Failure{Code: FailPredecessor, Reason: "the journal before this one: " + old.Failure.Error()}
	}
	if old.PolicyHash != genesis.Policy.String() {
		return &Failure{Code: FailPredecessor, Reason: fmt.Sprintf("it goes on under policy %s, the journal before it ended under %s", genesis.Policy, old.PolicyHash)}
	}
	if beyond := old.Size - old.From; beyond > 0 {
		v.report.Notes = append(v.report.Notes, fmt.Sprintf(noteBeyond, beyond))
	}
	return nil
}
