package signer

import (
	"context"

	"kura/signer/rpc"
)

// Limits implements rpc.Gateway.
func (s *Signer) Limits(_ context.Context, bearer string) ([]rpc.Limit, error) {
	if _, err := s.reader(bearer); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := []rpc.Limit{}
	for _, l := range s.state.PolicyInForce().Document().Limits {
		all = append(all, rpc.Limit{ID: l.ID, Max: l.Max.String(), Window: int64(l.Window), Always: l.Always})
	}
	return all, nil
}
