package token

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"
)

// maxAnchor bounds a checkpoint kept in the token: signed heads with their
// cosignatures have a few hundred bytes, and tokens have little room.
const maxAnchor = 8 << 10

// dataObject is a private data object of Kura.
type dataObject struct {
	handle pkcs11.ObjectHandle
	value  []byte
}

func (s *session) dataObjects(label string) ([]dataObject, error) {
	found, err := s.labelled(pkcs11.CKO_DATA, label)
	if err != nil {
		return nil, err
	}
	var all []dataObject
	for _, object := range found {
		value, err := s.module.Attribute(s.handle, object.handle, pkcs11.CKA_VALUE)
		if err != nil {
			return nil, fmt.Errorf("read data object %q: %w", label, err)
		}
		all = append(all, dataObject{handle: object.handle, value: value})
	}
	return all, nil
}

// readGenesis reads what the token is bound to, if it is.
func (t *Token) readGenesis(ctx context.Context) error {
	bound, err := answer(ctx, t, "read the genesis", func(s *session) ([][]byte, error) {
		objects, err := s.dataObjects(labelGenesis)
		var values [][]byte
		for _, object := range objects {
			values = append(values, object.value)
		}
		return values, err
	})
	if err != nil {
		return err
	}
	var genesis [32]byte
	for _, value := range bound {
		if len(value) != len(genesis) || !bytes.Equal(value, bound[0]) {
			return fmt.Errorf("%w: it holds %d different genesis objects", ErrGenesis, len(bound))
		}
		genesis = [32]byte(value)
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.genesis = genesis
	return nil
}

// Genesis is the hash of the journal's entry 0 that the token is bound to; ok is
// false when it is bound to none yet.
func (t *Token) Genesis() (hash [32]byte, ok bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.genesis, t.genesis != [32]byte{}
}

// BindGenesis writes the genesis hash into the token as a private data object.
// The same hash again does nothing; another one is refused for ever: a token that
// has served one journal signs for no other.
func (t *Token) BindGenesis(hash [32]byte) error {
	if hash == [32]byte{} {
		return fmt.Errorf("bind the genesis: %w: the hash is all zero", ErrGenesis)
	}
	ctx := context.Background()
	if err := t.readGenesis(ctx); err != nil {
		return err
	}
	err := t.create(ctx, "bind the genesis", func(s *session) error {
		objects, err := s.dataObjects(labelGenesis)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if !bytes.Equal(object.value, hash[:]) {
				return fmt.Errorf("%w: it is bound to %x", ErrGenesis, object.value)
			}
		}
		if len(objects) > 0 {
			return nil
		}
		return s.module.CreateObject(s.handle, s.quirk.without(dataTemplate(labelGenesis, hash[:])), nil)
	})
	if err != nil {
		return err
	}
	if err := errors.Join(t.settle(), t.readGenesis(ctx)); err != nil {
		return err
	}
	if _, bound := t.Genesis(); !bound {
		return fmt.Errorf("bind the genesis: %w: the token has not kept it (is its disk full?)", ErrGenesis)
	}
	return nil
}

// An anchor object's value is an 8-byte big-endian counter and the checkpoint.
// A new one is made before the old ones go, so that a crash between leaves two,
// of which the higher counter is the newest.
const anchorCounter = 8

func newestAnchor(objects []dataObject) (newest dataObject, counter uint64, err error) {
	for i, object := range objects {
		if len(object.value) <= anchorCounter {
			return dataObject{}, 0, fmt.Errorf("%w: one of its objects has %d bytes", ErrAnchor, len(object.value))
		}
		count := binary.BigEndian.Uint64(object.value)
		switch {
		case i == 0 || count > counter:
			newest, counter = object, count
		case count == counter && !bytes.Equal(object.value, newest.value):
			return dataObject{}, 0, fmt.Errorf("%w: two different ones have the counter %d", ErrAnchor, count)
		}
	}
	return newest, counter, nil
}

// WriteAnchor keeps the newest signed head in the token, in place of the one
// before. An HSM's flash wears out: the caller decides how often.
func (t *Token) WriteAnchor(ctx context.Context, checkpoint []byte) error {
	if len(checkpoint) == 0 || len(checkpoint) > maxAnchor {
		return fmt.Errorf("write the anchor: a checkpoint has 1 to %d bytes, not %d", maxAnchor, len(checkpoint))
	}
	checkpoint = bytes.Clone(checkpoint)
	return t.create(ctx, "write the anchor", func(s *session) error {
		objects, err := s.dataObjects(labelAnchor)
		if err != nil {
			return err
		}
		newest, counter, err := newestAnchor(objects)
		if err != nil {
			return err
		}
		if len(objects) == 0 || !bytes.Equal(newest.value[anchorCounter:], checkpoint) {
			value := slices.Concat(binary.BigEndian.AppendUint64(nil, counter+1), checkpoint)
			if err := s.module.CreateObject(s.handle, s.quirk.without(dataTemplate(labelAnchor, value)), nil); err != nil {
				return fmt.Errorf("make the new anchor: %w", err)
			}
			if newest, err = s.newAnchor(value); err != nil {
				return err
			}
			if err := t.settle(); err != nil {
				return err
			}
		}
		for _, object := range objects {
			if object.handle == newest.handle {
				continue
			}
			if err := s.module.DestroyObject(s.handle, object.handle); err != nil {
				return fmt.Errorf("remove the old anchor: %w", err)
			}
		}
		return nil
	})
}

// newAnchor finds the object that was made with this value: SoftHSM calls one made that a full disk had no room for.
func (s *session) newAnchor(value []byte) (dataObject, error) {
	objects, err := s.dataObjects(labelAnchor)
	if err != nil {
		return dataObject{}, err
	}
	for _, object := range objects {
		if bytes.Equal(object.value, value) {
			return object, nil
		}
	}
	return dataObject{}, fmt.Errorf("%w: the token has not kept the new one (is its disk full?); the one before stays", ErrAnchor)
}

// ReadAnchor is the checkpoint that WriteAnchor kept last, nil when there has
// never been one.
func (t *Token) ReadAnchor(ctx context.Context) ([]byte, error) {
	return answer(ctx, t, "read the anchor", func(s *session) ([]byte, error) {
		objects, err := s.dataObjects(labelAnchor)
		if err != nil || len(objects) == 0 {
			return nil, err
		}
		newest, _, err := newestAnchor(objects)
		if err != nil {
			return nil, err
		}
		return newest.value[anchorCounter:], nil
	})
}
