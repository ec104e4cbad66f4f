package audit_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain tries few random edits by default, since each verifies a whole export. A campaign is
// go test ./audit -run TestEveryEditIsFound -rapid.checks=10000.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "40"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
