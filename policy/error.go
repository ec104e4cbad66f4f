package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Error is one mistake in a document: where, what was found, what would be
// right. The sentence is for treasurers; Path is the place in the document
// ("people[2].keys[0]"), which package source turns into line and column.
type Error struct {
	Path string
	What string
	Want string
}

// Error writes "path: what; want".
func (e *Error) Error() string {
	s := e.What
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Want != "" {
		s += "; " + e.Want
	}
	return s
}

// Errors are all mistakes that were found, in the order of the document.
type Errors []*Error

// Error writes one mistake a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// quoted shows foreign text so that it cannot be mistaken for ours: bounded,
// control and bidirectional characters escaped.
func quoted(s string) string {
	const longest = 100
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return strconv.QuoteToGraphic(s)
}

// Odd names the first character of a text that is none of ASCII, " (character 2 is
// U+043E)": it may look like one that is. "" if there is none.
func Odd(text string) string {
	for i, r := range []rune(text) {
		if r > unicode.MaxASCII {
			return fmt.Sprintf(" (character %d is %U)", i+1, r)
		}
	}
	return ""
}
