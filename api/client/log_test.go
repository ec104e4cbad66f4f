package client_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/api/apitest"
	"kura/api/client"
	"kura/journal"
)

func TestReadAndAdvance(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(30)
	c := connect(t, g)
	login(t, g, c)
	tree := emptyTree(t)
	var seqs []uint64
	deliver := func(e journal.Entry) error {
		seqs = append(seqs, e.Seq)
		return nil
	}
	first, err := c.Read(t.Context(), tree, deliver)
	if err != nil {
		t.Fatal(err)
	}
	g.Signer.Grow(5)
	if _, err := c.Read(t.Context(), tree, deliver); err != nil {
		t.Fatal(err)
	}
	for i, seq := range seqs {
		if seq != uint64(i) {
			t.Fatalf("entries %v", seqs)
		}
	}
	if len(seqs) != 36 || tree.Head().Size != 36 {
		t.Errorf("%d entries were read, the tree has %d", len(seqs), tree.Head().Size)
	}
	if _, head, err := c.Advance(t.Context(), first); err != nil || head.Size != 36 {
		t.Errorf("advance to %d: %v", head.Size, err)
	}
	if _, head, err := c.Advance(t.Context(), nil); err != nil || head.Size != 36 {
		t.Errorf("first checkpoint at %d: %v", head.Size, err)
	}
}

func TestRolledBackAndForked(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	other := apitest.Start(t, apitest.Options{}) // the same key and genesis, another history
	other.Signer.Now++
	g.Signer.Grow(10)
	c := connect(t, g)
	kept, head, err := c.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	split := connect(t, other)
	if _, _, err := split.Advance(t.Context(), kept); !is[*client.Contradiction](err) {
		t.Errorf("rolled back: %v", err)
	}
	other.Signer.Grow(15)
	if _, _, err := split.Advance(t.Context(), kept); !is[*client.Contradiction](err) {
		t.Errorf("forked: %v", err)
	}
	tree := emptyTree(t)
	login(t, g, c)
	if _, err := readAll(t, c, tree); err != nil || tree.Head() != head {
		t.Fatal(err)
	}
	login(t, other, split)
	if _, err := readAll(t, split, tree); !is[*client.Contradiction](err) {
		t.Errorf("forked entries: %v", err)
	}
}

func TestExport(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(30)
	c := connect(t, g)
	login(t, g, c)
	var file bytes.Buffer
	head, err := c.Export(t.Context(), &file)
	if err != nil || head.Size != 31 {
		t.Fatalf("head %d, error %v", head.Size, err)
	}
	lines := strings.Split(strings.TrimSuffix(file.String(), "\n"), "\n")
	if len(lines) != 1+2*31 {
		t.Fatalf("%d lines", len(lines))
	}
	// After each group, here of one entry, stands its signed head.
	for i := range 31 {
		if e, err := journal.DecodeEntry([]byte(lines[1+2*i])); err != nil || e.Seq != uint64(i) {
			t.Errorf("entry %d: %v", i, err)
		}
		var signed struct {
			Checkpoint string `json:"checkpoint"`
		}
		if err := json.Unmarshal([]byte(lines[2+2*i]), &signed); err != nil {
			t.Fatal(err)
		}
		if h, err := journal.OpenCheckpoint(g.Signer.Genesis(), []byte(signed.Checkpoint)); err != nil || h.Size != uint64(i)+1 {
			t.Errorf("the checkpoint after entry %d: %v, %v", i, h, err)
		}
	}
}

// wrapExport writes another export in the place of the honest one, whose lines it is shown.
func wrapExport(write func(w io.Writer, lines []string)) func(http.Handler) http.Handler {
	return func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/export" {
				honest.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			honest.ServeHTTP(rec, r)
			write(w, strings.Split(strings.TrimSuffix(rec.Body.String(), "\n"), "\n"))
		})
	}
}

func TestDoctoredExport(t *testing.T) {
	for name, doctor := range map[string]func([]string) []string{
		"cut short":              func(l []string) []string { return l[:len(l)-1] },
		"an entry missing":       func(l []string) []string { return append(l[:3:3], l[4:]...) },
		"an entry twice":         func(l []string) []string { return append(append(l[:3:3], l[2]), l[3:]...) },
		"an entry edited":        func(l []string) []string { l[3] = strings.Replace(l[3], "2026", "2027", 1); return l },
		"another genesis":        func(l []string) []string { l[1] = strings.Replace(l[1], "apitest", "apitost", 1); return l },
		"another beginning":      func(l []string) []string { l[0] = strings.Replace(l[0], "apitest", "apitost", 1); return l },
		"more after the end":     func(l []string) []string { return append(l, l[0]) },
		"the end too early":      func(l []string) []string { return append(l[:6:6], l[len(l)-1]) },
		"an older head's export": func(l []string) []string { return l[:5] },
		"a head twice":           func(l []string) []string { return append(l[:3:3], l[2:]...) },
		"a head of elsewhere":    func(l []string) []string { l[2] = l[4]; return l },
		"no last head":           func(l []string) []string { return l[:len(l)-2] },
		"another checkpoint":     func(l []string) []string { l[len(l)-1] = `{"checkpoint":"AAAA"}`; return l },
		"no beginning":           func(l []string) []string { return l[1:] },
		"nothing":                func([]string) []string { return nil },
		"what is no entry in it": func(l []string) []string { l[4] = "<html>"; return l },
	} {
		t.Run(name, func(t *testing.T) {
			g := apitest.Start(t, apitest.Options{Wrap: wrapExport(func(w io.Writer, lines []string) {
				_, _ = io.WriteString(w, strings.Join(append(doctor(lines), ""), "\n"))
			})})
			g.Signer.Grow(10)
			c := connect(t, g)
			login(t, g, c)
			if _, err := c.Export(t.Context(), &bytes.Buffer{}); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

// TestEndlessExport lets a gateway make up one entry after another, each in its place: it must not fill the
// disk of whoever exports. The journal's own growth is no lie.
func TestEndlessExport(t *testing.T) {
	const made = 5000
	g := apitest.Start(t, apitest.Options{Wrap: wrapExport(func(w io.Writer, lines []string) {
		_, _ = io.WriteString(w, strings.Join(lines[:2], "\n")+"\n")
		for seq := range uint64(made) {
			entry, err := journal.Entry{Seq: seq + 1, Kind: "tick/1", Body: []byte("{}")}.Encode()
			if err != nil {
				t.Error(err)
			}
			if _, err := w.Write(append(entry, '\n')); err != nil {
				return
			}
		}
	})})
	g.Signer.Grow(10)
	c := connect(t, g)
	login(t, g, c)
	var file bytes.Buffer
	if _, err := c.Export(t.Context(), &file); !is[*client.Contradiction](err) {
		t.Errorf("error %v, want a contradiction", err)
	}
	if lines := bytes.Count(file.Bytes(), []byte("\n")); lines > 12 {
		t.Errorf("%d lines of an endless export were written, the journal has 12", lines)
	}
}

func TestExportOfAJournalThatGrows(t *testing.T) {
	var g *apitest.Gateway
	var once sync.Once
	g = apitest.Start(t, apitest.Options{Wrap: func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/export" {
				once.Do(func() { g.Signer.Grow(20) }) // after the checkpoint that the client asked for first
			}
			honest.ServeHTTP(w, r)
		})
	}})
	c := connect(t, g)
	login(t, g, c)
	if head, err := c.Export(t.Context(), io.Discard); err != nil || head.Size != 21 {
		t.Errorf("head %d, error %v", head.Size, err)
	}
}
