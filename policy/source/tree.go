package source

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Mistake is one thing that is wrong in a file, and where. Line and Column count
// from 1; 0 means that the place is not known.
type Mistake struct {
	Line, Column int
	Path         string // "people[2].keys[0]", "" for the file as a whole
	What         string
	Want         string
}

// Error writes "line 3, column 5: path: what; want".
func (m *Mistake) Error() string {
	var b strings.Builder
	if m.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", m.Line, m.Column)
	}
	if m.Path != "" {
		b.WriteString(m.Path + ": ")
	}
	b.WriteString(m.What)
	if m.Want != "" {
		b.WriteString("; " + m.Want)
	}
	return b.String()
}

// Mistakes are all that were found, in the order of the file.
type Mistakes []*Mistake

// Error writes one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// kind is what a node of the tree is.
type kind uint8

const (
	mapping kind = iota + 1
	list
	text    // a string, plain or quoted
	integer // a plain whole number in decimal digits
	boolean
)

var kindNames = map[kind]string{mapping: "a mapping", list: "a list", text: "a text", integer: "a number", boolean: "true or false"}

// node is the part of YAML that policies use, with places.
type node struct {
	kind         kind
	line, column int
	value        string // of scalars
	quoted       bool
	keys         []*node // of mappings, beside items
	items        []*node
}

// String says what stands there.
func (n *node) String() string {
	switch n.kind {
	case text:
		return "the text " + shown(n.value)
	case integer, boolean:
		return n.value
	default:
		return kindNames[n.kind]
	}
}

// shown shows a text of the file, bounded: whatever the file is, it may be one text.
func shown(value string) string {
	const longest = 60
	if r := []rune(value); len(r) > longest {
		value = string(r[:longest]) + "…"
	}
	return strconv.QuoteToGraphic(value)
}

func digits(value string) bool { return value != "" && strings.Trim(value, "0123456789") == "" }

// plainDigits is what to write for a number that has quotes or _ in it.
func (n *node) plainDigits() string {
	plain := strings.ReplaceAll(n.value, "_", "")
	if n.kind != text || !digits(plain) {
		return ""
	}
	return ": " + plain
}

// byteOrderMark is what some editors put in front of a file.
var byteOrderMark = []byte("\xef\xbb\xbf")

// parse reads one YAML document into a tree.
func parse(file []byte) (*node, *Mistake) {
	const longest = 4 << 20
	file = bytes.TrimPrefix(file, byteOrderMark)
	if len(file) > longest {
		return nil, &Mistake{What: fmt.Sprintf("the file has %d bytes", len(file)), Want: "want at most 4 MiB: what is proposed has at most 1 MiB"}
	}
	if m := notText(file); m != nil {
		return nil, m
	}
	parsed, err := parser.ParseBytes(file, 0)
	if err != nil {
		return nil, syntaxMistake(file, err)
	}
	var root ast.Node
	for _, d := range parsed.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			return nil, at(d.Body, "a second document in the file", "want one policy in a file")
		}
		root = d.Body
	}
	if root == nil {
		return nil, &Mistake{What: "the file is empty", Want: "want a policy; examples/ has some"}
	}
	return build(root)
}

// notText finds a file that is not UTF-8: what stands in it would be read as something else.
func notText(file []byte) *Mistake {
	if bytes.HasPrefix(file, []byte("\xff\xfe")) || bytes.HasPrefix(file, []byte("\xfe\xff")) {
		return &Mistake{Line: 1, Column: 1, What: "the file is UTF-16, as some editors and shells save it", Want: "save it as UTF-8"}
	}
	for i := 0; i < len(file); {
		r, size := utf8.DecodeRune(file[i:])
		if r == utf8.RuneError && size == 1 {
			m := &Mistake{What: fmt.Sprintf("the byte %#x, which is no UTF-8", file[i]), Want: "save the file as UTF-8"}
			m.Line, m.Column = position(file, i)
			return m
		}
		i += size
	}
	return nil
}

// position gives line and column, counted from 1 in characters, of an offset in a file.
func position(file []byte, offset int) (line, column int) {
	before := file[:min(max(offset, 0), len(file))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[start:])
}

func at(n ast.Node, what, want string) *Mistake {
	m := &Mistake{What: what, Want: want}
	if t := n.GetToken(); t != nil {
		m.Line, m.Column = t.Position.Line, t.Position.Column
	}
	return m
}

// build takes over what policies use and refuses the rest by name.
func build(n ast.Node) (*node, *Mistake) {
	out := &node{}
	if t := n.GetToken(); t != nil {
		out.line, out.column = t.Position.Line, t.Position.Column
	}
	switch x := n.(type) {
	case *ast.MappingNode:
		out.kind = mapping
		for _, entry := range x.Values {
			if m := out.entry(entry); m != nil {
				return nil, m
			}
		}
	case *ast.MappingValueNode:
		out.kind = mapping
		if m := out.entry(x); m != nil {
			return nil, m
		}
	case *ast.SequenceNode:
		out.kind = list
		for _, item := range x.Values {
			child, m := build(item)
			if m != nil {
				return nil, m
			}
			out.items = append(out.items, child)
		}
	case *ast.StringNode:
		out.kind, out.value = text, x.Value
		out.quoted = x.Token.Type == token.SingleQuoteType || x.Token.Type == token.DoubleQuoteType
		if !out.quoted && digits(out.value) && out.value[0] != '0' {
			out.kind = integer // too large for the parser
		}
	case *ast.IntegerNode:
		out.kind, out.value = integer, x.Token.Value
		if plain := strings.ReplaceAll(out.value, "_", ""); plain != out.value && digits(plain) {
			out.kind = text // an amount whose unit was forgotten, if anything
			break
		}
		if !digits(out.value) || (len(out.value) > 1 && out.value[0] == '0') {
			return nil, at(n, "the number "+out.value, "want decimal digits without sign or leading zeros, or quotes around a text")
		}
	case *ast.BoolNode:
		out.kind, out.value = boolean, x.Token.Value
		if out.value != "true" && out.value != "false" {
			return nil, at(n, out.value, "want true or false")
		}
	default:
		return nil, at(n, refusedNode(n), "")
	}
	return out, nil
}

func (n *node) entry(e *ast.MappingValueNode) *Mistake {
	if _, merge := e.Key.(*ast.MergeKeyNode); merge {
		return at(e.Key, "a merge key (<<)", "write the members out: a policy says everything where it counts")
	}
	key, m := build(e.Key)
	if m != nil {
		return m
	}
	if key.kind != text {
		return at(e.Key, "a member's name that is no text", "want a name")
	}
	for _, other := range n.keys {
		if other.value == key.value {
			return at(e.Key, key.value+" stands twice", fmt.Sprintf("the first is in line %d", other.line))
		}
	}
	value, m := build(e.Value)
	if m != nil {
		return m
	}
	if n.items == nil {
		n.line, n.column = key.line, key.column
	}
	n.keys = append(n.keys, key)
	n.items = append(n.items, value)
	return nil
}

func refusedNode(n ast.Node) string {
	switch n.(type) {
	case *ast.AnchorNode:
		return "an anchor (&): write the part out wherever it counts"
	case *ast.AliasNode:
		return "an alias (*): write the part out wherever it counts"
	case *ast.TagNode:
		return "a tag (!): want plain values"
	case *ast.NullNode:
		return `no value: want one; "" is the empty text, [] the empty list, and # begins a comment`
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return `a fraction: want a whole number, or an amount with its unit, "0.5 XEM"`
	case *ast.LiteralNode:
		return "a text block (| or >): want one line"
	case *ast.DirectiveNode:
		return "a directive (%)"
	}
	return "something that policies do not use: " + n.Type().String()
}
