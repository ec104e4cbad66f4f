package kura_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"kura/docs/docstest"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	ownFile  = regexp.MustCompile(`^(\.?[a-z0-9_-]+/)+[A-Za-z0-9_.-]*\.(md|go|sql|yaml|toml|conf|service|sysusers|json|sh)$`)
	ownPage  = regexp.MustCompile(`[A-Za-z0-9./_-]+\.md\b`)
	makeCall = regexp.MustCompile(`(?:^|\s)make ([a-z][a-z-]*)`)
	testName = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w*)\(`)
	testCall = regexp.MustCompile(`(?:^|\s)go test (.*)`)
)

// TestDocumentsPointSomewhere: every link of a page leads to a file, and to a heading where it names one; every file of
// the repository that a page names is there.
func TestDocumentsPointSomewhere(t *testing.T) {
	pages := docstest.Pages(t, ".")
	for page, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(pages[target]), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", page, m[1])
			}
		}
		for _, name := range ownPage.FindAllString(text, -1) {
			if !slices.ContainsFunc([]string{filepath.Dir(page), ".", "docs"}, func(dir string) bool {
				_, err := os.Stat(filepath.Join(dir, name))
				return err == nil
			}) {
				t.Errorf("%s names %s, which is not there", page, name)
			}
		}
		for _, code := range docstest.Code(text) {
			for word := range strings.FieldsSeq(code) {
				if !ownFile.MatchString(word) {
					continue
				}
				if _, err := os.Stat(word); err != nil {
					t.Errorf("%s names %s: %v", page, word, err)
				}
			}
		}
	}
}

// anchors are the names that links give to the headings of a page.
func anchors(page string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return names
}

// TestDocumentedCampaigns: every make target that a page names exists, and every go test command finds tests.
func TestDocumentedCampaigns(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for page, text := range docstest.Pages(t, ".") {
		for _, code := range docstest.Code(text) {
			for _, m := range makeCall.FindAllStringSubmatch(code, -1) {
				calls++
				if !strings.Contains(string(makefile), "\n"+m[1]+":") {
					t.Errorf("%s: the Makefile has no target %s", page, m[1])
				}
			}
			if m := testCall.FindStringSubmatch(code); m != nil {
				calls++
				holdTestCommand(t, page, m[1])
			}
		}
	}
	if calls < 10 {
		t.Errorf("only %d commands found", calls)
	}
}

// holdTestCommand finds, for the arguments of a go test command, a test or benchmark in each of its packages.
func holdTestCommand(t *testing.T, page, args string) {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(args, "'", ""))
	pattern := ""
	for i, word := range words[:len(words)-1] {
		if (word == "-run" || word == "-bench") && words[i+1] != "^$" {
			pattern, _, _ = strings.Cut(words[i+1], "/")
		}
	}
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		t.Errorf("%s: go test %s: %v", page, args, err)
		return
	}
	for _, word := range words {
		if !strings.HasPrefix(word, "./") {
			continue
		}
		dir, all := strings.CutSuffix(word, "/...")
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if all {
			var below []string
			below, err = filepath.Glob(filepath.Join(dir, "*", "*_test.go"))
			files = append(files, below...)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && slices.ContainsFunc(testName.FindAllSubmatch(text, -1), func(m [][]byte) bool { return wanted.Match(m[1]) })
		}) {
			t.Errorf("%s: go test %s: nothing of that name in %s", page, args, word)
		}
	}
}

// TestReadmeNamesEveryPackage: the map of the code is whole.
func TestReadmeNamesEveryPackage(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(arrows)) {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README.md says nothing of %s", name)
		}
	}
}
