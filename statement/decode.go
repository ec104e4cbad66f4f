package statement

import (
	"bytes"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads a statement's text strictly, without a signature. The error is
// an *[Error].
func Decode(text string) (Body, error) {
	if len(text) > MaxProposalText {
		return nil, refuse(CodeTooLarge, "", "%d bytes; want at most %d, and %d for a proposal", len(text), MaxText, MaxProposalText)
	}
	data := []byte(text)
	if err := checkUTF8(data); err != nil {
		return nil, err
	}
	// Before and after the object not even white space: what people see, and
	// what a file holds, is exactly what was signed.
	if !strings.HasPrefix(text, "{") {
		return nil, refuse(CodeSyntax, "", "want a JSON object; the first byte must be {")
	}
	if !strings.HasSuffix(text, "}") {
		return nil, refuse(CodeSyntax, "", "the last byte must be }; sign the text without a newline or anything else after it")
	}
	t, err := typeOf(data)
	if err != nil {
		return nil, err
	}
	body := newBody(t)
	if body == nil {
		return nil, refuse(CodeUnknownType, "type", "want one of withdrawal/1, verdict/1, freeze/1, proposal/1, login/1; got %s", Quote(string(t), 40))
	}
	if len(text) > t.MaxText() {
		return nil, refuse(CodeTooLarge, "", "%d bytes; want at most %d", len(text), t.MaxText())
	}
	d := decoder(data)
	if err := body.members().read(d, ""); err != nil {
		return nil, err
	}
	if end := d.InputOffset(); end != int64(len(text)) {
		return nil, refuse(CodeSyntax, "", "want one JSON object, and nothing after byte %d", end)
	}
	if err := body.check(); err != nil {
		return nil, err
	}
	return body, nil
}

// typeOf finds the `type` member, wherever it stands; clients put it first.
func typeOf(text []byte) (Type, error) {
	d := decoder(text)
	if err := begin(d, '{', "", "an object"); err != nil {
		return "", err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return "", syntax(err)
		}
		if name.String() != "type" {
			if err := d.SkipValue(); err != nil {
				return "", syntax(err)
			}
			continue
		}
		if kind := d.PeekKind(); kind != '"' && kind != 0 {
			return "", wrongKind(kind, "type", "a string")
		}
		value, err := d.ReadToken()
		if err != nil {
			return "", syntax(err)
		}
		return Type(value.String()), nil
	}
	return "", refuse(CodeMissingMember, "type", "is missing; every member is required")
}

// Encode writes the text to be signed: compact JSON in the documented order of
// members. It refuses, as Decode would, a body that breaks the rules.
func Encode(body Body) (string, error) {
	if body == nil || reflect.ValueOf(body).IsNil() {
		return "", refuse(CodeUnknownType, "", "there is no statement")
	}
	text := string(body.members().write(nil))
	back, err := Decode(text)
	if err != nil {
		return "", err
	}
	if !reflect.DeepEqual(back, body) {
		return "", refuse(CodeBadValue, "", "the statement holds text that is not valid UTF-8")
	}
	return text, nil
}

func checkUTF8(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	valid := 0
	for {
		r, size := utf8.DecodeRune(text[valid:])
		if r == utf8.RuneError && size <= 1 {
			return refuse(CodeSyntax, "", "want valid UTF-8; byte %d is not", valid)
		}
		valid += size
	}
}

// decoder reads data token by token, in place. Duplicated members are found by
// object itself, in order to name them.
func decoder(data []byte, options ...jsontext.Options) *jsontext.Decoder {
	options = append([]jsontext.Options{jsontext.AllowDuplicateNames(true)}, options...)
	return jsontext.NewDecoder(bytes.NewBuffer(data), options...)
}
