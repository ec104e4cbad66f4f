package audit

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzReader reads any bytes as an export: what it takes apart is there, line for line, and nothing else.
func FuzzReader(f *testing.F) {
	const head = `{"kura_export":1,"genesis":"kura.test/main+0000000000000000000000000000000000000000000000000000000000000000+AeGyuC86AEJGmHyw1Ji34LRUPit1PkrnHFn/BvtsMjN6"}` + "\n"
	f.Add([]byte(head))
	f.Add([]byte(head + "{\"v\":1}\n{\"checkpoint\":\"a\\nb\\n\"}\n"))
	f.Add([]byte(head + "{\"v\":1}"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, _, err := newReader(bytes.NewReader(text))
		if err != nil {
			return
		}
		first, rest, _ := bytes.Cut(text, []byte("\n"))
		if !bytes.HasPrefix(first, []byte(`{"kura_export":`)) {
			t.Fatalf("%q is taken for a header", first)
		}
		for {
			it, err := r.next()
			if errors.Is(err, io.EOF) {
				if len(rest) != 0 {
					t.Errorf("%q was left out", rest)
				}
				return
			}
			if err != nil {
				if !errors.Is(err, ErrExport) {
					t.Fatal(err)
				}
				return
			}
			line, after, _ := bytes.Cut(rest, []byte("\n"))
			if it.checkpoint == nil && !bytes.Equal(it.entry, line) {
				t.Errorf("entry %q where the text has %q", it.entry, line)
			}
			if it.checkpoint != nil && !bytes.HasPrefix(line, []byte(`{"checkpoint":`)) {
				t.Errorf("%q is taken for a checkpoint", line)
			}
			rest = after
		}
	})
}
