package statement

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// An object is the table of a JSON object's members in documented order. One
// table serves both ways: read fills the variables that it points to, write
// encodes them. Reading accepts the members in any order, and each exactly
// once under exactly its name.
type object []member

type member struct {
	name  string
	value value
}

// A value reads itself from a decoder and appends itself as compact JSON. The
// path is where it stands, for errors.
type value interface {
	read(d *jsontext.Decoder, path string) error
	write(b []byte) []byte
}

func (o object) read(d *jsontext.Decoder, path string) error {
	if err := begin(d, '{', path, "an object"); err != nil {
		return err
	}
	var seen uint32
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return syntax(err)
		}
		i, err := o.find(token.String(), path)
		if err != nil {
			return err
		}
		at := join(path, o[i].name)
		if seen&(1<<i) != 0 {
			return refuse(CodeDuplicateMember, at, "stands twice; want it once")
		}
		seen |= 1 << i
		if err := o[i].value.read(d, at); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return syntax(err)
	}
	for i, m := range o {
		if seen&(1<<i) == 0 {
			return refuse(CodeMissingMember, join(path, m.name), "is missing; every member is required")
		}
	}
	return nil
}

// find returns the index of the member with this name.
func (o object) find(name, path string) (int, error) {
	for i, m := range o {
		if m.name == name {
			return i, nil
		}
	}
	for _, m := range o {
		if strings.EqualFold(m.name, name) {
			return 0, refuse(CodeUnknownMember, path, "%s is not a member; write %q", Quote(name, 40), m.name)
		}
	}
	names := make([]string, len(o))
	for i, m := range o {
		names[i] = m.name
	}
	return 0, refuse(CodeUnknownMember, path, "%s is not a member; the members are %s", Quote(name, 40), strings.Join(names, ", "))
}

func (o object) write(b []byte) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, m.name)
		b = append(b, ':')
		b = m.value.write(b)
	}
	return append(b, '}')
}

// text is a JSON string that holds a T.
type text[T any] struct {
	into   *T
	parse  func(string) (T, error)
	format func(T) string
}

func (t *text[T]) read(d *jsontext.Decoder, path string) error {
	if kind := d.PeekKind(); kind != '"' && kind != 0 {
		return wrongKind(kind, path, "a string")
	}
	token, err := d.ReadToken()
	if err != nil {
		return syntax(err)
	}
	v, err := t.parse(token.String())
	if err != nil {
		return &Error{Code: CodeBadValue, Field: path, Msg: err.Error()}
	}
	*t.into = v
	return nil
}

func (t *text[T]) write(b []byte) []byte { return appendString(b, t.format(*t.into)) }

// list is a JSON array of 1 to max elements.
type list[T any] struct {
	into    *[]T
	max     int
	element func(*T) value
}

func (l *list[T]) read(d *jsontext.Decoder, path string) error {
	if err := begin(d, '[', path, "an array"); err != nil {
		return err
	}
	var elements []T
	for d.PeekKind() != ']' {
		if len(elements) == l.max {
			return refuse(CodeBadValue, path, "want at most %d elements, got more", l.max)
		}
		var e T
		if err := l.element(&e).read(d, element(path, len(elements))); err != nil {
			return err
		}
		elements = append(elements, e)
	}
	if len(elements) == 0 {
		return refuse(CodeBadValue, path, "want 1 to %d elements, got none", l.max)
	}
	*l.into = elements
	_, err := d.ReadToken()
	return syntax(err)
}

func (l *list[T]) write(b []byte) []byte {
	b = append(b, '[')
	for i := range *l.into {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.element(&(*l.into)[i]).write(b)
	}
	return append(b, ']')
}

// begin reads the opening of an object or array.
func begin(d *jsontext.Decoder, open jsontext.Kind, path, want string) error {
	if kind := d.PeekKind(); kind != open && kind != 0 {
		return wrongKind(kind, path, want)
	}
	_, err := d.ReadToken()
	return syntax(err)
}

func wrongKind(kind jsontext.Kind, path, want string) error {
	got := map[jsontext.Kind]string{
		'n': "null", 't': "true", 'f': "false", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
		'}': "nothing", ']': "nothing",
	}[kind]
	return refuse(CodeBadValue, path, "want %s, got %s", want, got)
}

// syntax turns what the JSON library found into our error; nil stays nil.
func syntax(err error) error {
	if err == nil {
		return nil
	}
	return refuse(CodeSyntax, "", "%s", explainSyntax(err))
}

func explainSyntax(err error) string {
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("byte %d: %v", s.ByteOffset, s.Err)
	}
	return "the JSON ends too early"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// appendString appends s as a JSON string with the fewest escapes. Invalid
// UTF-8 comes out as U+FFFD: [Encode] compares and refuses it.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error is the UTF-8
	return b
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
