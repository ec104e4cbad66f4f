package token

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"kura/nem"
	"kura/signer/token/softhsmtest"
)

const softHSM = softhsmtest.Module

// tokenDirectory is where the tests' SoftHSM keeps its tokens; SOFTHSM2_CONF is
// read at every C_Initialize.
var tokenDirectory string

func TestMain(m *testing.M) {
	if role := os.Getenv("KURA_TEST_ROLE"); role != "" {
		os.Exit(secondProcess(role))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if softhsmtest.Missing() != nil {
		return softhsmtest.Main(m)
	}
	base, err := os.MkdirTemp("", "kura-token")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(base) }()
	tokenDirectory = filepath.Join(base, "tokens")
	configuration := filepath.Join(base, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\nlibrary.reset_on_fork = true\n", tokenDirectory)
	for _, err := range []error{os.Mkdir(tokenDirectory, 0o700), os.WriteFile(configuration, []byte(text), 0o600), os.Setenv("SOFTHSM2_CONF", configuration)} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return softhsmtest.Main(m)
}

// bench is one token of a test: its configuration's parts, with PINs made anew
// for each opening because a Token owns and wipes its PIN.
type bench struct {
	t        testing.TB
	label    string
	stateDir string
	digits   string
	so       string
}

var testGenesis = [32]byte{0x67, 0x65, 0x6e, 0x42}

func newBench(t testing.TB) *bench {
	t.Helper()
	softhsmtest.Need(t, 1, softhsmtest.Missing())
	b := &bench{t: t, label: "test-" + fmt.Sprintf("%x", randomBytes(6)), stateDir: filepath.Join(t.TempDir(), "state")}
	t.Cleanup(func() { clearTokens(t) })
	b.digits, b.so = fmt.Sprintf("%x", randomBytes(16)), fmt.Sprintf("%x", randomBytes(16))
	return b
}

// clearTokens removes the tokens of a test that has ended: the library reads all there
// are whenever it is initialised.
func clearTokens(t testing.TB) {
	t.Helper()
	tokens, err := os.ReadDir(tokenDirectory)
	if err != nil {
		t.Error(err)
	}
	for _, one := range tokens {
		if err := os.RemoveAll(filepath.Join(tokenDirectory, one.Name())); err != nil {
			t.Error(err)
		}
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return b
}

// pinOf makes a PIN from text, which only tests may do.
func pinOf(t testing.TB, text string) *PIN {
	t.Helper()
	pin, err := emptyPIN()
	if err != nil {
		t.Fatal(err)
	}
	pin.length = copy(pin.secret.Bytes(), text)
	return pin
}

func soPINOf(t testing.TB, text string) SOPIN {
	return func(bool) (*PIN, error) { return pinOf(t, text), nil }
}

func (b *bench) config() Config {
	return Config{
		Module:           softHSM,
		Label:            b.label,
		PIN:              pinOf(b.t, b.digits),
		StateDir:         b.stateDir,
		AcceptLeakyToken: "a test",
		Log:              slog.New(slog.DiscardHandler),
	}
}

// initialised makes the token and binds it to testGenesis.
func initialised(t testing.TB) *bench {
	t.Helper()
	b := newBench(t)
	if _, err := Initialise(context.Background(), b.config(), soPINOf(t, b.so)); err != nil {
		t.Fatal(err)
	}
	tok := b.open()
	if err := tok.BindGenesis(testGenesis); err != nil {
		t.Fatal(err)
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) open() *Token { return b.openWrapped(nil) }

func (b *bench) openWrapped(wrap func(cryptoki) cryptoki) *Token {
	b.t.Helper()
	tok, err := open(context.Background(), b.config(), wrap)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = tok.Close() })
	return tok
}

// wallet makes a wallet and gives its reference.
func wallet(t testing.TB, tok *Token, name string, network nem.Network) WalletRef {
	t.Helper()
	ceremony, err := tok.CreateWallet(context.Background(), WalletSpec{Name: name, Network: network, Genesis: testGenesis})
	if err != nil {
		t.Fatal(err)
	}
	public, err := nem.ParsePublicKey(ceremony.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return WalletRef{Name: name, Network: network, PublicKey: public}
}

// logKeyOf is the log key in use.
func logKeyOf(t testing.TB, tok *Token) [32]byte {
	t.Helper()
	public, err := tok.LogPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}
