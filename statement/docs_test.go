package statement_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"kura/statement"
	"kura/statement/statementtest"
)

const docs = "../docs/statements.md"

// blocks returns the fenced blocks of the page that begin with prefix.
func blocks(t *testing.T, prefix string) []string {
	t.Helper()
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?s)```[a-z]*\n(.*?)\n```").FindAllStringSubmatch(string(page), -1) {
		if strings.HasPrefix(m[1], prefix) {
			found = append(found, m[1])
		}
	}
	return found
}

func TestDocumentedStatementsAreRead(t *testing.T) {
	seen := map[statement.Type]bool{}
	for _, text := range blocks(t, `{"type"`) {
		body, err := statement.Decode(text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		if again := encode(t, body); again != text {
			t.Errorf("documented as\n%s\nand written as\n%s", text, again)
		}
		if err := statement.CheckTimes(body.Common(), body.Common().ID.Born(), statement.MaxLife(body.Type())); err != nil {
			t.Errorf("would be refused: %v\n%s", err, text)
		}
		seen[body.Type()] = true
	}
	if len(seen) != 5 {
		t.Errorf("examples of %d types, want all 5", len(seen))
	}
}

// TestDocumentedEnvelope opens the page's whole example and holds it to stock
// ssh-keygen with the page's own command. Its key is the test key "docs".
func TestDocumentedEnvelope(t *testing.T) {
	signer := statementtest.Signer("docs")
	body, err := statement.Decode(blocks(t, `{"type":"login/1"`)[0])
	if err != nil {
		t.Fatal(err)
	}
	want, err := statement.Sign(signer, nil, body)
	if err != nil {
		t.Fatal(err)
	}
	found := blocks(t, `{"statement":"{\"type\":\"login/1\",\"journal\"`)
	if len(found) != 1 || found[0] != string(want.Encode()) {
		t.Fatalf("the page's envelope should be\n%s", want.Encode())
	}
	allowed := blocks(t, "docs ssh-ed25519")
	if len(allowed) != 1 || allowed[0] != "docs "+statementtest.Key(signer).String() {
		t.Fatalf("the page's allowed_signers should be\ndocs %s", statementtest.Key(signer))
	}
	dir := t.TempDir()
	write(t, dir, "allowed_signers", allowed[0]+"\n")
	write(t, dir, "login.json.sig", want.Signature)
	if out, err := keygen(t, dir, want.Statement, "-Y", "verify", "-f", "allowed_signers", "-I", "docs", "-n", "kura/login/1", "-s", "login.json.sig"); err != nil {
		t.Errorf("ssh-keygen: %v\n%s", err, out)
	}
}

// TestEveryCodeIsDocumented, and every member in backquotes.
func TestEveryCodeIsDocumented(t *testing.T) {
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("error.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) == 0 {
		t.Fatal("no codes found in error.go")
	}
	for _, code := range codes {
		if !strings.Contains(string(page), "`"+code[1]+"`") {
			t.Errorf("code %s stands nowhere in %s", code[1], docs)
		}
	}
	for name, body := range bodies() {
		for _, m := range split(t, encode(t, body)) {
			member, _, _ := strings.Cut(m, ":")
			if member = strings.Trim(member, `"`); !strings.Contains(string(page), "| `"+member+"` |") {
				t.Errorf("member %s of %s stands nowhere in %s", member, name, docs)
			}
		}
	}
}
