package signer

import (
	"context"

	"kura/signer/rpc"
)

// rollbackUnbounded is how far a rollback goes unnoticed while no witness elsewhere keeps the newest head.
const rollbackUnbounded = "rollback of this host: unbounded (no witness elsewhere keeps the newest head)"

// Ready implements rpc.Gateway and rpc.Admin.
func (s *Signer) Ready(context.Context) (rpc.Ready, error) {
	head := s.journal.Head()
	s.mu.RLock()
	policyHash := s.state.PolicyInForce().Hash()
	_, frozen := s.state.Overlay().Frozen("")
	s.mu.RUnlock()
	if frozen {
		s.conditions.set(conditionFrozen, "", "a freeze of everything is in force", false)
	} else {
		s.conditions.clear("", conditionFrozen)
	}
	_, stops := s.conditions.stop()
	return rpc.Ready{
		Ready: !stops, Role: "signer", Reasons: s.conditions.list(), Size: head.Size, Root: head.Root.String(),
		Policy: policyHash.String(), Rollback: rollbackUnbounded, Clock: s.clock.Kind(),
	}, nil
}
