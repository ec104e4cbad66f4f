package token

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// LogKeys lists the public keys of the token's log keys, oldest first: one,
// or two while the log key is being replaced.
func (t *Token) LogKeys(ctx context.Context) ([][32]byte, error) {
	return answer(ctx, t, "list the log keys", func(s *session) ([][32]byte, error) {
		keys, err := s.logKeys()
		var public [][32]byte
		for _, key := range keys {
			public = append(public, key.publicKey)
		}
		return public, err
	})
}

// NextLogKey makes the log key that is to follow the one in use, unless there is
// one already, and gives its public key. Nothing uses it before the journal does,
// which could not go on under a key that does not sign: so it signs here first, and
// one that does not, while the one in use does, is a part of a key and made anew.
func (t *Token) NextLogKey(ctx context.Context) ([32]byte, error) {
	inUse, err := t.LogPublicKey()
	if err != nil {
		return [32]byte{}, err
	}
	return answerOf(ctx, t.create, "make the next log key", func(s *session) ([32]byte, error) {
		current, err := s.logKeyFor(inUse)
		if err != nil {
			return [32]byte{}, err
		}
		generation, _ := generationOf(current.id)
		next, err := s.newestLogKey()
		switch {
		case err == nil && next.publicKey != inUse:
			return next.publicKey, nil
		case err != nil && !isPart(err, func() error { return nil }): // logKeys passes over parts: what it calls unsafe works
			return [32]byte{}, err
		}
		if err := s.tryLogKey(current); err != nil {
			return [32]byte{}, err
		}
		if err := s.removeLogKeysAfter(generation); err != nil {
			return [32]byte{}, err
		}
		if err := s.generateLogKey(generation + 1); err != nil {
			return [32]byte{}, err
		}
		next, err = s.newestLogKey()
		return next.publicKey, err
	})
}

// newestLogKey is the newest one, which must sign.
func (s *session) newestLogKey() (foundKey, error) {
	keys, err := s.logKeys()
	if err != nil {
		return foundKey{}, err
	}
	newest := keys[len(keys)-1]
	return newest, s.tryLogKey(newest)
}

func (s *session) tryLogKey(key foundKey) error {
	signature, err := s.signEd25519(key, []byte(canary))
	if err == nil && !ed25519.Verify(key.publicKey[:], []byte(canary), signature[:]) {
		err = ErrWrongSignature
	}
	return err
}

// removeLogKeysAfter clears what is left of the making of a later generation.
func (s *session) removeLogKeysAfter(generation uint64) error {
	s.forgetKeys()
	objects, err := s.labelled(pkcs11.CKO_PRIVATE_KEY, labelLog)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if of, ok := generationOf(object.id); ok && of <= generation || !ok && len(object.id) > 0 {
			continue
		}
		if err := s.module.DestroyObject(s.handle, object.handle); err != nil {
			return err
		}
	}
	return s.removeOrphans()
}

// UseLogKey says which log key is in use: the one that Health asks, and that no
// call destroys. The journal knows it; the choice is not kept in the token.
func (t *Token) UseLogKey(ctx context.Context, public [32]byte) error {
	err := t.do(ctx, "use a log key", func(s *session) error {
		_, err := s.logKeyFor(public)
		return err
	})
	if err != nil {
		return err
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.logKey = public
	return nil
}

// DestroyLogKey removes a log key that was replaced: the last step of its
// replacement. The one in use is refused; one that is gone already is no error.
func (t *Token) DestroyLogKey(ctx context.Context, public [32]byte) error {
	inUse, err := t.LogPublicKey()
	if err != nil {
		return err
	}
	if inUse == public {
		return fmt.Errorf("destroy a log key: %s is in use", nem.PublicKey(public))
	}
	return t.do(ctx, "destroy a log key", func(s *session) error {
		keys, err := s.logKeys()
		if err != nil {
			return err
		}
		s.forgetKeys()
		for _, key := range keys {
			if key.publicKey != public {
				continue
			}
			// The private key goes first: a private key without a public one would
			// be refused at the next start.
			if err := s.module.DestroyObject(s.handle, key.handle); err != nil {
				return err
			}
		}
		return s.removeOrphans()
	})
}

// removeOrphans clears public log keys whose private key is gone.
func (s *session) removeOrphans() error {
	private, err := s.generations(pkcs11.CKO_PRIVATE_KEY, labelLog)
	if err != nil {
		return err
	}
	public, err := s.labelled(pkcs11.CKO_PUBLIC_KEY, labelLog)
	if err != nil {
		return err
	}
	for _, orphan := range public {
		if slices.ContainsFunc(private, func(key identified) bool { return string(key.id) == string(orphan.id) }) {
			continue
		}
		if err := s.module.DestroyObject(s.handle, orphan.handle); err != nil {
			return err
		}
	}
	return nil
}
