package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// plant has the token make an Ed25519 key as this package does, but for some
// attributes of the private key; a nil value leaves one out.
func plant(t *testing.T, tok *Token, label string, id []byte, changed ...*pkcs11.Attribute) {
	t.Helper()
	err := tok.do(context.Background(), "plant", func(s *session) error {
		return s.module.GenerateEd25519(s.handle, ed25519PublicTemplate(label, id, edwardsOID), with(ed25519PrivateTemplate(label, id), changed))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func with(template, changed []*pkcs11.Attribute) []*pkcs11.Attribute {
	for _, change := range changed {
		for i, a := range template {
			if a.Type == change.Type {
				template[i] = change
			}
		}
	}
	return template
}

// set is an attribute of one byte.
func set(kind uint, value bool) *pkcs11.Attribute { return attribute(kind, value) }

// problemOf is what token list says of the one private or secret key with a label.
func problemOf(t *testing.T, tok *Token, label string) string {
	t.Helper()
	for _, report := range mustList(t, tok) {
		if report.Label == label && strings.HasPrefix(report.Attributes["CLASS"], "private") {
			return strings.Join(report.Problems, "; ")
		}
	}
	t.Fatalf("no key %q", label)
	return ""
}

// TestUnsafeKeyIsNotUsed: a key that has the right name, and one attribute that is not
// what this package makes keys with, signs nothing, and every list says what is wrong.
func TestUnsafeKeyIsNotUsed(t *testing.T) {
	tok := initialised(t).open()
	ctx := context.Background()
	for i, weak := range []struct {
		name    string
		changed []*pkcs11.Attribute
	}{
		{"EXTRACTABLE is true", []*pkcs11.Attribute{set(pkcs11.CKA_EXTRACTABLE, true)}},
		{"SENSITIVE is false", []*pkcs11.Attribute{set(pkcs11.CKA_SENSITIVE, false)}},
		{"MODIFIABLE is true", []*pkcs11.Attribute{set(pkcs11.CKA_MODIFIABLE, true)}},
		{"COPYABLE is true", []*pkcs11.Attribute{set(attributeCopyable, true)}},
		{"DERIVE is true", []*pkcs11.Attribute{set(pkcs11.CKA_DERIVE, true)}},
		{"UNWRAP is true", []*pkcs11.Attribute{set(pkcs11.CKA_UNWRAP, true)}},
		{"DECRYPT is true", []*pkcs11.Attribute{set(pkcs11.CKA_DECRYPT, true)}},
		{"SIGN_RECOVER is true", []*pkcs11.Attribute{set(pkcs11.CKA_SIGN_RECOVER, true)}},
		{"SIGN is false", []*pkcs11.Attribute{set(pkcs11.CKA_SIGN, false)}},
		{"ALLOWED_MECHANISMS is 0x1041 0x1057", []*pkcs11.Attribute{mechanisms(mechanismEdDSA, pkcs11.CKM_ECDSA)}},
	} {
		name := fmt.Sprintf("w%d", i)
		id, label := walletKeyID(testGenesis, nem.SymbolTestnet, name), walletLabel(nem.SymbolTestnet, name)
		plant(t, tok, label, id, weak.changed...)
		if problem := problemOf(t, tok, label); !strings.Contains(problem, weak.name) {
			t.Errorf("%s: the list says %q", weak.name, problem)
		}
		info, err := tok.Wallet(ctx, name)
		if err != nil || !strings.Contains(info.Problem, weak.name) {
			t.Errorf("%s: the wallet says %q, %v", weak.name, info.Problem, err)
		}
		if _, err := tok.Sign(ctx, WalletRef{name, nem.SymbolTestnet, publicKeyAt(t, tok, id)}, []byte("m")); !errors.Is(err, ErrUnsafeKey) {
			t.Errorf("%s: it signs: %v", weak.name, err)
		}
	}
}

func publicKeyAt(t *testing.T, tok *Token, id []byte) nem.PublicKey {
	t.Helper()
	public, err := answer(context.Background(), tok, "read a public key", func(s *session) (nem.PublicKey, error) { return s.publicKey(id) })
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// TestKeyWithAPastIsNotUsed: a key that could be read once, and a log key or sealing key
// that came from outside, have the right attributes now.
func TestKeyWithAPastIsNotUsed(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	id, label := walletKeyID(testGenesis, nem.SymbolTestnet, "read"), walletLabel(nem.SymbolTestnet, "read")
	plant(t, tok, label, id, set(pkcs11.CKA_SENSITIVE, false), set(pkcs11.CKA_EXTRACTABLE, true), set(pkcs11.CKA_MODIFIABLE, true))
	m := tok.realModule()
	session, err := m.OpenSession()
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.Find(session, []*pkcs11.Attribute{attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), attribute(pkcs11.CKA_ID, id)})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d keys, %v", len(found), err)
	}
	if err := m.context.SetAttributeValue(session, found[0], []*pkcs11.Attribute{set(pkcs11.CKA_SENSITIVE, true), set(pkcs11.CKA_EXTRACTABLE, false)}); err != nil {
		t.Fatal(err)
	}
	if problem := problemOf(t, tok, label); !strings.Contains(problem, "ALWAYS_SENSITIVE is false") || !strings.Contains(problem, "NEVER_EXTRACTABLE is false") {
		t.Errorf("the list says %q", problem)
	}
	if _, err := tok.Sign(ctx, WalletRef{"read", nem.SymbolTestnet, publicKeyAt(t, tok, id)}, []byte("m")); !errors.Is(err, ErrUnsafeKey) {
		t.Errorf("a key that could be read signs: %v", err)
	}

	foreign, err := newID(2)
	if err != nil {
		t.Fatal(err)
	}
	template := append(secretTemplate(labelSealing, foreign, true, pkcs11.CKM_AES_GCM), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES))
	if err := m.CreateObject(session, template, randomBytes(32)); err != nil {
		t.Fatal(err)
	}
	if _, err := tok.CreateWallet(ctx, WalletSpec{Name: "sealed", Network: nem.NIS1Testnet, Genesis: testGenesis}); !errors.Is(err, ErrUnsafeKey) {
		t.Errorf("a sealing key from outside seals: %v", err)
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := Open(ctx, b.config()); !errors.Is(err, ErrUnsafeKey) || !strings.Contains(err.Error(), "was not made in the token") {
		if err == nil {
			_ = again.Close()
		}
		t.Errorf("a start with it: %v", err)
	}
}

// TestWalletOfAnotherGenesis: a key or a sealed file of another deployment signs nothing
// here, and the lists say why.
func TestWalletOfAnotherGenesis(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	id, label := walletKeyID([32]byte{1}, nem.SymbolTestnet, "token"), walletLabel(nem.SymbolTestnet, "token")
	plant(t, tok, label, id)
	seed := seedOf(t, randomBytes(32))
	defer seed.Wipe()
	sealed, err := tok.sealSeed(ctx, blob{wallet: "sealed", network: nem.NIS1Testnet, genesis: [32]byte{1}, publicKey: PublicKeyOf(nem.NIS1Testnet, seed)}, seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeBlob(b.stateDir, sealed, false); err != nil {
		t.Fatal(err)
	}
	wallets, err := tok.Wallets()
	if err != nil || len(wallets) != 2 {
		t.Fatalf("%d wallets, %v", len(wallets), err)
	}
	for _, w := range wallets {
		if !strings.Contains(w.Problem, "bound to another genesis") {
			t.Errorf("%s: %q", w.Name, w.Problem)
		}
	}
	if _, err := tok.Sign(ctx, WalletRef{"token", nem.SymbolTestnet, publicKeyAt(t, tok, id)}, []byte("m")); !errors.Is(err, ErrNoKey) {
		t.Errorf("the key of another genesis signs: %v", err)
	}
	if _, err := tok.Sign(ctx, WalletRef{"sealed", nem.NIS1Testnet, sealed.publicKey}, []byte("m")); !errors.Is(err, ErrGenesis) {
		t.Errorf("the sealed wallet of another genesis signs: %v", err)
	}
}

// TestLookSaysWhatOpenRefuses: a token that is not opened because of one of Kura's own keys is listed all the same,
// with what is wrong with each, and a key is named so that it can be told from the others.
func TestLookSaysWhatOpenRefuses(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	later, err := newID(2)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, tok, labelLog, later, set(pkcs11.CKA_EXTRACTABLE, true))
	plant(t, tok, labelLog, []byte{0xbe, 0xef})
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	refused := b.config()
	refused.AcceptLeakyToken = ""
	if _, err := Open(context.Background(), b.config()); !errors.Is(err, ErrUnsafeKey) {
		t.Errorf("opened: %v", err)
	}
	looked, err := Look(context.Background(), refused)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = looked.Close() })
	said := map[string]string{}
	for _, report := range mustList(t, looked) {
		if report.Kind == "log key" {
			said[report.ID] = strings.Join(report.Problems, "; ")
		}
	}
	if len(said) != 3 || !strings.Contains(said[fmt.Sprintf("%x", later)], "EXTRACTABLE is true") || !strings.Contains(said["beef"], "16 bytes") {
		t.Errorf("the list says %v", said)
	}
	if err := looked.do(context.Background(), "remove the stranger", func(s *session) error {
		found, err := s.withID(pkcs11.CKO_PRIVATE_KEY, []byte{0xbe, 0xef})
		if err != nil || len(found) != 1 {
			return fmt.Errorf("%v, %w", found, err)
		}
		return s.module.DestroyObject(s.handle, found[0])
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := looked.LogKeys(context.Background()); !errors.Is(err, ErrUnsafeKey) || !strings.Contains(err.Error(), fmt.Sprintf("%x", later)) {
		t.Errorf("the log keys are said to be right, or not which is wrong: %v", err)
	}
}
