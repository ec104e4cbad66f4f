package statement

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote renders foreign text (messages, references, reasons, labels) for a
// person to read: in double quotes, at most limit characters between them, and
// everything that could change what stands around it, or that cannot be seen,
// as a Go escape: control characters, invalid bytes, spaces other than U+0020,
// invisible and formatting characters, bidirectional controls, letters that are
// written right to left (they reorder the digits next to them), and combining
// marks where they would pile up. Text that was cut is followed by … and its
// size: "abc"… (230 bytes).
func Quote(s string, limit int) string {
	var b strings.Builder
	b.WriteByte('"')
	left, marks, rest := limit, maxMarks, s // no mark on the opening quote
	for rest != "" {
		r, size := utf8.DecodeRuneInString(rest)
		if unicode.IsMark(r) {
			marks++
		} else {
			marks = 0
		}
		shown := rest[:size]
		if (r == utf8.RuneError && size == 1) || r == '"' || r == '\\' || !visible(r) || marks > maxMarks {
			shown = escape(rest[:size], r)
		}
		if left -= utf8.RuneCountInString(shown); left < 0 {
			break
		}
		b.WriteString(shown)
		rest = rest[size:]
	}
	b.WriteByte('"')
	if rest != "" {
		fmt.Fprintf(&b, "… (%d bytes)", len(s))
	}
	return b.String()
}

// maxMarks is how many combining marks may follow one character.
const maxMarks = 2

// visible reports whether r shows as itself and leaves its neighbours alone.
func visible(r rune) bool {
	return strconv.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, rightToLeft) && r != brailleBlank
}

// brailleBlank is a symbol without any dots.
const brailleBlank = '\u2800'

// rightToLeft is where Unicode places letters of right-to-left scripts: the
// ranges whose bidirectional class is R or AL by default
// (DerivedBidiClass.txt).
var rightToLeft = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x0590, Hi: 0x08ff, Stride: 1}, {Lo: 0xfb1d, Hi: 0xfdff, Stride: 1}, {Lo: 0xfe70, Hi: 0xfeff, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x10800, Hi: 0x10fff, Stride: 1}, {Lo: 0x1e800, Hi: 0x1efff, Stride: 1}},
}

// escape writes one character, or one byte that is none, as Go would.
func escape(raw string, r rune) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r < utf8.RuneSelf:
		quoted := strconv.QuoteToASCII(raw)
		return quoted[1 : len(quoted)-1]
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
