// Package docstest reads what the documents say, for tests that hold it to the programs. It is for tests only. It trusts
// the pages to be Markdown in the forms that they use, and promises to find every command line that stands in a code
// span or block.
package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Pages reads every page of the repository whose root is given, by its path from there.
func Pages(t testing.TB, root string) map[string]string {
	t.Helper()
	files, pages := os.DirFS(root), map[string]string{}
	for _, place := range []string{"README.md", "SECURITY.md", "softhsm", "docs"} {
		err := fs.WalkDir(files, place, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
				return err
			}
			text, err := fs.ReadFile(files, path)
			pages[path] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

// A Command is one command line of a page.
type Command struct {
	Page string
	Args []string // without the program's name
}

var (
	fence  = regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```")
	indent = regexp.MustCompile("(?m)^    .*$")
	span   = regexp.MustCompile("`([^`]+)`")
)

// Code returns the code of a page: its blocks, line by line with continued lines joined, and its spans.
func Code(page string) []string {
	var code []string
	block := func(text string) string {
		code = append(code, strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n")...)
		return "\n"
	}
	page = fence.ReplaceAllStringFunc(page, func(text string) string { return block(fence.FindStringSubmatch(text)[1]) })
	page = indent.ReplaceAllStringFunc(page, func(line string) string {
		if strings.Contains(line, "`") { // a continued line of a list
			return line
		}
		return block(line)
	})
	for _, m := range span.FindAllStringSubmatch(page, -1) {
		code = append(code, strings.Join(strings.Fields(m[1]), " "))
	}
	return code
}

// Commands returns the command lines of a program in all pages. What is only a name, or has an ellipsis or a word in
// capitals where the command should be, is none.
func Commands(t testing.TB, root, program string) []Command {
	t.Helper()
	start := regexp.MustCompile(`(?:^|[|;&$(/]) *` + regexp.QuoteMeta(program) + ` +((?:--home +\S+ +)?[a-z][^|;&#>]*)`)
	var all []Command
	for page, text := range Pages(t, root) {
		for _, line := range Code(text) {
			for _, m := range start.FindAllStringSubmatch(line, -1) {
				args := strings.Fields(m[1])
				for i := range args {
					args[i] = strings.Trim(args[i], "[](){}`'\",.…")
				}
				all = append(all, Command{Page: page, Args: args})
			}
		}
	}
	if len(all) == 0 {
		t.Errorf("no page has a command line of %s", program)
	}
	return all
}

// Flags returns the names of the flags among args, without dashes.
func (c Command) Flags() []string {
	var names []string
	for _, arg := range c.Args {
		if name, ok := strings.CutPrefix(arg, "--"); ok && name != "" {
			name, _, _ = strings.Cut(name, "=")
			names = append(names, name)
		}
	}
	return names
}
