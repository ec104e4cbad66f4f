package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"kura/policy"
)

// TestDocsNameEveryCode holds docs/policy.md to the codes that decisions have.
func TestDocsNameEveryCode(t *testing.T) {
	docs, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("decision.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\tCode\w+\s+= "([a-z_]+)"`).FindAllStringSubmatch(string(text), -1)
	if len(codes) < 40 {
		t.Fatalf("only %d codes found", len(codes))
	}
	for _, c := range codes {
		if !strings.Contains(string(docs), "`"+c[1]+"`") {
			t.Errorf("docs/policy.md does not name %s", c[1])
		}
		if policy.Words(c[1]) == c[1] {
			t.Errorf("no words for %s", c[1])
		}
	}
}
