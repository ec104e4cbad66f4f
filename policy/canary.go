package policy

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
)

// NewCanary hides an address under a salt, which should be random: what stands
// in tripwires.canaryAddresses.
func NewCanary(salt [16]byte, address string) Canary {
	sum := sha256.Sum256(append(salt[:], address...))
	return Canary{Salt: hex.EncodeToString(salt[:]), Hash: hex.EncodeToString(sum[:])}
}

// canary is a Canary as parsed.
type canary struct {
	salt [16]byte
	hash [32]byte
}

func (c *canary) is(address string) bool {
	sum := sha256.Sum256(append(c.salt[:len(c.salt):len(c.salt)], address...))
	return subtle.ConstantTimeCompare(sum[:], c.hash[:]) == 1
}
