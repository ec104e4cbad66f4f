package nem

import (
	"encoding/binary"
	"fmt"
)

// DecodeError says where bytes are not what they must be.
type DecodeError struct {
	Offset int    // of the field, in bytes from the start of what was decoded
	Field  string // such as "recipient" or "embedded 2: message size"
	Reason string // what was found and what would be right
}

// Error returns offset, field and reason in one line.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("offset %d, %s: %s", e.Offset, e.Field, e.Reason)
}

// reader takes fields off the front of src. The first failure sticks: after it
// every field reads as zero, so a decoder checks once, at the end, and before
// any length it is about to act on. Strings it returns are parts of src.
type reader struct {
	src   string
	pos   int
	end   int
	scope string // put before field names: "inner ", "embedded 2: "
	err   *DecodeError
}

func newReader(src string) reader { return reader{src: src, end: len(src)} }

// sub splits off a reader for the next n bytes, which must be there.
func (r *reader) sub(n int, scope string) reader {
	s := reader{src: r.src, pos: r.pos, end: r.pos + n, scope: r.scope + scope, err: r.err}
	r.pos += n
	return s
}

// join takes over the failure of a reader that sub split off.
func (r *reader) join(s *reader) {
	if r.err == nil {
		r.err = s.err
	}
}

func (r *reader) failAt(offset int, field, format string, args ...any) {
	if r.err == nil {
		r.err = &DecodeError{Offset: offset, Field: r.scope + field, Reason: fmt.Sprintf(format, args...)}
	}
}

// bytes takes n bytes.
func (r *reader) bytes(field string, n int) string {
	if r.err != nil {
		return ""
	}
	if left := r.end - r.pos; n < 0 || n > left {
		r.failAt(r.pos, field, "wants %d bytes, %d are left", n, left)
		return ""
	}
	r.pos += n
	return r.src[r.pos-n : r.pos]
}

func (r *reader) u8(field string) byte {
	if b := r.bytes(field, 1); b != "" {
		return b[0]
	}
	return 0
}

func (r *reader) u16(field string) uint16 {
	var buf [2]byte
	copy(buf[:], r.bytes(field, 2))
	return binary.LittleEndian.Uint16(buf[:])
}

func (r *reader) u32(field string) uint32 {
	var buf [4]byte
	copy(buf[:], r.bytes(field, 4))
	return binary.LittleEndian.Uint32(buf[:])
}

func (r *reader) u64(field string) uint64 {
	var buf [8]byte
	copy(buf[:], r.bytes(field, 8))
	return binary.LittleEndian.Uint64(buf[:])
}

// fixed32 reads a number that can have only one value.
func (r *reader) fixed32(field string, want uint32) {
	at := r.pos
	if got := r.u32(field); r.err == nil && got != want {
		r.failAt(at, field, "is %d, want %d", got, want)
	}
}

// zeros reads n reserved bytes.
func (r *reader) zeros(field string, n int) {
	at := r.pos
	for i, c := range []byte(r.bytes(field, n)) {
		if c != 0 {
			r.failAt(at+i, field, "is 0x%02X, want zero", c)
			return
		}
	}
}

func (r *reader) hash(field string) (h Hash) {
	copy(h[:], r.bytes(field, len(h)))
	return h
}

func (r *reader) signature() (s Signature) {
	copy(s[:], r.bytes("signature", len(s)))
	return s
}

func (r *reader) publicKey(field string) (k PublicKey) {
	at := r.pos
	copy(k[:], r.bytes(field, len(k)))
	if r.err == nil && k == (PublicKey{}) {
		r.failAt(at, field, "is all zero, want a public key")
	}
	return k
}

// left is how many bytes have not been read.
func (r *reader) left() int { return r.end - r.pos }

// finish fails if bytes are left over.
func (r *reader) finish() {
	if r.err == nil && r.pos != r.end {
		r.failAt(r.pos, "end", "%d bytes are left over", r.left())
	}
}
