package token

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// clearName removes what is left, under a wallet's name, of the making of a key
// that was cut off, on whichever network it was.
func (t *Token) clearName(ctx context.Context, spec WalletSpec) error {
	logKey, err := t.LogPublicKey()
	if err != nil {
		return err
	}
	return t.create(ctx, "look for remains of wallet "+spec.Name, func(s *session) error {
		for _, network := range []nem.Network{nem.SymbolMainnet, nem.SymbolTestnet} {
			n, err := s.removeRemains(walletKeyID(spec.Genesis, network, spec.Name), logKey)
			if n > 0 {
				t.log.Warn("removed what was left of a wallet's key whose making was cut off", "wallet", spec.Name, "objects", n)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// removeRemains removes parts of a wallet's key, and public keys that belong to no
// private key of the wallet. Of a wallet that a journal knows this must not be asked.
//
// A private key that works, or that the token calls its own make (CKA_LOCAL comes
// with the value), may hold funds: it stays, and what fits nothing beside it is
// refused as it is. Of one that was imported and does not work, whoever imported it has
// the seed. Nothing goes while the log key does not work, either.
func (s *session) removeRemains(id []byte, logKey nem.PublicKey) (removed int, err error) {
	private, err := s.withID(pkcs11.CKO_PRIVATE_KEY, id)
	if err != nil {
		return 0, err
	}
	public, err := s.withID(pkcs11.CKO_PUBLIC_KEY, id)
	if err != nil {
		return 0, err
	}
	if len(private) == 0 {
		// Only a token that can be asked, and has not lost it since, says that there is none.
		if _, err := s.findOne(id, pkcs11.CKO_PRIVATE_KEY); !errors.Is(err, ErrNoKey) {
			return 0, err
		}
	}
	signatures, remains, err := s.wholeAndParts(private, id)
	if err != nil {
		return 0, err
	}
	switch len(signatures) {
	case 0:
		remains = append(remains, public...)
	case 1:
		fits, others, err := s.fitting(public, signatures[0])
		if err != nil {
			return 0, err
		}
		if !fits {
			return 0, fmt.Errorf("%w: it signs, and no public key in the token fits it: nothing was removed (CKA_ID %x); take another name", ErrUnsafeKey, id)
		}
		remains = append(remains, others...)
	default:
		return 0, fmt.Errorf("%w: %d private keys have CKA_ID %x and sign: nothing was removed; take another name", ErrUnsafeKey, len(signatures), id)
	}
	if len(remains) == 0 {
		return 0, nil
	}
	control, err := s.logKeyFor(logKey)
	if err == nil {
		err = s.tryLogKey(control)
	}
	if err != nil {
		return 0, fmt.Errorf("remains of a key stay while the log key does not sign: %w", err)
	}
	s.forgetKeys()
	for _, class := range []uint64{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		s.known.Delete(sighting(class, id)) // gone on purpose, not vanished
	}
	for _, handle := range remains {
		if err := s.module.DestroyObject(s.handle, handle); err != nil {
			return removed, fmt.Errorf("remove what is left of a key: %w", err)
		}
		removed++
	}
	return removed, nil
}

// wholeAndParts tells private keys that sign, by the canary's signatures, from parts of
// keys.
func (s *session) wholeAndParts(private []pkcs11.ObjectHandle, id []byte) (signatures [][64]byte, parts []pkcs11.ObjectHandle, err error) {
	for _, handle := range private {
		signature, err := s.signEd25519(foundKey{handle: handle}, []byte(canary))
		switch {
		case err == nil:
			signatures = append(signatures, signature)
			continue
		case !isPart(err, func() error { return err }):
			return nil, nil, err
		}
		local, missing := s.module.Attribute(s.handle, handle, pkcs11.CKA_LOCAL)
		if missing != nil && !errors.Is(missing, errNoAttribute) {
			return nil, nil, fmt.Errorf("read LOCAL: %w", missing)
		}
		if slices.Equal(local, []byte{1}) {
			return nil, nil, fmt.Errorf("%w: it is whole and does not sign: nothing was removed (CKA_ID %x): %w", ErrUnsafeKey, id, err)
		}
		parts = append(parts, handle)
	}
	return signatures, parts, nil
}

// hasKey tells whether a wallet's key is there: a second run finds the one of a first
// whose answer was lost. What else a first run left goes.
func (s *session) hasKey(id []byte, logKey nem.PublicKey) (bool, error) {
	if _, err := s.removeRemains(id, logKey); err != nil {
		return false, err
	}
	_, err := s.findOne(id, pkcs11.CKO_PRIVATE_KEY)
	if errors.Is(err, ErrNoKey) {
		return false, nil
	}
	return err == nil, err
}

// fitting looks for the public key that a signature verifies under; the others
// belong to keys that were never made whole.
func (s *session) fitting(public []pkcs11.ObjectHandle, signature [64]byte) (fits bool, others []pkcs11.ObjectHandle, err error) {
	for _, handle := range public {
		point, err := s.module.Attribute(s.handle, handle, pkcs11.CKA_EC_POINT)
		if err != nil && !errors.Is(err, errNoAttribute) {
			return false, nil, fmt.Errorf("read CKA_EC_POINT: %w", err)
		}
		key, err := parsePoint(point)
		if err == nil && !fits && ed25519.Verify(key[:], []byte(canary), signature[:]) {
			fits = true
			continue
		}
		others = append(others, handle)
	}
	return fits, others, nil
}
