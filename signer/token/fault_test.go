package token

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"filippo.io/edwards25519"
	"github.com/miekg/pkcs11"

	"kura/journal"
	"kura/nem"
)

// TestEveryOperationSurvivesEveryFault fails each call that an operation makes,
// once, with each error that means trouble, before and after its effect. The
// operation has to come out as if nothing had been.
func TestEveryOperationSurvivesEveryFault(t *testing.T) {
	b := initialised(t)
	plan := &faultPlan{}
	tok := b.openWrapped(plan.wrap)
	tok.pause = immediately
	ctx := context.Background()
	refs := []WalletRef{wallet(t, tok, "steady-token", nem.SymbolTestnet), wallet(t, tok, "steady-sealed", nem.NIS1Testnet)}
	made := 0
	create := func(network nem.Network) func(*testing.T) {
		return func(t *testing.T) {
			made++
			ref := wallet(t, tok, fmt.Sprintf("w%d", made), network)
			if _, err := tok.Sign(ctx, ref, []byte("made")); err != nil {
				t.Error(err)
			}
		}
	}
	sign := func(ref WalletRef) func(*testing.T) {
		return func(t *testing.T) {
			if _, err := tok.Sign(ctx, ref, []byte("signed under faults")); err != nil {
				t.Error(err)
			}
		}
	}
	operations := []struct {
		name  string
		calls []string
		run   func(*testing.T)
	}{
		{"sign in the token", []string{"Sign"}, sign(refs[0])},
		{"sign sealed", []string{"DecryptGCM"}, sign(refs[1])},
		{"sign a head", []string{"Sign"}, func(t *testing.T) {
			if _, err := tok.SignHead(ctx, logKeyOf(t, tok), []byte("head\n1\nx\n")); err != nil {
				t.Error(err)
			}
		}},
		{"create in the token", []string{"Find", "LoggedIn", "GenerateEd25519", "Attribute", "Sign"}, create(nem.SymbolTestnet)},
		{"create sealed", []string{"Random", "Find", "SealGCM", "Attribute", "DecryptGCM"}, create(nem.NIS1Testnet)},
		{"import into the token", []string{"Find", "CreateObject", "Attribute", "Sign"}, func(t *testing.T) {
			made++
			seed := seedOf(t, randomBytes(32))
			defer seed.Wipe()
			spec := WalletSpec{Name: fmt.Sprintf("w%d", made), Network: nem.SymbolTestnet, Genesis: testGenesis}
			ceremony, err := tok.ImportWallet(ctx, spec, seed)
			if err != nil {
				t.Fatal(err)
			}
			if !ceremony.Imported || ceremony.PublicKey != PublicKeyOf(spec.Network, seed).String() {
				t.Errorf("ceremony %+v", ceremony)
			}
		}},
		{"write the anchor", []string{"Find", "CreateObject", "DestroyObject", "Attribute"}, func(t *testing.T) {
			made++
			checkpoint := fmt.Sprintf("checkpoint %d", made)
			if err := tok.WriteAnchor(ctx, []byte(checkpoint)); err != nil {
				t.Fatal(err)
			}
			anchor, err := tok.ReadAnchor(ctx)
			if err != nil || string(anchor) != checkpoint {
				t.Errorf("anchor %q, %v; want %q", anchor, err, checkpoint)
			}
		}},
		{"health", []string{"TokenInfo", "LoggedIn", "Sign"}, func(t *testing.T) {
			if err := tok.Health(ctx); err != nil {
				t.Error(err)
			}
		}},
	}
	troubles := []pkcs11.Error{pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID}
	if os.Getenv("KURA_SOAK") != "" { // the campaign has the time for all that pkcs11.md, section 7, names
		troubles = append(troubles, pkcs11.CKR_DEVICE_MEMORY, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_RECOGNIZED,
			pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_SESSION_READ_ONLY_EXISTS, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	if err := tok.WriteAnchor(ctx, []byte("the first")); err != nil {
		t.Fatal(err)
	}
	for _, operation := range operations {
		for _, called := range operation.calls {
			for _, trouble := range troubles {
				for _, after := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%x/after=%t", operation.name, called, uint(trouble), after), func(t *testing.T) {
						fired := plan.once(called, &fault{err: trouble, after: after})
						operation.run(t)
						plan.set(nil)
						if !*fired {
							t.Errorf("%s was not called: the fault was never tried", called)
						}
					})
				}
			}
		}
	}
	reports, err := tok.List()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, report := range reports {
		if report.Kind == "wallet key" {
			ids[report.ID]++
		}
		if len(report.Problems) > 0 {
			t.Errorf("%s %q: %v", report.Kind, report.Label, report.Problems)
		}
	}
	for id, count := range ids {
		if count != 1 {
			t.Errorf("%d keys with CKA_ID %s: a fault after the effect made a second one", count, id)
		}
	}
}

// What pkcs11.md, section 7, says of each answer: which costs a session, which a
// handle, which the connection, and which asks the token whether it is there.
func TestAnswersOfTheToken(t *testing.T) {
	want := map[failure][]pkcs11.Error{
		failureHandle: {0x60, 0x82},
		failureDoubt:  {0x05},
		failureDevice: {0x30, 0x31, 0x32, 0xE0, 0xE1, 0x101, 0x190},
		failurePlain:  {0x10, 0x11, 0x40, 0x68, 0x70, 0xA0, 0xA4, 0x150},
	}
	for rv := pkcs11.Error(0xB0); rv <= 0xB8; rv++ {
		want[failureSession] = append(want[failureSession], rv)
	}
	for class, answers := range want {
		for _, rv := range answers {
			if got := failureOf(fmt.Errorf("sign: %w", rv)); got != class {
				t.Errorf("%v is taken for %d, not %d", rv, got, class)
			}
		}
	}
}

// An attribute that is missing once, or an object that goes while it is read, is the
// token's trouble and not the key's.
func TestHalfAnObjectIsReadAgain(t *testing.T) {
	b := initialised(t)
	plan := &faultPlan{}
	tok := b.openWrapped(plan.wrap)
	tok.pause = immediately
	ref := wallet(t, tok, "w", nem.SymbolTestnet)
	for _, trouble := range []error{errNoAttribute, attributeError(pkcs11.Error(pkcs11.CKR_ATTRIBUTE_VALUE_INVALID))} {
		tok.current.forgetKeys()
		fired := plan.once("Attribute", &fault{err: trouble})
		if _, err := tok.Sign(context.Background(), ref, []byte("m")); err != nil || !*fired {
			t.Errorf("%v (tried: %t): %v", trouble, *fired, err)
		}
	}
}

// seedOf puts a test's seed into locked memory.
func seedOf(t testing.TB, seed []byte) *Secret {
	t.Helper()
	secret, err := NewSecret(seedSize)
	if err != nil {
		t.Fatal(err)
	}
	shroud(func() { copy(secret.Bytes(), seed) })
	return secret
}

// A general error is the token's trouble only when the probe fails too.
func TestGeneralErrorIsProbed(t *testing.T) {
	b := initialised(t)
	plan := &faultPlan{}
	tok := b.openWrapped(plan.wrap)
	tok.pause = immediately
	ctx := context.Background()
	ref := wallet(t, tok, "w", nem.SymbolTestnet)
	plan.once("Sign", &fault{err: pkcs11.Error(pkcs11.CKR_GENERAL_ERROR)})
	if _, err := tok.Sign(ctx, ref, []byte("m")); !errors.Is(err, pkcs11.Error(pkcs11.CKR_GENERAL_ERROR)) || errors.Is(err, ErrUnavailable) {
		t.Errorf("a refused call on a token that answers: %v", err)
	}
	failing := map[string]bool{"Sign": true, "TokenInfo": true}
	plan.set(func(operation string) *fault {
		if failing[operation] {
			delete(failing, operation)
			return &fault{err: pkcs11.Error(pkcs11.CKR_GENERAL_ERROR)}
		}
		return nil
	})
	if _, err := tok.Sign(ctx, ref, []byte("m")); err != nil {
		t.Errorf("after a recovery: %v", err)
	}
}

// While the token is gone callers wait, and are told why when their time is up.
func TestUnavailableSaysWhy(t *testing.T) {
	b := initialised(t)
	plan := &faultPlan{}
	tok := b.openWrapped(plan.wrap)
	ref := wallet(t, tok, "w", nem.SymbolTestnet)
	tok.pause = func(int) <-chan time.Time { return time.After(5 * time.Millisecond) }
	plan.set(func(operation string) *fault {
		if operation == "OpenSession" || operation == "Sign" {
			return &fault{err: pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT)}
		}
		return nil
	})
	absent := pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT)
	err := error(nil)
	// On a busy machine the time may be up before the token was asked: then there is more of it.
	for patience := 50 * time.Millisecond; !errors.Is(err, absent) && patience < time.Minute; patience *= 2 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err = tok.Sign(ctx, ref, []byte("m"))
		cancel()
		if known, _ := errors.AsType[*Error](err); known != ErrUnavailable {
			t.Fatalf("while the token is gone: %v", err)
		}
	}
	if !errors.Is(err, absent) {
		t.Errorf("while the token is gone, it is not said why: %v", err)
	}
	plan.set(nil)
	if _, err := tok.Sign(context.Background(), ref, []byte("m")); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// A PIN that is refused during a recovery is the end: one attempt, a mark on the
// disk, and no attempt by the next process either. It is the same whether the token
// refused it or let the process in and said that it had not.
func TestRefusedPINIsNeverTriedAgain(t *testing.T) {
	for _, refusal := range []pkcs11.Error{pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_INCORRECT} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%x/after=%t", uint(refusal), after), func(t *testing.T) { refusedPIN(t, refusal, after) })
		}
	}
}

func refusedPIN(t *testing.T, refusal pkcs11.Error, after bool) {
	b := initialised(t)
	plan := &faultPlan{}
	tok := b.openWrapped(plan.wrap)
	tok.pause = immediately
	ref := wallet(t, tok, "w", nem.SymbolTestnet)
	attempts := 0
	tok.connect = func() (cryptoki, error) {
		attempts++
		if after {
			in, err := connectModule(softHSM, b.label, tok.config.PIN)
			if err != nil {
				t.Error(err)
			} else if err := in.Close(); err != nil { // as connectModule does when C_Login fails
				t.Error(err)
			}
		}
		return nil, loginError(refusal)
	}
	plan.once("Sign", &fault{err: pkcs11.Error(pkcs11.CKR_DEVICE_ERROR)})
	for range 3 {
		if _, err := tok.Sign(context.Background(), ref, []byte("m")); !errors.Is(err, ErrPIN) {
			t.Errorf("with a refused PIN: %v", err)
		}
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	if attempts != 1 {
		t.Errorf("%d logins with a refused PIN", attempts)
	}
	if len(tok.config.PIN.bytes()) != 0 {
		t.Error("a refused PIN is still in memory")
	}
	if _, err := Open(context.Background(), b.config()); !errors.Is(err, ErrPIN) {
		t.Errorf("the next process: %v", err)
	}
	if err := os.Remove(refusedPINPath(b.stateDir)); err != nil {
		t.Fatal(err)
	}
	b.open()
}

func TestWrongPINIsTriedOnce(t *testing.T) {
	b := initialised(t)
	right := b.digits
	b.digits = "00112233445566778899aabbccddeeff"
	if _, err := Open(context.Background(), b.config()); !errors.Is(err, ErrPIN) || !errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)) {
		t.Errorf("a wrong PIN: %v", err)
	}
	b.digits = right
	if _, err := Open(context.Background(), b.config()); !errors.Is(err, ErrPIN) {
		t.Errorf("before the mark is removed: %v", err)
	}
	if err := os.Remove(refusedPINPath(b.stateDir)); err != nil {
		t.Fatal(err)
	}
	b.open()
}

// tamper changes what Sign gives.
type tamper struct {
	cryptoki
	sign func(real cryptoki, session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error)
}

func (d *tamper) Sign(session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error) {
	return d.sign(d.cryptoki, session, mechanism, key, message, signature)
}

func TestWrongSignatureIsWithheld(t *testing.T) {
	b := initialised(t)
	wrong := false
	tok := b.openWrapped(func(real cryptoki) cryptoki {
		return &tamper{real, func(real cryptoki, session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error) {
			n, err := real.Sign(session, mechanism, key, message, signature)
			if wrong {
				signature[40] ^= 1
			}
			return n, err
		}}
	})
	ctx := context.Background()
	ref := wallet(t, tok, "w", nem.SymbolTestnet)
	wrong = true
	if signature, err := tok.Sign(ctx, ref, []byte("m")); !errors.Is(err, ErrWrongSignature) || signature != (nem.Signature{}) {
		t.Errorf("a wallet's wrong signature: %s, %v", signature, err)
	}
	if c, err := journal.SignCheckpoint("kura", journal.EmptyHead(), func(key [32]byte, text []byte) ([64]byte, error) {
		return tok.SignHead(ctx, key, text)
	}, logKeyOf(t, tok)); !errors.Is(err, journal.ErrWrongSignature) || c != nil {
		t.Errorf("a head's wrong signature: %s, %v", c, err)
	}
	if err := tok.Health(ctx); !errors.Is(err, ErrWrongSignature) {
		t.Errorf("health: %v", err)
	}
}

// A token may sign with random nonces: every signature is right and none the
// same. The double takes the keys out of SoftHSM, by C_DigestKey
// (softhsm/README.md), and signs with its own nonce.
func TestRandomisedSignaturesAreNoticed(t *testing.T) {
	b := initialised(t)
	tok := b.openWrapped(func(real cryptoki) cryptoki {
		return &tamper{real, func(real cryptoki, session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error) {
			context := real.(*module).context
			err := context.DigestInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA512, nil)})
			if err == nil {
				err = context.DigestKey(session, key)
			}
			var secret []byte
			if err == nil {
				secret, err = context.DigestFinal(session)
			}
			if err != nil {
				return 0, err
			}
			return copy(signature, signRandomised(secret, message)), nil
		}}
	})
	if tok.Deterministic() {
		t.Error("randomised signatures were not noticed at Open")
	}
	ceremony, err := tok.CreateWallet(context.Background(), WalletSpec{Name: "w", Network: nem.SymbolTestnet, Genesis: testGenesis})
	if err != nil {
		t.Fatal(err)
	}
	if ceremony.Deterministic {
		t.Error("randomised signatures were not noticed at wallet creation")
	}
}

func signRandomised(secret, message []byte) []byte {
	scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(secret[:32])
	if err != nil {
		panic(err)
	}
	public := new(edwards25519.Point).ScalarBaseMult(scalar).Bytes()
	random := make([]byte, 64)
	_, _ = rand.Read(random)
	nonce, _ := new(edwards25519.Scalar).SetUniformBytes(random)
	commitment := new(edwards25519.Point).ScalarBaseMult(nonce).Bytes()
	hashed := sha512.Sum512(bytes.Join([][]byte{commitment, public, message}, nil))
	challenge, _ := new(edwards25519.Scalar).SetUniformBytes(hashed[:])
	signature := append(commitment, new(edwards25519.Scalar).MultiplyAdd(challenge, scalar, nonce).Bytes()...)
	if !ed25519.Verify(public, message, signature) {
		panic("the double signs wrongly")
	}
	return signature
}
