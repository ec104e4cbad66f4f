package token

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// SealingRotation is what RotateSealingKey did, for the journal.
type SealingRotation struct {
	Old   []string          `json:"old"`   // CKA_IDs in hex of the keys that no blob here needs any more
	New   string            `json:"new"`   // CKA_ID in hex
	Blobs map[string]string `json:"blobs"` // wallet → SHA-256 of its file, all of them under the new key
}

// RotateSealingKey makes a new sealing key, unless an unfinished rotation left
// one, and seals every blob of the state directory anew under it. Each file is
// replaced whole, after the new one has been opened once; at every moment each blob
// opens. It can be interrupted anywhere and called again. The old keys stay until
// DestroySealingKey: the caller journals both ids first, and other signers of this
// token take over the new files.
func (t *Token) RotateSealingKey(ctx context.Context) (SealingRotation, error) {
	names, err := sealedNames(t.config.StateDir)
	if err != nil {
		return SealingRotation{}, err
	}
	blobs := map[string]*blob{}
	for _, name := range names {
		if blobs[name], err = readBlob(t.config.StateDir, name); err != nil {
			return SealingRotation{}, fmt.Errorf("rotate the sealing key: %w", err)
		}
	}
	keys, err := t.makeNextSealingKey(ctx)
	if err != nil {
		return SealingRotation{}, err
	}
	if err := t.settle(); err != nil { // or a loss of power would leave the blobs and no key
		return SealingRotation{}, fmt.Errorf("rotate the sealing key: %w", err)
	}
	newest := keys[len(keys)-1]
	rotation := SealingRotation{New: hex.EncodeToString(newest), Blobs: map[string]string{}}
	for _, old := range keys[:len(keys)-1] {
		rotation.Old = append(rotation.Old, hex.EncodeToString(old))
	}
	for _, name := range names {
		if string(blobs[name].sealingKey[:]) != string(newest) {
			if err := t.reseal(ctx, blobs[name]); err != nil {
				return SealingRotation{}, fmt.Errorf("rotate the sealing key: %w", err)
			}
		}
		if rotation.Blobs[name], err = blobSum(t.config.StateDir, name); err != nil {
			return SealingRotation{}, err
		}
	}
	t.forgetBlobs()
	return rotation, nil
}

// makeNextSealingKey gives the CKA_IDs of all sealing keys, oldest first, of which
// there are at least two afterwards, and the newest seals. A part of one is among
// the others, which go last, when no blob needs them.
func (t *Token) makeNextSealingKey(ctx context.Context) ([][]byte, error) {
	return answerOf(ctx, t.create, "make the next sealing key", func(s *session) ([][]byte, error) {
		keys, err := s.generations(pkcs11.CKO_SECRET_KEY, labelSealing)
		if err == nil && len(keys) == 0 {
			err = fmt.Errorf("%w: there is no sealing key: run token init", ErrNoKey)
		}
		if err != nil {
			return nil, err
		}
		newest, err := s.newestSealingKey()
		if err != nil {
			return nil, err
		}
		if last := keys[len(keys)-1].id; len(keys) == 1 || string(newest.id) != string(last) {
			generation, _ := generationOf(last)
			if err := s.generateSealingKey(generation + 1); err != nil {
				return nil, err
			}
			if keys, err = s.generations(pkcs11.CKO_SECRET_KEY, labelSealing); err != nil {
				return nil, err
			}
			if len(keys) == 0 || string(keys[len(keys)-1].id) == string(last) {
				return nil, fmt.Errorf("%w: the token has not kept the new sealing key (is its disk full?)", ErrNoKey)
			}
		}
		ids := make([][]byte, 0, len(keys))
		for _, key := range keys {
			ids = append(ids, key.id)
		}
		return ids, nil
	})
}

// reseal seals one blob under the newest key. The seed is opened and sealed again
// within one session and never leaves locked memory.
func (t *Token) reseal(ctx context.Context, old *blob) error {
	renewed, err := answer(ctx, t, "seal wallet "+old.wallet+" anew", func(s *session) (*blob, error) {
		defer clear(s.seed.Bytes())
		seed, err := s.open(old)
		if err != nil {
			return nil, err
		}
		renewed := *old
		renewed.bound = nil
		if err := s.seal(&renewed, seed[:]); err != nil {
			return nil, err
		}
		clear(s.seed.Bytes())
		again, err := s.open(&renewed)
		if err != nil {
			return nil, fmt.Errorf("open what was sealed: %w", err)
		}
		if renewed.sealingKey == old.sealingKey {
			return nil, errors.New("the new sealing key does not seal")
		}
		if public := publicKeyOf(old.network, again); public != old.publicKey {
			return nil, fmt.Errorf("%w: what was sealed anew is the key of %s", ErrSealed, public)
		}
		return &renewed, nil
	})
	if err != nil {
		return err
	}
	return writeBlob(t.config.StateDir, renewed, true)
}

// DestroySealingKey removes a sealing key that a rotation replaced, named by its
// CKA_ID in hex: the last step of a rotation. The newest key, and one that a blob
// of the state directory still needs, is refused. A key that is gone already is
// no error.
func (t *Token) DestroySealingKey(ctx context.Context, keyID string) error {
	id, err := hex.DecodeString(keyID)
	if err != nil || len(id) != 16 {
		return fmt.Errorf("destroy a sealing key: %q is not a key id of 32 hex digits", keyID)
	}
	names, err := sealedNames(t.config.StateDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := readBlob(t.config.StateDir, name)
		if err != nil {
			return fmt.Errorf("destroy a sealing key: which key it needs cannot be told: %w", err)
		}
		if string(b.sealingKey[:]) == string(id) {
			return fmt.Errorf("destroy a sealing key: wallet %q is sealed by %s: rotate first", name, keyID)
		}
	}
	return t.do(ctx, "destroy sealing key "+keyID, func(s *session) error {
		newest, err := s.newestSealingKey()
		if err != nil {
			return err
		}
		if string(newest.id) == string(id) {
			return errors.New("it is the newest, which new wallets are sealed by")
		}
		s.forgetKeys()
		for _, gone := range []struct {
			label string
			id    []byte
		}{{labelSealing, id}, {labelMAC, macID([16]byte(id))}} {
			found, err := s.labelled(pkcs11.CKO_SECRET_KEY, gone.label)
			if err != nil {
				return err
			}
			for _, object := range found {
				if len(object.id) > 0 && string(object.id) != string(gone.id) {
					continue // one without an id is a part of a key, which no blob can name
				}
				if err := s.module.DestroyObject(s.handle, object.handle); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// removeSealingKeys clears what is left of the making of the first one.
func (s *session) removeSealingKeys() error {
	s.forgetKeys()
	for _, label := range []string{labelSealing, labelMAC} {
		found, err := s.labelled(pkcs11.CKO_SECRET_KEY, label)
		if err != nil {
			return err
		}
		for _, object := range found {
			if err := s.module.DestroyObject(s.handle, object.handle); err != nil {
				return err
			}
		}
	}
	return nil
}
