package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// TestJSONShape holds the members of --json and their kinds, which programs rely on.
func TestJSONShape(t *testing.T) {
	needSoftHSM(t)
	code, out, errs := kuraSim(t, "rob", "--json", "testdata/shop.yaml")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var document any
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	shape("", document, paths)
	golden(t, "rob-json.golden", strings.Join(slices.Sorted(maps.Keys(paths)), "\n")+"\n")
}

// elsewhere are members whose shape other packages hold, or that is another member's.
var elsewhere = []string{"bound", "journal", "cleverest"}

// shape lists every member with the kind of its value; all items of a list count as one.
func shape(path string, value any, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if _, object := member.(map[string]any); object && slices.Contains(elsewhere, name) {
				into[path+"."+name] = true
				continue
			}
			shape(path+"."+name, member, into)
		}
	case []any:
		into[path+"[]"] = true
		for _, item := range v {
			shape(path+"[]", item, into)
		}
	default:
		into[fmt.Sprintf("%s %T", path, v)] = true
	}
}
