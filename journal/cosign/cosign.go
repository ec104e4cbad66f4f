// Package cosign is what a witness says about a signed head: C2SP
// tlog-cosignature, version 1 (Ed25519, with the witness's own time).
//
// It is pure: times and signing functions are passed in. It trusts the witness
// keys that its caller pinned, and promises that a cosignature which it accepts
// was made by that key over that head at that time.
//
// Source: C2SP tlog-cosignature (c2sp.org/tlog-cosignature), signed-note.
package cosign

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
)

// algorithm is signed-note's signature type of timestamped Ed25519 cosignatures.
const algorithm = 0x04

// signatureSize is a timestamp of 8 bytes (unix seconds, big-endian) and an
// Ed25519 signature.
const signatureSize = 8 + ed25519.SignatureSize

// ErrKey is wrapped by every error about the form of a witness key line.
var ErrKey = errors.New("malformed witness key")

// A Key is a witness as it is pinned: its name and its Ed25519 public key. The
// zero Key verifies nothing.
type Key struct {
	Name   string
	Public [ed25519.PublicKeySize]byte
}

// String returns the key's one-line form, that of signed-note verifier keys:
//
//	<name>+<key id, 8 hex digits>+<base64 of 0x04 and the public key>
func (k Key) String() string {
	return k.Name + "+" + hex.EncodeToString(binary.BigEndian.AppendUint32(nil, k.id())) + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{algorithm}, k.Public[:]...))
}

// ParseKey reads a witness key line strictly: only what String prints.
func ParseKey(line string) (Key, error) {
	name, rest, _ := strings.Cut(line, "+")
	_, encoded, ok := strings.Cut(rest, "+")
	if !ok {
		return Key{}, fmt.Errorf("%w: not name+id+key", ErrKey)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algorithm {
		return Key{}, fmt.Errorf("%w: the key is not the base64 of 0x04 and 32 bytes (a cosignature key)", ErrKey)
	}
	k := Key{Name: name, Public: [ed25519.PublicKeySize]byte(raw[1:])}
	if err := checkName(name); err != nil {
		return Key{}, err
	}
	if k.String() != line {
		return Key{}, fmt.Errorf("%w: the key id does not belong to this name and key", ErrKey)
	}
	return k, nil
}

func checkName(name string) error {
	if name == "" || len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '+' }) {
		return fmt.Errorf("%w: the name %q is not 1 to 128 bytes without white space and plus signs", ErrKey, name)
	}
	return nil
}

// id is signed-note's key id: the first four bytes of SHA-256(name, newline,
// algorithm, key).
func (k Key) id() uint32 {
	h := sha256.New()
	h.Write([]byte(k.Name + "\n"))
	h.Write([]byte{algorithm})
	h.Write(k.Public[:])
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// message is what a witness signs: header, its time, and the checkpoint's text
// with its newline.
func message(text string, seconds uint64) []byte {
	return []byte("cosignature/v1\ntime " + strconv.FormatUint(seconds, 10) + "\n" + text)
}

// Sign returns the signature line (with its newline) of a witness over a
// checkpoint's text, at a time in unix seconds. private must belong to k.
func Sign(k Key, private ed25519.PrivateKey, text string, seconds uint64) (string, error) {
	if err := checkName(k.Name); err != nil {
		return "", err
	}
	if !k.owns(private) {
		return "", fmt.Errorf("%w: the private key is not that of %s", ErrKey, k.Name)
	}
	line := binary.BigEndian.AppendUint32(nil, k.id())
	line = binary.BigEndian.AppendUint64(line, seconds)
	line = append(line, ed25519.Sign(private, message(text, seconds))...)
	return "— " + k.Name + " " + base64.StdEncoding.EncodeToString(line) + "\n", nil
}

func (k Key) owns(private ed25519.PrivateKey) bool {
	if len(private) != ed25519.PrivateKeySize {
		return false
	}
	return [ed25519.PublicKeySize]byte(private[ed25519.SeedSize:]) == k.Public
}

// A Cosignature is one witness's word: this head extends every head that I
// cosigned before, and my clock said Seconds (unix).
type Cosignature struct {
	Witness Key
	Seconds uint64
}

// Verify returns the cosignatures of the given witnesses on a checkpoint, at most
// one each. Lines of others, and lines that do not verify, are left out: they
// prove nothing.
func Verify(checkpoint []byte, witnesses []Key) ([]Cosignature, error) {
	text, signatures, err := split(checkpoint)
	if err != nil {
		return nil, err
	}
	var found []Cosignature
	for _, k := range witnesses {
		for _, s := range signatures {
			if c, ok := k.check(text, s); ok {
				found = append(found, c)
				break
			}
		}
	}
	return found, nil
}

func (k Key) check(text string, s note.Signature) (Cosignature, bool) {
	if s.Name != k.Name || s.Hash != k.id() || k == (Key{}) {
		return Cosignature{}, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(s.Base64) // one signature has one form
	if err != nil || len(raw) != 4+signatureSize {
		return Cosignature{}, false
	}
	seconds := binary.BigEndian.Uint64(raw[4:])
	if !ed25519.Verify(k.Public[:], message(text, seconds), raw[4+8:]) {
		return Cosignature{}, false
	}
	return Cosignature{Witness: k, Seconds: seconds}, true
}

// split takes a signed note apart without judging any signature. note.Open with
// no known verifier gives back the unverified note with its error.
func split(checkpoint []byte) (string, []note.Signature, error) {
	_, err := note.Open(checkpoint, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return "", nil, fmt.Errorf("take the checkpoint apart: %w", err)
	}
	return unverified.Note.Text, unverified.Note.UnverifiedSigs, nil
}

// Text returns the text of a checkpoint that its signatures are over.
func Text(checkpoint []byte) (string, error) {
	text, _, err := split(checkpoint)
	return text, err
}

// CheckQuorum refuses a choice of witnesses of whom need are to agree, unless that
// is more than half of them, so that two quorums always share one, and each of
// them counts once.
func CheckQuorum(witnesses []Key, need int) error {
	if need < 1 || need > len(witnesses) || 2*need <= len(witnesses) {
		return fmt.Errorf("a quorum of %d of %d witnesses: it must be more than half of them and not more than all", need, len(witnesses))
	}
	for i, k := range witnesses {
		if slices.ContainsFunc(witnesses[:i], func(o Key) bool { return o.Name == k.Name || o.Public == k.Public }) {
			return fmt.Errorf("witness %s: its name or its key stands there twice", k.Name)
		}
	}
	return nil
}

// Newest returns the latest time, in unix seconds, that at least need of the
// cosignatures vouch for: the need-th largest. False if there are fewer.
func Newest(cosignatures []Cosignature, need int) (uint64, bool) {
	if need < 1 || len(cosignatures) < need {
		return 0, false
	}
	times := make([]uint64, 0, len(cosignatures))
	for _, c := range cosignatures {
		times = append(times, c.Seconds)
	}
	slices.Sort(times)
	// The need-th largest: fewer than need liars cannot move it into the future.
	return times[len(times)-need], true
}
