package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/statement"
)

// A snapshot is a State written down, so that a start need not fold the whole journal. docs/journal.md,
// "Snapshots", describes every byte. It is a line of text that says what it is of, the state's own encoding
// (whose SHA-256 is the State's Hash, so that a restored state proves itself), that hash, and a checksum
// over the line and the hash.
//
// A snapshot carries no signature: whoever can write it can make a state of his own. It is for a reader who
// trusts where it was kept, checks that its head is on the journal, and folds from zero in the background.

// snapshotMagic begins the first line. Its number goes up with every change of the encoding.
const snapshotMagic = "kura-snapshot/1 "

// maxSnapshotLine bounds the first line, in bytes.
const maxSnapshotLine = 1024

// Errors of RestoreSnapshot.
var (
	// ErrSnapshot says that the bytes are not a snapshot as Snapshot writes them.
	ErrSnapshot = errors.New("not a snapshot")
	// ErrOtherEngine says that another engine or another encoding wrote the snapshot: what it remembers may
	// not be what this one would.
	ErrOtherEngine = errors.New("a snapshot of another engine")
)

// A snapshotLine is what the first line of a snapshot says.
type snapshotLine struct {
	Engine  int            `json:"engine"`
	Genesis statement.Hash `json:"genesis"` // leaf hash of entry 0
	Size    uint64         `json:"size"`    // of the journal
	Root    string         `json:"root"`    // base64 of its root
}

func (l *snapshotLine) encode() ([]byte, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(snapshotMagic), text...), '\n'), nil
}

// Snapshot writes the state down. head is the signed head up to which it was folded. The state must not
// change meanwhile.
func (s *State) Snapshot(w io.Writer, head journal.Head) error {
	if head.Size != s.next || s.policy == nil {
		return fmt.Errorf("snapshot: the state has folded %d entries, the head has %d, and there must be a policy", s.next, head.Size)
	}
	line := snapshotLine{Engine: Engine, Genesis: s.journal, Size: head.Size, Root: base64.StdEncoding.EncodeToString(head.Root[:])}
	first, err := line.encode()
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if _, err := w.Write(first); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	body := sha256.New()
	if err := s.encode(io.MultiWriter(w, body)); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	hash := body.Sum(nil)
	if _, err := w.Write(append(hash, snapshotChecksum(first, hash)...)); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

func snapshotChecksum(line, hash []byte) []byte {
	sum := sha256.New()
	sum.Write(line)
	sum.Write(hash)
	return sum.Sum(nil)
}

// RestoreSnapshot reads what Snapshot wrote, to the end of r, and returns the state with the head that it
// was folded to. Whether that head is on the journal is for the caller to find out. Any byte that is not as
// Snapshot would write it is an error: ErrOtherEngine, or one that wraps ErrSnapshot.
func RestoreSnapshot(r io.Reader) (*State, journal.Head, error) {
	in := newHashedReader(r)
	first, line, err := readSnapshotLine(in)
	if err != nil {
		return nil, journal.Head{}, err
	}
	bad := func(format string, args ...any) (*State, journal.Head, error) {
		return nil, journal.Head{}, fmt.Errorf("%w: %w", ErrSnapshot, fmt.Errorf(format, args...))
	}
	root, err := base64.StdEncoding.Strict().DecodeString(line.Root)
	if err != nil || len(root) != len(journal.Hash{}) {
		return bad("root %q is not the base64 of a hash", line.Root)
	}
	in.reset()
	s, err := decodeState(in)
	if err != nil {
		return bad("%w", err)
	}
	body := in.hash()
	var end [2 * sha256.Size]byte
	if _, err := io.ReadFull(in, end[:]); err != nil {
		return bad("the end is missing: %w", err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return bad("something follows its end")
	}
	hash := s.Hash()
	switch {
	case hash != body || !bytes.Equal(hash[:], end[:sha256.Size]):
		return bad("its bytes have the hash %x, the state that they give %s, and it names %x", body, hash, end[:sha256.Size])
	case !bytes.Equal(snapshotChecksum(first, hash[:]), end[sha256.Size:]):
		return bad("its checksum is another one")
	case line.Genesis != s.journal || line.Size != s.next:
		return bad("its first line is about genesis %s and size %d, the state about %s and %d", line.Genesis, line.Size, s.journal, s.next)
	}
	return s, journal.Head{Size: line.Size, Root: journal.Hash(root)}, nil
}

// readSnapshotLine reads the first line, which is in the form in which it is written or refused.
func readSnapshotLine(in *hashedReader) ([]byte, snapshotLine, error) {
	var line snapshotLine
	var text []byte
	for len(text) == 0 || text[len(text)-1] != '\n' {
		b, err := in.ReadByte()
		if err != nil || len(text) == maxSnapshotLine {
			return nil, line, fmt.Errorf("%w: it does not begin with a line", ErrSnapshot)
		}
		text = append(text, b)
	}
	magic := []byte(snapshotMagic)
	switch {
	case !bytes.HasPrefix(text, magic[:len(magic)-2]):
		return nil, line, fmt.Errorf("%w: it does not begin with %q", ErrSnapshot, snapshotMagic)
	case !bytes.HasPrefix(text, magic):
		return nil, line, fmt.Errorf("%w: its encoding is not %q", ErrOtherEngine, snapshotMagic)
	}
	if err := json.Unmarshal(text[len(magic):], &line, json.RejectUnknownMembers(true)); err != nil {
		return nil, line, fmt.Errorf("%w: first line: %w", ErrSnapshot, err)
	}
	if again, err := line.encode(); err != nil || !bytes.Equal(again, text) {
		return nil, line, fmt.Errorf("%w: first line is not in the form in which it is written", ErrSnapshot)
	}
	if line.Engine != Engine {
		return nil, line, fmt.Errorf("%w: engine %d wrote it, this is engine %d", ErrOtherEngine, line.Engine, Engine)
	}
	return text, line, nil
}
