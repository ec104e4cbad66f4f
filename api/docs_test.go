package api

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocumentedRoutes: docs/rest.md has every route in its table, with its session, and no other.
func TestDocumentedRoutes(t *testing.T) {
	_, table, _ := strings.Cut(page(t, "rest.md"), "## Routes")
	table, _, _ = strings.Cut(table, "\n\nBodies")
	documented := map[string]bool{} // method and path: needs a session
	row := regexp.MustCompile("`((?:GET|POST) /[^`]*)`")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		for _, m := range row.FindAllStringSubmatch(cells[0], -1) {
			path, _, _ := strings.Cut(m[1], "?")
			path = strings.NewReplacer("<L>/", "", "<N>[.p/<W>]", "*").Replace(path)
			documented[path] = strings.HasPrefix(cells[1], "session")
		}
	}
	for _, r := range routes {
		name := r.method + " " + r.path
		session, ok := documented[name]
		if !ok || session != r.session {
			t.Errorf("%s (session %t) stands in docs/rest.md: %t, with session: %t", name, r.session, ok, session)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/rest.md has a route %s that there is not", name)
	}
}

// TestDocumentedProblems: the tables of codes have every code with its status, and no other.
func TestDocumentedProblems(t *testing.T) {
	rest := page(t, "rest.md")
	code := regexp.MustCompile("`([a-z_]+)`")
	_, table, _ := strings.Cut(rest, "| code | status | effect | |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		for _, m := range code.FindAllStringSubmatch(cells[0], -1) {
			documented = append(documented, m[1])
			if meaning, ok := problems[m[1]]; !ok || strconv.Itoa(meaning.status) != cells[1] {
				t.Errorf("docs/rest.md: %s has the status %s, want %d", m[1], cells[1], meaning.status)
			}
		}
	}
	_, statements, _ := strings.Cut(page(t, "statements.md"), "## Error codes")
	for name := range problems {
		if !slices.Contains(documented, name) && !strings.Contains(statements, "`"+name+"`") {
			t.Errorf("docs/rest.md says nothing of the code %s", name)
		}
	}
}

// TestDocumentedMetrics: docs/operations.md has every series of the gateway.
func TestDocumentedMetrics(t *testing.T) {
	operations := page(t, "operations.md")
	series := regexp.MustCompile(`"(kura_gateway_[a-z_]+)"`)
	for _, name := range []string{"metrics.go", "status.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range series.FindAllStringSubmatch(string(source), -1) {
			if !strings.Contains(operations, "`"+m[1]) {
				t.Errorf("docs/operations.md says nothing of %s", m[1])
			}
		}
	}
}
