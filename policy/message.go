package policy

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"kura/nem"
)

// MessageRule says which message a payment to an address must have.
type MessageRule struct {
	// Rule is "none" (no message), "exact" (Value as text or hex), "pattern" (a text
	// that Value describes) or "any" (with or without).
	Rule string `json:"rule"`
	// Kind is "text" or "hex" with exact, "text" with pattern, "" otherwise.
	Kind string `json:"kind"`
	// Value is the message or the pattern, "" with none and any. A pattern is a
	// sequence of characters and sets such as [0-9a-f], each of which may be followed
	// by {n} or {n,m}; a backslash takes the meaning from the next character. It
	// describes the whole text.
	Value string `json:"value"`
}

// messageRule is a MessageRule made ready: it judges the bytes that stand on the
// chain, so that two ways to write one message are one message.
type messageRule struct {
	kind    string
	payload []byte
	pattern []element
	prefix  []byte // what the chain puts before a text
}

// element is a set of bytes that occurs from min to max times.
type element struct {
	set      [4]uint64
	min, max int
}

func (e *element) has(c byte) bool { return e.set[c/64]&(1<<(c%64)) != 0 }
func (e *element) add(c byte)      { e.set[c/64] |= 1 << (c % 64) }

func parseMessageRule(m MessageRule, chain nem.Chain) (messageRule, *Error) {
	r := messageRule{kind: m.Rule}
	switch m.Rule {
	case "none", "any":
		if m.Kind != "" || m.Value != "" {
			return r, &Error{Path: ".value", What: fmt.Sprintf("rule %s takes no message", m.Rule), Want: `want kind "" and value ""`}
		}
	case "exact":
		message, err := exactMessage(m)
		if err != nil {
			return r, &Error{Path: ".value", What: err.Error(), Want: `want kind "text" or "hex" and the message`}
		}
		r.payload = message.Payload(chain)
	case "pattern":
		if m.Kind != "text" {
			return r, &Error{Path: ".kind", What: quoted(m.Kind), Want: `want "text": patterns describe texts`}
		}
		var mistake *Error
		if r.pattern, mistake = parsePattern(m.Value); mistake != nil {
			return r, mistake
		}
		if chain == nem.Symbol {
			r.prefix = []byte{0}
		}
	default:
		return r, &Error{Path: ".rule", What: quoted(m.Rule), Want: `want "none", "exact", "pattern" or "any"`}
	}
	return r, nil
}

func exactMessage(m MessageRule) (nem.Message, error) {
	switch m.Kind {
	case "text":
		return nem.TextMessage(m.Value)
	case "hex":
		raw, err := hex.DecodeString(m.Value)
		if err != nil {
			return nem.Message{}, fmt.Errorf("%s is not hex", quoted(m.Value))
		}
		return nem.HexMessage(raw)
	}
	return nem.Message{}, fmt.Errorf("kind %s", quoted(m.Kind))
}

// allows tells whether a message, by its bytes on the chain, meets the rule.
func (r *messageRule) allows(payload []byte) bool {
	switch r.kind {
	case "any":
		return true
	case "none":
		return len(payload) == 0
	case "exact":
		return bytes.Equal(payload, r.payload)
	default:
		text, ok := bytes.CutPrefix(payload, r.prefix)
		return ok && r.kind == "pattern" && len(text) > 0 && matchPattern(r.pattern, text)
	}
}

// maxElements and maxRepeat bound what a pattern costs.
const (
	maxElements = 64
	maxRepeat   = 1024
)

// matchPattern tells whether the elements describe the whole text. It follows
// all possible ends at once, so its cost is bounded by elements × text × repeat.
func matchPattern(pattern []element, text []byte) bool {
	ends := make([]bool, len(text)+1)
	ends[0] = true
	for i := range pattern {
		e := &pattern[i]
		next := make([]bool, len(text)+1)
		for start, reached := range ends {
			if !reached {
				continue
			}
			for n := 0; n <= e.max; n++ {
				if n >= e.min {
					next[start+n] = true
				}
				if start+n == len(text) || !e.has(text[start+n]) {
					break
				}
			}
		}
		ends = next
	}
	return ends[len(text)]
}

func parsePattern(text string) ([]element, *Error) {
	bad := func(at int, want string) ([]element, *Error) {
		return nil, &Error{Path: ".value", What: fmt.Sprintf("pattern %s at character %d", quoted(text), at+1), Want: want}
	}
	var elements []element
	for i := 0; i < len(text); {
		e := element{min: 1, max: 1}
		switch c := text[i]; {
		case c == '[':
			end := strings.IndexByte(text[i:], ']')
			if end < 2 {
				return bad(i, "want a set such as [0-9a-f]")
			}
			if !e.parseSet(text[i+1 : i+end]) {
				return bad(i, "want characters and ranges such as a-f, the lower end first, no backslash")
			}
			i += end + 1
		case c == '\\' && i+1 < len(text):
			e.add(text[i+1])
			i += 2
		case strings.IndexByte(`\]{}*+?.^$|()`, c) >= 0:
			return bad(i, `want characters, sets such as [0-9a-f], {n} or {n,m}; write \ before a character that is meant as it stands`)
		default:
			e.add(c)
			i++
		}
		if i < len(text) && text[i] == '{' {
			end := strings.IndexByte(text[i:], '}')
			if end < 0 || !e.parseRepeat(text[i+1:i+end]) {
				return bad(i, "want {n} or {n,m}, n not more than m, at most 1024")
			}
			i += end + 1
		}
		elements = append(elements, e)
	}
	if len(elements) == 0 || len(elements) > maxElements {
		return bad(0, fmt.Sprintf("want 1 to %d characters and sets", maxElements))
	}
	return elements, nil
}

func (e *element) parseSet(text string) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' || text[i] == '[' || text[i] >= 0x80:
			return false
		case i+2 < len(text) && text[i+1] == '-':
			if text[i] > text[i+2] || text[i+2] >= 0x80 {
				return false
			}
			for c := text[i]; c <= text[i+2]; c++ {
				e.add(c)
			}
			i += 2
		default:
			e.add(text[i])
		}
	}
	return true
}

func (e *element) parseRepeat(text string) bool {
	low, high, ranged := strings.Cut(text, ",")
	if !ranged {
		high = low
	}
	n, err1 := strconv.ParseUint(low, 10, 16)
	m, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || n > m || m == 0 || m > maxRepeat {
		return false
	}
	e.min, e.max = int(n), int(m)
	return true
}
