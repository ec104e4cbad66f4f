package anchorfile_test

import (
	"bytes"
	"errors"
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

// TestTornSave lets a crash tear every save at every place: the head before or the head after is there,
// and the next save goes through.
func TestTornSave(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "anchor")
	f := anchorfile.New(path)
	saved := func(i int) journal.Checkpoint { return bytes.Repeat([]byte{byte('a' + i)}, 200+i) }
	save := func(i int) []byte {
		t.Helper()
		if err := f.Save(ctx, saved(i)); err != nil {
			t.Fatal(err)
		}
		return readFile(t, path)
	}
	before := save(0)
	for i := 1; i < 6; i++ {
		after := save(i)
		for at := 0; at <= len(after); at += 37 {
			torn := append(bytes.Clone(after[:at]), before[at:]...)
			if err := os.WriteFile(path, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := f.Load(ctx)
			if err != nil || !bytes.Equal(got, saved(i)) && !bytes.Equal(got, saved(i-1)) {
				t.Fatalf("save %d torn at byte %d: %q, %v", i, at, got, err)
			}
			if at%370 == 0 {
				if err := f.Save(ctx, saved(9)); err != nil {
					t.Fatal(err)
				}
				if got, err := f.Load(ctx); err != nil || !bytes.Equal(got, saved(9)) {
					t.Fatalf("saved after save %d torn at byte %d: %q, %v", i, at, got, err)
				}
			}
		}
		if err := os.WriteFile(path, after, 0o600); err != nil {
			t.Fatal(err)
		}
		before = after
	}
}

// syncedTwice returns an anchor whose second slot holds what was synced last.
func syncedTwice(t *testing.T) (*anchorfile.File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "anchor")
	f := anchorfile.New(path)
	for _, c := range []string{"first", "synced"} {
		if err := f.Save(t.Context(), journal.Checkpoint(c)); err != nil {
			t.Fatal(err)
		}
	}
	return f, path
}

// saveUnsynced saves while no sync succeeds. The second slot must stay as it is.
func saveUnsynced(t *testing.T, f *anchorfile.File, path, c string) {
	t.Helper()
	broken := errors.New("I/O error (test)")
	f.SetSync(func(*os.File) error { return broken })
	before := readFile(t, path)
	if err := f.Save(t.Context(), journal.Checkpoint(c)); !errors.Is(err, broken) {
		t.Fatalf("saved: %v", err)
	}
	if !bytes.Equal(readFile(t, path)[4096:], before[4096:]) {
		t.Fatal("the slot that was synced was written over")
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSyncFails: a save that could not be synced may be read back and be gone after a crash. Saving goes on over it, so
// that the last one that was synced stays.
func TestSyncFails(t *testing.T) {
	ctx := t.Context()
	f, path := syncedTwice(t)
	for _, c := range []string{"lost", "lost too", "lost again"} {
		saveUnsynced(t, f, path, c)
	}
	f.SetSync(func(*os.File) error { return nil })
	if err := f.Save(ctx, journal.Checkpoint("whole")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*anchorfile.File{f, anchorfile.New(path)} {
		if c, err := f.Load(ctx); string(c) != "whole" || err != nil {
			t.Errorf("loaded %q, %v", c, err)
		}
	}
}

// TestSyncFailsThenRestart: what is read back after a start may never have come to the disk. It does before the other
// slot, the last one that was synced, is written over.
func TestSyncFailsThenRestart(t *testing.T) {
	ctx := t.Context()
	f, path := syncedTwice(t)
	saveUnsynced(t, f, path, "lost")
	for range 3 { // starts, the power failing at each sync: any part of what was written since may be on the disk
		f = anchorfile.New(path)
		saveUnsynced(t, f, path, "next")
	}
	var disk []byte
	f.SetSync(func(*os.File) (err error) {
		disk, err = os.ReadFile(path)
		return err
	})
	if err := f.Save(ctx, journal.Checkpoint("next")); err != nil {
		t.Fatal(err)
	}
	if c, err := anchorfile.New(path).Load(ctx); string(c) != "next" || err != nil {
		t.Errorf("loaded %q, %v", c, err)
	}
	for _, cut := range []int{4096 + 10, 4096 + 200} { // the write of the second slot tears: the first was synced before
		torn := bytes.Clone(disk)
		copy(torn[cut:], make([]byte, 100))
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := anchorfile.New(path).Load(ctx); string(c) != "lost" || err != nil {
			t.Errorf("loaded %q, %v", c, err)
		}
	}
}

// TestCrashAtFirst leaves half a file under the other name: there is no anchor yet.
func TestCrashAtFirst(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "anchor")
	if err := os.WriteFile(path+".new", []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := anchorfile.New(path)
	if c, err := f.Load(ctx); c != nil || err != nil {
		t.Errorf("loaded %q, %v", c, err)
	}
	if err := f.Save(ctx, journal.Checkpoint("first")); err != nil {
		t.Fatal(err)
	}
	if c, err := f.Load(ctx); string(c) != "first" || err != nil {
		t.Errorf("loaded %q, %v", c, err)
	}
}

func TestErrors(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	if err := anchorfile.New(filepath.Join(dir, "missing", "anchor")).Save(ctx, journal.Checkpoint("c")); err == nil {
		t.Error("saved into a directory that is not there")
	}
	for _, c := range []journal.Checkpoint{nil, make(journal.Checkpoint, 4090)} {
		if err := anchorfile.New(filepath.Join(dir, "anchor")).Save(ctx, c); err == nil {
			t.Errorf("saved a checkpoint of %d bytes", len(c))
		}
	}
	for name, content := range map[string][]byte{
		"empty": {}, "newlines": bytes.Repeat([]byte("\n"), 8192), "a checkpoint": []byte("kura\n1\n"), "longer": bytes.Repeat([]byte("\n"), 8193),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := anchorfile.New(path).Load(ctx); err == nil {
			t.Errorf("%s: loaded %d bytes", name, len(c))
		}
		if err := anchorfile.New(path).Save(ctx, journal.Checkpoint("c")); err == nil {
			t.Errorf("%s: saved over it", name)
		}
	}
	if c, err := anchorfile.New(dir).Load(ctx); err == nil {
		t.Errorf("a directory: loaded %q", c)
	}
}
