package journal_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/journal/storetest"
)

// TestDocumentedProgram compiles the program that docs/journal.md prints and runs it on good and bad
// receipts. It may use nothing but stock libraries, and have 30 lines.
func TestDocumentedProgram(t *testing.T) {
	page, err := os.ReadFile("../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```go\n")
	source, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/journal.md has no program")
	}
	if n := strings.Count(source, "\n"); n > 30 || strings.Contains(source, "kura/") {
		t.Errorf("the program has %d lines, or imports Kura's own packages", n)
	}
	dir := t.TempDir()
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "verify")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(line string, receipt []byte) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, line)
		cmd.Stdin = bytes.NewReader(receipt)
		out, err := cmd.Output()
		return string(out), err
	}
	r := testReceipt(t)
	g := storetest.Genesis()
	out, err := run(g.String(), must(json.Marshal(r)))
	if err != nil || !strings.Contains(out, string(r.Entry)) {
		t.Errorf("a good receipt: %v, %s", err, out)
	}
	rotated := rotate(t, 2, -2, 1, -1, 3).log
	after := must(rotated.Receipt(t.Context(), 4))
	if out, err := run(g.String(), must(json.Marshal(after))); err != nil || !strings.Contains(out, string(after.Entry)) {
		t.Errorf("a receipt after two handovers of the log key: %v, %s", err, out)
	}
	after.Handovers = after.Handovers[:1]
	if out, err := run(g.String(), must(json.Marshal(after))); err == nil {
		t.Errorf("without its second handover: %s", out)
	}
	otherKey, otherOrigin := g, g
	otherKey.LogKey[0] ^= 1
	otherOrigin.Origin += "2"
	for _, bad := range []string{otherKey.String(), otherOrigin.String()} {
		if out, err := run(bad, must(json.Marshal(r))); err == nil {
			t.Errorf("under %s: %s", bad, out)
		}
	}
	r.Entry = bytes.Replace(r.Entry, []byte(`"salt":""`), []byte(`"salt":"x"`), 1)
	if out, err := run(g.String(), must(json.Marshal(r))); err == nil {
		t.Errorf("an altered entry: %s", out)
	}
}

// TestDocumentedCodes: every code that an error can carry is on the page.
func TestDocumentedCodes(t *testing.T) {
	page, err := os.ReadFile("../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("verify.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), "= \""); ok && strings.HasPrefix(name, "Tamper") {
			code, _, _ := strings.Cut(rest, "\"")
			if !strings.Contains(string(page), "`"+code+"`") {
				t.Errorf("docs/journal.md does not name the code %s", code)
			}
		}
	}
}
