package journal

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// ErrGenesis is wrapped by every error about the form of a genesis line.
var ErrGenesis = errors.New("malformed genesis line")

// MaxOrigin bounds an origin name, in bytes.
const MaxOrigin = 128

// keyAlgorithm is signed-note's identifier of Ed25519, which precedes the key in a verifier key.
const keyAlgorithm = 0x01

// A Genesis is what everybody pins, for ever: the journal's name, the leaf hash of entry 0, and the log key
// under which its first heads are signed. Whoever has it can check everything else offline; which log keys
// followed that one, the journal proves under it ([LogKeys]).
type Genesis struct {
	Origin string   // the log's name, printed in every checkpoint: no white space, no plus sign
	Hash   Hash     // leaf hash of entry 0: it names the journal in statements
	LogKey [32]byte // Ed25519 public key of the first log key
}

// String returns the genesis line: the same one line wherever a journal is pinned or printed.
//
//	<origin>+<hash, 64 hex digits>+<base64 of 0x01 and the log key>
//
// First and last field are those of the log's signed-note verifier key (see VerifierKey).
func (g Genesis) String() string {
	return g.Origin + "+" + hex.EncodeToString(g.Hash[:]) + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{keyAlgorithm}, g.LogKey[:]...))
}

// ParseGenesis reads a genesis line strictly: only what String prints, without white space around it.
func ParseGenesis(line string) (Genesis, error) {
	g, err := parseGenesis(line)
	if err != nil {
		return Genesis{}, fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	return g, nil
}

func parseGenesis(line string) (Genesis, error) {
	origin, rest, _ := strings.Cut(line, "+")
	hash64, key64, ok := strings.Cut(rest, "+")
	if !ok {
		return Genesis{}, errors.New("not origin+hash+key")
	}
	g := Genesis{Origin: origin}
	if err := checkOrigin(origin); err != nil {
		return Genesis{}, err
	}
	hash, err := hex.DecodeString(hash64)
	if err != nil || len(hash) != len(g.Hash) {
		return Genesis{}, errors.New("hash is not 64 hex digits")
	}
	key, err := base64.StdEncoding.DecodeString(key64)
	if err != nil || len(key) != 1+len(g.LogKey) || key[0] != keyAlgorithm {
		return Genesis{}, errors.New("key is not the base64 of 0x01 and a 32-byte Ed25519 key")
	}
	g.Hash = Hash(hash)
	g.LogKey = [32]byte(key[1:])
	if g.String() != line {
		return Genesis{}, errors.New("not written as it is printed (lower-case hex, padded base64)")
	}
	return g, nil
}

// checkOrigin holds a name to what signed-note allows, and below MaxOrigin.
func checkOrigin(origin string) error {
	if origin == "" || len(origin) > MaxOrigin || !utf8.ValidString(origin) || strings.Contains(origin, "+") ||
		strings.ContainsFunc(origin, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return fmt.Errorf("origin %q is not a name of 1 to %d bytes without white space and plus signs", origin, MaxOrigin)
	}
	return nil
}

// VerifierKey returns the first log key in the form that signed-note tools take: name+hash+key.
func (g Genesis) VerifierKey() (string, error) {
	if err := checkOrigin(g.Origin); err != nil {
		return "", fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	return note.NewEd25519VerifierKey(g.Origin, ed25519.PublicKey(g.LogKey[:]))
}
