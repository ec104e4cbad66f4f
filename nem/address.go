package nem

import (
	"crypto/sha3"
	"fmt"
	"strings"

	//lint:ignore SA1019 both chains hash public keys with RIPEMD-160 into addresses

	"golang.org/x/crypto/ripemd160" //nolint:gosec // the same
)

// Raw and text lengths of the two chains' addresses.
const (
	nis1AddressSize   = 25 // network byte, 20 of hash, 4 of checksum
	symbolAddressSize = 24 // network byte, 20 of hash, 3 of checksum
	nis1AddressText   = 40
	symbolAddressText = 39
)

// Address is an account's address on one network. It is comparable; the zero
// value is no address. Every other value has a checksum that holds: there is
// no way to make one that does not. Symbol's alias addresses (a namespace in an
// address's place) are not representable, because their owner can point them
// elsewhere between decision and execution.
type Address struct {
	network Network
	raw     [nis1AddressSize]byte // Symbol leaves the last byte zero
}

// Address derives the key's address on a network; for no network it is zero.
func (k PublicKey) Address(n Network) Address {
	a := Address{network: n}
	var digest Hash
	switch n.Chain() {
	case NIS1:
		digest = keccak256(k[:])
	case Symbol:
		digest = sha3.Sum256(k[:])
	default:
		return Address{}
	}
	a.raw[0] = n.info().id
	h := ripemd160.New() //nolint:gosec // as above
	h.Write(digest[:])
	h.Sum(a.raw[1:1])
	sum := checksum(n.Chain(), a.raw[:21])
	copy(a.raw[21:a.size()], sum[:])
	return a
}

// checksum returns the bytes of which an address's checksum is the first 4
// (NIS1) or 3 (Symbol). body is network byte and hash.
func checksum(c Chain, body []byte) [4]byte {
	if c == NIS1 {
		sum := keccak256(body)
		return [4]byte(sum[:4])
	}
	sum := sha3.Sum256(body)
	return [4]byte(sum[:4])
}

func (a *Address) size() int {
	if a.network.Chain() == Symbol {
		return symbolAddressSize
	}
	return nis1AddressSize
}

// ParseAddress reads an address of the network n, with or without hyphens, in
// either case. An address of another network or of the other chain is refused
// and the error says what it is; so are a wrong checksum, a changed network
// letter and Symbol's alias addresses.
func ParseAddress(n Network, text string) (Address, error) {
	if n.Chain() == 0 {
		return Address{}, fmt.Errorf("address: no network is given")
	}
	if len(text) > 64 {
		return Address{}, fmt.Errorf("address has %d characters, want %d", len(text), n.addressText())
	}
	text = strings.ToUpper(strings.ReplaceAll(text, "-", ""))
	for i := range len(text) {
		if c := text[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return Address{}, fmt.Errorf("address has %q at position %d, want letters A to Z and digits 2 to 7", c, i+1)
		}
	}
	var chain Chain
	var buf [nis1AddressSize]byte
	raw := buf[:]
	switch len(text) {
	case nis1AddressText:
		chain = NIS1
	case symbolAddressText:
		chain, raw = Symbol, buf[:symbolAddressSize]
	default:
		return Address{}, fmt.Errorf("address has %d characters, want %d for %s", len(text), n.addressText(), n.Label())
	}
	if !decodeBase32(raw, text) {
		if n.Chain() == NIS1 { // it is not one of Symbol's either: a character was left out
			return Address{}, fmt.Errorf("address has %d characters, want %d for %s", len(text), n.addressText(), n.Label())
		}
		// Only the unused bits of Symbol's last character can be wrong here.
		return Address{}, fmt.Errorf("address ends in %q, want A, I, Q or Y", text[len(text)-1])
	}
	return addressOf(n, chain, raw)
}

func (n Network) addressText() int {
	if n.Chain() == Symbol {
		return symbolAddressText
	}
	return nis1AddressText
}

// AddressFromRaw reads the binary form: 25 bytes in NIS1, 24 in Symbol. It
// refuses what [ParseAddress] refuses.
func AddressFromRaw(n Network, raw []byte) (Address, error) {
	switch {
	case n.Chain() == 0:
		return Address{}, fmt.Errorf("address: no network is given")
	case n.Chain() == NIS1 && len(raw) != nis1AddressSize, n.Chain() == Symbol && len(raw) != symbolAddressSize:
		return Address{}, fmt.Errorf("address has %d bytes, want %d in NIS1 and %d in Symbol", len(raw), nis1AddressSize, symbolAddressSize)
	}
	return addressOf(n, n.Chain(), raw)
}

// addressOf checks raw, which has the length of chain, for the network want.
func addressOf(want Network, chain Chain, raw []byte) (Address, error) {
	a := Address{network: want}
	copy(a.raw[:], raw)
	sum := checksum(chain, raw[:21])
	if chain == want.Chain() && raw[0] == want.info().id && string(sum[:len(raw)-21]) == string(raw[21:]) {
		return a, nil
	}
	return Address{}, explainAddress(want, chain, raw)
}

// explainAddress says why raw is not an address of the network want.
func explainAddress(want Network, chain Chain, raw []byte) error {
	found := networkByID(chain, raw[0])
	if alias := networkByID(Symbol, raw[0]&^1); chain == Symbol && raw[0]&1 == 1 && alias != 0 {
		return fmt.Errorf("this is a namespace alias on %s, not an address: its owner can point it at another account at any time; use the address itself", alias.Label())
	}
	sum := checksum(chain, raw[:21])
	if string(sum[:len(raw)-21]) == string(raw[21:]) {
		if found == 0 {
			return fmt.Errorf("address has network byte 0x%02X, which no %s network uses; %s uses 0x%02X", raw[0], chain.title(), want.Label(), want.info().id)
		}
		return fmt.Errorf("this is a %s address; the wallet is %s", found.Label(), want.Label())
	}
	// A letter changed by hand leaves the checksum of the original network.
	var body [21]byte
	copy(body[:], raw)
	for n := NIS1Mainnet; n < networkEnd; n++ {
		if body[0] = n.info().id; n.Chain() != chain || n == found {
			continue
		}
		if sum := checksum(chain, body[:]); string(sum[:len(raw)-21]) == string(raw[21:]) {
			return fmt.Errorf("address checksum is wrong: this is a %s address whose first letter was changed", n.Label())
		}
	}
	if chain != want.Chain() {
		return fmt.Errorf("address has the length of a %s address and its checksum is wrong; the wallet is %s", chain.title(), want.Label())
	}
	return fmt.Errorf("address checksum is wrong: a character was mistyped or altered")
}

func (c Chain) title() string {
	switch c {
	case NIS1:
		return "NIS1"
	case Symbol:
		return "Symbol"
	}
	return "no chain's"
}

// String returns the text form: 40 characters in NIS1, 39 in Symbol, none for
// the zero address.
func (a Address) String() string {
	if a.IsZero() {
		return ""
	}
	var text [nis1AddressText]byte
	return string(a.appendText(text[:0]))
}

func (a *Address) appendText(dst []byte) []byte {
	return appendBase32(dst, a.raw[:a.size()])
}

// Pretty returns the text with a hyphen after every 6 characters.
func (a Address) Pretty() string {
	text := a.String()
	var b strings.Builder
	for i := 0; i < len(text); i += 6 {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(text[i:min(i+6, len(text))])
	}
	return b.String()
}

// Raw returns the binary form: 25 bytes in NIS1, 24 in Symbol, none for zero.
func (a Address) Raw() []byte { return a.AppendRaw(nil) }

// AppendRaw appends the binary form, for who has room for it already.
func (a Address) AppendRaw(to []byte) []byte {
	if a.IsZero() {
		return to
	}
	return append(to, a.raw[:a.size()]...)
}

// Network returns the network that the address is of.
func (a Address) Network() Network { return a.network }

// IsZero reports whether a is no address.
func (a Address) IsZero() bool { return a.network == 0 }
