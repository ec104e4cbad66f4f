package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeptCopy: what a loss of power leaves of a token's file is not taken for the file, nor for its copy.
func TestKeptCopy(t *testing.T) {
	const count, other, pin, next = "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x02", "a PIN", "another"
	zeros := strings.Repeat("\x00", len(count+pin))
	for name, c := range map[string]struct{ object, kept, then, copied string }{
		"the first login":       {count + pin, "", count + pin, count + pin},
		"one more login":        {other + pin, count + pin, other + pin, count + pin},
		"another PIN":           {other + next, count + pin, other + next, other + next},
		"emptied":               {"", count + pin, count + pin, count + pin},
		"zeros":                 {zeros, count + pin, count + pin, count + pin},
		"a count alone":         {other, count + pin, count + pin, count + pin},
		"cut off in its making": {zeros, "", zeros, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tokens := t.TempDir()
			object := filepath.Join(tokens, "one", "token.object")
			if err := os.Mkdir(filepath.Dir(object), 0o700); err != nil {
				t.Fatal(err)
			}
			for path, text := range map[string]string{object: c.object, object + keptSuffix: c.kept} {
				if path == object || text != "" {
					if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := keepTokens(tokens, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]string{object: c.then, object + keptSuffix: c.copied} {
				got, err := os.ReadFile(path)
				if (err != nil) != (want == "") || string(got) != want {
					t.Errorf("%s: %q, %v; want %q", filepath.Base(path), got, err, want)
				}
			}
			if all, err := os.ReadDir(filepath.Dir(object)); err != nil || len(all) > 2 {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}
