package api

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kura/signer/rpc"
	"kura/statement"
)

// A schema is a JSON Schema, as OpenAPI 3.1 uses it.
type schema map[string]any

// Version is the version of the REST interface, in the document.
const Version = "1"

// Document is the OpenAPI 3.1 document: the route table, and the schemas of the Go types that are
// encoded as answers. The same code gives the same bytes.
func Document() ([]byte, error) {
	types := schemas{declared: map[string]schema{}}
	problem := types.of(reflect.TypeFor[Problem]())
	paths := map[string]map[string]any{}
	for _, rt := range routes {
		path := strings.Replace(rt.path, "*", "{path}", 1)
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(rt.method)] = operation(rt, types, problem)
	}
	types.declared["Envelope"] = envelopeSchema
	document := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Kura", "version": Version,
			"description": "Hot-wallet signing for NIS1 and Symbol. Statements are signed texts (docs/statements.md); " +
				"every final outcome carries a receipt, and without one that verifies under the pinned genesis line an outcome is unknown: " +
				"ask again with the same text.",
		},
		"paths": paths,
		"components": map[string]any{
			"schemas": types.declared,
			"securitySchemes": map[string]any{
				"session": map[string]any{
					"type": "http", "scheme": "bearer",
					"description": "The secret of an open session: 32 bytes in 64 lower-case hex digits.",
				},
			},
		},
	}
	b, err := json.Marshal(document, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	return append(b, '\n'), nil
}

var envelopeSchema = schema{
	"type":        "object",
	"description": "A signed statement. The text is carried, judged and recorded exactly as it was signed.",
	"properties": map[string]any{
		"statement": schema{"type": "string", "contentMediaType": "application/json", "description": "The text that was signed, as a string (docs/statements.md has every member)."},
		"signature": schema{"type": "string", "maxLength": statement.MaxSignature, "description": "Its armored SSH signature (ssh-keygen -Y sign) in the type's namespace."},
	},
	"required": []string{"statement", "signature"}, "additionalProperties": false,
}

// operation describes one route.
func operation(rt route, types schemas, problem schema) map[string]any {
	op := map[string]any{"operationId": rt.name, "summary": rt.summary}
	if rt.text != "" {
		op["description"] = rt.text
	}
	if rt.session {
		op["security"] = []any{map[string]any{"session": []string{}}}
	}
	params := []any{}
	for _, p := range rt.params {
		name := strings.Replace(p.name, "*", "path", 1)
		params = append(params, map[string]any{"in": p.in, "name": name, "description": p.text, "schema": p.schema, "required": p.required})
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if rt.takes != "" {
		op["requestBody"] = map[string]any{
			"required": true, "description": "The envelope of a statement of type " + string(rt.takes) + ".",
			"content": content("application/json", schema{"$ref": "#/components/schemas/Envelope"}),
		}
	}
	answers := map[string]any{}
	for _, a := range rt.answers {
		described := map[string]any{"description": a.text}
		switch {
		case a.body != nil:
			described["content"] = content("application/json", types.of(reflect.TypeOf(a.body)))
		case a.media == "application/json":
			described["content"] = content(a.media, schema{"type": "object"})
		case strings.HasPrefix(a.media, "text/"):
			described["content"] = content(a.media, schema{"type": "string"})
		default:
			described["content"] = map[string]any{a.media: map[string]any{}}
		}
		answers[strconv.Itoa(a.status)] = described
	}
	for _, status := range statusesOf(rt) {
		if _, taken := answers[strconv.Itoa(status)]; !taken {
			answers[strconv.Itoa(status)] = map[string]any{"description": http.StatusText(status), "content": content(ProblemMedia, problem)}
		}
	}
	op["responses"] = answers
	return op
}

func content(media string, s schema) map[string]any {
	return map[string]any{media: map[string]any{"schema": s}}
}

// statusesOf lists the statuses of the problems that a route may answer with.
func statusesOf(rt route) []int {
	all := append([]int{http.StatusInternalServerError}, rt.problems...)
	if !rt.open {
		all = append(all, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	if rt.session {
		all = append(all, http.StatusUnauthorized)
	}
	if len(rt.params) > 0 {
		all = append(all, http.StatusBadRequest)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// schemas gathers the declared schemas of named struct types.
type schemas struct{ declared map[string]schema }

// of returns the schema of a Go type as json encodes it. A struct with a name is declared once and
// referred to.
func (s schemas) of(t reflect.Type) schema {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint64:
		return seqSchema
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": "string", "contentEncoding": "base64"}
		}
		return schema{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		if _, known := s.declared[t.Name()]; !known {
			s.declared[t.Name()] = nil // an Answer holds Answers
			s.declared[t.Name()] = s.object(t)
		}
		return schema{"$ref": "#/components/schemas/" + t.Name()}
	default:
		// Found by the golden test before anybody else: a new type of member needs a line above.
		panic(fmt.Sprintf("openapi: no schema for %s", t))
	}
}

// object describes a struct's members. A member that may be missing is not required.
func (s schemas) object(t reflect.Type) schema {
	properties := map[string]any{}
	var required []string
	for i := range t.NumField() {
		field := t.Field(i)
		tag, ok := field.Tag.Lookup("json")
		if !field.IsExported() || !ok || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		member := s.of(field.Type)
		if text, ok := memberTexts[t.Name()+"."+name]; ok {
			member = maps.Clone(member)
			member["description"] = text
		}
		if values, ok := memberValues[t.Name()+"."+name]; ok {
			member = maps.Clone(member)
			member["enum"] = values
		}
		properties[name] = member
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	out := schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// memberTexts explains members whose names do not say enough, by type and member.
var memberTexts = map[string]string{
	"Problem.type":          "urn:kura:problem: and the code.",
	"Problem.code":          "Stable; what programs go by.",
	"Problem.field":         "The member, parameter or header that is meant.",
	"Problem.retry":         "never: the same will get the same answer. same: send exactly the same again, later. new_statement: sign a corrected one under a new id.",
	"Problem.effect":        "none: nothing came of it. unknown: it may have been carried out, and only a receipt tells.",
	"Problem.answer":        "What the journal has recorded about the statement, with the receipt.",
	"Answer.state":          "The state as recorded; only signed and authorized take from limits.",
	"Answer.seq":            "The entry that says so.",
	"Answer.statementHash":  "SHA-256 of the statement's text, in hex.",
	"Answer.results":        "Of a verdict over several hashes: one result each.",
	"Answer.alive":          "Of a freeze: authorisations that it came too late for.",
	"Transaction.fee":       "In the smallest unit of the chain's currency.",
	"Receipt.proof":         "Inclusion proof of RFC 9162, hashes of 32 bytes, leaf first.",
	"Receipt.checkpoint":    "C2SP signed note.",
	"Receipt.entry":         "The entry's exact bytes.",
	"Checkpoint.checkpoint": "C2SP signed note.",
	"Checkpoint.genesis":    "The genesis line as this gateway tells it: compare, never pin from here.",
	"Limit.window":          "Milliseconds.",
}

// memberValues lists the values of members that have few.
var memberValues = map[string][]string{
	"Problem.retry":  {rpc.RetryNever, rpc.RetrySame, rpc.RetryNewStatement},
	"Problem.effect": {rpc.EffectNone, rpc.EffectUnknown},
	"Answer.state":   slices.Sorted(maps.Keys(endings)),
}
