package main

import (
	"fmt"
	"strings"

	"kura/nem"
)

// currencyDivisibility is that of XEM and of XYM: six decimals.
const currencyDivisibility = 6

// parseWhole reads "12.5 XEM" into smallest units, exactly: no more decimals than
// the asset has.
func parseWhole(text string, divisibility uint8) (nem.Amount, error) {
	whole, fraction, _ := strings.Cut(strings.ReplaceAll(text, ",", ""), ".")
	if len(fraction) > int(divisibility) {
		return 0, fmt.Errorf("%q has %d decimals, want at most %d", text, len(fraction), divisibility)
	}
	if at := strings.IndexFunc(whole+fraction, func(c rune) bool { return c < '0' || c > '9' }); at >= 0 {
		return 0, fmt.Errorf("%q is no number, want one like 12.5", text)
	}
	digits := strings.TrimLeft(whole+fraction+strings.Repeat("0", int(divisibility)-len(fraction)), "0")
	if whole == "" || digits == "" {
		return 0, fmt.Errorf("%q is no amount above zero, want one like 12.5", text)
	}
	amount, err := nem.ParseAmount(digits)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", text, err)
	}
	return amount, nil
}
