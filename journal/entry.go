package journal

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of an entry. Sequence numbers stay below 2^53 so that jq and spreadsheets read them exactly;
// times stay within four-digit years from 1970 on; a proposal may carry a document of 1 MB, which JSON
// quoting can more than double.
const (
	MaxSeq       = 1<<53 - 1
	MaxTime      = 253402300799999 // 9999-12-31T23:59:59.999Z in unix milliseconds
	MaxKind      = 64
	MaxEntrySize = 4 << 20
)

// ErrEntry is wrapped by every error about the form of an entry.
var ErrEntry = errors.New("malformed entry")

// An Entry is one record of the journal. Kind and Body belong to package ledger; here they are text.
type Entry struct {
	Seq   uint64 // position in the journal, from 0
	Clock int64  // the signer's clock, unix milliseconds
	Time  int64  // policy time, unix milliseconds (docs/operations.md, "Policy time")
	Kind  string // a name and a version, like "outcome/1"
	Body  []byte // one JSON object on one line
}

// The fixed text around an entry's members. The first line's version stands in it: another encoding is
// another prefix, so no reader can take one for the other.
const (
	entryOpen  = `{"v":1,"seq":`
	entryClock = `,"clock":"`
	entryTime  = `","time":"`
	entryKind  = `","kind":"`
	entryBody  = `","body":`
	entryClose = `}`

	timeLayout = "2006-01-02T15:04:05.000Z"
)

// Encode returns the entry's exact bytes, which are the leaf of the tree: one line of JSON with its
// members in this order, no white space outside the body and no newline at the end:
//
//	{"v":1,"seq":12,"clock":"2026-01-02T03:04:05.678Z","time":"2026-01-02T03:04:05.678Z","kind":"outcome/1","body":{}}
//
// An entry that could not be read back is refused with an error that wraps ErrEntry.
func (e Entry) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	b := e.format()
	if len(b) > MaxEntrySize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrEntry, len(b), MaxEntrySize)
	}
	return b, nil
}

// format writes the entry without judging it.
func (e Entry) format() []byte {
	b := make([]byte, 0, len(e.Body)+len(e.Kind)+128)
	b = append(b, entryOpen...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, entryClock...)
	b = time.UnixMilli(e.Clock).UTC().AppendFormat(b, timeLayout)
	b = append(b, entryTime...)
	b = time.UnixMilli(e.Time).UTC().AppendFormat(b, timeLayout)
	b = append(b, entryKind...)
	b = append(b, e.Kind...)
	b = append(b, entryBody...)
	b = append(b, e.Body...)
	return append(b, entryClose...)
}

func (e Entry) check() error {
	if e.Seq > MaxSeq {
		return fmt.Errorf("seq %d is above %d", e.Seq, uint64(MaxSeq))
	}
	if e.Clock < 0 || e.Clock > MaxTime {
		return fmt.Errorf("clock of %d ms is outside the years 1970 to 9999", e.Clock)
	}
	if e.Time < 0 || e.Time > MaxTime {
		return fmt.Errorf("time of %d ms is outside the years 1970 to 9999", e.Time)
	}
	if !validKind(e.Kind) {
		return fmt.Errorf("kind %q is not a name and a version like outcome/1", e.Kind)
	}
	return checkBody(e.Body)
}

// checkBody holds the body to one valid JSON object on one line: duplicate members and invalid UTF-8 are
// refused here, so that no two readers of an entry can see different things.
func checkBody(body []byte) error {
	if len(body) < 2 || body[0] != '{' || body[len(body)-1] != '}' {
		return errors.New("body is not a JSON object")
	}
	for i, c := range body {
		if c < ' ' {
			return fmt.Errorf("body has the control character %#02x at byte %d, an entry is one line", c, i)
		}
	}
	if !jsontext.Value(body).IsValid() {
		return errors.New("body is not valid JSON, or has a member twice, or is not UTF-8")
	}
	return nil
}

// validKind reports whether kind is a lower-case name, a slash and a version from 1 on.
func validKind(kind string) bool {
	name, version, ok := bytes.Cut([]byte(kind), []byte{'/'})
	if !ok || len(kind) > MaxKind || len(name) == 0 || len(version) == 0 || len(version) > 4 {
		return false
	}
	for i, c := range name {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	for i, c := range version {
		if c < '0' || c > '9' || i == 0 && c == '0' {
			return false
		}
	}
	return true
}

// DecodeEntry reads an entry strictly: it takes exactly the bytes that Encode writes and refuses all
// others with the reason, wrapping ErrEntry. The returned body is a part of b, which must not change.
func DecodeEntry(b []byte) (Entry, error) {
	e, err := decodeEntry(b)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	return e, nil
}

func decodeEntry(b []byte) (Entry, error) {
	if len(b) > MaxEntrySize {
		return Entry{}, fmt.Errorf("%d bytes, at most %d are allowed", len(b), MaxEntrySize)
	}
	var e Entry
	rest, ok := bytes.CutPrefix(b, []byte(entryOpen))
	if !ok {
		return Entry{}, fmt.Errorf("does not begin with %s", entryOpen)
	}
	seq, rest, ok := bytes.Cut(rest, []byte(entryClock))
	if !ok {
		return Entry{}, errors.New("seq is not followed by clock")
	}
	clock, rest, ok := bytes.Cut(rest, []byte(entryTime))
	if !ok {
		return Entry{}, errors.New("clock is not followed by time")
	}
	policyTime, rest, ok := bytes.Cut(rest, []byte(entryKind))
	if !ok {
		return Entry{}, errors.New("time is not followed by kind")
	}
	kind, rest, ok := bytes.Cut(rest, []byte(entryBody))
	if !ok {
		return Entry{}, errors.New("kind is not followed by body")
	}
	body, ok := bytes.CutSuffix(rest, []byte(entryClose))
	if !ok {
		return Entry{}, errors.New("body is not followed by the end of the entry")
	}
	var err error
	if e.Seq, err = strconv.ParseUint(string(seq), 10, 64); err != nil {
		return Entry{}, fmt.Errorf("seq %q is not a whole number", seq)
	}
	if e.Clock, err = parseTime(clock); err != nil {
		return Entry{}, fmt.Errorf("clock: %w", err)
	}
	if e.Time, err = parseTime(policyTime); err != nil {
		return Entry{}, fmt.Errorf("time: %w", err)
	}
	e.Kind = string(kind)
	e.Body = body
	if err := e.check(); err != nil {
		return Entry{}, err
	}
	// What was parsed may have been written in another way (a leading zero, a time of another
	// precision); only the one encoding stands for an entry.
	if !bytes.Equal(e.format(), b) {
		return Entry{}, errors.New("not written as Encode writes it")
	}
	return e, nil
}

func parseTime(text []byte) (int64, error) {
	t, err := time.Parse(timeLayout, string(text))
	if err != nil {
		return 0, fmt.Errorf("%q is not a time like 2026-01-02T03:04:05.678Z", text)
	}
	return t.UnixMilli(), nil
}
