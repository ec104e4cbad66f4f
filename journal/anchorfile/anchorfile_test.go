package anchorfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"kura/journal"
	"kura/journal/anchorfile"
)

func TestFile(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "anchor")
	f := anchorfile.New(path)
	if c, err := f.Load(ctx); c != nil || err != nil {
		t.Errorf("before the first save: %q, %v", c, err)
	}
	for _, c := range []string{"first", "the second one", "3"} {
		if err := f.Save(ctx, journal.Checkpoint(c)); err != nil {
			t.Fatal(err)
		}
		if got, err := anchorfile.New(path).Load(ctx); string(got) != c || err != nil {
			t.Errorf("saved %q, loaded %q, %v", c, got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestCrashBetween leaves what a crash in the middle of a save leaves: half a next file. The old head
// stands, and the next save goes through.
func TestCrashBetween(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "anchor")
	f := anchorfile.New(path)
	if err := f.Save(ctx, journal.Checkpoint("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".next", []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load(ctx); string(got) != "old" || err != nil {
		t.Errorf("loaded %q, %v", got, err)
	}
	if err := f.Save(ctx, journal.Checkpoint("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load(ctx); string(got) != "new" || err != nil {
		t.Errorf("loaded %q, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	if err := anchorfile.New(filepath.Join(dir, "missing", "anchor")).Save(ctx, journal.Checkpoint("c")); err == nil {
		t.Error("saved into a directory that is not there")
	}
	for name, content := range map[string][]byte{"empty": {}, "huge": make([]byte, journal.MaxCheckpoint+1)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := anchorfile.New(path).Load(ctx); err == nil {
			t.Errorf("%s: loaded %d bytes", name, len(c))
		}
	}
	if c, err := anchorfile.New(dir).Load(ctx); err == nil {
		t.Errorf("a directory: loaded %q", c)
	}
}
