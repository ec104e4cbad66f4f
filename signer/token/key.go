package token

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// foundKey is a key that was found, checked and cached for one connection.
type foundKey struct {
	handle    pkcs11.ObjectHandle
	id        []byte
	publicKey nem.PublicKey // Ed25519 only
	local     bool          // made in the token, not imported
}

// findKey finds the one key with this template and refuses it unless every
// attribute reads back as the template says. "No such key" is only said while
// the token answers C_GetTokenInfo: a token whose storage is gone answers an
// empty search with success.
func (s *session) findKey(id []byte, template []*pkcs11.Attribute) (foundKey, error) {
	if key, ok := s.cachedKey(id); ok {
		return key, nil
	}
	handle, err := s.findOne(id, valueOf(template, pkcs11.CKA_CLASS))
	if err != nil {
		return foundKey{}, err
	}
	return s.checkKey(handle, id, template, s.publicKey)
}

// cachedKey is the hot path: no template has to be built to use a key again.
func (c *connection) cachedKey(id []byte) (foundKey, bool) {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	key, ok := c.keys[string(id)]
	return key, ok
}

// checkKey takes up a key whose handle was found, if its attributes are right.
func (s *session) checkKey(handle pkcs11.ObjectHandle, id []byte, template []*pkcs11.Attribute, publicKey func(id []byte) (nem.PublicKey, error)) (foundKey, error) {
	report, err := s.inspect(handle, template)
	if err == nil && len(report.Problems) > 0 {
		// Once more: of an object whose file goes meanwhile, half may be missing.
		report, err = s.inspect(handle, template)
	}
	if err != nil {
		return foundKey{}, fmt.Errorf("read the key's attributes: %w", err)
	}
	if len(report.Problems) > 0 {
		err := fmt.Errorf("%w: %s (CKA_ID %x)", ErrUnsafeKey, report.Problems[0], id)
		if s.lacks(report, template) {
			err = fmt.Errorf("%w: %w", errPart, err)
		}
		return foundKey{}, err
	}
	key := foundKey{handle: handle, id: bytes.Clone(id), local: report.Attributes["LOCAL"] == "true"}
	if valueOf(template, pkcs11.CKA_KEY_TYPE) == keyTypeEdwards {
		if key.publicKey, err = publicKey(id); err != nil {
			return foundKey{}, err
		}
	}
	s.mutex.Lock()
	s.keys[string(id)] = key
	s.mutex.Unlock()
	return key, nil
}

// findOne finds the one object of a class with this CKA_ID.
func (s *session) findOne(id []byte, class uint64) (pkcs11.ObjectHandle, error) {
	found, err := s.withID(class, id)
	if err != nil {
		return 0, err
	}
	seen := sighting(class, id)
	switch len(found) {
	case 1:
		s.known.Store(seen, true)
		return found[0], nil
	case 0:
		if err := s.probe(); err != nil {
			return 0, err
		}
		if _, before := s.known.Load(seen); before {
			return 0, errVanished
		}
		return 0, fmt.Errorf("%w (CKA_ID %s)", ErrNoKey, hex.EncodeToString(id))
	}
	return 0, fmt.Errorf("%w: %d objects have CKA_ID %s", ErrUnsafeKey, len(found), hex.EncodeToString(id))
}

func (s *session) withID(class uint64, id []byte) ([]pkcs11.ObjectHandle, error) {
	found, err := s.module.Find(s.handle, []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, class), attribute(pkcs11.CKA_ID, id), attribute(pkcs11.CKA_TOKEN, true),
	})
	if err != nil {
		return nil, fmt.Errorf("search the token: %w", err)
	}
	return found, nil
}

// sighting is what known holds of an object that was found.
func sighting(class uint64, id []byte) string {
	return strconv.FormatUint(class, 10) + " " + string(id)
}

func (s *session) publicKey(id []byte) (nem.PublicKey, error) {
	handle, err := s.findOne(id, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return nem.PublicKey{}, fmt.Errorf("find the public key: %w", err)
	}
	point, err := s.module.Attribute(s.handle, handle, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nem.PublicKey{}, fmt.Errorf("read the public key: %w", err)
	}
	return parsePoint(point)
}

// parsePoint reads CKA_EC_POINT of an Ed25519 key in the three encodings that
// tokens use: the raw 32 bytes, a DER OCTET STRING, a DER BIT STRING.
func parsePoint(point []byte) (nem.PublicKey, error) {
	raw := point
	switch {
	case len(point) == 34 && point[0] == 0x04 && point[1] == 0x20:
		raw = point[2:]
	case len(point) == 35 && point[0] == 0x03 && point[1] == 0x21 && point[2] == 0x00:
		raw = point[3:]
	}
	if len(raw) != 32 {
		return nem.PublicKey{}, fmt.Errorf("CKA_EC_POINT of %d bytes is neither 32 raw bytes nor an OCTET STRING nor a BIT STRING of them", len(point))
	}
	if nem.PublicKey(raw) == (nem.PublicKey{}) {
		return nem.PublicKey{}, errors.New("CKA_EC_POINT is all zero")
	}
	return nem.PublicKey(raw), nil
}

// identified is an object and its CKA_ID.
type identified struct {
	handle pkcs11.ObjectHandle
	id     []byte
}

// labelled lists the objects of a class with exactly this label. An empty list
// comes only from a token that answers.
func (s *session) labelled(class uint, label string) ([]identified, error) {
	found, err := s.module.Find(s.handle, []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, class), attribute(pkcs11.CKA_LABEL, label), attribute(pkcs11.CKA_TOKEN, true),
	})
	if err != nil {
		return nil, fmt.Errorf("search the token: %w", err)
	}
	if len(found) == 0 {
		if err := s.probe(); err != nil {
			return nil, err
		}
	}
	var all []identified
	for _, handle := range found {
		id, err := s.module.Attribute(s.handle, handle, pkcs11.CKA_ID)
		if err != nil && !errors.Is(err, errNoAttribute) {
			return nil, fmt.Errorf("read CKA_ID: %w", err)
		}
		all = append(all, identified{handle: handle, id: id})
	}
	return all, nil
}

// valueOf reads a CK_ULONG out of a template.
func valueOf(template []*pkcs11.Attribute, kind uint) uint64 {
	for _, a := range template {
		if a.Type == kind {
			return ulong(a.Value)
		}
	}
	return 0
}
