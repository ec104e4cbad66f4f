package source_test

import (
	"os"
	"path/filepath"
	"testing"

	"kura/policy"
	"kura/policy/source"
)

// examples compiles the example policies of the repository.
func examples(t testing.TB) map[string]*policy.Policy {
	t.Helper()
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("want three examples or more, got %d: %v", len(files), err)
	}
	all := map[string]*policy.Policy{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := source.Compile(text)
		if err != nil {
			t.Fatalf("%s:\n%v", file, err)
		}
		all[filepath.Base(file)] = p
	}
	return all
}

func TestExamplesCompile(t *testing.T) {
	for name, p := range examples(t) {
		again, err := policy.Parse(p.Text())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again.Hash() != p.Hash() {
			t.Errorf("%s: the compiled text has another hash", name)
		}
	}
}
