package policy

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var writeSchema = flag.Bool("write-schema", false, "write the schemas from the types")

// TestSchema holds the schemas to the types; -write-schema renews them.
func TestSchema(t *testing.T) {
	for _, s := range []struct {
		file    string
		written bool
		have    []byte
	}{{"schema.json", false, Schema}, {"schema-yaml.json", true, WrittenSchema}} {
		want, err := generateSchema(s.written)
		if err != nil {
			t.Fatal(err)
		}
		if *writeSchema {
			if err := os.WriteFile(s.file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if !bytes.Equal(s.have, want) {
			t.Errorf("%s is not what the types say; go test ./policy -run TestSchema -write-schema renews it", s.file)
		}
	}
}
