package nem

import (
	"strings"
	"testing"
)

func TestParsePrivateKeyText(t *testing.T) {
	const text = "575DBB3062267EFF57C970A336EBBC8FBCFE12C5BD3ED7BC11EB0481D7704CED"
	forward := [32]byte(unhex(t, text))
	reversed := forward
	for i := range reversed {
		reversed[i] = forward[31-i]
	}
	for _, c := range []struct {
		name  string
		chain Chain
		text  string
		want  [32]byte
		err   string
	}{
		{"NIS1 is reversed", NIS1, text, reversed, ""},
		{"Symbol is not", Symbol, text, forward, ""},
		{"lower case", NIS1, strings.ToLower(text), reversed, ""},
		{"66 digits of a signed number", NIS1, "00" + text, reversed, ""},
		{"66 digits of another", NIS1, "01" + text, [32]byte{}, "66 that begin with 00"},
		{"66 digits in Symbol", Symbol, "00" + text, [32]byte{}, "want 64 hex digits"},
		{"missing zeros", NIS1, "abc", [32]byte{0xBC, 0x0A}, ""},
		{"missing zeros in Symbol", Symbol, "abc", [32]byte{}, "want 64 hex digits"},
		{"one digit missing", NIS1, text[1:], func() [32]byte { r := reversed; r[31] = 0x07; return r }(), ""},
		{"empty", NIS1, "", [32]byte{}, "at most 64"},
		{"not hex", NIS1, text[:63] + "G", [32]byte{}, "not a hex digit"},
		{"not hex in Symbol", Symbol, text[:63] + " ", [32]byte{}, "not a hex digit"},
		{"65 digits", NIS1, "0" + text, [32]byte{}, "at most 64"},
		{"no chain", 0, text, [32]byte{}, "no chain"},
	} {
		got, err := ParsePrivateKeyText(c.chain, c.text)
		if got != c.want || (err != nil) != (c.err != "") || c.err != "" && !contains(err, c.err) {
			t.Errorf("%s: %X, %v, want %X, %q", c.name, got, err, c.want, c.err)
		}
		if err != nil && len(c.text) > 8 && strings.Contains(err.Error(), c.text[:8]) {
			t.Errorf("%s: the error repeats the key: %v", c.name, err)
		}
	}
}

func TestParseHexTexts(t *testing.T) {
	key := strings.Repeat("aB", 32)
	if k, err := ParsePublicKey(key); err != nil || k.String() != strings.ToUpper(key) {
		t.Errorf("%s, %v", k, err)
	}
	if h, err := ParseHash(key); err != nil || h.String() != strings.ToUpper(key) {
		t.Errorf("%s, %v", h, err)
	}
	if s, err := ParseSignature(key + key); err != nil || s.String() != strings.ToUpper(key+key) {
		t.Errorf("%s, %v", s, err)
	}
	for text, why := range map[string]string{
		"": "want 64 hex digits", key[1:]: "want 64 hex digits", key[1:] + "x": "not a hex digit", strings.Repeat("0", 64): "all zero",
	} {
		if k, err := ParsePublicKey(text); !contains(err, why) || k != (PublicKey{}) {
			t.Errorf("%q: %v, %v, want %q", text, k, err, why)
		}
	}
}
