package token

import (
	"cmp"
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

// Leak says how the token lets whoever has the PIN take keys; "" when no route that
// is tried at every start did. Attack tries them all.
func (t *Token) Leak() string { return t.leak }

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

// checkLeak tries the routes by which tokens are known to lose keys, on throw-away
// keys with the attributes of Kura's own. What comes out is never looked at.
func (t *Token) checkLeak(ctx context.Context) error {
	leak, err := answer(ctx, t, "try whether the token gives keys away", (*session).leak)
	if err != nil {
		return err
	}
	t.leak = leak
	if leak == "" {
		return nil
	}
	if t.config.AcceptLeakyToken == "" {
		return fmt.Errorf("%w to whoever has the PIN: %s; to use it all the same, state the reason in accept_leaky_token", ErrLeakyToken, leak)
	}
	t.log.Warn("the token gives private keys away to whoever has the PIN", "token", t.config.Label,
		"route", leak, "accepted", t.config.AcceptLeakyToken)
	return nil
}

func (s *session) leak() (string, error) {
	const label = "kura-throw-away"
	id, err := newID(0)
	if err != nil {
		return "", err
	}
	err = s.module.GenerateEd25519(s.handle, forSession(s.quirk.without(ed25519PublicTemplate(label, id, s.quirk.ecParams))),
		forSession(s.quirk.without(ed25519PrivateTemplate(label, id))))
	if err != nil {
		return "", fmt.Errorf("make a throw-away key: %w", err)
	}
	private, err := s.leakOf(pkcs11.CKO_PRIVATE_KEY, id)
	if err != nil {
		return "", err
	}
	if err := s.module.GenerateSecretKey(secretAES256, forSession(s.sealingTemplate(id))); err != nil {
		return "", fmt.Errorf("make a throw-away key: %w", binding(err))
	}
	secret, err := s.leakOf(pkcs11.CKO_SECRET_KEY, id)
	if err != nil {
		return "", err
	}
	return cmp.Or(private, secret), nil
}

// leakOf tries the throw-away key with this id, and destroys it.
func (s *session) leakOf(class uint, id []byte) (string, error) {
	found, err := s.module.Find(s.handle, []*pkcs11.Attribute{attribute(pkcs11.CKA_CLASS, class), attribute(pkcs11.CKA_ID, id)})
	if err != nil {
		return "", fmt.Errorf("find the throw-away key: %w", err)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("find the throw-away key: %w", ErrNoKey)
	}
	leak := s.module.Leak(s.handle, found[0])
	if err := s.module.DestroyObject(s.handle, found[0]); err != nil {
		return "", fmt.Errorf("destroy the throw-away key: %w", err)
	}
	return leak, s.reopen() // with the old session ends whatever the attempt left on it
}

// forSession turns a template into one of an object that ends with its session.
func forSession(template []*pkcs11.Attribute) []*pkcs11.Attribute {
	for _, a := range template {
		if a.Type == pkcs11.CKA_TOKEN {
			a.Value = []byte{0}
		}
	}
	return template
}
