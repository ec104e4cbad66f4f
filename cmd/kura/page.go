package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pageWidth is what fits on a terminal of 80 columns, indented by two.
const pageWidth = 78

// A page is what a person reads: titles and labelled lines, wrapped at blanks. It
// keeps the first error of its writer.
type page struct {
	w   io.Writer
	err error
}

func newPage(w io.Writer) *page { return &page{w: w} }

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, visible(fmt.Sprintf(format, args...)))
	}
}

// visible replaces whatever a terminal would obey or hide (control characters,
// escape sequences, bidirectional and zero-width characters) by U+FFFD: no text
// of others may repaint what a person reads. Foreign text is quoted where it
// is shown; this is for what was forgotten.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

func (p *page) title(format string, args ...any) { p.printf("%s\n", fmt.Sprintf(format, args...)) }

// labelWidth is the column at which the text of fields begins.
const labelWidth = 13

// field prints "  label        text", the text wrapped below itself.
func (p *page) field(label, format string, args ...any) {
	const lead = "  "
	room := pageWidth - len(lead) - labelWidth
	for i, line := range wrap(fmt.Sprintf(format, args...), room) {
		if i > 0 {
			label = ""
		}
		p.printf("%s%-*s%s\n", lead, labelWidth, label, line)
	}
}

func (p *page) line(format string, args ...any) {
	for _, line := range wrap(fmt.Sprintf(format, args...), pageWidth) {
		p.printf("%s\n", line)
	}
}

func (p *page) blank() { p.printf("\n") }

func (p *page) flush() error { return p.err }

// wrap breaks text at blanks into lines of at most width characters; a word that
// is longer, like an address, stands whole on a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		line, length := "", 0
		for _, word := range strings.Fields(paragraph) {
			n := utf8.RuneCountInString(word)
			switch {
			case line == "":
				line, length = word, n
			case length+1+n <= width:
				line, length = line+" "+word, length+1+n
			default:
				lines = append(lines, line)
				line, length = word, n
			}
		}
		lines = append(lines, line)
	}
	return lines
}
