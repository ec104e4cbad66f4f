package nem

// Base32 of RFC 4648 without padding, as both chains write addresses. The
// standard library's takes line breaks in its stride and ignores unused bits;
// this takes one text for one value, and allocates nothing.

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// appendBase32 appends the text of src.
func appendBase32(dst, src []byte) []byte {
	var acc, bits uint
	for _, b := range src {
		acc, bits = acc<<8|uint(b), bits+8
		for bits >= 5 {
			bits -= 5
			dst = append(dst, base32Alphabet[acc>>bits&31])
		}
	}
	if bits > 0 {
		dst = append(dst, base32Alphabet[acc<<(5-bits)&31])
	}
	return dst
}

// decodeBase32 fills dst from text of just its length, and fails at any other
// length or character, and where unused bits are not zero.
func decodeBase32(dst []byte, text string) bool {
	if len(text) != (8*len(dst)+4)/5 {
		return false
	}
	var acc, bits uint
	n := 0
	for i := range len(text) {
		var v byte
		switch c := text[i]; {
		case 'A' <= c && c <= 'Z':
			v = c - 'A'
		case '2' <= c && c <= '7':
			v = c - '2' + 26
		default:
			return false
		}
		acc, bits = acc<<5|uint(v), bits+5
		if bits >= 8 {
			bits -= 8
			dst[n] = byte(acc >> bits)
			n++
		}
	}
	return acc&(1<<bits-1) == 0
}
