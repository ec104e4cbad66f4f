package statement_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
	"pgregory.net/rapid"

	"kura/statement"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct {
		in   string
		max  int
		want string
	}{
		{"", 10, `""`},
		{"wd-77120", 10, `"wd-77120"`},
		{"出金 7 月", 20, `"出金 7 月"`},
		{`say "hi" \`, 20, `"say \"hi\" \\"`},
		{"a\nb\tc\x1b[2J\x00\x7f", 40, `"a\nb\tc\x1b[2J\x00\x7f"`},
		{"\xff\xfe", 20, `"\xff\xfe"`},
		{"\ufffd", 20, "\"\ufffd\""},
		{"pay \u202eeve\u202c now", 40, `"pay \u202eeve\u202c now"`},
		{"\u2066\u2067\u2068\u2069\u200e\u200f\u061c", 80, `"\u2066\u2067\u2068\u2069\u200e\u200f\u061c"`},
		{"a\u200bb\u00adc\ufeffd\u3164e\u2800f", 80, `"a\u200bb\u00adc\ufeffd\u3164e\u2800f"`},
		{"a\u00a0b\u2028c\u3000", 40, `"a\u00a0b\u2028c\u3000"`},
		{"x\ufe0fy\U000e0041", 40, `"x\ufe0fy\U000e0041"`},
		{"שלום 100", 60, `"\u05e9\u05dc\u05d5\u05dd 100"`},
		{"\u0301x", 20, `"\u0301x"`},
		{"e\u0301 ก็", 20, "\"e\u0301 ก็\""},
		{"z" + strings.Repeat("\u0301", 4), 40, "\"z\u0301\u0301" + `\u0301\u0301"`},
		{"12345678901", 10, `"1234567890"… (11 bytes)`},
		{"123456789\u202e", 10, `"123456789"… (12 bytes)`},
		{"🙂🙂", 1, `"🙂"… (8 bytes)`},
		{"abc", 0, `""… (3 bytes)`},
		{"abc", -5, `""… (3 bytes)`},
	} {
		if got := statement.Quote(c.in, c.max); got != c.want {
			t.Errorf("Quote(%+q, %d) = %s, want %s", c.in, c.max, got, c.want)
		}
	}
}

// TestQuotedTextStaysInItsPlace is what officers rely on, for all text.
func TestQuotedTextStaysInItsPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "in")
		limit := rapid.IntRange(0, 50).Draw(t, "limit")
		got := statement.Quote(in, limit)
		end := strings.LastIndex(got, `"`)
		if !utf8.ValidString(got) || got[0] != '"' || end == 0 || utf8.RuneCountInString(got[1:end]) > limit {
			t.Fatalf("Quote(%+q, %d) = %s", in, limit, got)
		}
		checkNeighbourly(t, got[1:end])
	})
}

type fataler interface{ Fatalf(string, ...any) }

// unruly are the bidirectional classes that move their neighbours, or that do
// not show.
var unruly = []bidi.Class{
	bidi.R, bidi.AL, bidi.AN, bidi.LRE, bidi.RLE, bidi.LRO, bidi.RLO, bidi.PDF, bidi.LRI, bidi.RLI, bidi.FSI, bidi.PDI, bidi.BN, bidi.B, bidi.S,
}

// checkNeighbourly holds every character to being visible and never right to
// left, by the tables of x/text.
func checkNeighbourly(t fataler, text string) {
	for _, r := range text {
		if p, _ := bidi.LookupRune(r); slices.Contains(unruly, p.Class()) {
			t.Fatalf("%U of bidirectional class %v is shown", r, p.Class())
		}
		if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || (unicode.IsSpace(r) && r != ' ') {
			t.Fatalf("%U is shown", r)
		}
	}
}

// TestEveryCharacter tries each one, after a letter; of the planes that hold
// none or private ones only, some.
func TestEveryCharacter(t *testing.T) {
	const chunk = 1 << 12
	for first := rune(0); first <= unicode.MaxRune; first += chunk {
		if plane := first >> 16; plane > 3 && first&0xffff != 0 {
			continue
		}
		var text strings.Builder
		for r := first; r < first+chunk; r++ {
			if utf8.ValidRune(r) {
				text.WriteString("a" + string(r))
			}
		}
		got := statement.Quote(text.String(), 20*chunk)
		checkNeighbourly(t, got[1:len(got)-1])
	}
}
