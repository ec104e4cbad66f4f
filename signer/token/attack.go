package token

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/edwards25519"
	"github.com/miekg/pkcs11"

	"kura/nem"
)

// AttackRow is one route of theft: what was tried on which kind of key, what the
// token answered, and whether the key was in hand afterwards. Stolen is never
// guessed: what was taken is checked against the public key, or against something
// the key encrypted before.
type AttackRow struct {
	Attack string `json:"attack"`
	Object string `json:"object"`
	Answer string `json:"answer"`
	Stolen bool   `json:"stolen"`
}

// attackLabel begins the label of every object that Attack makes; it touches no other.
const attackLabel = "kura-attack"

// victim is a throw-away key with the very attributes that Kura's keys have.
type victim struct {
	object string // as rows name it
	handle pkcs11.ObjectHandle
	class  uint
	use    uint // the one mechanism it is for
	id     []byte

	publicKey nem.PublicKey // Ed25519
	mark      []byte        // a secret key: what it makes of noMessage, to know it by
}

// noMessage is what secret keys are known by, under a nonce that is all zero, too.
var noMessage [aes.BlockSize]byte

// attacker has what an intruder in the signer's host would have: the module, the
// PIN, and perhaps the security officer's.
type attacker struct {
	config  Config
	module  *module
	context *pkcs11.Ctx
	session pkcs11.SessionHandle
	quirk   quirk
	victims []*victim
	rows    []AttackRow
}

// Attack tries to steal throw-away keys by every known PKCS#11 route, then
// restarts the library and tries again, and destroys what it made. It needs a
// process of its own: the module must not be open. The routes of the security
// officer are tried when Config.SOPIN is given. An error means that the attack did
// not run to its end; what the token refused is a row.
func Attack(ctx context.Context, config Config) (rows []AttackRow, err error) {
	defer config.PIN.Wipe()
	defer config.SOPIN.Wipe()
	config, err = config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("attack: make the state directory: %w", err)
	}
	if err := checkRefusedPIN(config.StateDir); err != nil {
		return nil, err
	}
	if err := claimModule(config.Module); err != nil {
		return nil, err
	}
	defer releaseModule(config.Module)

	a := &attacker{config: config}
	if err := a.enter(); err != nil {
		return nil, fmt.Errorf("attack token %q: %w", config.Label, err)
	}
	defer func() {
		if a.module == nil {
			return
		}
		cleaning := a.destroy()
		a.leave()
		if err == nil && cleaning != nil {
			err = fmt.Errorf("attack token %q: destroy what was made: %w", config.Label, cleaning)
		}
	}()
	if err := a.trySOPIN(); err != nil {
		return nil, fmt.Errorf("attack token %q: as security officer: %w", config.Label, err)
	}
	if err := errors.Join(a.destroy(), a.makeVictims()); err != nil {
		return nil, fmt.Errorf("attack token %q: make throw-away keys: %w", config.Label, err)
	}
	if err := a.tryAll(ctx, ""); err != nil {
		return a.rows, err
	}
	a.leave()
	if err := a.enter(); err != nil {
		return a.rows, fmt.Errorf("attack token %q: restart: %w", config.Label, err)
	}
	if err := a.findVictims(); err != nil {
		return a.rows, fmt.Errorf("attack token %q: after the restart: %w", config.Label, err)
	}
	return a.rows, a.tryAll(ctx, " (after a restart)")
}

func (a *attacker) enter() error {
	leave, err := a.config.enter()
	if err != nil {
		return err
	}
	defer leave()
	connected, err := connectModule(a.config.Module, a.config.Label, a.config.PIN)
	if errors.Is(err, ErrPIN) {
		markRefusedPIN(a.config, err)
	}
	if err != nil {
		return err
	}
	a.module = connected.(*module)
	a.context = a.module.context
	info, err := a.module.TokenInfo()
	if err == nil {
		a.quirk = quirkOf(info)
		a.session, err = a.module.OpenSession()
	}
	if err != nil {
		a.leave()
	}
	return err
}

// trySOPIN holds the security officer's PIN to the token once, before the routes
// that use it again and again: refused, it is not tried a second time, for a token
// of hardware counts such attempts and erases itself.
func (a *attacker) trySOPIN() error {
	if !hasSO(a, nil) {
		return nil
	}
	info, err := a.module.TokenInfo()
	if err != nil {
		return fmt.Errorf("ask the token: %w", err)
	}
	if info.Flags&(pkcs11.CKF_SO_PIN_LOCKED|pkcs11.CKF_SO_PIN_FINAL_TRY) != 0 {
		return fmt.Errorf("log in: the token says that the SO PIN is locked or has one attempt left: %w", ErrPIN)
	}
	var refused error
	if answer, _ := a.loggedOut(func() (string, [][]byte) {
		if refused = a.module.native.login(a.session, pkcs11.CKU_SO, a.config.SOPIN); refused != nil {
			return "", nil
		}
		return said(a.context.Logout(a.session)), nil
	}); refused == nil && answer != said(nil) {
		return fmt.Errorf("log in and out: %s", answer)
	}
	if refused != nil {
		return loginError(refused)
	}
	return nil
}

func (a *attacker) leave() {
	_ = a.module.Close() // the routes have their answers
	a.module = nil
}

// renew replaces the session, which ends whatever operation a route left open
// and every session object it made.
func (a *attacker) renew() error {
	_ = a.context.CloseSession(a.session) // a route may have closed it
	session, err := a.module.OpenSession()
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	a.session = session
	return nil
}

func (a *attacker) tryAll(ctx context.Context, when string) error {
	for _, v := range a.victims {
		for _, route := range routes {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("attack: %w", err)
			}
			if route.fits != nil && !route.fits(a, v) {
				continue
			}
			answer, taken := route.try(a, v)
			stolen := false
			for _, candidate := range taken {
				stolen = stolen || v.isStolenBy(candidate)
			}
			a.rows = append(a.rows, AttackRow{Attack: route.name + when, Object: v.object, Answer: answer, Stolen: stolen})
			if err := a.renew(); err != nil {
				return fmt.Errorf("attack: after %q: %w", route.name, err)
			}
		}
	}
	return nil
}

func (a *attacker) makeVictims() error {
	ed25519Label, aesLabel := attackLabel+" ed25519", attackLabel+" aes"
	id := randomID()
	err := a.module.GenerateEd25519(a.session,
		a.quirk.without(ed25519PublicTemplate(ed25519Label, id, a.quirk.ecParams)),
		a.quirk.without(ed25519PrivateTemplate(ed25519Label, id)))
	if err := a.made("log or wallet key (Ed25519, generated)", mechanismEdDSA, id, err); err != nil {
		return err
	}
	id = randomID()
	if err := a.made("wallet key (Ed25519, imported)", mechanismEdDSA, id, a.importVictim(ed25519Label, id)); err != nil {
		return err
	}
	id = randomID()
	use := uint(pkcs11.CKM_AES_GCM)
	if a.quirk.noGCM {
		use = pkcs11.CKM_AES_CBC_PAD
	}
	err = a.module.GenerateSecretKey(secretAES256, a.quirk.without(secretTemplate(aesLabel, id, true, use)))
	if err := a.made("sealing key (AES-256)", use, id, err); err != nil {
		return err
	}
	if a.quirk.noGCM {
		id = randomID()
		use = pkcs11.CKM_SHA512_HMAC
		err = a.module.GenerateSecretKey(secretHMAC512, a.quirk.without(secretTemplate(attackLabel+" mac", id, false, use)))
		if err := a.made("sealing MAC key (HMAC-SHA512)", use, id, err); err != nil {
			return err
		}
	}
	return a.findVictims()
}

// made takes a throw-away key up among the victims. A token that has no such keys
// at all says so in a row.
func (a *attacker) made(object string, use uint, id []byte, err error) error {
	class := uint(pkcs11.CKO_SECRET_KEY)
	if use == mechanismEdDSA {
		class = pkcs11.CKO_PRIVATE_KEY
	}
	switch {
	case err == nil:
		a.victims = append(a.victims, &victim{object: object, class: class, use: use, id: id})
	case errors.Is(err, pkcs11.Error(pkcs11.CKR_MECHANISM_INVALID)), errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_VALUE_INVALID)):
		a.rows = append(a.rows, AttackRow{Attack: "make a throw-away key", Object: object, Answer: said(err)})
	default:
		return fmt.Errorf("%s: %w", object, err)
	}
	return nil
}

func (a *attacker) importVictim(label string, id []byte) error {
	seed, err := NewSecret(seedSize)
	if err != nil {
		return err
	}
	defer seed.Wipe()
	if err := fillRandom(seed.Bytes()); err != nil {
		return err
	}
	public := PublicKeyOf(nem.SymbolTestnet, seed)
	err = a.module.CreateObject(a.session, a.quirk.without(append(ed25519PublicTemplate(label, id, a.quirk.ecParams),
		attribute(pkcs11.CKA_EC_POINT, append([]byte{0x04, 0x20}, public[:]...)))), nil)
	if err != nil {
		return err
	}
	return a.module.CreateObject(a.session, a.quirk.without(append(ed25519PrivateTemplate(label, id),
		attribute(pkcs11.CKA_EC_PARAMS, a.quirk.ecParams))), seed.Bytes())
}

func randomID() []byte {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails: crypto/rand ends the process instead
	return id
}

// findVictims looks the victims' handles up and learns how to recognise their keys.
func (a *attacker) findVictims() error {
	for _, v := range a.victims {
		handle, err := a.one(v.class, v.id)
		if err != nil {
			return fmt.Errorf("%s: %w", v.object, err)
		}
		v.handle = handle
		if v.class == pkcs11.CKO_PRIVATE_KEY {
			public, err := a.one(pkcs11.CKO_PUBLIC_KEY, v.id)
			if err != nil {
				return fmt.Errorf("%s: public key: %w", v.object, err)
			}
			point, err := a.module.Attribute(a.session, public, pkcs11.CKA_EC_POINT)
			if err != nil {
				return fmt.Errorf("%s: public key: %w", v.object, err)
			}
			if v.publicKey, err = parsePoint(point); err != nil {
				return fmt.Errorf("%s: public key: %w", v.object, err)
			}
			continue
		}
		if v.mark, err = a.markOf(v); err != nil {
			return fmt.Errorf("%s: use it, to know it by: %w", v.object, err)
		}
	}
	return nil
}

// markOf has the token use a secret key.
func (a *attacker) markOf(v *victim) ([]byte, error) {
	switch v.use {
	case pkcs11.CKM_AES_GCM:
		return a.module.SealGCM(v.id, make([]byte, gcmNonceSize), nil, noMessage[:]) //nolint:gosec // one message under a throw-away key
	case pkcs11.CKM_AES_CBC_PAD:
		sealed, err := a.module.SealCBC(a.session, v.handle, make([]byte, cbcIVSize), noMessage[:])
		return sealed[:min(len(sealed), aes.BlockSize)], err // without the padding
	}
	mac := make([]byte, macSize)
	_, err := a.module.Sign(a.session, v.use, v.handle, noMessage[:], mac)
	return mac, err
}

func (a *attacker) one(class uint, id []byte) (pkcs11.ObjectHandle, error) {
	found, err := a.module.Find(a.session, []*pkcs11.Attribute{attribute(pkcs11.CKA_CLASS, class), attribute(pkcs11.CKA_ID, id)})
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d objects, not one: %w", len(found), ErrNoKey)
	}
	return found[0], nil
}

// isStolenBy tells whether what was taken holds the key: as a seed, as the
// expanded secret (SHA-512 of the seed), or as the secret key, at any offset.
func (v *victim) isStolenBy(taken []byte) bool {
	size := 32
	if v.use == pkcs11.CKM_SHA512_HMAC {
		size = sha512.Size // as GenerateSecretKey makes it
	}
	for start := 0; start+size <= len(taken); start++ {
		if v.isKey(taken[start : start+size]) {
			return true
		}
	}
	return false
}

func (v *victim) isKey(found []byte) bool {
	switch v.use {
	case mechanismEdDSA:
		if bytes.Equal(ed25519.NewKeyFromSeed(found)[32:], v.publicKey[:]) {
			return true
		}
		scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(found)
		return err == nil && bytes.Equal(new(edwards25519.Point).ScalarBaseMult(scalar).Bytes(), v.publicKey[:])
	case pkcs11.CKM_SHA512_HMAC:
		mac := hmac.New(sha512.New, found)
		mac.Write(noMessage[:])
		return bytes.Equal(mac.Sum(nil), v.mark)
	}
	block, err := aes.NewCipher(found)
	if err != nil {
		return false
	}
	if v.use == pkcs11.CKM_AES_CBC_PAD {
		var first [aes.BlockSize]byte
		block.Encrypt(first[:], noMessage[:])
		return bytes.Equal(first[:], v.mark)
	}
	aead, err := cipher.NewGCM(block)
	return err == nil && bytes.Equal(aead.Seal(nil, make([]byte, gcmNonceSize), noMessage[:], nil), v.mark)
}

// destroy removes every object whose label begins with attackLabel.
func (a *attacker) destroy() error {
	if err := a.renew(); err != nil {
		return err
	}
	objects, err := a.module.Find(a.session, []*pkcs11.Attribute{attribute(pkcs11.CKA_TOKEN, true)})
	if err != nil {
		return err
	}
	var failed error
	for _, object := range objects {
		label, err := a.module.Attribute(a.session, object, pkcs11.CKA_LABEL)
		if err != nil || !strings.HasPrefix(string(label), attackLabel) {
			continue
		}
		failed = errors.Join(failed, a.context.DestroyObject(a.session, object))
	}
	return failed
}
