package rpc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := frame{
			call: rapid.Uint64().Draw(t, "call"),
			kind: kind(rapid.IntRange(1, 4).Draw(t, "kind")),
		}
		if want.kind != kindCancel {
			want.json = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "json")
			want.attachment = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "attachment")
		}
		b, err := want.encode(MaxRequest)
		if err != nil {
			t.Fatal(err)
		}
		next := []byte("what follows")
		r := bytes.NewReader(append(bytes.Clone(b), next...))
		got, err := readFrame(r, MaxRequest)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(got, want, cmp.AllowUnexported(frame{}), cmp.Comparer(bytes.Equal)) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if rest, _ := io.ReadAll(r); !bytes.Equal(rest, next) {
			t.Fatalf("left %q", rest)
		}
		if short, err := readFrame(bytes.NewReader(b[:len(b)-1]), MaxRequest); err == nil {
			t.Fatalf("a frame that was cut short was read: %+v", short)
		}
	})
}

// counting says how much was asked of a reader.
type counting struct {
	io.Reader
	most int
}

func (c *counting) Read(b []byte) (int, error) {
	c.most = max(c.most, len(b))
	return c.Reader.Read(b)
}

func TestFrameTooLarge(t *testing.T) {
	b := binary.BigEndian.AppendUint32(nil, MaxRequest+1)
	b = append(b, make([]byte, 64)...)
	c := &counting{Reader: bytes.NewReader(b)}
	if _, err := readFrame(c, MaxRequest); !errors.Is(err, errFrameTooLarge) {
		t.Errorf("read: %v", err)
	}
	if c.most > headroom {
		t.Errorf("room for %d bytes was made before the length was judged", c.most)
	}
	if _, err := (frame{kind: kindCall, attachment: make([]byte, MaxRequest)}).encode(MaxRequest); !errors.Is(err, errFrameTooLarge) {
		t.Errorf("encode: %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, seed := range []frame{
		{call: 1, kind: kindCall, json: []byte(`{"method":"ready","params":{}}`)},
		{call: 2, kind: kindResult, json: []byte(`{}`), attachment: []byte("x")},
		{call: 3, kind: kindCancel},
	} {
		b, err := seed.encode(MaxRequest)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readFrame(bytes.NewReader(b), MaxRequest)
		if err != nil {
			return
		}
		again, err := got.encode(MaxRequest)
		if err != nil || !bytes.HasPrefix(b, again) {
			t.Fatalf("%x reads as %+v, which is written as %x (%v)", b, got, again, err)
		}
	})
}
