package nem

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"sync"

	"filippo.io/edwards25519"
)

// ErrSignature is wrapped by every refusal of a signature or of its key.
var ErrSignature = errors.New("signature is not valid")

// VerifyingKey is a public key that has been decoded and tested once, so that
// many signatures can be verified at the cost of the curve arithmetic alone.
// It is immutable and safe for concurrent use.
type VerifyingKey struct {
	chain  Chain
	key    PublicKey
	minusA edwards25519.Point
}

var (
	sha512Pool    = sync.Pool{New: func() any { return sha512.New() }}
	keccak512Pool = sync.Pool{New: func() any { return newKeccak512() }}

	scalarZero     = edwards25519.NewScalar()
	scalarMinusOne = func() *edwards25519.Scalar {
		one, err := edwards25519.NewScalar().SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...))
		if err != nil {
			panic(err)
		}
		return one.Negate(one)
	}()
)

// NewVerifyingKey decodes a public key by the rules of the chain's node. Both
// refuse the zero key and what is not a point of the curve. Symbol's node also
// demands a point of the prime-order subgroup, a test as dear as a
// verification; NIS1's makes no such test.
func NewVerifyingKey(c Chain, pub PublicKey) (*VerifyingKey, error) {
	if c != NIS1 && c != Symbol {
		return nil, fmt.Errorf("%w: no chain is given", ErrSignature)
	}
	if pub == (PublicKey{}) {
		return nil, fmt.Errorf("%w: public key is all zero", ErrSignature)
	}
	var A edwards25519.Point
	if _, err := A.SetBytes(pub[:]); err != nil {
		return nil, fmt.Errorf("%w: public key is not a point of the curve", ErrSignature)
	}
	v := &VerifyingKey{chain: c, key: pub}
	v.minusA.Negate(&A)
	if c == Symbol {
		// (L-1)·A equals -A exactly when L·A is the neutral point, that is,
		// when A has no part outside the prime-order subgroup. The library
		// reduces scalars modulo L, so L itself cannot be the multiplier.
		var B edwards25519.Point
		B.VarTimeDoubleScalarBaseMult(scalarMinusOne, &A, scalarZero)
		if B.Equal(&v.minusA) != 1 {
			return nil, fmt.Errorf("%w: public key is outside the prime-order subgroup", ErrSignature)
		}
		if A.Equal(edwards25519.NewIdentityPoint()) == 1 {
			return nil, fmt.Errorf("%w: public key is the neutral point", ErrSignature)
		}
	}
	return v, nil
}

// Key returns the public key.
func (v *VerifyingKey) Key() PublicKey { return v.key }

// Verify checks a signature over message (what [SigningBytes] gives) as the
// chain's node does: 0 < S < L, and R equals S·B - k·A byte for byte, without
// cofactor. It takes variable time; everything it sees is public.
func (v *VerifyingKey) Verify(message []byte, sig Signature) error {
	if [32]byte(sig[32:]) == ([32]byte{}) {
		return fmt.Errorf("%w: S is zero", ErrSignature)
	}
	var S edwards25519.Scalar
	if _, err := S.SetCanonicalBytes(sig[32:]); err != nil {
		return fmt.Errorf("%w: S is not below the group order (a malleated signature)", ErrSignature)
	}
	pool := &sha512Pool
	if v.chain == NIS1 {
		pool = &keccak512Pool
	}
	h := pool.Get().(hash.Hash)
	k, err := challenge(h, sig[:32], v.key, message)
	pool.Put(h)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	var R edwards25519.Point
	R.VarTimeDoubleScalarBaseMult(k, &v.minusA, &S)
	if !bytes.Equal(R.Bytes(), sig[:32]) {
		return fmt.Errorf("%w: it was not made by this key over these bytes", ErrSignature)
	}
	return nil
}

// challenge is k = H(R || A || M) modulo L. All of it is public.
func challenge(h hash.Hash, R []byte, pub PublicKey, message []byte) (*edwards25519.Scalar, error) {
	h.Reset()
	h.Write(R)
	h.Write(pub[:])
	h.Write(message)
	var digest [64]byte
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(digest[:0]))
	if err != nil {
		return nil, fmt.Errorf("reduce the challenge: %w", err)
	}
	return k, nil
}

// Verify checks a signature over message (what [SigningBytes] gives) with the
// rules of the network's node. Whoever verifies much under one key keeps a
// [VerifyingKey] instead.
func Verify(n Network, pub PublicKey, message []byte, sig Signature) error {
	v, err := NewVerifyingKey(n.Chain(), pub)
	if err != nil {
		return err
	}
	return v.Verify(message, sig)
}
