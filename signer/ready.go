package signer

import (
	"context"
	"fmt"

	"kura/ledger"
	"kura/signer/rpc"
	"kura/statement"
)

// Roles of a signer.
const (
	roleLeader  = "leader"
	roleStandby = "standby"
)

// rollbackUnbounded is how far a rollback goes unnoticed while no witness elsewhere keeps the newest head.
const rollbackUnbounded = "rollback of this host: unbounded (no witness elsewhere keeps the newest head)"

// rollbackBehind is the same where witnesses cosign behind the answers.
const rollbackBehind = "rollback of this host: unbounded (witnesses cosign behind the answers: cosign_before_release = false)"

// rollback says how far a rollback of this host could go unnoticed, when a quorum has cosigned a head of this size
// since the start. Where the witnesses cosign first, their silence stops what leaves: it bounds as much as their word.
func (c *cosigning) rollback(cosigned uint64) string {
	n := c.answering()
	answer := fmt.Sprintf("%d of %d witnesses answer, %d must", n, len(c.Keys), c.Quorum)
	switch {
	case !c.BeforeRelease && n < c.Quorum:
		return rollbackUnbounded
	case !c.BeforeRelease:
		return rollbackBehind
	case cosigned == 0:
		return "nothing leaves before a quorum of witnesses has cosigned the journal's head: " + answer
	case n < c.Quorum:
		return fmt.Sprintf("a rollback below size %d is found, and nothing new leaves: %s", cosigned, answer)
	}
	return fmt.Sprintf("a rollback below size %d is found: %s", cosigned, answer)
}

// Ready implements rpc.Gateway and rpc.Admin.
func (s *Signer) Ready(context.Context) (rpc.Ready, error) {
	head := s.journal.Head()
	if s.lease != nil && s.waits.Load() {
		head, _ = s.journal.Written() // how far it follows; its own anchors stay where they are until it leads
	}
	s.mu.RLock()
	policyHash := s.state.PolicyInForce().Hash()
	frozen := s.frozen("")
	opens := s.state.OpensAt()
	waits, why := s.state.PolicyTime(s.clock.Now()) < opens, s.state.WaitsFor()
	s.mu.RUnlock()
	if waits {
		s.conditions.set(why, "", explain("", why)+"; withdrawals are denied until "+statement.FormatTime(opens), false)
	} else {
		s.conditions.clear("", ledger.CodePredecessorAlive, ledger.CodeTailAlive)
	}
	if frozen {
		s.conditions.set(conditionFrozen, "", "a freeze of everything is in force", false)
	} else {
		s.conditions.clear("", conditionFrozen)
	}
	_, stops := s.conditions.stop()
	ready := rpc.Ready{
		Ready: !stops, Role: s.role(), Reasons: s.conditions.list(), Size: head.Size, Root: head.Root.String(),
		Policy: policyHash.String(), Rollback: rollbackUnbounded, Clock: s.clock.Kind(), Genesis: s.journal.Genesis().String(),
	}
	if s.cosigning == nil {
		return ready, nil
	}
	ready.Cosigned, ready.Witnesses = s.cosigning.best().Size, s.cosigning.list()
	ready.Rollback = s.cosigning.rollback(ready.Cosigned)
	return ready, nil
}

// role is standby for a signer that waits for another one's end. A signer whose lease may be gone is no leader either.
func (s *Signer) role() string {
	if s.lease != nil && !s.lease.Held() {
		return roleStandby
	}
	return roleLeader
}
