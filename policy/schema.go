package policy

import (
	_ "embed"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema is the JSON Schema (draft 2020-12) of a policy's compiled JSON, for
// editors and other programs. It describes form; what goes together Parse knows.
// It is generated from the document's types and a test holds it to them.
//
//go:embed schema.json
var Schema []byte

// choices are the members with few values.
var choices = map[string][]string{
	"Wallet.custody": {"token", "sealed"},
	"Rule.then":      {thenDeny, thenSign, thenApprove},
	"Limit.of":       {ofAmount, ofCount},
	"Limit.at":       {atDeny, atApprove, atWait},
	"Levy.kind":      {"absolute", "percentile"},
	"Limit.per":      perNames,
	"When.message":   messageKind,
	"Hours.days":     dayNames,
	"Refusals.codes": RefusalCodes,
}

// Choices gives the few values that a member of a document's type can have; nil
// if it can have any.
func Choices(t reflect.Type, member string) []string { return choices[t.Name()+"."+member] }

// generateSchema makes the schema from the types.
func generateSchema() ([]byte, error) {
	definitions := map[string]any{}
	root := describe(reflect.TypeFor[Document](), "", definitions)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Kura policy, semantics 1"
	root["$defs"] = definitions
	text, err := json.Marshal(root, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(text, '\n'), err
}

// describe gives the schema of a type; structs become definitions.
func describe(t reflect.Type, member string, definitions map[string]any) map[string]any {
	switch {
	case t == reflect.TypeFor[Millis]():
		return map[string]any{"type": "integer", "minimum": 0, "description": "milliseconds"}
	case t == reflect.TypeFor[Units]():
		return map[string]any{"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$", "description": "smallest units"}
	case t == reflect.TypeFor[Day]():
		return map[string]any{"type": "string", "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem(), member, definitions)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": describe(t.Elem(), member, definitions)}
	case reflect.String:
		s := map[string]any{"type": "string"}
		if values, ok := choices[member]; ok {
			s["enum"] = values
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Struct:
		return describeStruct(t, definitions)
	default:
		return map[string]any{"type": "integer"}
	}
}

func describeStruct(t reflect.Type, definitions map[string]any) map[string]any {
	properties := map[string]any{}
	var required []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = describe(f.Type, t.Name()+"."+name, definitions)
		if options != "omitzero" {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	if t == reflect.TypeFor[Document]() {
		return s
	}
	definitions[t.Name()] = s
	return map[string]any{"$ref": "#/$defs/" + t.Name()}
}
