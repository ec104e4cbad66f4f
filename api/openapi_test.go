package api

import (
	"flag"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"kura/signer/rpc"
)

var update = flag.Bool("update", false, "write the golden files anew")

const golden = "testdata/openapi.json"

func TestDocumentIsGolden(t *testing.T) {
	got, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the REST interface changed; if it was meant, go test ./api -update\n%s", diff)
	}
}

// described reads the document as others do.
func described(t *testing.T) (document struct {
	OpenAPI    string                                      `json:"openapi"`
	Paths      map[string]map[string]map[string]any        `json:"paths"`
	Components struct{ Schemas map[string]map[string]any } `json:"components"`
}) {
	t.Helper()
	text, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &document, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	return document
}

// TestEveryRouteIsDescribed walks the router, not the table that it was made from.
func TestEveryRouteIsDescribed(t *testing.T) {
	g, err := New(nil, Config{Limits: DefaultLimits()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	document := described(t)
	if document.OpenAPI != "3.1.0" {
		t.Errorf("openapi %q", document.OpenAPI)
	}
	seen := map[string]bool{}
	names := map[any]bool{}
	err = chi.Walk(g.handler.(chi.Routes), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		path = strings.Replace(path, "*", "{path}", 1)
		seen[path] = true
		op, ok := document.Paths[path][strings.ToLower(method)]
		if !ok {
			t.Errorf("%s %s is not described", method, path)
		}
		if names[op["operationId"]] {
			t.Errorf("operationId %v twice", op["operationId"])
		}
		names[op["operationId"]] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path := range document.Paths {
		if !seen[path] {
			t.Errorf("%s is described and not served", path)
		}
	}
	// The names that programs of others rely on: they are added to and never changed.
	for _, promised := range []string{
		"POST /v1/withdrawals", "POST /v1/sessions", "GET /v1/withdrawals/{id}", "POST /v1/verdicts", "POST /v1/proposals", "POST /v1/freezes",
		"GET /v1/wallets", "GET /v1/limits", "GET /v1/log/checkpoint", "GET /v1/export", "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json",
	} {
		method, path, _ := strings.Cut(promised, " ")
		if _, ok := document.Paths[path][strings.ToLower(method)]; !ok {
			t.Errorf("%s is gone", promised)
		}
	}
}

// TestReferencesLeadSomewhere finds every $ref, and that what a path names is a parameter.
func TestReferencesLeadSomewhere(t *testing.T) {
	document := described(t)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); !ok || document.Components.Schemas[name] == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	for path, ops := range document.Paths {
		for method, op := range ops {
			walk(op)
			for _, part := range strings.Split(path, "/") {
				if name, ok := strings.CutPrefix(part, "{"); ok && !hasPathParam(op, strings.TrimSuffix(name, "}")) {
					t.Errorf("%s %s does not describe %s", method, path, part)
				}
			}
		}
	}
	for _, schema := range document.Components.Schemas {
		walk(schema)
	}
}

func hasPathParam(op map[string]any, name string) bool {
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		if p := p.(map[string]any); p["in"] == "path" && p["name"] == name && p["required"] == true {
			return true
		}
	}
	return false
}

// TestExplainedMembersExist keeps the texts of members from outliving the members.
func TestExplainedMembersExist(t *testing.T) {
	schemas := described(t).Components.Schemas
	check := func(key string) {
		name, member, _ := strings.Cut(key, ".")
		properties, _ := schemas[name]["properties"].(map[string]any)
		if properties[member] == nil {
			t.Errorf("%s is explained and does not exist", key)
		}
	}
	for key := range memberTexts {
		check(key)
	}
	for key := range memberValues {
		check(key)
	}
}

// TestAnswersMatchTheirSchemas encodes values of every answer type and holds their members to the schema.
func TestAnswersMatchTheirSchemas(t *testing.T) {
	schemas := described(t).Components.Schemas
	for _, value := range []any{
		Problem{}, rpc.Answer{}, rpc.Session{}, rpc.Ready{}, rpc.Receipt{}, rpc.Checkpoint{}, rpc.Entries{}, rpc.Limit{}, rpc.Wallet{}, rpc.Consistency{}, rpc.Gaps{}, WalletList{}, LimitList{},
	} {
		name := reflect.TypeOf(value).Name()
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		required, _ := schemas[name]["required"].([]any)
		for _, member := range required {
			if _, ok := members[member.(string)]; !ok {
				t.Errorf("%s: %v is required and was not encoded", name, member)
			}
		}
		properties, _ := schemas[name]["properties"].(map[string]any)
		for member := range members {
			if properties[member] == nil {
				t.Errorf("%s: %s was encoded and is not described", name, member)
			}
		}
	}
}
