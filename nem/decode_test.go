package nem

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// edit is one change to good bytes, and what the decoder must say of it.
type edit struct {
	name   string
	change func([]byte) []byte
	offset int
	field  string
	reason string
}

func set(at int, with ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[at:], with)
		return b
	}
}

func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
}

func cut(at int) func([]byte) []byte { return func(b []byte) []byte { return b[:at] } }

func checkEdits(t *testing.T, n Network, good string, edits []edit) {
	t.Helper()
	if _, err := Decode(n, unhex(t, good)); err != nil {
		t.Fatalf("before any change: %v", err)
	}
	for _, e := range edits {
		var where *DecodeError
		_, err := Decode(n, e.change(unhex(t, good)))
		if !errors.As(err, &where) || where.Offset != e.offset || where.Field != e.field || !strings.Contains(where.Reason, e.reason) {
			t.Errorf("%s: %v, want offset %d, %s: %q", e.name, err, e.offset, e.field, e.reason)
		}
	}
}

func exampleBytes(t *testing.T, name string) string {
	t.Helper()
	all := loadExamples(t)
	for _, x := range append(all.NIS1, all.Symbol...) {
		if strings.HasPrefix(x.Name, name+" ") {
			return x.Data + x.Payload
		}
	}
	t.Fatalf("no example %s", name)
	return ""
}

func TestMalformedNIS1(t *testing.T) {
	checkEdits(t, NIS1Mainnet, exampleBytes(t, "t1"), []edit{
		{"empty", cut(0), 0, "type", "wants 4 bytes, 0 are left"},
		{"cut in the header", cut(59), 56, "deadline", "wants 4 bytes, 3 are left"},
		{"cut in the body", cut(115), 112, "message envelope size", "wants 4 bytes, 3 are left"},
		{"left over", func(b []byte) []byte { return append(b, 0) }, 116, "end", "1 bytes are left over"},
		{"type", set(0, 3), 0, "type", "0x00000103 is not a NIS1 transaction type"},
		{"type of Symbol", put32(0, 0x4154), 0, "type", "is not a NIS1 transaction type"},
		{"version 0", set(4, 0), 4, "version", "is 0, want 1 to 2"},
		{"version 3", set(4, 3), 4, "version", "is 3, want 1 to 2"},
		{"reserved version byte", set(6, 1), 6, "version", "is 0x01, want zero"},
		{"testnet", set(7, 0x98), 7, "network", "is that of NIS1 testnet (0x98), want NIS1 mainnet"},
		{"no network", set(7, 0x01), 7, "network", "0x01 is no NIS1 network's"},
		{"timestamp", set(11, 0x80), 8, "timestamp", "the node reads it as signed"},
		{"key length", set(12, 31), 12, "public key length", "is 31, want 32"},
		{"zero key", func(b []byte) []byte { clear(b[16:48]); return b }, 16, "signer", "all zero"},
		{"deadline", set(59, 0x80), 56, "deadline", "the node reads it as signed"},
		{"address length", set(60, 41), 60, "recipient length", "is 41, want 40"},
		{"T4: lower case", set(64, 'n'), 64, "recipient", "in upper case without hyphens"},
		{"T4: hyphen", set(70, '-'), 64, "recipient", "in upper case without hyphens"},
		{"address of testnet", set(64, 'T'), 64, "recipient", "first letter was changed"},
		{"mistyped address", set(80, 'A'), 64, "recipient", "checksum is wrong"},
		{"envelope without message", put32(112, 8), 116, "message kind", "wants 4 bytes, 0 are left"},
		{"version 2 without mosaics", set(4, 2), 116, "mosaic count", "wants 4 bytes, 0 are left"},
	})
	checkEdits(t, NIS1Testnet, exampleBytes(t, "t2"), []edit{
		{"envelope size", put32(112, 17), 112, "message envelope size", "is 17, want 18 for 10 bytes"},
		{"message kind", put32(116, 3), 116, "message kind", "is 3, want 1 (plain) or 2 (encrypted)"},
		{"message longer than the bytes", put32(120, 11), 112, "message envelope size", "is 18, want 19"},
		{"message too long", put32(120, 1025), 120, "message length", "is 1025, want at most 1024"},
		{"T3: empty message", func(b []byte) []byte { return put32(112, 8)(put32(120, 0)(b[:124])) }, 120, "message length", "must be written as envelope size 0"},
	})
	checkEdits(t, NIS1Testnet, exampleBytes(t, "m2"), []edit{
		{"eleven mosaics", put32(127, 11), 127, "mosaic count", "is 11, want at most 10"},
		{"more mosaics than bytes", put32(127, 4), 237, "mosaic size", "wants 4 bytes, 0 are left"},
		{"mosaic size", put32(131, 31), 131, "mosaic size", "is 31, want 30"},
		{"mosaic id size", put32(135, 19), 135, "mosaic id size", "is 19, want 18"},
		{"name runs out", put32(150, 1<<31), 150, "mosaic name length", "bytes are left"},
		{"name pattern", set(154, 'G'), 139, "mosaic id", "mosaic name"},
		{"T2: not sorted", set(143, 'z'), 165, "mosaic", "stands after"},
		{"T2: twice", func(b []byte) []byte {
			return put32(127, 4)(append(b, b[207:237]...))
		}, 237, "mosaic", "nem:xem is listed twice"},
	})
	checkEdits(t, NIS1Testnet, exampleBytes(t, "a4"), []edit{
		{"count", put32(60, 1<<20), 60, "modification count", "want at most 64"},
		{"structure", put32(64, 41), 64, "modification size", "is 41, want 40"},
		{"kind", put32(68, 3), 68, "modification kind", "is 3, want 1 (add) or 2 (delete)"},
		{"deletion first", put32(68, 2), 108, "modification", "the node sorts by kind"},
		{"T1: other order", func(b []byte) []byte {
			first := string(b[76:108])
			copy(b[76:], b[120:152])
			copy(b[120:], first)
			return b
		}, 108, "modification", "then by the text of the address"},
		{"relative change size", put32(152, 5), 152, "relative change size", "is 5, want 4, or 0 for none"},
	})
	checkEdits(t, NIS1Mainnet, exampleBytes(t, "a3"), []edit{
		{"nothing changes", func(b []byte) []byte { return put32(64, 0)(b[:68]) }, 60, "modification count", "nothing would change"},
	})
	checkEdits(t, NIS1Testnet, exampleBytes(t, "w1"), []edit{
		{"inner size", put32(60, 115), 60, "inner size", "is 115, but 116 bytes are left"},
		{"inner type", put32(64, 0x1004), 64, "inner type", "multisig cannot stand inside a multisig"},
		{"inner network", set(71, 0x68), 71, "inner network", "is that of NIS1 mainnet"},
		{"inner recipient", set(140, 'A'), 128, "inner recipient", "checksum is wrong"},
	})
	checkEdits(t, NIS1Testnet, exampleBytes(t, "c1"), []edit{
		{"hash object", put32(60, 35), 60, "hash object size", "is 35, want 36"},
		{"hash length", put32(64, 31), 64, "hash length", "is 31, want 32"},
		{"account", set(110, 'A'), 104, "multisig account", "checksum is wrong"},
	})
}

func TestMalformedSymbol(t *testing.T) {
	alias := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			clear(b[at : at+symbolAddressSize])
			return set(at, 0x99, 0xEE, 0xAF, 0xF4, 0x41, 0xBA, 0x99, 0x4B, 0xE7)(b)
		}
	}
	checkEdits(t, SymbolTestnet, exampleBytes(t, "st1"), []edit{
		{"empty", cut(0), 0, "size", "wants 4 bytes, 0 are left"},
		{"cut", cut(175), 0, "size", "is 176, but there are 175 bytes"},
		{"left over", func(b []byte) []byte { return append(b, 0) }, 0, "size", "is 176, but there are 177 bytes"},
		{"reserved", set(5, 1), 5, "reserved", "want zero"},
		{"zero key", func(b []byte) []byte { clear(b[72:104]); return b }, 72, "signer", "all zero"},
		{"reserved after the key", set(104, 1), 104, "reserved", "want zero"},
		{"version", set(108, 2), 108, "version", "is 2, want 1 to 1 for transfer"},
		{"mainnet", set(109, 0x68), 109, "network", "is that of Symbol mainnet (0x68), want Symbol testnet"},
		{"type", set(110, 0xFF), 110, "type", "0x41FF is not a Symbol transaction type"},
		{"type of NIS1", set(110, 0x01, 0x40), 110, "type", "0x4001 is not a Symbol transaction type"},
		{"alias", alias(128), 128, "recipient", "is a namespace alias on Symbol testnet"},
		{"checksum", set(151, 0), 128, "recipient", "checksum is wrong"},
		{"message size", set(152, 1), 176, "message", "wants 1 bytes, 0 are left"},
		{"message too long", set(152, 1, 4), 152, "message size", "is 1025, want at most 1024"},
		{"mosaic count", set(154, 2), 154, "mosaic count", "is 2, but only 16 bytes are left"},
		{"no mosaics", set(154, 0), 160, "end", "16 bytes are left over"},
		{"reserved in the body", set(155, 1), 155, "reserved", "want zero"},
		{"mosaic alias", set(160, 0xEE, 0xAF, 0xF4, 0x41, 0xBA, 0x99, 0x4B, 0xE7), 160, "mosaic id", "E74B99BA41F4AFEE is a namespace alias"},
		{"mosaic zero", func(b []byte) []byte { clear(b[160:168]); return b }, 160, "mosaic id", "is zero"},
	})
	checkEdits(t, SymbolMainnet, exampleBytes(t, "st2"), []edit{
		{"mosaics not ascending", set(167, 0x7A), 176, "mosaic id", "ids must ascend and differ"},
		{"mosaics equal", func(b []byte) []byte { copy(b[176:184], b[160:168]); return b }, 176, "mosaic id", "ids must ascend and differ"},
	})
	checkEdits(t, SymbolTestnet, exampleBytes(t, "sa1"), []edit{
		{"version 0", set(108, 0), 108, "version", "is 0, want 1 to 3"},
		{"transactions hash", set(128, 0), 128, "transactions hash", "but the embedded transactions have 5EB4FA21"},
		{"payload size", put32(160, 400), 160, "payload size", "is 400, but 304 bytes are left"},
		{"no payload", put32(160, 0), 160, "payload size", "want at least one embedded transaction"},
		{"reserved", set(164, 1), 164, "reserved", "want zero"},
		{"embedded size", put32(168, 47), 168, "embedded 1: size", "is 47, want 48 to"},
		{"embedded runs out", put32(272, 97), 272, "embedded 2: size", "is 97, but 96 bytes are left"},
		{"embedded too long", put32(168, 100), 267, "embedded 1: end", "1 bytes are left over"},
		{"embedded aggregate", set(214, 0x41), 214, "embedded 1: type", "cannot stand inside an aggregate"},
		{"embedded network", set(213, 0x68), 213, "embedded 1: network", "is that of Symbol mainnet"},
		{"embedded alias", alias(320), 320, "embedded 2: recipient", "namespace alias"},
		{"padding", set(270, 1), 270, "embedded 1: padding", "want zero"},
		{"cosignature version", set(368, 1), 368, "cosignature version", "want zero"},
		{"cut cosignature", func(b []byte) []byte { return put32(0, 471)(b[:471]) }, 408, "cosignature", "wants 64 bytes, 63 are left"},
		{"an embedded amount", set(256, 0x41), 128, "transactions hash", "but the embedded transactions have"},
	})
	checkEdits(t, SymbolTestnet, exampleBytes(t, "sl1"), []edit{
		{"alias", set(135, 0xE7), 128, "mosaic id", "namespace alias"},
		{"short", func(b []byte) []byte { return put32(0, 183)(b[:183]) }, 152, "aggregate hash", "wants 32 bytes, 31 are left"},
	})
}

func TestMalformedControl(t *testing.T) {
	row := func(chain Chain, name string) string {
		for _, r := range transactionVectors(t, chain) {
			if r.Name == name {
				b, _ := vectorBytes(t, chain, &r)
				return hex.EncodeToString(b)
			}
		}
		t.Fatalf("no vector %s", name)
		return ""
	}
	last := func(v byte) func([]byte) []byte {
		return func(b []byte) []byte { b[len(b)-1] = v; return b }
	}
	checkEdits(t, NIS1Testnet, row(NIS1, "AccountKeyLinkTransactionV1_account_key_link_single_1"), []edit{
		{"mode", put32(60, 3), 60, "mode", "is 3, want 1 to 2"},
		{"key length", put32(64, 33), 64, "remote key length", "is 33, want 32"},
	})
	checkEdits(t, NIS1Testnet, row(NIS1, "MosaicDefinitionTransactionV1_mosaic_definition_single_1"), []edit{
		{"definition size", set(60, 1), 60, "definition size", "is 1, want"},
	})
	checkEdits(t, SymbolTestnet, row(Symbol, "AccountKeyLinkTransactionV1_account_key_link_single_1"), []edit{
		{"action", last(2), 160, "link action", "is 2, want 0 to 1"},
	})
	checkEdits(t, SymbolTestnet, row(Symbol, "MultisigAccountModificationTransactionV1_multisig_account_modification_single_1"), []edit{
		{"more additions than bytes", set(130, 200), 136, "address additions", "wants 4800 bytes, 72 are left"},
		{"fewer", set(130, 1), 184, "end", "24 bytes are left over"},
	})
}

func TestDecodeNeedsANetworkAndBounds(t *testing.T) {
	b := unhex(t, exampleBytes(t, "t1"))
	for n, why := range map[Network]string{0: "no network", SymbolPrivate: "not known here", 99: "no network"} {
		if _, err := Decode(n, b); !contains(err, why) {
			t.Errorf("%d: %v, want %q", n, err, why)
		}
		if _, err := SigningBytes(n, b); !contains(err, why) {
			t.Errorf("%d: %v, want %q", n, err, why)
		}
		if _, err := HashOf(n, b, Signature{}); !contains(err, why) {
			t.Errorf("%d: %v, want %q", n, err, why)
		}
		if _, err := Announce(n, b, Signature{}); !contains(err, why) {
			t.Errorf("%d: %v, want %q", n, err, why)
		}
	}
	if _, err := Decode(SymbolMainnet, make([]byte, maxTransaction+1)); !contains(err, "want at most 1048576") {
		t.Error(err)
	}
	for _, n := range []Network{NIS1Mainnet, SymbolMainnet} {
		for _, size := range []int{0, 59, 127} {
			short := make([]byte, min(size, map[Chain]int{NIS1: 59, Symbol: 127}[n.Chain()]))
			_, signing := SigningBytes(n, short)
			_, hash := HashOf(n, short, Signature{})
			_, announce := Announce(n, short, Signature{})
			for _, err := range []error{signing, hash, announce} {
				if !contains(err, "too few") {
					t.Errorf("%s, %d bytes: %v", n, size, err)
				}
			}
		}
	}
	aggregate := unhex(t, exampleBytes(t, "sb2"))
	if _, err := SigningBytes(SymbolTestnet, aggregate[:162]); !contains(err, "too few for an aggregate, want at least 164") {
		t.Error(err)
	}
}

// TestDecodeTakesLittleMemory gives the decoder what costs it most for its
// length: counts that promise much, and as many small things as fit.
func TestDecodeTakesLittleMemory(t *testing.T) {
	huge := func(name string, at int, with ...byte) []byte {
		return append(set(at, with...)(unhex(t, exampleBytes(t, name))), make([]byte, 1000)...)
	}
	small := must(Compose(Header{Network: SymbolTestnet, Signer: PublicKey{1}, Embedded: true},
		TransferBody{Recipient: PublicKey{2}.Address(SymbolTestnet)}))
	var many AggregateBody
	for range 5000 {
		many.Embedded = append(many.Embedded, small)
	}
	aggregate := must(Compose(Header{Network: SymbolTestnet, Signer: PublicKey{1}, Deadline: 1}, many))
	whole := aggregate.Encode()
	for name, c := range map[string]struct {
		network Network
		bytes   []byte
	}{
		"mosaic count":       {NIS1Testnet, huge("m2", 127, 0xFF, 0xFF, 0xFF, 0xFF)},
		"name length":        {NIS1Testnet, huge("m2", 150, 0xFF, 0xFF, 0xFF, 0x7F)},
		"message length":     {NIS1Testnet, huge("t2", 120, 0xFF, 0xFF, 0xFF, 0xFF)},
		"modification count": {NIS1Testnet, huge("a4", 60, 0xFF, 0xFF, 0xFF, 0xFF)},
		"payload size":       {SymbolTestnet, huge("sa1", 160, 0xFF, 0xFF, 0xFF, 0xFF)},
		"5000 embedded":      {SymbolTestnet, whole},
		"cut short":          {SymbolTestnet, whole[:len(whole)-1]},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(c.network, c.bytes)
		runtime.ReadMemStats(&after)
		const factor, fixed = 24, 16 << 10
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(len(c.bytes))*factor+fixed {
			t.Errorf("%s: %d bytes in all for %d of input (%v)", name, used, len(c.bytes), err)
		}
	}
}
