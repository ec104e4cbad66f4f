// Package softhsmtest is for tests that need a token: it says in one place what
// becomes of them where SoftHSM is not installed. In CI (CI=true) they fail;
// elsewhere they are skipped and counted, and the count is printed at the end.
package softhsmtest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
)

// Module is where Debian puts SoftHSM's library.
const Module = "/usr/lib/softhsm/libsofthsm2.so"

var skipped atomic.Int64

// Missing says why tests that need the module cannot run; nil where they can.
func Missing() error {
	if _, err := os.Stat(Module); err != nil {
		return fmt.Errorf("SoftHSM is not installed (apt-get install softhsm2): %w", err)
	}
	return nil
}

// Need goes on when missing is nil. Otherwise the test, which stands for so many,
// is skipped and counted, or fails in CI.
func Need(t testing.TB, tests int64, missing error) {
	t.Helper()
	switch {
	case missing == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(missing)
	default:
		skipped.Add(tests)
		t.Skip(missing)
	}
}

// Main runs a package's tests and says how many were skipped.
func Main(m *testing.M) int {
	code := m.Run()
	if n := skipped.Load(); n > 0 {
		fmt.Fprintf(os.Stderr, "SKIPPED: %d tests need a token that is not installed\n", n)
	}
	return code
}
