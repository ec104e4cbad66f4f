package signer

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedConditionsAndMetrics: docs/operations.md has every condition and every series of the signer, and no
// series that there is not.
func TestDocumentedConditionsAndMetrics(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page := read("../docs/operations.md")
	codes := slices.Clone(walletConditions)
	for _, m := range regexp.MustCompile(`\tcondition\w+ += "([a-z_]+)"`).FindAllStringSubmatch(read("condition.go"), -1) {
		codes = append(codes, m[1])
	}
	if len(codes) < 20 {
		t.Errorf("only %d conditions found", len(codes))
	}
	_, table, _ := strings.Cut(page, "### What /readyz says")
	for _, code := range codes {
		if !strings.Contains(table, "`"+code+"`") {
			t.Errorf("docs/operations.md says nothing of the condition %s", code)
		}
	}
	source := read("metrics.go")
	series := regexp.MustCompile(`kura_signer_[a-z_]+`)
	for _, name := range series.FindAllString(source, -1) {
		if !strings.Contains(page, "`"+name) {
			t.Errorf("docs/operations.md says nothing of %s", name)
		}
	}
	for _, name := range series.FindAllString(page, -1) {
		if !strings.Contains(source, `"`+name+`"`) {
			t.Errorf("docs/operations.md has a series %s that there is not", name)
		}
	}
}
