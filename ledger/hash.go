package ledger

import (
	"crypto/sha256"

	"kura/statement"
)

// Hash is a SHA-256 over everything that the state holds, in the form in which a snapshot writes it (see
// Snapshot). Two folds of the same entries have the same hash on every machine; it takes time in proportion
// to what is remembered.
func (s *State) Hash() statement.Hash {
	sum := sha256.New()
	if err := s.encode(sum); err != nil {
		// Only a state that no fold leads to cannot be written. It must not look like any other.
		sum.Write([]byte(err.Error()))
	}
	return statement.Hash(sum.Sum(nil))
}
