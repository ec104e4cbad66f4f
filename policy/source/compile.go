package source

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"kura/policy"
)

// Compile reads a policy file, YAML or JSON, and gives the policy, whose Text is
// what is proposed and signed. The error is Mistakes.
func Compile(file []byte) (*policy.Policy, error) {
	file = bytes.TrimPrefix(file, byteOrderMark)
	if trimmed := bytes.TrimSpace(file); len(trimmed) > 0 && trimmed[0] == '{' {
		return compileJSON(file)
	}
	doc := &policy.Document{}
	d, err := decode(file, doc)
	if err != nil {
		return nil, err
	}
	for _, resolve := range d.amounts {
		resolve(doc)
	}
	if len(d.mistakes) > 0 {
		return nil, d.sorted()
	}
	p, err := policy.New(*doc)
	if err != nil {
		return nil, d.places.locate(err)
	}
	if len(d.homeless) > 0 {
		return nil, d.homeless
	}
	return p, nil
}

// Addresses reads an address-book change as people write it.
func Addresses(file []byte) (*policy.BookChange, error) {
	change := &policy.BookChange{}
	d, err := decode(file, change)
	if err != nil {
		return nil, err
	}
	if len(d.mistakes) > 0 {
		return nil, d.sorted()
	}
	checked, err := policy.ParseBookChange(change.Text())
	if err != nil {
		return nil, d.places.locate(err)
	}
	if err := checked.Check(); err != nil {
		return nil, d.places.locate(err)
	}
	return checked, nil
}

// Lines gives what tells in which line of a file a part of its document stands, or
// the smallest part around it that is written out; 0 if that is not known. Parts
// are named as in mistakes and findings, "rules[2].approval".
func Lines(file []byte) func(path string) int {
	all := places{}
	if root, mistake := parse(file); mistake == nil {
		all.note(root, "")
	}
	return func(path string) int {
		if n := all.around(path); n != nil {
			return n.line
		}
		return 0
	}
}

// compileJSON takes compiled JSON with any white space.
func compileJSON(file []byte) (*policy.Policy, error) {
	compact := jsontext.Value(bytes.Clone(file))
	if err := compact.Compact(); err != nil {
		return nil, Mistakes{notJSON(file, err)}
	}
	p, err := policy.Parse(compact)
	if err == nil {
		return p, nil
	}
	return nil, jsonPlaces(file).locate(err)
}

// jsonPlaces knows where each part of a file of JSON stands; of a member that stands twice, the last.
func jsonPlaces(file []byte) places {
	all := places{}
	d := jsontext.NewDecoder(bytes.NewReader(file), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	line, column, at := 1, 1, 0
	for {
		start := int(d.InputOffset())
		for start < len(file) && strings.IndexByte(" \t\r\n:,", file[start]) >= 0 {
			start++
		}
		end := d.PeekKind() == jsontext.KindEndObject || d.PeekKind() == jsontext.KindEndArray
		if _, err := d.ReadToken(); err != nil {
			return all
		}
		for ; at < start; at++ {
			switch {
			case file[at] == '\n':
				line, column = line+1, 1
			case utf8.RuneStart(file[at]):
				column++
			}
		}
		path := ""
		for part := range d.StackPointer().Tokens() {
			if digits(part) {
				path += "[" + part + "]"
			} else {
				path = join(path, part)
			}
		}
		if !end && path != "" {
			all[path] = &node{line: line, column: column}
		}
	}
}

// notJSON says where a file is no JSON.
func notJSON(file []byte, err error) *Mistake {
	m := &Mistake{What: "not JSON: " + err.Error(), Want: "want JSON as kura policy compile writes it, or YAML that does not begin with {"}
	if at, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		m.Line, m.Column = position(file, int(at.ByteOffset))
		m.What = "not JSON: " + at.Err.Error()
	}
	return m
}

// decode reads YAML into a document, all but its amounts.
func decode(file []byte, into any) (*decoder, error) {
	root, mistake := parse(file)
	if mistake != nil {
		return nil, Mistakes{mistake}
	}
	d := &decoder{places: places{}}
	d.value(root, reflect.ValueOf(into).Elem(), "")
	return d, nil
}

// places knows where each part of a document stands.
type places map[string]*node

// note enters a whole tree; decode enters what it reads.
func (p places) note(n *node, path string) {
	p[path] = n
	for i, item := range n.items {
		if n.kind == list {
			p.note(item, fmt.Sprintf("%s[%d]", path, i))
		} else {
			p.note(item, join(path, n.keys[i].value))
		}
	}
}

// around finds the part with a path, or the smallest one around it; nil if there
// is none but the whole document.
func (p places) around(path string) *node {
	for {
		if n, ok := p[path]; ok {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return nil
		}
		path = path[:i]
	}
}

// locate gives a document's errors their places: that of the part, or of the
// smallest one around it.
func (p places) locate(err error) error {
	list, ok := errors.AsType[policy.Errors](err)
	if !ok {
		return err
	}
	out := make(Mistakes, len(list))
	for i, e := range list {
		out[i] = &Mistake{Path: e.Path, What: e.What, Want: e.Want}
		if n := p.around(e.Path); n != nil {
			out[i].Line, out[i].Column = n.line, n.column
		}
	}
	slices.SortStableFunc(out, func(a, b *Mistake) int { return a.Line - b.Line })
	return out
}

// decoder fills a document by its Go types: the types are the schema.
type decoder struct {
	places   places
	mistakes Mistakes
	owners   []any // structs around the present value, innermost last
	amounts  []func(*policy.Document)
	// homeless are amounts of which nobody knows what they are of. Mostly that
	// follows from another mistake, and then that one is told instead.
	homeless Mistakes
}

// sorted gives the mistakes in the order of the file.
func (d *decoder) sorted() Mistakes {
	slices.SortStableFunc(d.mistakes, func(a, b *Mistake) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	return d.mistakes
}

func (d *decoder) fail(n *node, path, want, what string, args ...any) {
	d.mistakes = append(d.mistakes, &Mistake{Line: n.line, Column: n.column, Path: path, What: fmt.Sprintf(what, args...), Want: want})
}

func (d *decoder) expect(n *node, path string, want kind, example string) bool {
	if n.kind == want {
		return true
	}
	d.fail(n, path, "want "+kindNames[want]+example, "%s", n)
	return false
}

var (
	spanType   = reflect.TypeFor[policy.Millis]()
	amountType = reflect.TypeFor[policy.Units]()
)

func (d *decoder) value(n *node, v reflect.Value, path string) {
	d.places[path] = n
	switch {
	case v.Type() == spanType:
		d.span(n, v, path)
	case v.Type() == amountType:
		d.amount(n, v, path)
	default:
		d.plain(n, v, path)
	}
}

func (d *decoder) plain(n *node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		if d.expect(n, path, mapping, memberList(v.Type())) {
			d.structure(n, v, path)
		}
	case reflect.Slice:
		written := ": [ ] around it, or - in front; [] if there is none"
		if n.kind == text && n.value != "none" && v.Type().Elem().Kind() == reflect.String {
			written = ": [" + n.value + "]"
		}
		if !d.expect(n, path, list, written) {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		for i, item := range n.items {
			d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.String:
		if d.expect(n, path, text, "; put quotes around it") {
			v.SetString(n.value)
		}
	case reflect.Bool:
		if d.expect(n, path, boolean, "") {
			v.SetBool(n.value == "true")
		}
	case reflect.Int, reflect.Int64:
		if d.expect(n, path, integer, n.plainDigits()) {
			x, err := strconv.ParseInt(n.value, 10, v.Type().Bits())
			if err != nil {
				d.fail(n, path, "want a smaller number", "%s", n.value)
			}
			v.SetInt(x)
		}
	default: // unsigned numbers are all that is left of the document's types
		if d.expect(n, path, integer, n.plainDigits()) {
			x, err := strconv.ParseUint(n.value, 10, v.Type().Bits())
			if err != nil {
				d.fail(n, path, "want a smaller number", "%s", n.value)
			}
			v.SetUint(x)
		}
	}
}

// structure reads a mapping into a struct: no member unknown, none missing but
// those that may be absent.
func (d *decoder) structure(n *node, v reflect.Value, path string) {
	d.owners = append(d.owners, v.Addr().Interface())
	defer func() { d.owners = d.owners[:len(d.owners)-1] }()
	var known []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		known = append(known, name)
	}
	meant := d.unknown(n, path, known)
	for i, name := range known {
		_, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		at := slices.IndexFunc(n.keys, func(k *node) bool { return k.value == name })
		switch {
		case at >= 0:
			d.value(n.items[at], v.Field(i), join(path, name))
		case options != "omitzero" && !slices.Contains(meant, name):
			usual := example(v.Field(i).Type())
			if choices := policy.Choices(v.Type(), name); choices != nil && v.Field(i).Kind() == reflect.String {
				usual = strings.Join(choices, ", ")
			}
			d.fail(n, path, fmt.Sprintf("write it out: nothing has a default (%s)", usual), "%s is missing", name)
		}
	}
}

// unknown finds the mapping's members that are none, and gives the names that
// were probably meant: they are misspelt and not missing.
func (d *decoder) unknown(n *node, path string, known []string) (meant []string) {
	for _, key := range n.keys {
		if slices.Contains(known, key.value) {
			continue
		}
		want := "want only " + strings.Join(known, ", ")
		if near := policy.Nearest(key.value, known); near != "" {
			want, meant = "did you mean "+near+"?", append(meant, near)
		}
		d.fail(key, path, want, "%s is no member", shown(key.value)+policy.Odd(key.value))
	}
	return meant
}

// memberList says which members a mapping of this type has, if they are few.
func memberList(t reflect.Type) string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name+": …")
	}
	if len(names) > 8 {
		return " that begins like " + names[0]
	}
	return ": {" + strings.Join(names, ", ") + "}"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// example says how an empty or usual value of a type is written.
func example(t reflect.Type) string {
	switch {
	case t == spanType:
		return "a span such as 30m or 24h"
	case t == amountType:
		return "an amount such as 100 XEM"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "[] if there is none"
	case reflect.String:
		return `"" if there is none`
	case reflect.Bool:
		return "true or false"
	case reflect.Struct:
		return "a mapping"
	default:
		return "a number"
	}
}

// span reads "30m", "1h30m", "14d", "0s".
func (d *decoder) span(n *node, v reflect.Value, path string) {
	const want = `want a span such as "30m", "1h30m" or "14d" (units d, h, m, s, ms, the larger first)`
	if n.kind != text {
		d.fail(n, path, want, "%s", n.value)
		return
	}
	span, ok := Span(n.value)
	switch {
	case n.value == "":
		d.fail(n, path, want, "no span")
	case !ok:
		d.fail(n, path, want, "%s", shown(n.value)+policy.Odd(n.value))
	default:
		v.SetInt(int64(span))
	}
}

// Span reads a span as documents write it: "30m", "1h30m", "14d", "0s".
func Span(text string) (policy.Millis, bool) {
	total, rest, last := int64(0), text, int64(1<<62)
	for rest != "" {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		unit := rest[len(digits):]
		if i := strings.IndexAny(unit, "0123456789"); i >= 0 {
			unit = unit[:i]
		}
		rest = rest[len(digits)+len(unit):]
		size := map[string]int64{"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}[unit]
		count, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || size == 0 || size >= last || count > (1<<53)/size {
			return 0, false
		}
		total, last = total+count*size, size
	}
	return policy.Millis(total), text != ""
}
