package nem

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// PublicKey is an account's Ed25519 public key, as both chains write it: the
// encoded point, never reversed. The zero value is no key.
type PublicKey [32]byte

// Hash is a transaction's hash, or any other 32-byte hash of the chains.
type Hash [32]byte

// Signature is R followed by S, 32 bytes each.
type Signature [64]byte

// ParsePublicKey reads 64 hex digits of either case. The zero key is refused,
// as both nodes refuse it; whether it is a point is for [NewVerifyingKey].
func ParsePublicKey(text string) (PublicKey, error) {
	var k PublicKey
	if err := parseHex(k[:], "public key", text); err != nil {
		return PublicKey{}, err
	}
	if k == (PublicKey{}) {
		return PublicKey{}, fmt.Errorf("public key is all zero")
	}
	return k, nil
}

// ParseHash reads 64 hex digits of either case.
func ParseHash(text string) (Hash, error) {
	var h Hash
	err := parseHex(h[:], "hash", text)
	return h, err
}

// ParseSignature reads 128 hex digits of either case.
func ParseSignature(text string) (Signature, error) {
	var s Signature
	err := parseHex(s[:], "signature", text)
	return s, err
}

// String returns 64 upper-case hex digits.
func (k PublicKey) String() string { return upperHex(k[:]) }

// String returns 64 upper-case hex digits.
func (h Hash) String() string { return upperHex(h[:]) }

// String returns 128 upper-case hex digits.
func (s Signature) String() string { return upperHex(s[:]) }

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// parseHex fills dst from exactly twice as many hex digits. dst is zero when
// it fails. The text is not repeated in the error: it may be a secret.
func parseHex(dst []byte, what, text string) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("%s has %d characters, want %d hex digits", what, len(text), 2*len(dst))
	}
	if _, err := hex.Decode(dst, []byte(text)); err != nil {
		clear(dst)
		return fmt.Errorf("%s has a character that is not a hex digit", what)
	}
	return nil
}

func mustHash(text string) Hash {
	h, err := ParseHash(text)
	if err != nil {
		panic(err)
	}
	return h
}

// ParsePrivateKeyText reads a private key as the chain's tools print it and
// returns the seed that signing takes.
//
// NIS1 tools print a big-endian number: the seed is those bytes reversed. The
// Java ones print it as a signed number, so a key may have 66 digits that begin
// with 00, or lack leading zeros; both are put right. Symbol's text is the seed
// itself, 64 digits. Seeds derived from a mnemonic (BIP32) are never reversed
// and do not belong here.
//
// No error repeats any part of the text.
func ParsePrivateKeyText(c Chain, text string) (seed [32]byte, err error) {
	switch c {
	case Symbol:
		err = parseHex(seed[:], "private key", text)
		return seed, err
	case NIS1:
	default:
		return seed, fmt.Errorf("private key: no chain is given")
	}
	if len(text) == 66 && text[:2] == "00" {
		text = text[2:]
	}
	if len(text) == 0 || len(text) > 64 {
		return seed, fmt.Errorf("private key has %d characters, want at most 64 hex digits (or 66 that begin with 00)", len(text))
	}
	// Digit i counts from the end, so the last digit is the low half of the
	// seed's first byte: this is padding and reversal in one.
	for i := range len(text) {
		digit, ok := hexDigit(text[len(text)-1-i])
		if !ok {
			clear(seed[:])
			return seed, fmt.Errorf("private key has a character that is not a hex digit")
		}
		seed[i/2] |= digit << (4 * (i % 2))
	}
	return seed, nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
