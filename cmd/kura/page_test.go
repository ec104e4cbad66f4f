package main

import (
	"strings"
	"testing"
)

// Nothing that a terminal obeys or hides comes through, whoever wrote it.
func TestPagesShowOnlyWhatIsVisible(t *testing.T) {
	var out strings.Builder
	p := newPage(&out)
	p.field("why", "%s", "a\x1b[1A\x1b[2Kb\u202ec\u200bd\re\u00a0f 漢字 é")
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "a�[1A�[2Kb�c�d"; !strings.Contains(got, want) || strings.ContainsAny(got, "\x1b\r\u202e\u200b") || !strings.Contains(got, "漢字 é") {
		t.Errorf("%q, want %q in it and nothing invisible", got, want)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"abcdefghijkl x", []string{"abcdefghijkl", "x"}},
		{"a\nb", []string{"a", "b"}},
	} {
		if got := strings.Join(wrap(c.text, 8), "|"); got != strings.Join(c.want, "|") {
			t.Errorf("wrap(%q) = %q, want %q", c.text, got, strings.Join(c.want, "|"))
		}
	}
}
