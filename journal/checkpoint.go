package journal

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A Checkpoint is a signed head: a C2SP tlog-checkpoint in a signed note, as bytes.
type Checkpoint []byte

// MaxCheckpoint bounds a checkpoint with all its cosignatures, in bytes.
const MaxCheckpoint = 16 << 10

// ErrCheckpoint is wrapped by every error about a checkpoint's form or signature.
var ErrCheckpoint = errors.New("bad checkpoint")

// ErrWrongSignature says that what a Sign function returned does not verify under the log key.
var ErrWrongSignature = errors.New("the signature that was made does not verify under the log key")

// A Sign function signs a checkpoint's text with the log key that has this public key (Ed25519, RFC 8032).
type Sign func(logKey [32]byte, text []byte) ([64]byte, error)

// UnsignedCheckpoint returns the text that the log key signs: origin, size and base64 root, a line each.
func UnsignedCheckpoint(origin string, h Head) string {
	return origin + "\n" + strconv.FormatUint(h.Size, 10) + "\n" + h.Root.String() + "\n"
}

// SignCheckpoint signs a head with the log key. What sign returns is verified against logKey before it is
// used: a token that answers with another key or a bad signature must not write a head that nobody can open.
func SignCheckpoint(origin string, h Head, sign Sign, logKey [32]byte) (Checkpoint, error) {
	g := Genesis{Origin: origin, LogKey: logKey}
	verifier, err := g.verifier()
	if err != nil {
		return nil, err
	}
	text := UnsignedCheckpoint(origin, h)
	signature, err := sign(logKey, []byte(text))
	if err != nil {
		return nil, fmt.Errorf("sign the head of size %d: %w", h.Size, err)
	}
	if !verifier.Verify([]byte(text), signature[:]) {
		return nil, fmt.Errorf("%w: the head of size %d: %w", ErrCheckpoint, h.Size, ErrWrongSignature)
	}
	line := binary.BigEndian.AppendUint32(nil, verifier.KeyHash())
	line = append(line, signature[:]...)
	return Checkpoint(text + "\n— " + origin + " " + base64.StdEncoding.EncodeToString(line) + "\n"), nil
}

// OpenCheckpoint is [LogKeys.Open] for whoever knows of no handover: the genesis line's own key must have
// signed the checkpoint, whatever its size. The lines of others are not looked at.
func OpenCheckpoint(g Genesis, c []byte) (Head, error) {
	h, _, err := openCheckpoint(g, c)
	return h, err
}

// bareCheckpoint is an opened checkpoint with the log's signature alone.
func bareCheckpoint(opened *note.Note) Checkpoint {
	own := opened.Sigs[0] // the only one: Open was given one verifier, and drops repetitions
	return Checkpoint(opened.Text + "\n— " + own.Name + " " + own.Base64 + "\n")
}

func openCheckpoint(g Genesis, c []byte) (Head, *note.Note, error) {
	verifier, err := g.verifier()
	if err != nil {
		return Head{}, nil, err
	}
	if len(c) > MaxCheckpoint {
		return Head{}, nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrCheckpoint, len(c), MaxCheckpoint)
	}
	opened, err := note.Open(c, note.VerifierList(verifier))
	if _, unsigned := errors.AsType[*note.UnverifiedNoteError](err); unsigned {
		return Head{}, nil, fmt.Errorf("%w: %w: %w (log key of %s)", ErrCheckpoint, ErrOtherKey, err, g.Origin)
	}
	if err != nil {
		return Head{}, nil, fmt.Errorf("%w: %w (log key of %s)", ErrCheckpoint, err, g.Origin)
	}
	for _, own := range opened.Sigs {
		// Package note reads base64 leniently; one signature is to have one form.
		if _, err := base64.StdEncoding.Strict().DecodeString(own.Base64); err != nil {
			return Head{}, nil, fmt.Errorf("%w: the log's signature: %w", ErrCheckpoint, err)
		}
	}
	h, err := ParseHead(g.Origin, opened.Text)
	if err != nil {
		return Head{}, nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return h, opened, nil
}

// ParseHead reads a checkpoint's text strictly: what UnsignedCheckpoint writes. It judges no signature.
func ParseHead(origin, text string) (Head, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Head{}, fmt.Errorf("text has %d lines, it must be origin, size and root", len(lines)-1)
	}
	if lines[0] != origin {
		return Head{}, fmt.Errorf("origin is %q, not %q", lines[0], origin)
	}
	var h Head
	var err error
	if h.Size, err = strconv.ParseUint(lines[1], 10, 64); err != nil || h.Size > MaxSeq+1 {
		return Head{}, fmt.Errorf("size %q is not a number of entries", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(h.Root) {
		return Head{}, fmt.Errorf("root %q is not the base64 of 32 bytes", lines[2])
	}
	h.Root = Hash(root)
	if UnsignedCheckpoint(origin, h) != text {
		return Head{}, errors.New("size or root is not in its one form")
	}
	return h, nil
}

func (g Genesis) verifier() (note.Verifier, error) {
	key, err := g.VerifierKey()
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(key)
}

// CheckpointSays reports whether a checkpoint, signed or not, is about the head h. It judges no
// signature: stores use it for their compare-and-swap.
func CheckpointSays(c Checkpoint, h Head) bool {
	origin, _, _ := strings.Cut(string(c), "\n")
	return strings.HasPrefix(string(c), UnsignedCheckpoint(origin, h)+"\n")
}
