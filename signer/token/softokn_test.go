package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/pkcs11"

	"kura/nem"
	"kura/signer/token/softhsmtest"
)

// softokn builds the shim that NSS softokn is loaded through, and sets its PIN.
func softokn(t *testing.T) (module, digits string) {
	t.Helper()
	if found, _ := filepath.Glob("/usr/lib/*/libsoftokn3.so"); len(found) == 0 {
		softhsmtest.Need(t, 1, errors.New("NSS softokn is not installed (apt-get install libnss3)"))
	}
	directory := t.TempDir()
	module, digits = filepath.Join(directory, "shim.so"), fmt.Sprintf("%x", randomBytes(16))
	if output, err := exec.Command("gcc", "-shared", "-fPIC", "-o", module, "testdata/softokn/shim.c").CombinedOutput(); err != nil {
		t.Fatalf("build the shim: %v\n%s", err, output)
	}
	t.Setenv("KURA_TEST_SOFTOKN_PARAMETERS", fmt.Sprintf("configdir='sql:%s' certPrefix='' keyPrefix='' secmod='secmod.db' flags= dbTokenDescription='kura'", directory))
	preparePIN(t, module, digits)
	return module, digits
}

// TestSealedCustodyOnAnotherToken seals and signs with NSS softokn, another
// maker's token: AES-CBC-PAD and HMAC, by its row among the quirks. Softokn 3.87 has no Ed25519, so a deployment
// cannot live on it (the log key needs that); the sealed custody can.
func TestSealedCustodyOnAnotherToken(t *testing.T) {
	module, digits := softokn(t)
	sealAndSign(t, module, digits)
}

// Softokn 3.87 wraps what is not extractable, under any key: the sealing key and its
// MAC key are the PIN holder's. Attack finds it, and so does what every start tries.
func TestAttackOnAnotherToken(t *testing.T) {
	module, digits := softokn(t)
	rows, err := Attack(context.Background(), Config{Module: module, Label: "kura", PIN: pinOf(t, digits), StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stolen := map[string]int{}
	for _, row := range rows {
		t.Logf("%-70s %-40s %t %s", row.Attack, row.Object, row.Stolen, row.Answer)
		wraps := strings.HasPrefix(row.Attack, "C_WrapKey under") || strings.HasPrefix(row.Attack, "wrap")
		if row.Stolen != wraps {
			t.Errorf("%s on %s: stolen %t, %s", row.Attack, row.Object, row.Stolen, row.Answer)
		}
		if row.Stolen {
			stolen[row.Object]++
		}
	}
	if diff := cmp.Diff(map[string]int{"sealing key (AES-256)": 12, "sealing MAC key (HMAC-SHA512)": 12}, stolen); diff != "" {
		t.Error(diff)
	}
}

// preparePIN sets the user's PIN of softokn's key slot; its SO PIN is empty.
func preparePIN(t *testing.T, module, digits string) {
	t.Helper()
	context := pkcs11.New(module)
	if context == nil {
		t.Fatal("the shim cannot be loaded")
	}
	if err := context.Initialize(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = context.Finalize() }()
	slots, err := slotsWithLabel(context, "kura")
	if err != nil || len(slots) != 1 {
		t.Fatalf("slots %v, %v", slots, err)
	}
	session, err := context.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{context.Login(session, pkcs11.CKU_SO, ""), context.InitPIN(session, digits), context.Logout(session)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sealAndSign(t *testing.T, shim, digits string) {
	t.Helper()
	module, err := connectModule(shim, "kura", pinOf(t, digits))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConnection(module, 2, new(sync.Map))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { <-c.retire() }()
	if c.quirk.name != "NSS softokn" || !c.quirk.software {
		t.Errorf("quirk %+v for manufacturer %q", c.quirk, c.info.ManufacturerID)
	}
	random := randomBytes(32)
	seed := seedOf(t, random)
	defer seed.Wipe()
	public := PublicKeyOf(nem.NIS1Testnet, seed)
	err = c.run(context.Background(), func(s *session) error {
		if err := s.module.GenerateSecretKey(secretAES256, forSession(s.sealingTemplate([]byte("throw-away")))); err != nil {
			return err
		}
		if leak, err := s.leakOf(pkcs11.CKO_SECRET_KEY, []byte("throw-away")); err != nil {
			return err
		} else if leak != leakByWrap {
			return fmt.Errorf("a start finds the leak %q", leak)
		}
		if err := s.generateSealingKey(1); err != nil {
			return err
		}
		b := blob{wallet: "hot", network: nem.NIS1Testnet, genesis: testGenesis, publicKey: public}
		if err := s.seal(&b, seed.Bytes()); err != nil {
			return err
		}
		if b.scheme != schemeCBCHMAC {
			return fmt.Errorf("sealed by scheme %d", b.scheme)
		}
		message := []byte("signed by way of another maker's token")
		signature, err := s.signSealed(&b, message)
		if err != nil {
			return err
		}
		if err := nem.Verify(nem.NIS1Testnet, public, message, signature); err != nil {
			return err
		}
		if !bytes.Equal(s.seed.Bytes(), make([]byte, seedRoom)) {
			return errors.New("the seed is still in the session's page")
		}
		changed := b
		changed.publicKey[0] ^= 1
		if _, err := s.open(&changed); !errors.Is(err, ErrSealed) {
			return fmt.Errorf("with another public key: %w", err)
		}
		if _, err := s.signSealed(&b, message); err != nil {
			return fmt.Errorf("after a blob that did not open: %w", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
