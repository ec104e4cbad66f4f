package token

import (
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"
)

// seal fills in the newest sealing key, scheme, nonce and ciphertext of a blob
// whose other members are set. The nonce is random: a token seals a few wallets in
// its life, far from where 96 random bits repeat.
func (s *session) seal(b *blob, seed []byte) error {
	key, err := s.newestSealingKey()
	if err != nil {
		return err
	}
	return s.sealBy(key, b, seed)
}

func (s *session) sealBy(key foundKey, b *blob, seed []byte) (err error) {
	b.sealingKey = [16]byte(key.id)
	b.scheme, b.nonce = schemeGCM, make([]byte, gcmNonceSize)
	if s.quirk.noGCM {
		b.scheme, b.nonce = schemeCBCHMAC, make([]byte, cbcIVSize)
	}
	if _, err := rand.Read(b.nonce); err != nil {
		return fmt.Errorf("choose a nonce: %w", err)
	}
	if b.scheme == schemeGCM {
		b.sealed, err = s.module.SealGCM(key.id, b.nonce, b.additional(), seed)
		if err != nil {
			return fmt.Errorf("seal: %w", binding(err))
		}
		if len(b.sealed) != gcmSealed {
			return fmt.Errorf("seal: the token gave %d bytes, not %d", len(b.sealed), gcmSealed)
		}
		return nil
	}
	encrypted, err := s.module.SealCBC(s.handle, key.handle, b.nonce, seed)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if len(encrypted) != cbcSealed-macSize {
		return fmt.Errorf("seal: the token gave %d bytes, not %d", len(encrypted), cbcSealed-macSize)
	}
	mac, err := s.mac(b, encrypted)
	if err != nil {
		return err
	}
	b.sealed = append(encrypted, mac...)
	return nil
}

// open opens a blob into the session's locked page and returns the seed there.
// The caller wipes it.
func (s *session) open(b *blob) (*[seedSize]byte, error) {
	key, err := s.sealingKey(b.sealingKey[:])
	if err != nil {
		return nil, err
	}
	into := s.seed.Bytes()
	n := 0
	switch b.scheme {
	case schemeGCM:
		n, err = s.module.DecryptGCM(s.handle, key.handle, b.nonce, b.additional(), b.sealed, into)
	case schemeCBCHMAC:
		encrypted := b.sealed[:cbcSealed-macSize]
		var mac []byte
		if mac, err = s.mac(b, encrypted); err != nil {
			return nil, err
		}
		if !hmac.Equal(mac, b.sealed[cbcSealed-macSize:]) {
			return nil, fmt.Errorf("%w: its MAC is wrong", ErrSealed)
		}
		n, err = s.module.DecryptCBC(s.handle, key.handle, b.nonce, encrypted, into)
	default:
		return nil, fmt.Errorf("%w: it names no scheme", ErrSealed)
	}
	if err != nil {
		clear(into)
		return nil, s.refusedSeal(err)
	}
	if n != seedSize {
		clear(into)
		return nil, fmt.Errorf("%w: it holds %d bytes, not a seed", ErrSealed, n)
	}
	return (*[seedSize]byte)(into[:seedSize]), nil
}

// refusedSeal tells a blob that was tampered with from a token in trouble.
// SoftHSM answers CKR_GENERAL_ERROR to a wrong tag: only the probe can tell.
func (s *session) refusedSeal(err error) error {
	rv, ok := errors.AsType[pkcs11.Error](err)
	if !ok {
		return err
	}
	switch rv {
	case pkcs11.CKR_ENCRYPTED_DATA_INVALID, pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE, pkcs11.CKR_DATA_INVALID,
		pkcs11.CKR_SIGNATURE_INVALID:
		return fmt.Errorf("%w: %w", ErrSealed, err)
	case pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_FUNCTION_FAILED:
		if _, probe := s.module.TokenInfo(); probe == nil {
			return fmt.Errorf("%w: tampered with, or sealed by another token: %s", ErrSealed, rv.Error())
		}
	}
	return fmt.Errorf("open: %w", err)
}

// mac authenticates everything: the additional data, its length, the IV, the ciphertext.
func (s *session) mac(b *blob, encrypted []byte) ([]byte, error) {
	id := macID(b.sealingKey)
	key, err := s.findKey(id, s.macTemplate(id))
	if err != nil {
		return nil, fmt.Errorf("MAC key: %w", err)
	}
	additional := b.additional()
	message := slices.Concat(fmt.Appendf(nil, "%d\n", len(additional)), additional, b.nonce, encrypted)
	mac := make([]byte, macSize)
	n, err := s.module.Sign(s.handle, pkcs11.CKM_SHA512_HMAC, key.handle, message, mac)
	if err != nil {
		return nil, fmt.Errorf("authenticate a sealed wallet: %w", err)
	}
	if n != macSize {
		return nil, fmt.Errorf("authenticate a sealed wallet: the token gave %d bytes, not %d", n, macSize)
	}
	return mac, nil
}

// macID is the CKA_ID of the MAC key that goes with a sealing key: findKey's cache
// and the token's searches are by id alone, so the two must differ.
func macID(sealingKey [16]byte) []byte { return append([]byte("mac "), sealingKey[:]...) }
