package rpc

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestListenOnlyWhereNobodyElseWrites: whoever can replace the socket can answer in the signer's place.
func TestListenOnlyWhereNobodyElseWrites(t *testing.T) {
	const stranger = 12345
	for _, c := range []struct {
		name  string
		mode  fs.FileMode
		owner int
		taken bool
	}{
		{"its own", 0o700, -1, true},
		{"readable", 0o755, -1, true},
		{"sticky", 0o777 | fs.ModeSticky, -1, true},
		{"its group's", 0o770, -1, false},
		{"everybody's", 0o707, -1, false},
		{"another user's", 0o755, stranger, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "rpc")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			if err := os.Chmod(dir, c.mode); err != nil {
				t.Fatal(err)
			}
			if c.owner >= 0 {
				if err := os.Chown(dir, c.owner, -1); err != nil {
					t.Skip("only root gives a directory away")
				}
			}
			l, err := Listen(filepath.Join(dir, "s"), uint32(os.Geteuid()))
			if err == nil {
				defer l.Close()
			}
			if (err == nil) != c.taken {
				t.Errorf("listening there: %v", err)
			}
		})
	}
}
