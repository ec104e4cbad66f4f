//go:build !race

package nem

const raceEnabled = false
