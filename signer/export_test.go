package signer

import (
	"context"

	"kura/statement"
)

// Halt ends this run as a journal that proves forked, rolled back or altered does.
func (s *Signer) Halt(code, detail string) { s.halt(code, detail) }

// ProdToken has the token asked now how it is, and not at the next of its times.
func (s *Signer) ProdToken() { s.prodToken() }

// SignAgain is a worker's turn with an authorisation.
func (s *Signer) SignAgain(ctx context.Context, about statement.Hash) {
	s.mu.RLock()
	r, ok := s.state.RequestByStatement(about)
	s.mu.RUnlock()
	if ok {
		s.signOne(ctx, newJob(r))
	}
}

// Waiting is how many inputs wait for the sequencer.
func (s *Signer) Waiting() int { return len(s.intake) }
