package nem

import (
	"fmt"
	"runtime"

	"filippo.io/edwards25519"
)

// secrets is everything that signing derives from a seed, in one place so that
// it can be wiped in one place.
type secrets struct {
	digest  [64]byte // Keccak512(seed): clamped scalar bytes, then prefix
	nonce   [64]byte
	a, r, s edwards25519.Scalar
}

// wipe overwrites what it can reach. Copies that the compiler spilled, and the
// field arithmetic's temporaries inside the library, are out of reach; callers
// that must erase those run inside runtime/secret.
func (x *secrets) wipe() {
	*x = secrets{}
	runtime.KeepAlive(x)
}

// expand derives the clamped scalar and the prefix from the seed.
func (x *secrets) expand(h keccak, seed *[32]byte) error {
	h.Reset()
	h.Write(seed[:])
	squeeze(h, x.digest[:])
	if _, err := x.a.SetBytesWithClamping(x.digest[:32]); err != nil {
		return fmt.Errorf("clamp the scalar: %w", err)
	}
	return nil
}

// NIS1PublicKey derives the public key of a seed by Ed25519 with Keccak-512.
// The seed is the one that [ParsePrivateKeyText] returns; it is only read.
func NIS1PublicKey(seed *[32]byte) PublicKey {
	var x secrets
	defer x.wipe()
	h := newKeccak512()
	defer h.Reset()
	if err := x.expand(h, seed); err != nil {
		panic(err) // unreachable: only a wrong length fails, and it is fixed
	}
	var A edwards25519.Point
	return PublicKey(A.ScalarBaseMult(&x.a).Bytes())
}

// SignNIS1 signs the message (NIS1: the transaction's data bytes) by
// deterministic Ed25519 with Keccak-512, in the constant time that
// filippo.io/edwards25519 gives, and wipes what it derived. seed is only read.
//
// pub must be the seed's own public key: the caller states it because deriving
// it again doubles the time. Two signatures of one message under different
// pubs give the key away, so never let a signature out before [Verify] has
// accepted it under that key. The zero key is refused.
func SignNIS1(seed *[32]byte, pub PublicKey, message []byte) (Signature, error) {
	if pub == (PublicKey{}) {
		return Signature{}, fmt.Errorf("sign: public key is all zero")
	}
	var x secrets
	defer x.wipe()
	h := newKeccak512()
	defer h.Reset()
	if err := x.expand(h, seed); err != nil {
		return Signature{}, fmt.Errorf("sign: %w", err)
	}

	h.Reset()
	h.Write(x.digest[32:])
	h.Write(message)
	squeeze(h, x.nonce[:])
	if _, err := x.r.SetUniformBytes(x.nonce[:]); err != nil {
		return Signature{}, fmt.Errorf("sign: reduce the nonce: %w", err)
	}

	var sig Signature
	var R edwards25519.Point
	copy(sig[:32], R.ScalarBaseMult(&x.r).Bytes())
	k, err := challenge(h, sig[:32], pub, message)
	if err != nil {
		return Signature{}, fmt.Errorf("sign: %w", err)
	}
	copy(sig[32:], x.s.MultiplyAdd(k, &x.a, &x.r).Bytes())
	return sig, nil
}
