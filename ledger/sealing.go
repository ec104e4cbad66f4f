package ledger

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// Sizes in bytes of what a sealing names.
const (
	keyIDSize = 16
	sumSize   = 32
)

// sealing records that sealed wallets lie under another key of the token. Their private keys stay what they
// were, so nothing else changes.
func (j *judgement) sealing(b Sealing) (Result, error) {
	if err := j.s.checkSealing(&b); err != nil {
		return Result{}, fmt.Errorf("%w: sealing key: %w", ErrInput, err)
	}
	return Result{Seq: j.write(&b)}, nil
}

func (s *State) checkSealing(b *Sealing) error {
	if len(b.Old) == 0 || slices.Contains(b.Old, b.New) {
		return fmt.Errorf("a new key takes the place of at least one other")
	}
	for _, id := range append([]string{b.New}, b.Old...) {
		if !isHex(id, keyIDSize) {
			return fmt.Errorf("%q is not a key's id of %d hex digits", id, 2*keyIDSize)
		}
	}
	for i, blob := range b.Blobs {
		w := s.wallets[blob.Wallet]
		switch {
		case w == nil || w.Custody != "sealed":
			return fmt.Errorf("the journal has no sealed wallet %q", blob.Wallet)
		case !isHex(blob.SHA256, sumSize):
			return fmt.Errorf("wallet %q: %q is not a SHA-256 of %d hex digits", blob.Wallet, blob.SHA256, 2*sumSize)
		case i > 0 && b.Blobs[i-1].Wallet >= blob.Wallet:
			return fmt.Errorf("wallets are named once each, in the order of their names")
		}
	}
	return nil
}

// isHex tells whether text is so many bytes in lower-case hex.
func isHex(text string, size int) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == size && hex.EncodeToString(raw) == text
}

func (s *State) applySealing(b *Sealing) error {
	if err := s.checkSealing(b); err != nil {
		return err
	}
	for _, blob := range b.Blobs {
		s.wallets[blob.Wallet].Sealed = blob.SHA256
	}
	return nil
}
