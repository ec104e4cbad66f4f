package token

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// A process that is killed while the token makes a key can leave a part of it: on
// SoftHSM an object that has some of its attributes, or all of them and no value.
// Such an object serves nothing, must not keep a start from the other keys, and
// goes when the change that made it is gone on with. A key with wrong attributes
// that works is no part: somebody else made it, and it is refused.

// errPart says that an object is a part of a key.
var errPart = errors.New("a part of a key: its making was cut off, or it was damaged")

func asPart(err error) error {
	if errors.Is(err, errPart) {
		return err
	}
	return fmt.Errorf("%w: %w", errPart, err)
}

// lacks tells whether an object lacks an attribute that no key is made without.
func (s *session) lacks(report ObjectReport, template []*pkcs11.Attribute) bool {
	return slices.ContainsFunc(template, func(want *pkcs11.Attribute) bool {
		_, present := report.Attributes[attributeName(want.Type)]
		return mustHave[want.Type] && !present && !s.quirk.omits(want.Type)
	})
}

// isPart tells from the error about an own key, and from whether it works all the
// same, a part of one. A token in trouble says nothing about a key.
func isPart(err error, works func() error) bool {
	switch failureOf(err) {
	case failurePlain, failureDoubt:
		return errors.Is(err, errPart) || !errors.Is(err, ErrUnsafeKey) || works() != nil
	default:
		return false
	}
}

// generations lists Kura's log or sealing keys, oldest first. An object that
// carries the label and another's CKA_ID is refused: somebody else made it. One
// without any is a part of a key.
func (s *session) generations(class uint, label string) ([]identified, error) {
	keys, err := s.labelled(class, label)
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(key identified) bool { return len(key.id) == 0 })
	for _, key := range keys {
		if _, ok := generationOf(key.id); !ok {
			return nil, fmt.Errorf("%w: an object labelled %q has the foreign CKA_ID %x", ErrUnsafeKey, label, key.id)
		}
	}
	slices.SortFunc(keys, func(a, b identified) int { return bytes.Compare(a.id, b.id) })
	for i := 1; i < len(keys); i++ {
		before, _ := generationOf(keys[i-1].id)
		if this, _ := generationOf(keys[i].id); cmp.Compare(before, this) == 0 {
			return nil, fmt.Errorf("%w: two objects labelled %q are of generation %d", ErrUnsafeKey, label, this)
		}
	}
	return keys, nil
}

func (s *session) logTemplate(id []byte) []*pkcs11.Attribute {
	return s.quirk.without(ed25519PrivateTemplate(labelLog, id))
}

func (s *session) sealingTemplate(id []byte) []*pkcs11.Attribute {
	mechanism := uint(pkcs11.CKM_AES_GCM)
	if s.quirk.noGCM {
		mechanism = pkcs11.CKM_AES_CBC_PAD
	}
	return s.quirk.without(secretTemplate(labelSealing, id, true, mechanism))
}

func (s *session) macTemplate(id []byte) []*pkcs11.Attribute {
	return s.quirk.without(secretTemplate(labelMAC, id, false, pkcs11.CKM_SHA512_HMAC))
}

func (s *session) generateLogKey(generation uint64) error {
	id, err := newID(generation)
	if err != nil {
		return err
	}
	public := s.quirk.without(ed25519PublicTemplate(labelLog, id, s.quirk.ecParams))
	return s.module.GenerateEd25519(s.handle, public, s.logTemplate(id))
}

// generateSealingKey makes the AES key last: a MAC key without it is harmless,
// and is found again by its generation.
func (s *session) generateSealingKey(generation uint64) error {
	id, err := newID(generation)
	if err != nil {
		return err
	}
	if s.quirk.noGCM {
		if err := s.module.GenerateSecretKey(secretHMAC512, s.macTemplate(macID([16]byte(id)))); err != nil {
			return fmt.Errorf("make the MAC key: %w", binding(err))
		}
	}
	if err := s.module.GenerateSecretKey(secretAES256, s.sealingTemplate(id)); err != nil {
		return fmt.Errorf("make the sealing key: %w", binding(err))
	}
	return nil
}

// binding marks an error of crypto11 whose CKR_ value is lost.
func binding(err error) error {
	if err == nil || failureOf(err) != failurePlain {
		return err
	}
	if _, known := errors.AsType[pkcs11.Error](err); known {
		return err
	}
	return fmt.Errorf("%w: %w", errBinding, err)
}

// newestSealingKey is the newest one that seals.
func (s *session) newestSealingKey() (foundKey, error) {
	keys, err := s.generations(pkcs11.CKO_SECRET_KEY, labelSealing)
	if err != nil {
		return foundKey{}, err
	}
	var failed error
	for _, object := range slices.Backward(keys) {
		try := func() error {
			return s.sealBy(foundKey{handle: object.handle, id: object.id}, new(blob), make([]byte, seedSize))
		}
		key, err := s.sealingKey(object.id)
		if err == nil {
			err = try()
		}
		switch {
		case err == nil:
			return key, nil
		case !isPart(err, try):
			return foundKey{}, err
		case failed == nil:
			failed = asPart(err)
		}
	}
	if failed == nil {
		failed = fmt.Errorf("%w: there is no sealing key: run token init", ErrNoKey)
	}
	return foundKey{}, failed
}

func (s *session) sealingKey(id []byte) (foundKey, error) {
	if key, ok := s.cachedKey(id); ok {
		return key, nil
	}
	key, err := s.findKey(id, s.sealingTemplate(id))
	if err != nil {
		return foundKey{}, fmt.Errorf("sealing key: %w", err)
	}
	return key, nil
}

// logKeys lists the log keys whose attributes are right, oldest first.
func (s *session) logKeys() ([]foundKey, error) {
	objects, err := s.generations(pkcs11.CKO_PRIVATE_KEY, labelLog)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		return nil, fmt.Errorf("%w: there is no log key: run token init", ErrNoKey)
	}
	var keys []foundKey
	var failed error
	for _, object := range objects {
		key, err := s.findKey(object.id, s.logTemplate(object.id))
		switch {
		case err == nil:
			keys = append(keys, key)
		case !isPart(err, func() error { _, err := s.signEd25519(foundKey{handle: object.handle}, []byte(canary)); return err }):
			return nil, fmt.Errorf("log key: %w", err)
		case failed == nil:
			failed = fmt.Errorf("log key: %w", asPart(err))
		}
	}
	if len(keys) == 0 {
		return nil, failed
	}
	return keys, nil
}

// checkOwnKeys finds the sealing key and the log key once, so that Open fails
// rather than the first signature.
func (t *Token) checkOwnKeys(ctx context.Context) error {
	err := t.do(ctx, "check the sealing key", func(s *session) error {
		_, err := s.newestSealingKey()
		return err
	})
	if err != nil {
		return err
	}
	var oldest nem.PublicKey
	err = t.do(ctx, "check the log key", func(s *session) error {
		keys, err := s.logKeys()
		if err == nil {
			oldest = keys[0].publicKey
		}
		return err
	})
	if err != nil {
		return err
	}
	t.mutex.Lock()
	t.logKey = oldest
	t.mutex.Unlock()
	return nil
}

// LogPublicKey is the Ed25519 public key of the log key in use: the oldest of the
// token unless UseLogKey chose another.
func (t *Token) LogPublicKey() ([32]byte, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.logKey == (nem.PublicKey{}) {
		return [32]byte{}, fmt.Errorf("log key: %w", ErrNoKey)
	}
	return t.logKey, nil
}

// SignHead signs a checkpoint's text with the log key that has this public key
// (plain Ed25519). The signature is not verified here: journal.SignCheckpoint does
// that for every signer of heads, before anything is written. Which key a head
// belongs to, the journal says.
func (t *Token) SignHead(ctx context.Context, public [32]byte, message []byte) ([64]byte, error) {
	return t.signLog(ctx, public, message)
}

func (t *Token) signLog(ctx context.Context, public nem.PublicKey, message []byte) ([64]byte, error) {
	message = bytes.Clone(message) // the module may still read it when the caller has left
	return answer(ctx, t, "sign a head", func(s *session) ([64]byte, error) {
		key, err := s.logKeyFor(public)
		if err != nil {
			return [64]byte{}, err
		}
		return s.signEd25519(key, message)
	})
}

// logKeyFor looks in the cache first: a head is signed with every group.
func (s *session) logKeyFor(public nem.PublicKey) (foundKey, error) {
	s.mutex.RLock()
	for _, key := range s.keys {
		if key.publicKey == public && len(key.id) == 16 {
			s.mutex.RUnlock()
			return key, nil
		}
	}
	s.mutex.RUnlock()
	keys, err := s.logKeys()
	if err != nil {
		return foundKey{}, err
	}
	for _, key := range keys {
		if key.publicKey == public {
			return key, nil
		}
	}
	return foundKey{}, fmt.Errorf("log key %s: %w", public, ErrNoKey)
}

func (s *session) signEd25519(key foundKey, message []byte) (signature [64]byte, err error) {
	n, err := s.module.Sign(s.handle, mechanismEdDSA, key.handle, message, signature[:])
	if err != nil {
		return [64]byte{}, fmt.Errorf("C_Sign: %w", err)
	}
	if n != len(signature) {
		return [64]byte{}, fmt.Errorf("%w: the token gave %d bytes, not 64", ErrWrongSignature, n)
	}
	return signature, nil
}

// answer is do for work that has a result. Only the work's success hands it over:
// a caller that left early never looks at it again.
func answer[T any](ctx context.Context, t *Token, what string, work func(*session) (T, error)) (T, error) {
	return answerOf(ctx, t.do, what, work)
}

// answerOf is answer with create, or whatever else does the work.
func answerOf[T any](ctx context.Context, do func(context.Context, string, func(*session) error) error, what string, work func(*session) (T, error)) (T, error) {
	var result T
	err := do(ctx, what, func(s *session) error {
		got, err := work(s)
		if err == nil {
			result = got
		}
		return err
	})
	if err != nil {
		var none T // not result: work that hangs may yet write it
		return none, err
	}
	return result, nil
}
