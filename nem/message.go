package nem

import (
	"fmt"
	"unicode/utf8"
)

// maxMessage is the longest message payload, in bytes as they stand on either
// chain.
const maxMessage = 1024

// MessageKind tells what a message's payload is.
type MessageKind uint8

const (
	MessageNone MessageKind = iota
	MessageText
	MessageHex
	// MessageEncrypted is recognised when decoding and never made: what it
	// says cannot be judged.
	MessageEncrypted
)

// String returns "none", "text", "hex" or "encrypted".
func (k MessageKind) String() string {
	switch k {
	case MessageNone:
		return "none"
	case MessageText:
		return "text"
	case MessageHex:
		return "hex"
	case MessageEncrypted:
		return "encrypted"
	}
	return "unknown"
}

// Symbol's convention, which the chain itself ignores: the first byte of a
// message tells its kind.
const (
	symbolPlain     = 0x00
	symbolEncrypted = 0x01
)

// Message is what a transfer says to its recipient. It is comparable; the zero
// value is no message. Text is UTF-8 and carries no chain's kind byte; hex is
// bytes exactly as they stand on the chain. What counts when payees are
// compared is Payload, since one payload can be written in two ways.
type Message struct {
	kind    MessageKind
	content string
}

// NoMessage returns the message of a transfer that has none.
func NoMessage() Message { return Message{} }

// TextMessage makes a text of 1 to 1024 bytes of valid UTF-8 (1023 in Symbol,
// where [BuildTransfer] counts the kind byte too).
func TextMessage(s string) (Message, error) {
	switch {
	case s == "":
		return Message{}, fmt.Errorf("message text is empty; use the kind none")
	case len(s) > maxMessage:
		return Message{}, fmt.Errorf("message text has %d bytes, want at most %d", len(s), maxMessage)
	case !utf8.ValidString(s):
		return Message{}, fmt.Errorf("message text is not valid UTF-8; use the kind hex for raw bytes")
	}
	return Message{MessageText, s}, nil
}

// HexMessage makes a message of raw bytes, 1 to 1024 of them.
func HexMessage(b []byte) (Message, error) {
	switch {
	case len(b) == 0:
		return Message{}, fmt.Errorf("message hex is empty; use the kind none")
	case len(b) > maxMessage:
		return Message{}, fmt.Errorf("message hex has %d bytes, want at most %d", len(b), maxMessage)
	}
	return Message{MessageHex, string(b)}, nil
}

// Kind returns the message's kind.
func (m Message) Kind() MessageKind { return m.kind }

// Text returns the text of a text message, and nothing of any other.
func (m Message) Text() string {
	if m.kind != MessageText {
		return ""
	}
	return m.content
}

// Payload returns the bytes as they stand on the chain: NIS1's text as UTF-8,
// Symbol's text after a zero byte, everything else raw. No message has none.
func (m Message) Payload(c Chain) []byte {
	if m.kind == MessageNone {
		return nil
	}
	return m.appendPayload(make([]byte, 0, m.size(c)), c)
}

func (m *Message) appendPayload(dst []byte, c Chain) []byte {
	if m.kind == MessageText && c == Symbol {
		dst = append(dst, symbolPlain)
	}
	return append(dst, m.content...)
}

// size is the payload's length on the chain.
func (m *Message) size(c Chain) int {
	if m.kind == MessageText && c == Symbol {
		return len(m.content) + 1
	}
	return len(m.content)
}

// messageOf reads a payload that is not empty. NIS1 marks encryption outside
// the payload, Symbol in its first byte.
func messageOf(c Chain, payload string, encrypted bool) Message {
	text := payload
	if c == Symbol {
		encrypted = payload[0] == symbolEncrypted
		if payload[0] == symbolPlain {
			text = payload[1:]
		} else {
			text = ""
		}
	}
	switch {
	case encrypted:
		return Message{MessageEncrypted, payload}
	case text != "" && utf8.ValidString(text):
		return Message{MessageText, text}
	}
	return Message{MessageHex, payload}
}
