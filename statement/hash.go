package statement

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256: of a statement's text, of a genesis entry, of a policy's
// text. It is written as 64 lower-case hex digits.
type Hash [sha256.Size]byte

// HashText returns the hash that names the statement with this exact text.
func HashText(text string) Hash { return sha256.Sum256([]byte(text)) }

// ParseHash reads 64 lower-case hex digits.
func ParseHash(text string) (Hash, error) {
	var h Hash
	if len(text) != 2*len(h) {
		return Hash{}, fmt.Errorf("want a hash of %d lower-case hex digits, got %d bytes", 2*len(h), len(text))
	}
	if !isLowerHex(text) {
		return Hash{}, fmt.Errorf("want a hash of %d lower-case hex digits, got %s", 2*len(h), Quote(text, 80))
	}
	_, err := hex.Decode(h[:], []byte(text))
	return h, err
}

// String returns 64 lower-case hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is 64 zeros, which no text hashes to.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText and UnmarshalText carry a hash as a JSON string, as strictly as
// [ParseHash] reads it.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

func isLowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
