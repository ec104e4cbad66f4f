package token

import (
	"context"
	"errors"
	"os"
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
		t.Errorf("stolen, which pkcs11.md does not know: %s", theft)
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
