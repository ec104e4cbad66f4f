package policy

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var writeSchema = flag.Bool("write-schema", false, "write schema.json from the types")

// TestSchema holds schema.json to the types; -write-schema renews it.
func TestSchema(t *testing.T) {
	want, err := generateSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *writeSchema {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(Schema, want) {
		t.Error("schema.json is not what the types say; go test ./policy -run TestSchema -write-schema renews it")
	}
}
