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
	"slices"
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

// region is a part of this process's writable memory.
type region struct {
	from, to uintptr
	kuras    bool // of Go's heap, stacks and globals, or locked by this package; else C's and the module's
}

// writableRegions reads /proc/self/smaps, without what lies in own: these are the
// needles themselves and what looks for them.
func writableRegions(t *testing.T, own []*Secret) []region {
	t.Helper()
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	heap := uintptr(unsafe.Pointer(new([64]byte)))
	var found region
	var name string
	var writable bool
	var globals uintptr // where the mapping of the binary ends: its bss follows
	var regions []region
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if bounds := strings.Split(fields[0], "-"); len(bounds) == 2 {
			from, _ := strconv.ParseUint(bounds[0], 16, 64)
			to, _ := strconv.ParseUint(bounds[1], 16, 64)
			found, writable, name = region{from: uintptr(from), to: uintptr(to)}, strings.HasPrefix(fields[1], "rw"), strings.Join(fields[5:], " ")
		}
		if fields[0] != "VmFlags:" {
			continue
		}
		// Go maps its heap in arenas that lie together, far from what C maps. What is
		// kept out of dumps and of children alike is a Secret.
		const near = 1 << 38
		arena := found.from < heap+near && heap < found.to+near && name != "[heap]" && name != "[stack]"
		bss := name == "" && found.from == globals
		locked := slices.Contains(fields, "dd") && slices.Contains(fields, "dc")
		found.kuras = arena || bss || locked || name == binary
		if name == binary {
			globals = found.to
		}
		if writable {
			regions = append(regions, found)
		}
	}
	for _, mine := range own {
		from := uintptr(unsafe.Pointer(unsafe.SliceData(mine.page)))
		to := from + uintptr(len(mine.page))
		var left []region
		for _, r := range regions {
			if to <= r.from || r.to <= from {
				left = append(left, r)
				continue
			}
			left = append(left, region{r.from, from, r.kuras}, region{to, r.to, r.kuras}) // one of them may be empty
		}
		regions = left
	}
	return regions
}

// scan counts copies of a needle in Kura's memory (Go's, and what this package
// locks) and elsewhere (the C heap, threads' stacks, the module).
func scan(t *testing.T, needle []byte, window *Secret, own ...*Secret) (inKura, elsewhere int) {
	t.Helper()
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = memory.Close() }()
	buffer := window.Bytes()
	for _, r := range writableRegions(t, append(own, window)) {
		for at := r.from; at < r.to; at += uintptr(len(buffer) - len(needle) + 1) {
			n, err := unix.Pread(int(memory.Fd()), buffer[:min(uintptr(len(buffer)), r.to-at)], int64(at))
			if err != nil || n == 0 {
				break
			}
			count := bytes.Count(buffer[:n], needle)
			if r.kuras {
				inKura += count
			} else {
				elsewhere += count
			}
		}
	}
	clear(buffer)
	return inKura, elsewhere
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

	seed := seedOf(t, needles.Bytes()[needleSeed:needleSeed+seedSize])
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
		inKura, elsewhere := scan(t, needle, window, needles)
		t.Logf("%s: %d copies in Kura's memory, %d in C's and the module's (runtime/secret: %t)", secret.name, inKura, elsewhere, shroudErases)
		if inKura > 0 && shroudErases {
			t.Errorf("%s: %d copies are left in Kura's memory", secret.name, inKura)
		}
	}

	nonce := needles.Bytes()[needleNonce : needleNonce+32]
	heap, locked := bytes.Clone(nonce), seedOf(t, nonce)
	defer locked.Wipe()
	plantedGlobal = [32]byte(nonce)
	defer clear(plantedGlobal[:])
	if inKura, _ := scan(t, nonce, window, needles); inKura < 3 {
		t.Errorf("the scan finds %d of the 3 copies that were planted: it proves nothing", inKura)
	}
	runtime.KeepAlive(heap)
}

// plantedGlobal is for the copy that the scan has to find among Go's globals.
var plantedGlobal [32]byte

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
