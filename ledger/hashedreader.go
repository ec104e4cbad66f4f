package ledger

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// A hashedReader is a buffered reader that knows the SHA-256 of what was taken from it since the last reset,
// and not of what it has read ahead.
type hashedReader struct {
	r      io.Reader
	buf    []byte
	at     int // next byte to hand out
	end    int // of what was read
	hashed int // up to where sum has been told
	sum    hash.Hash
	err    error
}

func newHashedReader(r io.Reader) *hashedReader {
	return &hashedReader{r: r, buf: make([]byte, 1<<16), sum: sha256.New()}
}

// have reads until n bytes are at hand, if they come and fit the buffer.
func (h *hashedReader) have(n int) bool {
	if h.end-h.at >= n {
		return true
	}
	h.sum.Write(h.buf[h.hashed:h.at])
	copy(h.buf, h.buf[h.at:h.end])
	h.end -= h.at
	h.at, h.hashed = 0, 0
	for h.end < n && h.end < len(h.buf) && h.err == nil {
		var got int
		got, h.err = h.r.Read(h.buf[h.end:])
		h.end += got
	}
	return h.end >= n
}

// failure is why there is nothing more.
func (h *hashedReader) failure() error {
	if errors.Is(h.err, io.EOF) && h.at < h.end {
		return io.ErrUnexpectedEOF
	}
	return h.err
}

// ReadByte implements io.ByteReader.
func (h *hashedReader) ReadByte() (byte, error) {
	if !h.have(1) {
		return 0, h.failure()
	}
	h.at++
	return h.buf[h.at-1], nil
}

// Read implements io.Reader.
func (h *hashedReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if !h.have(1) {
		return 0, h.failure()
	}
	n := copy(b, h.buf[h.at:h.end])
	h.at += n
	return n, nil
}

// next hands out n bytes without a copy, until the next call; false if they do not come or are too many for
// the buffer.
func (h *hashedReader) next(n int) ([]byte, bool) {
	if !h.have(n) {
		return nil, false
	}
	h.at += n
	return h.buf[h.at-n : h.at], true
}

// reset begins a new sum.
func (h *hashedReader) reset() {
	h.sum.Reset()
	h.hashed = h.at
}

// hash returns the sum of what was taken.
func (h *hashedReader) hash() [sha256.Size]byte {
	h.sum.Write(h.buf[h.hashed:h.at])
	h.hashed = h.at
	return [sha256.Size]byte(h.sum.Sum(nil))
}
