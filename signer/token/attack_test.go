package token

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

func TestAttackReportsWhatSoftHSMLets(t *testing.T) {
	b := initialised(t)
	config := b.config()
	config.SOPIN = pinOf(t, b.so)
	rows, err := Attack(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	stolen := map[string]bool{}
	restarted := 0
	for _, row := range rows {
		t.Logf("%-70s %-40s %t %s", row.Attack, row.Object, row.Stolen, row.Answer)
		if row.Stolen {
			stolen[strings.TrimSuffix(row.Attack, " (after a restart)")+" / "+row.Object] = true
		}
		if strings.HasSuffix(row.Attack, " (after a restart)") {
			restarted++
		}
	}
	// SoftHSM 2.6.1 gives SHA-512 of the seed, which is the Ed25519 secret, and nothing else.
	want := []string{
		"C_DigestKey with SHA-512 / log or wallet key (Ed25519, generated)",
		"C_DigestKey with SHA-512 / wallet key (Ed25519, imported)",
	}
	for _, theft := range want {
		if !stolen[theft] {
			t.Errorf("not stolen: %s", theft)
		}
		delete(stolen, theft)
	}
	for theft := range stolen {
		t.Errorf("stolen, and not known before: %s", theft)
	}
	if restarted*2 != len(rows) {
		t.Errorf("%d of %d rows are after the restart", restarted, len(rows))
	}
	reports, err := b.open().List()
	if err != nil {
		t.Fatal(err)
	}
	for _, report := range reports {
		if report.Kind == "foreign" {
			t.Errorf("left behind: %q", report.Label)
		}
	}
}

// A key that is taken counts as stolen, and no other: each kind of secret key is
// made with a value that the test knows.
func TestAStolenSecretKeyIsRecognised(t *testing.T) {
	b := initialised(t)
	config, err := b.config().withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{config: config}
	if err := a.enter(); err != nil {
		t.Fatal(err)
	}
	defer a.leave()
	for _, kind := range []struct {
		use, keyType uint
		size         int
	}{
		{pkcs11.CKM_AES_GCM, pkcs11.CKK_AES, 32},
		{pkcs11.CKM_AES_CBC_PAD, pkcs11.CKK_AES, 32},
		{pkcs11.CKM_SHA512_HMAC, pkcs11.CKK_GENERIC_SECRET, 64},
	} {
		v, key := &victim{class: pkcs11.CKO_SECRET_KEY, use: kind.use, id: randomID()}, randomBytes(kind.size)
		template := append(secretTemplate(attackLabel, v.id, kind.keyType == pkcs11.CKK_AES, kind.use), attribute(pkcs11.CKA_KEY_TYPE, kind.keyType))
		if err := a.module.CreateObject(a.session, template, key); err != nil {
			t.Fatalf("mechanism %x: %v", kind.use, err)
		}
		a.victims = []*victim{v}
		if err := a.findVictims(); err != nil {
			t.Fatalf("mechanism %x: %v", kind.use, err)
		}
		if !v.isStolenBy(slices.Concat([]byte("before"), key, []byte("after"))) {
			t.Errorf("mechanism %x: the key is not recognised", kind.use)
		}
		if v.isStolenBy(randomBytes(2 * kind.size)) {
			t.Errorf("mechanism %x: something else is taken for the key", kind.use)
		}
	}
}

// A token of hardware erases itself after a few wrong SO PINs.
func TestAttackWithAWrongSOPINTriesItOnce(t *testing.T) {
	b := initialised(t)
	config := b.config()
	config.SOPIN = pinOf(t, "00112233445566778899aabbccddeeff")
	if rows, err := Attack(context.Background(), config); !errors.Is(err, ErrPIN) || len(rows) > 0 {
		t.Errorf("a wrong SO PIN: %v, and %d attacks were tried", err, len(rows))
	}
	if _, err := os.Stat(refusedPINPath(b.stateDir)); err == nil {
		t.Error("the user's PIN is marked as refused")
	}
	b.open()
}

func TestAttackWithAWrongPINTriesItOnce(t *testing.T) {
	b := initialised(t)
	b.digits = "00112233445566778899aabbccddeeff"
	for range 2 {
		if _, err := Attack(context.Background(), b.config()); !errors.Is(err, ErrPIN) {
			t.Errorf("a wrong PIN: %v", err)
		}
	}
	if _, err := os.Stat(refusedPINPath(b.stateDir)); err != nil {
		t.Errorf("the mark of the refused PIN: %v", err)
	}
}

// What softhsm/README.md says of the SO PIN: on SoftHSM it is worth what the PIN is.
func TestSOPINOpensSoftHSM(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ref := wallet(t, tok, "w", nem.SymbolTestnet)
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	b.digits = "00112233445566778899aabbccddeeff"
	functions, err := loadNative(softHSM)
	if err != nil {
		t.Fatal(err)
	}
	module := pkcs11.New(softHSM)
	if err := module.Initialize(); err != nil {
		t.Fatal(err)
	}
	slots, err := slotsWithLabel(module, b.label)
	if err != nil || len(slots) != 1 {
		t.Fatalf("slots %v, %v", slots, err)
	}
	if err := setPIN(module, functions, slots[0], pinOf(t, b.digits), pinOf(t, b.so)); err != nil {
		t.Fatal(err)
	}
	if err := module.Finalize(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.open().Sign(context.Background(), ref, []byte("m")); err != nil {
		t.Errorf("under the PIN that the security officer set: %v", err)
	}
}
