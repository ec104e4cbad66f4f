package token

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// destroy removes the objects of a class with this CKA_ID.
func destroy(t *testing.T, tok *Token, class uint64, id []byte) {
	t.Helper()
	err := tok.do(t.Context(), "destroy", func(s *session) error {
		found, err := s.withID(class, id)
		for _, handle := range found {
			err = errors.Join(err, s.module.DestroyObject(s.handle, handle))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRemainsOfAWallet: what is left of a key that was never whole gives way to the
// wallet. A key that may hold funds stays, with every object beside it.
func TestRemainsOfAWallet(t *testing.T) {
	const name = "cut"
	network := nem.SymbolTestnet
	id, label := walletKeyID(testGenesis, network, name), walletLabel(network, name)
	key := func(changed ...*pkcs11.Attribute) func(*Token, *testing.T) {
		return func(tok *Token, t *testing.T) { plant(t, tok, label, id, changed...) }
	}
	without := func(class uint64) func(*Token, *testing.T) {
		return func(tok *Token, t *testing.T) { destroy(t, tok, class, id) }
	}
	// As SoftHSM leaves a private key that was cut off: it is not called the token's own make and does not sign. This
	// process has seen it.
	part := func(tok *Token, t *testing.T) {
		t.Helper()
		if err := tok.do(t.Context(), "plant a part", func(s *session) error {
			template := with(ed25519PrivateTemplate(label, id), []*pkcs11.Attribute{set(pkcs11.CKA_SIGN, false)})
			return s.module.CreateObject(s.handle, append(template, attribute(pkcs11.CKA_EC_PARAMS, edwardsOID)), randomBytes(seedSize))
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := tok.Ceremony(t.Context(), name); !errors.Is(err, ErrUnsafeKey) {
			t.Fatalf("a part of a key: %v", err)
		}
	}
	for _, c := range []struct {
		name   string
		left   []func(*Token, *testing.T)
		want   error
		before int // objects with the wallet's CKA_ID
		after  int
	}{
		{"a public key", []func(*Token, *testing.T){key(), without(pkcs11.CKO_PRIVATE_KEY)}, nil, 1, 2},
		{"two public keys", []func(*Token, *testing.T){key(), key(), without(pkcs11.CKO_PRIVATE_KEY)}, nil, 2, 2},
		{"a part of a private key", []func(*Token, *testing.T){part}, nil, 1, 2},
		{"parts of both", []func(*Token, *testing.T){key(), without(pkcs11.CKO_PRIVATE_KEY), part}, nil, 2, 2},
		{"another's public key beside a whole one", []func(*Token, *testing.T){key(), without(pkcs11.CKO_PRIVATE_KEY), key()}, ErrWalletExists, 3, 2},
		{"a whole key", []func(*Token, *testing.T){key()}, ErrWalletExists, 2, 2},
		{"a private key that signs", []func(*Token, *testing.T){key(), without(pkcs11.CKO_PUBLIC_KEY)}, ErrUnsafeKey, 1, 1},
		{"a whole key that does not sign", []func(*Token, *testing.T){key(set(pkcs11.CKA_SIGN, false))}, ErrUnsafeKey, 2, 2},
		{"two whole keys", []func(*Token, *testing.T){key(), key()}, ErrUnsafeKey, 4, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok := initialised(t).open()
			for _, leave := range c.left {
				leave(tok, t)
			}
			objects := func() (count int) {
				for _, report := range mustList(t, tok) {
					if report.Label == label {
						count++
					}
				}
				return count
			}
			if n := objects(); n != c.before {
				t.Fatalf("%d objects are there before", n)
			}
			_, err := tok.CreateWallet(t.Context(), WalletSpec{Name: name, Network: network, Genesis: testGenesis})
			if !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if n := objects(); n != c.after {
				t.Errorf("%d objects are there after: %v", n, err)
			}
			if _, err := tok.Ceremony(t.Context(), name); (err == nil) == errors.Is(c.want, ErrUnsafeKey) {
				t.Errorf("its record: %v", err)
			}
		})
	}
}

// TestRemainsStayOnATokenInTrouble: nothing is removed while the log key does not sign.
func TestRemainsStayOnATokenInTrouble(t *testing.T) {
	var plan faultPlan
	tok := initialised(t).openWrapped(plan.wrap)
	spec := WalletSpec{Name: "cut", Network: nem.SymbolTestnet, Genesis: testGenesis}
	id := walletKeyID(spec.Genesis, spec.Network, spec.Name)
	plant(t, tok, walletLabel(spec.Network, spec.Name), id)
	destroy(t, tok, pkcs11.CKO_PRIVATE_KEY, id)
	before := len(mustList(t, tok))
	plan.set(func(operation string) *fault {
		if operation != "Sign" {
			return nil
		}
		return &fault{err: pkcs11.Error(pkcs11.CKR_FUNCTION_REJECTED)}
	})
	if _, err := tok.CreateWallet(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "remains") {
		t.Errorf("while nothing signs: %v", err)
	}
	plan.set(nil)
	if after := len(mustList(t, tok)); after != before {
		t.Errorf("%d objects, then %d", before, after)
	}
}

// TestInitialiseOverAPart: token init makes a key anew of which there is only a part,
// unless a journal or a sealed wallet may rest on it.
func TestInitialiseOverAPart(t *testing.T) {
	for _, key := range []struct {
		label string
		class uint
		plant func(*session) error
	}{
		{labelSealing, pkcs11.CKO_SECRET_KEY, func(s *session) error {
			id := generationID(1, [8]byte{1})
			template := with(s.sealingTemplate(id), []*pkcs11.Attribute{set(pkcs11.CKA_ENCRYPT, false)})
			return s.module.CreateObject(s.handle, append(template, attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES)), randomBytes(32))
		}},
		{labelLog, pkcs11.CKO_PRIVATE_KEY, func(s *session) error {
			id := generationID(1, [8]byte{1})
			template := with(s.logTemplate(id), []*pkcs11.Attribute{set(pkcs11.CKA_SIGN, false)})
			return s.module.CreateObject(s.handle, append(template, attribute(pkcs11.CKA_EC_PARAMS, edwardsOID)), randomBytes(seedSize))
		}},
	} {
		for _, rests := range []string{"nothing", "a journal", "a sealed wallet"} {
			t.Run(key.label+" and "+rests, func(t *testing.T) {
				b := newBench(t)
				if _, err := Initialise(t.Context(), b.config(), soPINOf(t, b.so)); err != nil {
					t.Fatal(err)
				}
				tok := b.open()
				if rests == "a journal" {
					if err := tok.BindGenesis(testGenesis); err != nil {
						t.Fatal(err)
					}
				}
				if rests == "a sealed wallet" {
					if err := os.WriteFile(blobPath(b.stateDir, "hot"), []byte("sealed"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				var before []identified
				if err := tok.do(t.Context(), "leave a part", func(s *session) error {
					found, err := s.labelled(key.class, key.label)
					for _, object := range found {
						err = errors.Join(err, s.module.DestroyObject(s.handle, object.handle))
					}
					err = errors.Join(err, key.plant(s))
					before, _ = s.labelled(key.class, key.label)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				if len(before) != 1 {
					t.Fatalf("%d objects are there before", len(before))
				}
				if err := tok.Close(); err != nil {
					t.Fatal(err)
				}
				setup, err := Initialise(t.Context(), b.config(), nil)
				if rests == "nothing" {
					if err != nil || !setup.Made {
						t.Fatalf("%+v, %v", setup, err)
					}
					if err := b.open().BindGenesis(testGenesis); err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, ErrUnsafeKey) || !strings.Contains(err.Error(), "cut off") {
					t.Errorf("%+v, %v", setup, err)
				}
			})
		}
	}
}
