package source_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/policy/source"
)

// TestDocsExamplesCompile reads every example of docs/policy.md. Each is a part of
// a policy; what it leaves out stands in examples/exchange.yaml, whose items of the
// same name it replaces.
func TestDocsExamplesCompile(t *testing.T) {
	docs := read(t, "../../docs/policy.md")
	base, names := sections(read(t, "../../examples/exchange.yaml"))
	tried, approval := 0, ""
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(docs, -1)
	for _, b := range blocks {
		if strings.HasPrefix(b[1], "approval:") {
			approval = "    " + strings.ReplaceAll(strings.TrimSpace(b[1]), "\n", "\n    ")
		}
	}
	for i, b := range blocks {
		example := b[1]
		switch {
		case strings.HasPrefix(example, "approval:"):
			continue // it stands within the others
		case strings.HasPrefix(example, "remove:"):
			if _, err := source.Addresses([]byte(example)); err != nil {
				t.Errorf("example %d:\n%v", i+1, err)
			}
			continue
		}
		part, more := sections(filled(example, approval))
		policy := ""
		for _, name := range names {
			policy += merged(base[name], part[name])
		}
		for _, name := range more {
			if base[name] == "" {
				t.Errorf("example %d has %s, which no policy has", i+1, name)
			}
		}
		if _, err := source.Compile([]byte(policy)); err != nil {
			t.Errorf("example %d:\n%v\nin:\n%s", i+1, err, example)
		}
		tried++
	}
	if tried < 7 || approval == "" {
		t.Errorf("only %d examples were found", tried)
	}
}

// TestDocsMistake: the mistake that docs/policy.md shows is what is said.
func TestDocsMistake(t *testing.T) {
	_, err := source.Compile([]byte(strings.Replace(treasury(t), "max: 1_000_000 XEM", "max: 1_000_000 XYM", 1)))
	if err == nil || !strings.Contains(read(t, "../../docs/policy.md"), "\n"+err.Error()+"\n") {
		t.Errorf("docs/policy.md does not show: %v", err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// filled puts values where the examples have an ellipsis.
func filled(example, approval string) string {
	example = strings.ReplaceAll(example, "    approval: …", approval)
	key := regexp.MustCompile(`ssh-ed25519 AAAA…`)
	n := 0
	example = key.ReplaceAllStringFunc(example, func(string) string {
		n++
		seed := sha256.Sum256([]byte(fmt.Sprint("docs", n)))
		public, _ := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed[:]).Public())
		return public.Type() + " " + base64.StdEncoding.EncodeToString(public.Marshal())
	})
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("docs")))
	return strings.NewReplacer(
		`"4a7e…"`, `"`+hash+`"`, `"DE70…"`, `"DE70AFE5BD80A73ED76D95176F074FD33B55EAFF28D4F7D558927C0BC0473F6A"`,
		"NDCW…", "NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFE", `salt: "…"`, `salt: "`+hash[:32]+`"`, `hash: "…"`, `hash: "`+hash+`"`,
	).Replace(example)
}

// sections splits a policy into its top-level members, and names them in order.
func sections(text string) (all map[string]string, names []string) {
	all = map[string]string{}
	for line := range strings.Lines(text) {
		if m := regexp.MustCompile(`^([a-zA-Z]+):`).FindStringSubmatch(line); m != nil {
			names = append(names, m[1])
		}
		if len(names) > 0 {
			all[names[len(names)-1]] += line
		}
	}
	return all, names
}

// merged replaces a section by the example's, or, in a list, the items that the
// example has.
func merged(base, example string) string {
	if example == "" {
		return base
	}
	item := regexp.MustCompile(`(?m)^  - (?:\{)?id: ([a-z0-9._-]+)`)
	if !item.MatchString(example) {
		return example
	}
	out, _, _ := strings.Cut(base, "\n")
	out += "\n"
	given := map[string]bool{}
	for _, m := range item.FindAllStringSubmatch(example, -1) {
		given[m[1]] = true
	}
	at := item.FindAllStringSubmatchIndex(base, -1)
	for i, m := range at {
		end := len(base)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		if !given[base[m[2]:m[3]]] {
			out += base[m[0]:end]
		}
	}
	_, items, _ := strings.Cut(example, "\n")
	return out + items
}
