package source

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	yamlerrors "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

var definedTwice = regexp.MustCompile(`^mapping key (.+) already defined at \[(\d+):`)

// syntaxMistake says where a file stops being YAML, and what is usually the
// reason: the library's own words are for programmers.
func syntaxMistake(file []byte, err error) *Mistake {
	var syntax yamlerrors.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		return &Mistake{What: "not YAML: " + err.Error()}
	}
	p, message := syntax.GetToken().Position, syntax.GetMessage()
	m := &Mistake{Line: p.Line, Column: p.Column}
	if twice := definedTwice.FindStringSubmatch(message); twice != nil {
		m.What, m.Want = twice[1]+" stands twice", "the first is in line "+twice[2]
		return m
	}
	lines := strings.Split(string(file), "\n")
	lines = lines[:min(p.Line, len(lines))]
	line := lines[len(lines)-1]
	if found := oddSpace(line); found != "" {
		m.What, m.Want = found, "want spaces"
		return m
	}
	if open := openQuote(file, p.Line); open != nil {
		return open
	}
	name, value, colon := strings.Cut(strings.TrimSpace(line), ":")
	switch {
	case strings.Contains(message, "non-map value") && !colon:
		m.What, m.Want = "no colon in this line", "want a member's name, a colon, a space and its value"
	case strings.Contains(message, "non-map value"):
		m.What, m.Want = "no space behind the colon", fmt.Sprintf("write %s: %s", name, value)
	case strings.Contains(message, "mapping value is not allowed") && !strings.Contains(value, ":"):
		m.What, m.Want = "a value in this line, and a member indented below it", "want the line below indented like this one"
	case strings.Contains(message, "mapping value is not allowed"):
		m.What, m.Want = "a second colon in the line", fmt.Sprintf("put quotes around a text that has one: %s: %q", name, strings.TrimSpace(value))
	default:
		if open := unclosed(lines); open > 0 {
			return &Mistake{Line: open, Column: 1, What: "a bracket is opened and not closed in this line", Want: "want ] or }, too"}
		}
		m.What = "not YAML: " + message
		m.Want = "want what belongs together indented alike, with spaces, and every quote and bracket closed, in this line and above it"
	}
	return m
}

// oddSpace finds a tab that indents, or a space that only looks like one.
func oddSpace(line string) string {
	for i, r := range line {
		switch {
		case r == '\t' && strings.TrimSpace(line[:i]) == "":
			return "the line is indented with a tab"
		case r > unicode.MaxASCII && unicode.Is(unicode.Zs, r):
			return fmt.Sprintf("a space that is not a plain one (%U)", r)
		}
	}
	return ""
}

// openQuote finds the last text in quotes, up to the line of a mistake, that does not end in the line where it begins:
// a quote that nobody closed takes in everything up to the next one.
func openQuote(file []byte, until int) (m *Mistake) {
	for _, t := range lexer.Tokenize(string(file)) {
		if t.Position.Line > until {
			break
		}
		single, double := t.Type == token.SingleQuoteType, t.Type == token.DoubleQuoteType
		endless := strings.HasPrefix(t.Error, "could not find end character")
		if endless || (single || double) && strings.Contains(strings.TrimSpace(t.Origin), "\n") {
			m = &Mistake{Line: t.Position.Line, Column: t.Position.Column, What: "a quote is opened and not closed in this line", Want: `want " at the end of the text, too`}
			if single || strings.Contains(t.Error, "single-quoted") {
				m.Want = "want ' at the end of the text, too"
			}
		}
	}
	return m
}

// unclosed gives the last of the lines, counted from 1, from which on more brackets are opened than closed; 0 if there
// is none.
func unclosed(lines []string) int {
	open := 0
	for i := len(lines); i > 0; i-- {
		if open += brackets(lines[i-1]); open > 0 {
			return i
		}
	}
	return 0
}

// brackets is how many more are opened than closed before a line's comment.
func brackets(line string) int {
	line, _, _ = strings.Cut(line, " #")
	return strings.Count(line, "[") + strings.Count(line, "{") - strings.Count(line, "]") - strings.Count(line, "}")
}
