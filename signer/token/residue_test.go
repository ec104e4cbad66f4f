package token

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/crypto/sha3"
	"golang.org/x/sys/unix"

	"kura/nem"
)

// What signing derives from a seed, as a second process makes it: this one must
// not compute on the seed but through the package.
const (
	needleSeed   = 0  // 32 bytes
	needleScalar = 32 // 32 bytes, as hashed, and 32 bytes clamped
	needleClamp  = 64
	needleNonce  = 96 // 32 bytes, the nonce prefix
	needlesSize  = 128
)

// printNeedles is the second process's part.
func printNeedles() {
	seed := randomBytes(32)
	hash := sha3.NewLegacyKeccak512()
	hash.Write(seed)
	digest := hash.Sum(nil)
	clamped := bytes.Clone(digest[:32])
	clamped[0] &= 0xf8
	clamped[31] = clamped[31]&0x7f | 0x40
	_, _ = os.Stdout.Write(bytes.Join([][]byte{seed, digest[:32], clamped, digest[32:]}, nil))
}

// region is one writable mapping of this process.
type region struct {
	from, to uintptr
	name     string
}

func writableRegions(t *testing.T) []region {
	t.Helper()
	file, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var regions []region
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if !strings.HasPrefix(fields[1], "rw") {
			continue
		}
		bounds := strings.Split(fields[0], "-")
		from, _ := strconv.ParseUint(bounds[0], 16, 64)
		to, _ := strconv.ParseUint(bounds[1], 16, 64)
		regions = append(regions, region{uintptr(from), uintptr(to), strings.Join(fields[5:], " ")})
	}
	return regions
}

// scan counts copies of a needle in Go's memory (heap, goroutine stacks, globals)
// and elsewhere (the C heap, threads' stacks, the module). The locked pages given
// are passed over: they are where the needles and the window themselves are.
func scan(t *testing.T, needle []byte, window *Secret, own ...*Secret) (inGo, elsewhere int) {
	t.Helper()
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = memory.Close() }()
	anchor := uintptr(unsafe.Pointer(new([64]byte))) // somewhere in Go's heap
	for _, found := range writableRegions(t) {
		// Go maps its heap in arenas that lie together, far from what C maps.
		const near = 1 << 38
		isGo := strings.HasSuffix(found.name, ".test") || strings.HasSuffix(found.name, "/tt") ||
			found.from < anchor+near && anchor < found.to+near && found.name != "[heap]" && found.name != "[stack]"
		skip := false
		for _, mine := range append(own, window) {
			at := uintptr(unsafe.Pointer(unsafe.SliceData(mine.page)))
			skip = skip || found.from <= at && at < found.to
		}
		if skip {
			continue
		}
		buffer := window.Bytes()
		for at := found.from; at < found.to; at += uintptr(len(buffer) - len(needle)) {
			size := min(uintptr(len(buffer)), found.to-at)
			n, err := unix.Pread(int(memory.Fd()), buffer[:size], int64(at))
			if err != nil || n == 0 {
				break
			}
			count := bytes.Count(buffer[:n], needle)
			if isGo {
				inGo += count
			} else {
				elsewhere += count
			}
		}
	}
	clear(window.Bytes())
	return inGo, elsewhere
}

// TestNoResidueOfSeeds signs 1,000 times with a sealed wallet, collects garbage and
// looks for the seed, the scalar and the nonce prefix in all writable memory. It
// proves itself by finding what it plants.
func TestNoResidueOfSeeds(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()

	needles, err := NewSecret(needlesSize)
	if err != nil {
		t.Fatal(err)
	}
	defer needles.Wipe()
	window, err := NewSecret(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer window.Wipe()
	readFromSecondProcess(t, needles.Bytes())

	seed, err := NewSecret(seedSize)
	if err != nil {
		t.Fatal(err)
	}
	copy(seed.Bytes(), needles.Bytes()[needleSeed:needleSeed+seedSize])
	spec := WalletSpec{Name: "hot", Network: nem.NIS1Testnet, Genesis: testGenesis}
	ceremony, err := tok.ImportWallet(ctx, spec, seed)
	if err != nil {
		t.Fatal(err)
	}
	seed.Wipe()
	public, err := nem.ParsePublicKey(ceremony.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if _, err := tok.Sign(ctx, WalletRef{spec.Name, spec.Network, public}, fmt.Appendf(nil, "message %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.GC() // what the first one found unreachable is erased by the second
	for _, secret := range []struct {
		name string
		at   int
	}{{"seed", needleSeed}, {"scalar", needleScalar}, {"clamped scalar", needleClamp}, {"nonce prefix", needleNonce}} {
		needle := needles.Bytes()[secret.at : secret.at+32]
		inGo, elsewhere := scan(t, needle, window, needles)
		t.Logf("%s: %d copies in Go's memory, %d in C's and the module's (runtime/secret: %t)", secret.name, inGo, elsewhere, shroudErases)
		if inGo > 0 && shroudErases {
			t.Errorf("%s: %d copies are left in Go's memory", secret.name, inGo)
		}
	}

	planted := bytes.Clone(needles.Bytes()[needleNonce : needleNonce+32])
	inGo, _ := scan(t, needles.Bytes()[needleNonce:needleNonce+32], window, needles)
	if inGo == 0 {
		t.Error("the scan does not find what was planted: it proves nothing")
	}
	runtime.KeepAlive(planted)
}

// readFromSecondProcess reads straight into locked memory.
func readFromSecondProcess(t *testing.T, into []byte) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "KURA_TEST_ROLE=needles")
	command.Stdout = writer
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	for filled := 0; filled < len(into); {
		n, err := unix.Read(int(reader.Fd()), into[filled:])
		if err != nil || n == 0 {
			t.Fatal(io.ErrUnexpectedEOF, err)
		}
		filled += n
	}
	_ = reader.Close()
}
