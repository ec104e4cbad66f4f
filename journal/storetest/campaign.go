package storetest

import (
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

// Seed returns the seed of a random test, from KURA_SEED or fixed, and logs it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("KURA_SEED"), 10, 64)
	if err != nil {
		seed = 6
	}
	t.Logf("seed %d (set KURA_SEED for another)", seed)
	return seed
}
