package nem

import (
	"strings"
	"testing"
)

func TestAddressMixUpsAreNamed(t *testing.T) {
	key := must(ParsePublicKey("C5F54BA980FCBB657DBAAA42700539B207873E134D2375EFEAB5F1AB52F87844"))
	alias := Address{network: SymbolTestnet}
	copy(alias.raw[:], []byte{0x99, 0xEE, 0xAF, 0xF4, 0x41, 0xBA, 0x99, 0x4B, 0xE7})
	nis1, symbol := key.Address(NIS1Mainnet).String(), key.Address(SymbolMainnet).String()
	for _, c := range []struct {
		name    string
		network Network
		text    string
		want    string
	}{
		{"another network", NIS1Mainnet, key.Address(NIS1Testnet).String(), "this is a NIS1 testnet address; the wallet is NIS1 mainnet"},
		{"the other chain", NIS1Mainnet, key.Address(SymbolTestnet).String(), "this is a Symbol testnet address; the wallet is NIS1 mainnet"},
		{"the other chain, same letter", SymbolMainnet, nis1, "this is a NIS1 mainnet address; the wallet is Symbol mainnet"},
		{"mijin", NIS1Testnet, key.Address(NIS1Mijin).String(), "this is a NIS1 mijin address; the wallet is NIS1 testnet"},
		{"private", SymbolTestnet, key.Address(SymbolPrivate).String(), "this is a Symbol private address; the wallet is Symbol testnet"},
		{"changed letter", NIS1Testnet, "T" + nis1[1:], "this is a NIS1 mainnet address whose first letter was changed"},
		{"changed letter in Symbol", SymbolTestnet, "T" + symbol[1:], "this is a Symbol mainnet address whose first letter was changed"},
		{"alias", SymbolTestnet, alias.String(), "this is a namespace alias on Symbol testnet"},
		{"typing error", NIS1Mainnet, nis1[:20] + "A" + nis1[21:], "checksum is wrong: a character was mistyped"},
		{"typing error of the other chain", SymbolMainnet, nis1[:20] + "A" + nis1[21:], "length of a NIS1 address and its checksum is wrong; the wallet is Symbol mainnet"},
		{"too short", NIS1Mainnet, nis1[:38], "has 38 characters, want 40 for NIS1 mainnet"},
		{"too long", SymbolMainnet, nis1 + "A", "has 41 characters, want 39 for Symbol mainnet"},
		{"far too long", SymbolMainnet, strings.Repeat("A", 100), "has 100 characters, want 39"},
		{"empty", NIS1Mainnet, "", "has 0 characters"},
		{"digit 1", NIS1Mainnet, "1" + nis1[1:], `'1' at position 1`},
		{"space", NIS1Mainnet, " " + nis1[1:], `' ' at position 1`},
		{"not ASCII", NIS1Mainnet, "é" + nis1[2:], "at position 1"},
		{"unused bits", SymbolMainnet, symbol[:38] + string(symbol[38]+1), "want A, I, Q or Y"},
		{"no network", 0, nis1, "no network"},
		{"network that nobody uses", SymbolMainnet, rawText(0x10), "network byte 0x10, which no Symbol network uses"},
	} {
		a, err := ParseAddress(c.network, c.text)
		if !contains(err, c.want) || !a.IsZero() {
			t.Errorf("%s: %v, %v, want %q", c.name, a, err, c.want)
		}
	}
}

// rawText is a Symbol address with a good checksum on any network byte.
func rawText(id byte) string {
	raw := make([]byte, symbolAddressSize)
	raw[0] = id
	sum := checksum(Symbol, raw[:21])
	copy(raw[21:], sum[:3])
	return string(appendBase32(nil, raw))
}

func TestAddressForms(t *testing.T) {
	a := must(ParseAddress(NIS1Mainnet, "ndd2ct-6lqliy-q56kix-i3entm-6ek3d4-4p5jfx-j4r4"))
	if a.String() != "NDD2CT6LQLIYQ56KIXI3ENTM6EK3D44P5JFXJ4R4" || a.Pretty() != "NDD2CT-6LQLIY-Q56KIX-I3ENTM-6EK3D4-4P5JFX-J4R4" || a.Network() != NIS1Mainnet {
		t.Errorf("%s, %s", a, a.Pretty())
	}
	var none Address
	if none.String() != "" || none.Pretty() != "" || none.Raw() != nil || !none.IsZero() || (PublicKey{1}).Address(0) != none {
		t.Error("the zero address has a form")
	}
	for _, raw := range [][]byte{nil, a.Raw()[:24], append(a.Raw(), 0)} {
		if got, err := AddressFromRaw(NIS1Mainnet, raw); !contains(err, "bytes, want 25 in NIS1") {
			t.Errorf("%X: %v, %v", raw, got, err)
		}
	}
	if _, err := AddressFromRaw(0, a.Raw()); !contains(err, "no network") {
		t.Error(err)
	}
}
