package nem

import (
	"hash"
	"sync"

	"golang.org/x/crypto/sha3"
)

// keccak is the original Keccak (padding byte 0x01) that NIS1 uses everywhere
// and calls SHA3; it is not the SHA3 of FIPS 202. Read squeezes the digest out
// of the state in place, where Sum would first copy the state to the heap.
type keccak interface {
	hash.Hash
	Read([]byte) (int, error)
}

var keccak256Pool = sync.Pool{New: func() any { return sha3.NewLegacyKeccak256() }}

// keccak256 hashes public data.
func keccak256(data []byte) (sum Hash) {
	h := keccak256Pool.Get().(keccak)
	h.Reset()
	h.Write(data)
	h.Read(sum[:])
	keccak256Pool.Put(h)
	return sum
}

// newKeccak512 is for secrets too: the caller owns the state and Resets it,
// which zeroes it.
func newKeccak512() keccak { return sha3.NewLegacyKeccak512().(keccak) }
