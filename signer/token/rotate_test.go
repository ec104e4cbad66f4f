package token

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"github.com/miekg/pkcs11"

	"kura/nem"
	"kura/signer/token/backup"
)

// The rotation is cut off at every call it makes; at each point every wallet
// signs, and another run ends it.
func TestSealingKeyRotationCutOffAnywhere(t *testing.T) {
	b := initialised(t)
	plan := &faultPlan{}
	tok := b.openWrapped(plan.wrap)
	tok.pause = immediately
	ctx := context.Background()
	var refs []WalletRef
	for i := range 3 {
		refs = append(refs, wallet(t, tok, fmt.Sprintf("w%d", i), nem.NIS1Testnet))
	}
	sign := func(when string) {
		t.Helper()
		for _, ref := range refs {
			if _, err := tok.Sign(ctx, ref, []byte("m")); err != nil {
				t.Errorf("%s: %s: %v", when, ref.Name, err)
			}
		}
	}
	for cut := 0; ; cut++ {
		calls := 0
		plan.set(func(operation string) *fault {
			if operation != "SealGCM" && operation != "DecryptGCM" && operation != "GenerateSecretKey" {
				return nil
			}
			calls++
			if calls <= cut {
				return nil
			}
			// From here on the token refuses everything: the process is as good as dead.
			return &fault{err: pkcs11.Error(pkcs11.CKR_FUNCTION_REJECTED), after: cut%2 == 1}
		})
		_, err := tok.RotateSealingKey(ctx)
		plan.set(nil)
		tok.forgetBlobs() // a new process reads the files
		sign(fmt.Sprintf("cut off after %d calls", cut))
		if err == nil {
			if cut == 0 {
				t.Fatal("no fault was tried")
			}
			break
		}
	}
	rotation, err := tok.RotateSealingKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(rotation.Old) != 1 || len(rotation.Blobs) != 3 {
		t.Fatalf("rotation %+v", rotation)
	}
	if err := tok.DestroySealingKey(ctx, rotation.New); err == nil {
		t.Error("the newest sealing key was destroyed")
	}
	if err := tok.DestroySealingKey(ctx, rotation.Old[0]); err != nil {
		t.Fatal(err)
	}
	if err := tok.DestroySealingKey(ctx, rotation.Old[0]); err != nil {
		t.Errorf("a second time: %v", err)
	}
	sign("with the new key alone")
	ceremony, err := tok.Ceremony(ctx, "w0")
	if err != nil || ceremony.SealingKey != rotation.New || ceremony.BlobSHA256 != rotation.Blobs["w0"] {
		t.Errorf("ceremony %+v, %v", ceremony, err)
	}
}

func TestSealingKeyInUseIsNotDestroyed(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	wallet(t, tok, "w", nem.NIS1Testnet)
	old, err := readBlob(b.stateDir, "w")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.makeNextSealingKey(ctx); err != nil {
		t.Fatal(err)
	}
	if err := tok.DestroySealingKey(ctx, hex.EncodeToString(old.sealingKey[:])); err == nil {
		t.Error("a key that a wallet needs was destroyed")
	}
}

func TestLogKeyReplacement(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	old, err := tok.LogPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	next, err := tok.NextLogKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := tok.NextLogKey(ctx); err != nil || again != next || next == old {
		t.Errorf("asked again: %x, %v", again, err)
	}
	for _, key := range [][32]byte{old, next} {
		signature, err := tok.SignHead(ctx, key, []byte("head"))
		if err != nil || !ed25519.Verify(key[:], []byte("head"), signature[:]) {
			t.Errorf("key %x signs: %x, %v", key, signature, err)
		}
	}
	if err := tok.DestroyLogKey(ctx, old); err == nil {
		t.Error("the log key in use was destroyed")
	}
	if err := tok.UseLogKey(ctx, next); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := tok.DestroyLogKey(ctx, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := tok.UseLogKey(ctx, old); !errors.Is(err, ErrNoKey) {
		t.Errorf("the destroyed key: %v", err)
	}
	if _, err := tok.SignHead(ctx, old, []byte("head")); !errors.Is(err, ErrNoKey) {
		t.Errorf("the destroyed key signs: %v", err)
	}
	if err := tok.Health(ctx); err != nil {
		t.Errorf("with the next key: %v", err)
	}
	if third, err := tok.NextLogKey(ctx); err != nil || third == next || third == old {
		t.Errorf("the key after the next: %x, %v", third, err)
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	if key, err := b.open().LogPublicKey(); err != nil || key != next {
		t.Errorf("after a restart: %x, %v", key, err)
	}
}

func TestBackupAndRestoreOntoAFreshToken(t *testing.T) {
	b := initialised(t)
	tok := b.open()
	ctx := context.Background()
	seed := seedOf(t, randomBytes(32))
	defer seed.Wipe()
	imported := WalletSpec{Name: "bought", Network: nem.SymbolTestnet, Genesis: testGenesis}
	if _, err := tok.ImportWallet(ctx, imported, seed); err != nil {
		t.Fatal(err)
	}
	refs := []WalletRef{
		wallet(t, tok, "hot", nem.NIS1Testnet), wallet(t, tok, "warm", nem.NIS1Mainnet),
		{imported.Name, imported.Network, PublicKeyOf(imported.Network, seed)},
	}
	var custodians []backup.Custodian
	var identities []string
	for _, name := range []string{"Ann", "Ben", "Cem"} {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		custodians = append(custodians, backup.Custodian{Name: name, Recipient: identity.Recipient().String()})
		identities = append(identities, identity.String())
	}
	for _, twice := range [][]string{{"hot", "warm", "hot"}, {"bought"}} { // no journal would take what it restores
		if _, err := tok.Backup(ctx, twice, []SeedBackup{{imported, seed}}, custodians, 2); !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), "twice") {
			t.Errorf("a backup of %q and %q: %v", twice, imported.Name, err)
		}
	}
	archive, err := tok.Backup(ctx, nil, []SeedBackup{{imported, seed}}, custodians, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, share := range archive.Shares {
		if strings.Contains(string(share.File), "kura-share") || strings.Contains(string(archive.Contents), "wallet") {
			t.Error("a file of the backup is not encrypted")
		}
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}

	fresh := newBench(t)
	if _, err := Initialise(ctx, fresh.config(), soPINOf(t, fresh.so)); err != nil {
		t.Fatal(err)
	}
	tok = fresh.open()
	var shares [][]byte
	for _, i := range []int{2, 0} {
		text, err := backup.OpenShare(archive.Shares[i].File, strings.NewReader(identities[i]))
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, text)
	}
	if _, err := tok.Restore(ctx, archive.Contents, shares); !errors.Is(err, ErrGenesis) {
		t.Errorf("onto a token without a genesis: %v", err)
	}
	successor := testGenesis
	successor[31] = 0xff
	if err := tok.BindGenesis(successor); err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Restore(ctx, archive.Contents, shares[:1]); !errors.Is(err, ErrBackup) {
		t.Errorf("with one share: %v", err)
	}
	for range 2 { // a second run passes over what is there
		ceremonies, err := tok.Restore(ctx, archive.Contents, shares)
		if err != nil {
			t.Fatal(err)
		}
		if len(ceremonies) != 3 {
			t.Errorf("%d ceremonies", len(ceremonies))
		}
	}
	for _, ref := range refs {
		if _, err := tok.Sign(ctx, ref, []byte("m")); err != nil {
			t.Errorf("%s after the restore: %v", ref.Name, err)
		}
	}
	if info, err := tok.Wallet(ctx, "hot"); err != nil || info.Imported {
		t.Errorf("a wallet that Kura made: %+v, %v", info, err)
	}
	if err := os.Remove(blobPath(fresh.stateDir, "hot")); err != nil {
		t.Fatal(err)
	}
	wallet2, err := tok.CreateWallet(ctx, WalletSpec{Name: "hot", Network: nem.NIS1Testnet, Genesis: successor})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Restore(ctx, archive.Contents, shares); !errors.Is(err, ErrWalletExists) {
		t.Errorf("over another wallet of the name (%s): %v", wallet2.PublicKey, err)
	}
}

// TestForeignLogKeyIsRefused: a log key that works and has wrong attributes is no part of one, which a change of the log
// key may clear away: somebody else made it, and people are to hear of it.
func TestForeignLogKeyIsRefused(t *testing.T) {
	tok := initialised(t).open()
	ctx := context.Background()
	var foreign []byte
	err := tok.do(ctx, "make a log key that can be read", func(s *session) error {
		keys, err := s.logKeys()
		if err != nil {
			return err
		}
		generation, _ := generationOf(keys[0].id)
		if foreign, err = newID(generation + 1); err != nil {
			return err
		}
		private := s.logTemplate(foreign)
		for _, a := range private {
			if a.Type == pkcs11.CKA_EXTRACTABLE {
				a.Value = []byte{1}
			}
		}
		return s.module.GenerateEd25519(s.handle, s.quirk.without(ed25519PublicTemplate(labelLog, foreign, s.quirk.ecParams)), private)
	})
	if err != nil {
		t.Fatal(err)
	}
	if next, err := tok.NextLogKey(ctx); !errors.Is(err, ErrUnsafeKey) {
		t.Errorf("beside a foreign key: %x, %v", next, err)
	}
	err = tok.do(ctx, "look for it", func(s *session) error {
		_, err := s.findOne(foreign, pkcs11.CKO_PRIVATE_KEY)
		return err
	})
	if err != nil {
		t.Errorf("the foreign key: %v", err)
	}
}

// TestNextLogKeyAtOnce: several callers at once make one key.
func TestNextLogKeyAtOnce(t *testing.T) {
	tok := initialised(t).openWrapped((&faultPlan{}).wrap)
	var callers sync.WaitGroup
	for range 6 {
		callers.Go(func() {
			if _, err := tok.NextLogKey(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if keys, err := tok.LogKeys(t.Context()); err != nil || len(keys) != 2 {
		t.Errorf("%d log keys, %v", len(keys), err)
	}
}
