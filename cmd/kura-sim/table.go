package main

import (
	"fmt"
	"strings"
)

// wrap breaks a text between words into lines of at most n characters; a longer word stays whole.
func wrap(text string, n int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if last := len(lines) - 1; last >= 0 && len([]rune(lines[last]))+1+len([]rune(word)) <= n {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// table prints rows under their header. The column `free` takes the room that the others leave and is wrapped; all
// others stand to the right but the first.
func (p *page) table(rows [][]string, free int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			if i != free {
				widths[i] = max(widths[i], len([]rune(cell)))
			}
		}
	}
	const indent, gap = 2, 2
	widths[free] = width - indent
	for i, w := range widths {
		if i != free {
			widths[free] -= w + gap
		}
	}
	for _, row := range rows {
		lines := wrap(row[free], max(widths[free], 10))
		for k := range max(1, len(lines)) {
			out := strings.Repeat(" ", indent)
			for i, cell := range row {
				switch {
				case i == free && k < len(lines):
					cell = lines[k]
				case k > 0 || i == free:
					cell = ""
				}
				if i > 0 {
					out += strings.Repeat(" ", gap)
				}
				if i == 0 || i == free {
					out += fmt.Sprintf("%-*s", widths[i], cell)
				} else {
					out += fmt.Sprintf("%*s", widths[i], cell)
				}
			}
			p.line("%s", out)
		}
	}
}
