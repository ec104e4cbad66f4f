package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	yaml "github.com/goccy/go-yaml"

	"kura/policy"
	"kura/policy/source"
)

// A value is a part of a document, with the members of objects in their order:
// nil, bool, int64, string, []value or object.
type (
	value  any
	object []member
	member struct {
		name  string
		value value
	}
)

// TestSchemasAreWhatIsTaken holds both schemas to the compiler, in both
// directions, by documents with a mistake in each place: whatever a schema
// refuses is refused, and whatever is refused for its form a schema refuses.
func TestSchemasAreWhatIsTaken(t *testing.T) {
	compiled, err := source.Compile([]byte(treasury(t)))
	if err != nil {
		t.Fatal(err)
	}
	var ordered yaml.MapSlice
	if err := yaml.UnmarshalWithOptions([]byte(treasury(t)), &ordered, yaml.UseOrderedMap()); err != nil {
		t.Fatal(err)
	}
	for _, form := range []struct {
		name   string
		schema []byte
		good   value
		take   func(text []byte) error
	}{
		{"schema.json", policy.Schema, ofJSON(t, compiled.Text()), func(text []byte) error {
			_, err := policy.Parse(text)
			return err
		}},
		{"schema-yaml.json", policy.WrittenSchema, ofYAML(t, ordered), func(text []byte) error {
			_, err := source.Compile(append([]byte("# JSON is YAML, too\n"), text...))
			return err
		}},
	} {
		s := newSchema(t, form.schema)
		if err := s.check(s.root, form.good, ""); err != nil {
			t.Errorf("%s: refuses the example: %v", form.name, err)
		}
		if err := form.take(text(form.good)); err != nil {
			t.Errorf("%s: the example is not taken: %v", form.name, err)
		}
		refused, taken := 0, 0
		for _, m := range mutants(form.good, "") {
			err := form.take(text(m.value))
			says := s.check(s.root, m.value, "")
			switch {
			case says != nil && err == nil:
				t.Errorf("%s refuses what is taken, %s: %v", form.name, m.what, says)
			case says == nil && err != nil && (m.ofForm || formOnly.MatchString(err.Error())) && !ofAmounts.MatchString(err.Error()):
				t.Errorf("%s takes what is refused, %s: %v", form.name, m.what, err)
			case err != nil:
				refused++
			default:
				taken++
			}
		}
		t.Logf("%s: %d documents refused, %d taken", form.name, refused, taken)
		if refused < 500 || taken < 10 {
			t.Errorf("%s: %d refused and %d taken try too little", form.name, refused, taken)
		}
	}
}

var (
	// formOnly are mistakes of form in what need not be one.
	formOnly = regexp.MustCompile(`is missing; write it out|not in compiled form`)
	// ofAmounts are mistakes that only who knows the asset can see.
	ofAmounts = regexp.MustCompile(`without a unit|of which asset`)
)

// TestSchemasTakeTheExamples: what an editor shows as wrong in them would be the
// schema's mistake.
func TestSchemasTakeTheExamples(t *testing.T) {
	written, compiled := newSchema(t, policy.WrittenSchema), newSchema(t, policy.Schema)
	for name, p := range examples(t) {
		if err := compiled.check(compiled.root, ofJSON(t, p.Text()), ""); err != nil {
			t.Errorf("%s, compiled: %v", name, err)
		}
		file, err := os.ReadFile("../../examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var ordered yaml.MapSlice
		if err := yaml.UnmarshalWithOptions(file, &ordered, yaml.UseOrderedMap()); err != nil {
			t.Fatal(err)
		}
		if err := written.check(written.root, ofYAML(t, ordered), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mutant is a document with one mistake, or what may be one.
type mutant struct {
	what   string
	value  value
	ofForm bool // its kind or its members are wrong, not what a value says
}

// mutants makes one mistake at a time in every place of a value.
func mutants(v value, path string) (all []mutant) {
	put := func(what string, ofForm bool, v value) { all = append(all, mutant{path + " " + what, v, ofForm}) }
	put("null", true, nil)
	switch x := v.(type) {
	case bool:
		put("a text", true, fmt.Sprint(x))
		put("the other", false, !x)
	case int64:
		put("negative", true, -x-1)
		put("large", false, int64(5_000_000_000))
		put("a list", true, []value{x})
	case string:
		put("true", true, true)
		put("another text", false, "zzz!")
		put("a list", true, []value{x})
	case []value:
		put("an object", true, object{})
		put("empty", false, []value{})
		for i := range x {
			if i > 0 && i < len(x)-1 {
				continue // the first and the last are tried
			}
			for _, m := range mutants(x[i], fmt.Sprintf("%s[%d]", path, i)) {
				all = append(all, mutant{m.what, slices.Concat(x[:i], []value{m.value}, x[i+1:]), m.ofForm})
			}
		}
	case object:
		put("a list", true, []value{})
		put("a member more", true, append(slices.Clone(x), member{"zz", "1"}))
		for i := range x {
			put("without "+x[i].name, false, slices.Concat(x[:i], x[i+1:]))
			put("misspelt "+x[i].name, true, slices.Concat(x[:i], object{{x[i].name + "x", x[i].value}}, x[i+1:]))
			for _, m := range mutants(x[i].value, path+"."+x[i].name) {
				all = append(all, mutant{m.what, slices.Concat(x[:i], object{{x[i].name, m.value}}, x[i+1:]), m.ofForm})
			}
		}
	}
	return all
}

// text writes a value as JSON, members in their order.
func text(v value) []byte {
	switch x := v.(type) {
	case nil:
		return []byte("null")
	case []value:
		var parts [][]byte
		for _, item := range x {
			parts = append(parts, text(item))
		}
		return slices.Concat([]byte("["), bytes.Join(parts, []byte(",")), []byte("]"))
	case object:
		var parts [][]byte
		for _, m := range x {
			parts = append(parts, slices.Concat(text(m.name), []byte(":"), text(m.value)))
		}
		return slices.Concat([]byte("{"), bytes.Join(parts, []byte(",")), []byte("}"))
	default:
		out, err := json.Marshal(x)
		if err != nil {
			panic(err) // a text, a number or a bool
		}
		return out
	}
}

func ofJSON(t *testing.T, text []byte) value {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(text))
	var read func() value
	read = func() value {
		token, err := d.ReadToken()
		if err != nil {
			t.Fatal(err)
		}
		switch token.Kind() {
		case '{':
			o := object{}
			for d.PeekKind() != '}' {
				name := read().(string)
				o = append(o, member{name, read()})
			}
			read()
			return o
		case '[':
			list := []value{}
			for d.PeekKind() != ']' {
				list = append(list, read())
			}
			read()
			return list
		case '"':
			return token.String()
		case '0':
			n, err := strconv.ParseInt(token.String(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		case 't', 'f':
			return token.Bool()
		default:
			return nil
		}
	}
	v := read()
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one value: %v", err)
	}
	return v
}

func ofYAML(t *testing.T, v any) value {
	t.Helper()
	switch x := v.(type) {
	case yaml.MapSlice:
		o := object{}
		for _, item := range x {
			o = append(o, member{item.Key.(string), ofYAML(t, item.Value)})
		}
		return o
	case []any:
		list := []value{}
		for _, item := range x {
			list = append(list, ofYAML(t, item))
		}
		return list
	case uint64:
		return int64(x)
	case string, bool:
		return x
	default:
		t.Fatalf("an example has %T", v)
		return nil
	}
}

// schema checks a value by the few words of JSON Schema that ours are written in;
// another word fails the test.
type schema struct {
	root        map[string]any
	definitions map[string]any
}

func newSchema(t *testing.T, text []byte) schema {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return schema{root, root["$defs"].(map[string]any)}
}

func (s schema) check(rule map[string]any, v value, path string) error {
	for word, says := range rule {
		var broken bool
		switch word {
		case "$ref":
			name := strings.TrimPrefix(says.(string), "#/$defs/")
			if err := s.check(s.definitions[name].(map[string]any), v, path); err != nil {
				return err
			}
		case "type":
			kinds, several := says.([]any)
			if !several {
				kinds = []any{says}
			}
			broken = !slices.Contains(kinds, any(kindOf(v)))
		case "enum":
			broken = !slices.Contains(says.([]any), any(v))
		case "pattern":
			if x, ok := v.(string); ok {
				broken = !utf8.ValidString(x) || !regexp.MustCompile(says.(string)).MatchString(x)
			}
		case "minimum":
			if x, ok := v.(int64); ok {
				broken = float64(x) < says.(float64)
			}
		case "maximum":
			if x, ok := v.(int64); ok {
				broken = float64(x) > says.(float64)
			}
		case "items":
			list, _ := v.([]value)
			for i, item := range list {
				if err := s.check(says.(map[string]any), item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
					return err
				}
			}
		case "required":
			o, _ := v.(object)
			for _, name := range says.([]any) {
				broken = broken || !slices.ContainsFunc(o, func(m member) bool { return m.name == name })
			}
		case "properties":
			o, _ := v.(object)
			for _, m := range o {
				property, known := says.(map[string]any)[m.name].(map[string]any)
				if !known {
					return fmt.Errorf("%s: no member %s", path, m.name)
				}
				if err := s.check(property, m.value, path+"."+m.name); err != nil {
					return err
				}
			}
		case "additionalProperties": // false beside properties, which look for unknown members themselves
			broken = says != false
		case "$schema", "$defs", "title", "description":
		default:
			return fmt.Errorf("%s: this test does not know the word %q", path, word)
		}
		if broken {
			return fmt.Errorf("%s: %s %v", path, word, says)
		}
	}
	return nil
}

func kindOf(v value) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case string:
		return "string"
	case []value:
		return "array"
	case object:
		return "object"
	default:
		return "null"
	}
}
