package statement

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"kura/nem"
)

// The kinds of values of docs/statements.md that are no types of their own. The
// errors say what would be right; the reader adds where.

const (
	maxReference = 128
	maxReason    = 512
	maxMessage   = 1024 // bytes as they stand on either chain
	maxName      = 64
	maxAsset     = 179 // NIS1: namespace parts of 16, 64, 64 and a mosaic name of 32
)

// word is a JSON string that stays one.
func word[T ~string](into *T, parse func(string) (T, error)) value {
	return &text[T]{into, parse, func(v T) string { return string(v) }}
}

func exactly[T ~string](want T) func(string) (T, error) {
	return func(text string) (T, error) {
		if text != string(want) {
			return "", fmt.Errorf("want %q, got %s", want, Quote(text, 40))
		}
		return want, nil
	}
}

func oneOf[T ~string](choices ...T) func(string) (T, error) {
	return func(text string) (T, error) {
		if i := slices.Index(choices, T(text)); i >= 0 {
			return choices[i], nil
		}
		names := make([]string, len(choices))
		for i, c := range choices {
			names[i] = string(c)
		}
		return "", fmt.Errorf("want one of %s; got %s", strings.Join(names, ", "), Quote(text, 40))
	}
}

// ParseName reads how a policy names a wallet, client, person or limit, so that
// statements can name it too: 1 to 64 characters a-z, 0-9, '.', '_', '-', the
// first a letter or digit.
func ParseName(text string) (string, error) {
	if text == "" || len(text) > maxName {
		return "", fmt.Errorf("want a name of 1 to %d characters, got %d", maxName, len(text))
	}
	for i, c := range text {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return "", fmt.Errorf("want a name of a-z, 0-9, '.', '_', '-', beginning with a letter or digit; got %s with %U at byte %d", Quote(text, maxName), c, i)
		}
	}
	return text, nil
}

// line reads text of at most limit bytes without control characters.
func line(limit int) func(string) (string, error) {
	return func(text string) (string, error) {
		if len(text) > limit {
			return "", fmt.Errorf("want at most %d bytes, got %d", limit, len(text))
		}
		if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
			return "", fmt.Errorf("want text without control characters, got one at byte %d of %s", i, Quote(text, 40))
		}
		return text, nil
	}
}

// parseAddressText checks an address's alphabet and length, which do not depend
// on a network; the checksum does.
func parseAddressText(text string) (string, error) {
	if len(text) != 39 && len(text) != 40 {
		return "", fmt.Errorf("want an address of 40 (NIS1) or 39 (Symbol) characters without hyphens, got %d", len(text))
	}
	for i, c := range text {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return "", fmt.Errorf("want an address of A-Z and 2-7 without hyphens, got %s with %U at byte %d", Quote(text, 40), c, i)
		}
	}
	return text, nil
}

// parseAssetText checks an asset's form, which tells its chain.
func parseAssetText(text string) (string, error) {
	if len(text) > maxAsset {
		return "", fmt.Errorf("want an asset of at most %d characters, got %d", maxAsset, len(text))
	}
	chain := nem.Symbol
	if strings.Contains(text, ":") {
		chain = nem.NIS1
	}
	id, err := nem.ParseAssetID(chain, text)
	if err != nil || id.String() != text {
		return "", fmt.Errorf("want namespace:name (NIS1, such as nem:xem) or 16 upper-case hex digits with the first bit 0 (Symbol); got %s", Quote(text, 80))
	}
	return text, nil
}

// parsePositive reads an amount of at least 1.
func parsePositive(text string) (nem.Amount, error) {
	amount, err := nem.ParseAmount(text)
	if err == nil && amount == 0 {
		err = fmt.Errorf("want at least 1")
	}
	return amount, err
}

// parseHexBytes reads 1 to maxMessage bytes in lower-case hex.
func parseHexBytes(text string) ([]byte, error) {
	if text == "" || len(text)%2 != 0 || len(text) > 2*maxMessage || !isLowerHex(text) {
		return nil, fmt.Errorf("want 1 to %d bytes as lower-case hex digits, got %s", maxMessage, Quote(text, 40))
	}
	return hex.DecodeString(text)
}

// anyText reads what a later check judges.
func anyText(text string) (string, error) { return text, nil }

// optional reads "" as the zero value.
func optional[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (v T, err error) {
		if text == "" {
			return v, nil
		}
		return parse(text)
	}
}

func formatOptionalID(id ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
