package postgres

import "time"

// Hasten has the store wait no longer than this for answers that do not come, and for a ping's.
func (s *Store) Hasten(d, ping time.Duration) { s.patience = patience{batch: d, ping: ping, turn: d} }
