package ledger_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain plays few random journals by default, since each is judged, folded and verified several times.
// A campaign is go test ./ledger -run TestAnyJournal -rapid.checks=10000.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
