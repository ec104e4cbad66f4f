package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
	"kura/journal/storetest"
)

func openStore(t testing.TB, path string) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const page = 4096

// usedPages leaves away what the file has in reserve, so that damage hits what matters.
func usedPages(b []byte) []byte {
	n := len(bytes.TrimRight(b, "\x00"))
	return b[:(n+page-1)/page*page]
}

// inspect opens a file that holds b and verifies the journal in it.
func inspect(t testing.TB, b []byte) (journal.Head, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Open(path)
	if err != nil {
		return journal.Head{}, err
	}
	defer func() { _ = s.Close() }()
	head, _, err := journal.Verify(t.Context(), s, journal.Verification{Genesis: storetest.Genesis(), EverySignature: true})
	return head, err
}

// TestTornWrite lets the machine die in the middle of a group's write: of the pages that the group
// changed, some have reached the disk and some have not. bbolt syncs data before it writes the page that
// makes them count, so whatever is missing before that, the journal is at the head before.
func TestTornWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	w := storetest.NewWriter()
	random := storetest.Random(t, 3)
	for range storetest.Rounds(6) {
		s := openStore(t, path)
		w.Grow(t, s, 1+random.IntN(30))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		before, head := usedPages(readFile(t, path)), w.Head
		s = openStore(t, path)
		w.Grow(t, s, 1+random.IntN(30))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		after := usedPages(readFile(t, path))

		torn := bytes.Clone(before)
		if len(after) > len(torn) {
			torn = append(torn, make([]byte, len(after)-len(torn))...)
		}
		for at := 2 * page; at+page <= len(torn); at += page { // pages 0 and 1 are the ones that make it count
			if random.IntN(2) == 0 {
				copy(torn[at:at+page], after[at:])
			}
		}
		if got, err := inspect(t, torn); err != nil || got != head {
			t.Fatalf("torn between size %d and %d: %v, %v", head.Size, w.Head.Size, got, err)
		}
		if got, err := inspect(t, after); err != nil || got != w.Head {
			t.Fatalf("whole at size %d: %v, %v", w.Head.Size, got, err)
		}
	}
}

// TestDamagedFile changes bytes in the file, and cuts it off anywhere: the damage is an error, or it was in
// a page that holds nothing; it is never another journal, and never a crash. Branch pages are spared: see
// the package's documentation.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	s := openStore(t, path)
	w := storetest.NewWriter()
	w.Grow(t, s, 1, 20, 200, 1, 30)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole := usedPages(readFile(t, path))
	if head, err := inspect(t, whole); err != nil || head != w.Head {
		t.Fatalf("before any damage: %v, %v", head, err)
	}
	random := storetest.Random(t, 4)
	found := 0
	for round := range storetest.Rounds(100) {
		b := bytes.Clone(whole)
		if round%10 == 0 {
			b = b[:random.IntN(len(b))]
		} else {
			for range 1 + random.IntN(8) {
				at := random.IntN(len(b))
				if branch := b[at/page*page+8]&1 != 0; !branch {
					b[at] ^= 1 << random.IntN(8)
				}
			}
		}
		switch head, err := inspect(t, b); {
		case err != nil:
			found++
		case head.Size > 0 && head != w.Head:
			// An older head: one of the two pages that make a write count was hit. Anchors tell.
			if head.Size >= w.Head.Size {
				t.Fatalf("round %d: the journal is at %v, it was at %v", round, head, w.Head)
			}
		}
	}
	if found == 0 {
		t.Error("no damage was found")
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	s := openStore(t, path)
	if _, err := embedded.Open(path); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Head(t.Context()); err == nil {
		t.Error("a closed store has a head")
	}
	if err := s.Append(t.Context(), storetest.NewWriter().Next(1)); err == nil {
		t.Error("a closed store takes a group")
	}
}

// writerDir tells a child process to be the writer of TestKilledWriter.
const writerDir = "KURA_TEST_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		if err := writeForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func writerConfig(dir string) (journal.Config, error) {
	s, err := embedded.Open(filepath.Join(dir, "journal"))
	return journal.Config{
		Genesis: storetest.Genesis(), Store: s, Sign: storetest.Sign,
		Anchors: []journal.Anchor{anchorfile.New(filepath.Join(dir, "anchor"))},
	}, err
}

// writeForEver appends groups and prints each size when it is acknowledged.
func writeForEver(dir string) error {
	ctx := context.Background()
	c, err := writerConfig(dir)
	if err != nil {
		return err
	}
	log, err := journal.Open(ctx, c)
	if errors.Is(err, journal.ErrEmpty) || errors.Is(err, journal.ErrAnchorEmpty) {
		log, err = journal.Create(ctx, c, storetest.Entries(0, 1))
	}
	for err == nil {
		fmt.Println(log.Head().Size)
		size := log.Head().Size
		_, err = log.Append(ctx, storetest.Entries(size, size+1+size%5))
	}
	return err
}

// TestKilledWriter kills a writing process with -9 again and again: what it acknowledged is there.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	random := storetest.Random(t, 5)
	for range storetest.Rounds(8) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), writerDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged uint64
		lines := bufio.NewScanner(out)
		for n := random.IntN(30); n >= 0 && lines.Scan(); n-- {
			if acknowledged, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said before it died
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				acknowledged = n
			}
		}
		_ = cmd.Wait() // killed
		c, err := writerConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		log, err := journal.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if log.Head().Size < acknowledged {
			t.Fatalf("size %d was acknowledged, %d is left", acknowledged, log.Head().Size)
		}
		if err := c.Store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
