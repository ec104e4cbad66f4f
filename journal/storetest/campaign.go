package storetest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Rounds is how often a random test repeats: n times in the short run, or KURA_ROUNDS times.
func Rounds(n int) int {
	if rounds, err := strconv.Atoi(os.Getenv("KURA_ROUNDS")); err == nil && rounds > 0 {
		return rounds
	}
	return n
}

// Random returns the random numbers of a test: those of KURA_SEED, or always the same. stream tells the
// tests of one run apart.
func Random(t testing.TB, stream uint64) *rand.Rand {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("KURA_SEED"), 10, 64)
	if err != nil {
		seed = 6
	}
	t.Logf("seed %d (set KURA_SEED for another)", seed)
	return rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // a test must be able to repeat
}
