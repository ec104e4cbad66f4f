package nem

import (
	"bytes"
	"strings"
	"testing"
)

func TestMessagePayloads(t *testing.T) {
	text, raw := must(TextMessage("hé")), must(HexMessage([]byte{0, 'h', 0xFF}))
	for _, c := range []struct {
		message Message
		kind    string
		nis1    string
		symbol  string
	}{
		{NoMessage(), "none", "", ""},
		{text, "text", "68C3A9", "0068C3A9"},
		{raw, "hex", "0068FF", "0068FF"},
	} {
		if c.message.Kind().String() != c.kind || upperHex(c.message.Payload(NIS1)) != c.nis1 || upperHex(c.message.Payload(Symbol)) != c.symbol {
			t.Errorf("%s: %X, %X, want %s, %s", c.message.Kind(), c.message.Payload(NIS1), c.message.Payload(Symbol), c.nis1, c.symbol)
		}
	}
	if text.Text() != "hé" || raw.Text() != "" {
		t.Error("text of a message")
	}
}

func TestMessagesAreRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "empty"}, {strings.Repeat("a", 1025), "at most 1024"}, {"\xFF", "not valid UTF-8"},
	} {
		if m, err := TextMessage(c.text); !contains(err, c.want) || m != NoMessage() {
			t.Errorf("%.8q: %v, %v, want %q", c.text, m, err, c.want)
		}
	}
	for n, want := range map[int]string{0: "empty", 1025: "at most 1024"} {
		if m, err := HexMessage(make([]byte, n)); !contains(err, want) || m != NoMessage() {
			t.Errorf("%d bytes: %v, %v, want %q", n, m, err, want)
		}
	}
}

func TestMessagesAreRead(t *testing.T) {
	for _, c := range []struct {
		chain   Chain
		payload string
		marked  bool // NIS1: the envelope says encrypted
		want    MessageKind
	}{
		{NIS1, "hello", false, MessageText},
		{NIS1, "\xFEdata", false, MessageHex}, // wallets show what begins with FE as hex
		{NIS1, "\x00hello", false, MessageText},
		{NIS1, "hello", true, MessageEncrypted},
		{Symbol, "\x00hello", false, MessageText},
		{Symbol, "\x00", false, MessageHex}, // an empty text has no text form
		{Symbol, "\x00\xFF", false, MessageHex},
		{Symbol, "hello", false, MessageHex}, // no kind byte
		{Symbol, "\x01sealed", false, MessageEncrypted},
		{Symbol, "\xFEdelegate", false, MessageHex},
	} {
		m := messageOf(c.chain, c.payload, c.marked)
		if m.Kind() != c.want || !bytes.Equal(m.Payload(c.chain), []byte(c.payload)) {
			t.Errorf("%s %q: %s %q, want %s", c.chain, c.payload, m.Kind(), m.Payload(c.chain), c.want)
		}
	}
}
