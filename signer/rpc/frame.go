package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of a frame, in bytes. A request holds at most a proposal of 1 MB whose quotes are escaped twice on the way
// into its envelope; an answer at most a page of entries.
const (
	MaxRequest = 4 << 20
	MaxAnswer  = 32 << 20
)

type kind uint8

const (
	kindCall    kind = 1
	kindResult  kind = 2
	kindProblem kind = 3
	kindCancel  kind = 4
)

// prefix is the length of a frame's call number and kind, headroom that of all that stands before the payload.
const (
	prefix   = 8 + 1
	headroom = 4 + prefix
)

// A frame is one message of either direction.
type frame struct {
	call       uint64
	kind       kind
	json       []byte
	attachment []byte
}

var errFrameTooLarge = errors.New("frame too large")

// encode returns the frame's bytes, or errFrameTooLarge when they exceed max.
func (f frame) encode(max int) ([]byte, error) {
	n := prefix
	if f.kind != kindCancel {
		n += 4 + len(f.json) + len(f.attachment)
	}
	if n > max {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are sent", errFrameTooLarge, n, max)
	}
	b := make([]byte, 0, 4+n)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = binary.BigEndian.AppendUint64(b, f.call)
	b = append(b, byte(f.kind))
	if f.kind != kindCancel {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f.json)))
		b = append(b, f.json...)
		b = append(b, f.attachment...)
	}
	return b, nil
}

// readFrame reads one frame of at most max bytes. The length is checked before anything is allocated for it. Its
// slices share one buffer that is the frame's own.
func readFrame(r io.Reader, max int) (frame, error) {
	var head [headroom]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err // io.EOF between frames is the ordinary end
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < prefix {
		return frame{}, fmt.Errorf("frame of %d bytes, at least %d are needed", n, prefix)
	}
	if uint64(n) > uint64(max) {
		return frame{}, fmt.Errorf("%w: %d bytes, at most %d are taken", errFrameTooLarge, n, max)
	}
	f := frame{call: binary.BigEndian.Uint64(head[4:]), kind: kind(head[12])}
	payload := make([]byte, n-prefix)
	if _, err := io.ReadFull(r, payload); err != nil {
		return frame{}, fmt.Errorf("frame cut short: %w", errors.Join(io.ErrUnexpectedEOF, err))
	}
	switch f.kind {
	case kindCancel:
		if len(payload) != 0 {
			return frame{}, errors.New("a cancel carries nothing")
		}
		return f, nil
	case kindCall, kindResult, kindProblem:
	default:
		return frame{}, fmt.Errorf("frame of unknown kind %d", f.kind)
	}
	if len(payload) < 4 {
		return frame{}, errors.New("frame without the length of its JSON")
	}
	size := binary.BigEndian.Uint32(payload)
	if uint64(size) > uint64(len(payload)-4) {
		return frame{}, fmt.Errorf("JSON of %d bytes in a payload of %d", size, len(payload))
	}
	f.json, f.attachment = payload[4:4+size], payload[4+size:]
	return f, nil
}
