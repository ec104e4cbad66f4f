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

// hasher is a Keccak-256 state with the buffers that it reads from and writes
// to: what goes through an interface must be on the heap, and this stays there.
type hasher struct {
	keccak
	in  [256]byte
	out Hash
}

var hashers = sync.Pool{New: func() any { return &hasher{keccak: sha3.NewLegacyKeccak256().(keccak)} }}

// keccak256 hashes public data.
func keccak256(data []byte) Hash {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.Reset()
	for len(data) > 0 {
		n := copy(h.in[:], data)
		h.Write(h.in[:n])
		data = data[n:]
	}
	squeeze(h, h.out[:])
	return h.out
}

// squeeze reads the digest out of the state, in place.
func squeeze(h keccak, digest []byte) {
	if _, err := h.Read(digest); err != nil {
		panic(err) // unreachable: a sponge never runs dry
	}
}

// newKeccak512 is for secrets too: the caller owns the state and Resets it,
// which zeroes it.
func newKeccak512() keccak { return sha3.NewLegacyKeccak512().(keccak) }
