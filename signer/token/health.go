package token

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// canary is what health checks sign. It can be nothing else: a checkpoint's text
// ends with a newline, a Symbol transaction's signing bytes begin with the
// network's 32-byte seed, a NIS1 transaction with its type.
const canary = "kura canary, worth nothing"

// Deterministic tells whether two signatures of the same message have come out the
// same each time it was tried: at Open, and whenever a wallet's ceremony is read.
// Symbol's transaction hash includes the
// signature, so with a token that is not, signatures are journalled before they leave.
func (t *Token) Deterministic() bool { return !t.randomised.Load() }

// Leaky tells whether the token lets whoever has the PIN take private keys.
func (t *Token) Leaky() bool { return t.leaks }

// try signs the canary twice with the log key.
func (t *Token) try(ctx context.Context) error {
	public, err := t.LogPublicKey()
	if err != nil {
		return err
	}
	var signatures [2][64]byte
	for i := range signatures {
		if signatures[i], err = t.signLog(ctx, public, []byte(canary)); err != nil {
			return err
		}
		if !ed25519.Verify(public[:], []byte(canary), signatures[i][:]) {
			return fmt.Errorf("try the log key: %w", ErrWrongSignature)
		}
	}
	if signatures[0] != signatures[1] {
		t.randomised.Store(true)
	}
	return nil
}

// tryWallet signs the canary twice with a wallet's key.
func (t *Token) tryWallet(ctx context.Context, wallet WalletRef) (deterministic bool, err error) {
	var signatures [2]nem.Signature
	for i := range signatures {
		if signatures[i], err = t.Sign(ctx, wallet, []byte(canary)); err != nil {
			return false, fmt.Errorf("try wallet %q: %w", wallet.Name, err)
		}
	}
	if signatures[0] != signatures[1] {
		t.randomised.Store(true)
	}
	return signatures[0] == signatures[1], nil
}

// Health asks the token (C_GetTokenInfo, the only honest probe of its presence)
// and makes and verifies a canary signature with the log key.
func (t *Token) Health(ctx context.Context) error {
	if err := t.do(ctx, "health", (*session).probe); err != nil {
		return err
	}
	public, err := t.LogPublicKey()
	if err != nil {
		return err
	}
	signature, err := t.signLog(ctx, public, []byte(canary))
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	if !ed25519.Verify(public[:], []byte(canary), signature[:]) {
		return fmt.Errorf("health: %w", ErrWrongSignature)
	}
	return nil
}

// checkLeak tries C_DigestKey on a throw-away key with the attributes of a
// wallet's: where the token goes along, the digest is the whole Ed25519 secret.
// The digest is never fetched.
func (t *Token) checkLeak(ctx context.Context) error {
	leaks, err := answer(ctx, t, "try whether the token gives keys away", func(s *session) (bool, error) {
		return s.leaks()
	})
	if err != nil {
		return err
	}
	t.leaks = leaks
	if !leaks {
		return nil
	}
	if t.config.AcceptLeakyToken == "" {
		return fmt.Errorf("%w: C_DigestKey answers with SHA-512 of an Ed25519 key's seed to whoever has the PIN; to use it all the same, state the reason in accept_leaky_token", ErrLeakyToken)
	}
	t.log.Warn("the token gives private keys away to whoever has the PIN", "token", t.config.Label,
		"route", "C_DigestKey", "accepted", t.config.AcceptLeakyToken)
	return nil
}

func (s *session) leaks() (bool, error) {
	id, err := newID(0)
	if err != nil {
		return false, err
	}
	const label = "kura-throw-away"
	private := s.quirk.without(ed25519PrivateTemplate(label, id))
	public := s.quirk.without(ed25519PublicTemplate(label, id, s.quirk.ecParams))
	for _, template := range [][]*pkcs11.Attribute{private, public} {
		for _, a := range template {
			if a.Type == pkcs11.CKA_TOKEN {
				a.Value = []byte{0} // a session object: gone with the session
			}
		}
	}
	if err := s.module.GenerateEd25519(s.handle, public, private); err != nil {
		return false, fmt.Errorf("make a throw-away key: %w", err)
	}
	found, err := s.module.Find(s.handle, []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), attribute(pkcs11.CKA_ID, id),
	})
	if err != nil {
		return false, fmt.Errorf("find the throw-away key: %w", err)
	}
	leaks := false
	for _, handle := range found {
		leaks = leaks || s.module.Leaks(s.handle, handle)
	}
	if len(found) == 0 {
		return false, fmt.Errorf("find the throw-away key: %w", ErrNoKey)
	}
	// A new session: the digest that was begun, and the key, end with the old one.
	return leaks, s.reopen()
}
