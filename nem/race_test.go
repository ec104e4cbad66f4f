//go:build race

package nem

// raceEnabled: the race detector makes sync.Pool forget at random, so that
// allocations cannot be counted, and everything takes ten times as long.
const raceEnabled = true
