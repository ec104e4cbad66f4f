package statement

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// ID names a statement for ever. It is a UUIDv7 (RFC 9562): 48 bits of unix
// milliseconds, its birth, then 74 random bits around version and variant. The
// zero value is no id.
type ID [16]byte

// maxBirth is the latest birth that fits into an id, in unix milliseconds.
const maxBirth = 1<<48 - 1

const idForm = "want a UUIDv7 in lower case, xxxxxxxx-xxxx-7xxx-yxxx-xxxxxxxxxxxx"

// ParseID reads the one text form of a UUIDv7: 36 characters in lower case.
func ParseID(text string) (ID, error) {
	if len(text) != 36 {
		return ID{}, fmt.Errorf("%s, got %d bytes", idForm, len(text))
	}
	if text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID{}, fmt.Errorf("%s, got %s", idForm, Quote(text, 40))
	}
	digits := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	if !isLowerHex(digits) {
		return ID{}, fmt.Errorf("%s, got %s", idForm, Quote(text, 40))
	}
	var id ID
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, err
	}
	if version := id[6] >> 4; version != 7 {
		return ID{}, fmt.Errorf("%s, got version %d", idForm, version)
	}
	if id[8]>>6 != 0b10 {
		return ID{}, fmt.Errorf("%s with y one of 8, 9, a, b; got %q", idForm, text[19])
	}
	return id, nil
}

// NewID makes an id born at unixMillis from ten random bytes, of which 74 bits
// are used. A time before 1970 or beyond 48 bits gives the zero id, which no
// statement can carry.
func NewID(unixMillis int64, random [10]byte) ID {
	if unixMillis < 0 || unixMillis > maxBirth {
		return ID{}
	}
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(unixMillis)<<16)
	copy(id[6:], random[:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// Born returns the unix milliseconds in the id's first 48 bits.
func (id ID) Born() int64 { return int64(binary.BigEndian.Uint64(id[:8]) >> 16) }

// IsZero reports whether id is no id.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the 36 characters that ParseID reads.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// MarshalText and UnmarshalText carry an id as a JSON string, as strictly as
// [ParseID] reads it.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}
