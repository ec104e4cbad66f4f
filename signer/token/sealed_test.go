package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/nem"
)

// A blob that was moved, renamed or edited in any byte does not open; the token
// stays well.
func TestSealedBlobIsBoundToEverything(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	ref := wallet(t, tok, "hot", nem.NIS1Testnet)
	good, err := readBlob(b.stateDir, "hot")
	if err != nil {
		t.Fatal(err)
	}
	opens := func(changed blob) error {
		changed.bound = nil
		_, err := tok.openSeed(ctx, &changed)
		return err
	}
	if err := opens(*good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*blob){
		"wallet":     func(x *blob) { x.wallet = "cold" },
		"network":    func(x *blob) { x.network = nem.NIS1Mainnet },
		"genesis":    func(x *blob) { x.genesis[0] ^= 1 },
		"public key": func(x *blob) { x.publicKey[0] ^= 1 },
		"imported":   func(x *blob) { x.imported = true },
		"nonce":      func(x *blob) { x.nonce = bytes.Clone(x.nonce); x.nonce[0] ^= 1 },
		"sealed":     func(x *blob) { x.sealed = bytes.Clone(x.sealed); x.sealed[0] ^= 1 },
		"tag":        func(x *blob) { x.sealed = bytes.Clone(x.sealed); x.sealed[gcmSealed-1] ^= 1 },
	} {
		changed := *good
		change(&changed)
		if err := opens(changed); !errors.Is(err, ErrSealed) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	wrongKey := *good
	wrongKey.sealingKey[15] ^= 1
	if err := opens(wrongKey); !errors.Is(err, ErrNoKey) {
		t.Errorf("another sealing key: %v", err)
	}
	if _, err := tok.Sign(ctx, ref, []byte("m")); err != nil {
		t.Errorf("the token after all this: %v", err)
	}

	// Under another wallet's file name it is refused before the token is asked.
	text, err := os.ReadFile(blobPath(b.stateDir, "hot"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blobPath(b.stateDir, "warm"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Sign(ctx, WalletRef{"warm", ref.Network, ref.PublicKey}, []byte("m")); !errors.Is(err, ErrSealed) {
		t.Errorf("a copied file: %v", err)
	}
}

func TestImportGivesTheAccountThatTheToolsShow(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	// A private key's text and the public key it leads to, from NIS1's vectors.
	text, err := NewSecret(64)
	if err != nil {
		t.Fatal(err)
	}
	copy(text.Bytes(), "575DBB3062267EFF57C970A336EBBC8FBCFE12C5BD3ED7BC11EB0481D7704CED")
	seed, err := ParsePrivateKey(nem.NIS1, text)
	if err != nil {
		t.Fatal(err)
	}
	ceremony, err := tok.ImportWallet(ctx, WalletSpec{Name: "old", Network: nem.NIS1Testnet, Genesis: testGenesis}, seed)
	if err != nil {
		t.Fatal(err)
	}
	if ceremony.PublicKey != "C5F54BA980FCBB657DBAAA42700539B207873E134D2375EFEAB5F1AB52F87844" ||
		ceremony.Address != "TDD2CT6LQLIYQ56KIXI3ENTM6EK3D44P5KZPFMK2" || !ceremony.Imported || ceremony.Custody != CustodySealed ||
		len(ceremony.BlobSHA256) != 64 || !ceremony.Deterministic || ceremony.Attributes["EXTRACTABLE"] != "false" {
		t.Errorf("ceremony %+v", ceremony)
	}
	if strings.Contains(strings.ToUpper(ceremonyText(ceremony)), "575DBB30") {
		t.Error("the ceremony holds the key")
	}
	again, err := tok.Ceremony(ctx, "old")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ceremony, again); diff != "" {
		t.Errorf("read back later: %s", diff)
	}
	for _, refused := range []string{"", "zz", strings.Repeat("0", 65)} {
		bad, err := NewSecret(70)
		if err != nil {
			t.Fatal(err)
		}
		bad.size = max(1, copy(bad.Bytes(), refused))
		if _, err := ParsePrivateKey(nem.NIS1, bad); err == nil {
			t.Errorf("%q was taken for a private key", refused)
		} else if refused != "" && strings.Contains(err.Error(), refused) {
			t.Error("the error repeats the text")
		}
		bad.Wipe()
	}
}

func ceremonyText(c Ceremony) string {
	return strings.Join([]string{c.Wallet, c.Network, c.PublicKey, c.Address, c.BlobSHA256, c.SealingKey}, " ")
}

// The other sealing scheme, for tokens without AES-GCM, on SoftHSM.
func TestSealingWithoutGCM(t *testing.T) {
	quirks[0].noGCM = true
	defer func() { quirks[0].noGCM = false }()
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	ref := wallet(t, tok, "hot", nem.NIS1Testnet)
	good, err := readBlob(b.stateDir, "hot")
	if err != nil {
		t.Fatal(err)
	}
	if good.scheme != schemeCBCHMAC {
		t.Fatalf("scheme %d", good.scheme)
	}
	if _, err := tok.Sign(ctx, ref, []byte("m")); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*blob){
		"public key": func(x *blob) { x.publicKey[0] ^= 1 },
		"iv":         func(x *blob) { x.nonce = bytes.Clone(x.nonce); x.nonce[0] ^= 1 },
		"ciphertext": func(x *blob) { x.sealed = bytes.Clone(x.sealed); x.sealed[47] ^= 1 },
		"mac":        func(x *blob) { x.sealed = bytes.Clone(x.sealed); x.sealed[cbcSealed-1] ^= 1 },
	} {
		changed := *good
		changed.bound = nil
		change(&changed)
		if _, err := tok.openSeed(ctx, &changed); !errors.Is(err, ErrSealed) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	if _, err := tok.RotateSealingKey(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Sign(ctx, ref, []byte("m")); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	for _, report := range mustList(t, tok) {
		if len(report.Problems) > 0 {
			t.Errorf("%s: %v", report.Kind, report.Problems)
		}
	}
}

func mustList(t *testing.T, tok *Token) []ObjectReport {
	t.Helper()
	reports, err := tok.List()
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

func FuzzDecodeBlob(f *testing.F) {
	good := &blob{wallet: "hot", network: nem.NIS1Testnet, scheme: schemeGCM, nonce: make([]byte, gcmNonceSize), sealed: make([]byte, gcmSealed)}
	text, err := good.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(bytes.Replace(text, []byte(`"wallet"`), []byte(`"Wallet"`), 1))
	f.Add(bytes.Replace(text, []byte("hot"), []byte("../hot"), 1))
	f.Add(bytes.Replace(text, []byte("aes-256-gcm"), []byte("aes-256-cbc-pad+hmac-sha512"), 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := decodeBlob(text)
		if err != nil {
			return
		}
		again, err := b.encode()
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("accepted %q, which encodes as %q", text, again)
		}
		if strings.ContainsAny(b.wallet, "/\n ") {
			t.Errorf("accepted the name %q", b.wallet)
		}
	})
}

func TestPointInItsThreeEncodings(t *testing.T) {
	point := bytes.Repeat([]byte{7}, 32)
	for name, text := range map[string][]byte{
		"raw": point, "OCTET STRING": append([]byte{0x04, 0x20}, point...), "BIT STRING": append([]byte{0x03, 0x21, 0x00}, point...),
	} {
		if public, err := parsePoint(text); err != nil || !bytes.Equal(public[:], point) {
			t.Errorf("%s: %s, %v", name, public, err)
		}
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "all zero": make([]byte, 32), "cut off": point[:31], "another tag": append([]byte{0x05, 0x20}, point...),
		"unused bits": append([]byte{0x03, 0x21, 0x01}, point...), "another length": append([]byte{0x04, 0x21}, point...),
	} {
		if public, err := parsePoint(text); err == nil {
			t.Errorf("%s was read as %s", name, public)
		}
	}
}

func FuzzParsePoint(f *testing.F) {
	point := bytes.Repeat([]byte{7}, 32)
	f.Add(point)
	f.Add(append([]byte{0x04, 0x20}, point...))
	f.Add(append([]byte{0x03, 0x21, 0x00}, point...))
	f.Fuzz(func(t *testing.T, text []byte) {
		public, err := parsePoint(text)
		if err == nil && !bytes.HasSuffix(text, public[:]) {
			t.Errorf("%x read as %s", text, public)
		}
	})
}

// TestParseBackupTwice: a journal takes one wallet of a name, so a backup with two is refused before a successor is founded.
func TestParseBackupTwice(t *testing.T) {
	seed := seedOf(t, randomBytes(seedSize))
	defer seed.Wipe()
	line := appendWallet(nil, "hot", nem.NIS1Testnet, PublicKeyOf(nem.NIS1Testnet, seed), false, seed)
	text := fmt.Appendf(nil, "%sgenesis %064d\n%s", backupHead, 0, line)
	for _, one := range []struct {
		text []byte
		says string
	}{{text, ""}, {append(text, line...), `wallet "hot" is in it twice`}} {
		wallets, err := parseBackup(one.text)
		wipe(wallets)
		if (err == nil) != (one.says == "") || err != nil && err.Error() != one.says {
			t.Errorf("%q: %v", one.says, err)
		}
	}
}

func FuzzParseBackup(f *testing.F) {
	f.Add([]byte(backupHead + "genesis " + strings.Repeat("0", 64) + "\nwallet hot nis1-testnet " + strings.Repeat("1", 64) + " generated " + strings.Repeat("2", 64) + "\n"))
	f.Add([]byte(backupHead))
	f.Fuzz(func(t *testing.T, text []byte) {
		wallets, err := parseBackup(text)
		for _, wallet := range wallets {
			if err == nil && publicKeyOf(wallet.network, (*[seedSize]byte)(wallet.seed.Bytes())) != wallet.publicKey {
				t.Error("accepted a seed of another key")
			}
			wallet.seed.Wipe()
		}
	})
}
