package nem

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// vectorFiles is every file of ../shared/vectors, each of which a test runs.
var vectorFiles = []string{
	"worked-examples.json",
	"nis1/1.test-address.json", "nis1/1.test-keys.json", "nis1/2.test-sign.json", "nis1/3.test-derive-deprecated.json",
	"nis1/3.test-derive-hkdf.json", "nis1/4.test-cipher-deprecated.json", "nis1/4.test-cipher.json",
	"nis1/6.test-hd-derivation.json", "nis1/transactions.json", "nis1/transactions.nonverifiable.json",
	"symbol/0.test-keccak-256.json", "symbol/0.test-sha3-256.json", "symbol/1.test-address.json", "symbol/1.test-keys.json",
	"symbol/2.test-sign.json", "symbol/3.test-derive-hkdf.json", "symbol/4.test-cipher.json", "symbol/6.test-hd-derivation.json",
	"symbol/7.test-voting-keys-generation.json", "symbol/blocks.json", "symbol/other.json", "symbol/receipts.json",
	"symbol/transactions.hashes.json", "symbol/transactions.json",
}

func vectorDir() string {
	if dir := os.Getenv("KURA_VECTORS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "shared", "vectors")
}

// vectors decodes a vector file into T. Without the files a test is skipped,
// saying what it leaves out, but in CI it fails.
func vectors[T any](t testing.TB, name string) T {
	t.Helper()
	var rows T
	b, err := os.ReadFile(filepath.Join(vectorDir(), name))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("vectors are missing: %v", err)
		}
		t.Skipf("all rows of %s are skipped: %v", name, err)
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return rows
}

// TestVectorFilesAreAllNamed fails when a file is there that no test names.
func TestVectorFilesAreAllNamed(t *testing.T) {
	named := map[string]bool{"PROVENANCE.md": true}
	for _, name := range vectorFiles {
		named[name] = true
	}
	err := filepath.WalkDir(vectorDir(), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(vectorDir(), path)
		if err == nil && !named[filepath.ToSlash(rel)] {
			t.Errorf("%s is run by no test", rel)
		}
		return err
	})
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("%d vector files are skipped: %v", len(vectorFiles), err)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func unmarshal(t testing.TB, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}
