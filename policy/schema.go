package policy

import (
	_ "embed"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema is the JSON Schema (draft 2020-12) of a policy's compiled JSON, and
// WrittenSchema that of the YAML that people write, for editors: spans and amounts
// carry units there. They describe form; what goes together Parse knows. They are
// generated from the document's types, and tests hold them to those and to what
// the compiler takes.
var (
	//go:embed schema.json
	Schema []byte
	//go:embed schema-yaml.json
	WrittenSchema []byte
)

// networkNames are the networks that wallets can be on.
var networkNames = []string{"nis1-mainnet", "nis1-testnet", "nis1-mijin", "symbol-mainnet", "symbol-testnet"}

// choices are the members with few values.
var choices = map[string][]string{
	"Wallet.network": networkNames,
	"Asset.network":  networkNames,
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

// schemaMaker makes a schema from the types.
type schemaMaker struct {
	written     bool // the YAML that people write, not the compiled JSON
	definitions map[string]any
}

// generateSchema makes one of the two schemas.
func generateSchema(written bool) ([]byte, error) {
	m := schemaMaker{written, map[string]any{}}
	root := m.describe(reflect.TypeFor[Document](), "")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Kura policy, semantics 1"
	if written {
		root["title"] = "Kura policy as it is written in YAML, semantics 1"
	}
	root["$defs"] = m.definitions
	text, err := json.Marshal(root, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(text, '\n'), err
}

// describe gives the schema of a type; structs become definitions.
func (m *schemaMaker) describe(t reflect.Type, member string) map[string]any {
	switch {
	case t == reflect.TypeFor[Millis]() && m.written:
		return map[string]any{"type": "string", "pattern": "^([0-9]+(d|h|m|s|ms))+$", "description": "a span such as 30m, 1h30m or 14d"}
	case t == reflect.TypeFor[Millis]():
		return map[string]any{"type": "integer", "minimum": 0, "description": "milliseconds"}
	case t == reflect.TypeFor[Units]() && m.written:
		return map[string]any{"type": []string{"string", "integer"}, "minimum": 0, "pattern": "^[0-9][0-9_]*([.][0-9]+)?( [^ ]+)?$", "description": "an amount such as 250_000 XEM; a plain number where it is a count or a supply"}
	case t == reflect.TypeFor[Units]():
		return map[string]any{"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$", "description": "smallest units"}
	case t == reflect.TypeFor[Day]():
		return map[string]any{"type": "string", "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return m.describe(t.Elem(), member)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": m.describe(t.Elem(), member)}
	case reflect.String:
		s := map[string]any{"type": "string"}
		if values, ok := choices[member]; ok {
			s["enum"] = values
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Struct:
		return m.describeStruct(t)
	case reflect.Int:
		return map[string]any{"type": "integer", "minimum": 0}
	default: // unsigned numbers of few bits
		return map[string]any{"type": "integer", "minimum": 0, "maximum": uint64(1)<<t.Bits() - 1}
	}
}

func (m *schemaMaker) describeStruct(t reflect.Type) map[string]any {
	properties := map[string]any{}
	var required []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = m.describe(f.Type, t.Name()+"."+name)
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
	m.definitions[t.Name()] = s
	return map[string]any{"$ref": "#/$defs/" + t.Name()}
}
