package token

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
)

// cryptoki is everything this package asks of a module between one C_Initialize
// and the C_Finalize that Close makes. It is narrow so that tests can put a
// fault-injecting wrapper before it. Methods may be called from several goroutines,
// a session only by one at a time.
type cryptoki interface {
	// TokenInfo is C_GetTokenInfo: the only honest probe of a token's presence.
	TokenInfo() (pkcs11.TokenInfo, error)
	OpenSession() (pkcs11.SessionHandle, error)
	// LoggedIn reads the session's state: a process can be logged out behind its back.
	LoggedIn(pkcs11.SessionHandle) (bool, error)
	CloseSession(pkcs11.SessionHandle) error
	Find(session pkcs11.SessionHandle, template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error)
	// Attribute is one attribute's value; errNoAttribute where the object has none.
	Attribute(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, attribute uint) ([]byte, error)
	GenerateEd25519(session pkcs11.SessionHandle, public, private []*pkcs11.Attribute) error
	GenerateSecretKey(kind secretKind, attributes []*pkcs11.Attribute) error
	// CreateObject makes an object; CKA_VALUE is secret when that is not nil.
	CreateObject(session pkcs11.SessionHandle, attributes []*pkcs11.Attribute, secret []byte) error
	DestroyObject(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) error
	// Sign is C_SignInit and C_Sign with a mechanism without parameter.
	Sign(session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error)
	// SealGCM encrypts under the secret key with this CKA_ID.
	SealGCM(id, nonce, additional, plain []byte) ([]byte, error)
	// SealCBC encrypts with CKM_AES_CBC_PAD; what it returns is not authenticated.
	SealCBC(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, plain []byte) ([]byte, error)
	// DecryptGCM and DecryptCBC write into locked memory and return the length.
	DecryptGCM(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, nonce, additional, sealed, into []byte) (int, error)
	DecryptCBC(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, sealed, into []byte) (int, error)
	// Random fills into with the token's random numbers.
	Random(into []byte) error
	// Leak tries on a throw-away key what tokens are known to lose keys by, and says
	// what did it; "" for nothing. What comes out is dropped. It leaves objects and
	// operations on the session, for the caller to close.
	Leak(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) string
	Close() error
}

// errNoAttribute: the object has no such attribute, or the token does not know it.
var errNoAttribute = errors.New("no such attribute")

// secretKind is a kind of secret key that a token makes.
type secretKind uint8

const (
	secretAES256 secretKind = iota + 1
	secretHMAC512
)

// module is the real cryptoki.
type module struct {
	context *pkcs11.Ctx // function table only; crypto11 owns C_Initialize and C_Finalize
	crypto  *crypto11.Context
	native  native
	slot    uint
}

// modulesInUse holds the paths of modules that a connection of this process owns:
// a PKCS#11 library is initialised and logged in per process.
var (
	modulesMutex sync.Mutex
	modulesInUse = map[string]bool{}
)

func claimModule(path string) error {
	modulesMutex.Lock()
	defer modulesMutex.Unlock()
	if modulesInUse[path] {
		return fmt.Errorf("PKCS#11 module %s is in use in this process already: one token at a time", path)
	}
	modulesInUse[path] = true
	return nil
}

func releaseModule(path string) {
	modulesMutex.Lock()
	defer modulesMutex.Unlock()
	delete(modulesInUse, path)
}

// connectModule initialises the library, finds the token by its label and logs
// in with the PIN, once. A login that finds someone logged in already is refused:
// the PIN would not have been checked.
func connectModule(path, label string, pin *PIN) (cryptoki, error) {
	functions, err := loadNative(path)
	if err != nil {
		return nil, err
	}
	context := pkcs11.New(path)
	if context == nil {
		return nil, fmt.Errorf("load PKCS#11 module %s", path)
	}
	crypto, err := crypto11.Configure(&crypto11.Config{
		Path:              path,
		TokenLabel:        label,
		LoginNotSupported: true,
		MaxSessions:       2, // the one that keeps the login, and one to work with
		GCMIVLength:       gcmNonceSize,
	})
	if err != nil {
		return nil, fmt.Errorf("open token %q of %s: %w", label, path, err)
	}
	m := &module{context: context, crypto: crypto, native: functions}
	if err := m.enter(label, pin); err != nil {
		_ = m.Close() // what failed before is what is said
		return nil, err
	}
	return m, nil
}

func (m *module) enter(label string, pin *PIN) error {
	slots, err := slotsWithLabel(m.context, label)
	if err != nil {
		return err
	}
	if len(slots) != 1 {
		return fmt.Errorf("find token: %d tokens are labelled %q, it has to be exactly one", len(slots), label)
	}
	m.slot = slots[0]
	info, err := m.context.GetTokenInfo(m.slot)
	if err != nil {
		return fmt.Errorf("ask token %q: %w", label, err)
	}
	if err := errors.Join(mayLogin(info), checkStrength(m.context, m.slot, info, pin)); err != nil {
		return err
	}
	session, err := m.OpenSession()
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	// The login holds for every session of the process; crypto11 keeps one open.
	defer func() { _ = m.CloseSession(session) }() // the login does not end with it
	if err := m.native.login(session, pkcs11.CKU_USER, pin); err != nil {
		return loginError(err)
	}
	return nil
}

// slotsWithLabel lists the slots whose token carries the label. A slot that does
// not answer is passed over: another reader's trouble is not ours.
func slotsWithLabel(context *pkcs11.Ctx, label string) ([]uint, error) {
	slots, err := context.GetSlotList(true)
	if err != nil {
		return nil, fmt.Errorf("list slots: %w", err)
	}
	var found []uint
	for _, slot := range slots {
		info, err := context.GetTokenInfo(slot)
		if err == nil && strings.TrimRight(info.Label, " \x00") == label {
			found = append(found, slot)
		}
	}
	return found, nil
}

func (m *module) TokenInfo() (pkcs11.TokenInfo, error) { return m.context.GetTokenInfo(m.slot) }

func (m *module) OpenSession() (pkcs11.SessionHandle, error) {
	return m.context.OpenSession(m.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
}

func (m *module) LoggedIn(session pkcs11.SessionHandle) (bool, error) {
	info, err := m.context.GetSessionInfo(session)
	return err == nil && info.State == pkcs11.CKS_RW_USER_FUNCTIONS, err
}

func (m *module) CloseSession(session pkcs11.SessionHandle) error {
	return m.context.CloseSession(session)
}

func (m *module) Find(session pkcs11.SessionHandle, template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := m.context.FindObjectsInit(session, template); err != nil {
		return nil, err
	}
	var all []pkcs11.ObjectHandle
	for {
		some, _, err := m.context.FindObjects(session, 100)
		if err != nil {
			_ = m.context.FindObjectsFinal(session) // what failed before is what is said
			return nil, err
		}
		if len(some) == 0 {
			return all, m.context.FindObjectsFinal(session)
		}
		all = append(all, some...)
	}
}

func (m *module) Attribute(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, attribute uint) ([]byte, error) {
	values, err := m.context.GetAttributeValue(session, object, []*pkcs11.Attribute{{Type: attribute}})
	switch {
	case err != nil:
		return nil, attributeError(err)
	case len(values) != 1:
		return nil, errNoAttribute
	}
	return values[0].Value, nil
}

// attributeError reads the answer to a question for one attribute. SoftHSM answers
// CKR_ATTRIBUTE_VALUE_INVALID when the object's file goes while it reads it: the handle is stale.
func attributeError(err error) error {
	switch {
	case errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_TYPE_INVALID)):
		return errNoAttribute
	case errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_VALUE_INVALID)):
		return fmt.Errorf("%w: %w", pkcs11.Error(pkcs11.CKR_OBJECT_HANDLE_INVALID), err)
	}
	return err
}

func (m *module) GenerateEd25519(session pkcs11.SessionHandle, public, private []*pkcs11.Attribute) error {
	_, _, err := m.context.GenerateKeyPair(session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(mechanismEdwardsKeyPairGen, nil)}, public, private)
	return err
}

func (m *module) GenerateSecretKey(kind secretKind, attributes []*pkcs11.Attribute) error {
	cipher, bits := crypto11.CipherAES, 256
	if kind == secretHMAC512 {
		cipher, bits = crypto11.CipherGeneric, 512
	}
	set := crypto11.NewAttributeSet()
	for _, attribute := range attributes {
		set[attribute.Type] = attribute
	}
	_, err := m.crypto.GenerateSecretKeyWithAttributes(set, bits, cipher)
	return err
}

func (m *module) CreateObject(session pkcs11.SessionHandle, attributes []*pkcs11.Attribute, secret []byte) error {
	if secret == nil {
		_, err := m.context.CreateObject(session, attributes)
		return err
	}
	_, err := m.native.createObject(session, attributes, secret)
	return err
}

func (m *module) DestroyObject(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) error {
	return m.context.DestroyObject(session, object)
}

func (m *module) Sign(session pkcs11.SessionHandle, mechanism uint, key pkcs11.ObjectHandle, message, signature []byte) (int, error) {
	return m.native.sign(session, mechanism, key, message, signature)
}

// SealGCM goes through crypto11, whose Seal panics when the token refuses.
func (m *module) SealGCM(id, nonce, additional, plain []byte) (sealed []byte, err error) {
	key, err := m.crypto.FindKey(id, nil)
	if err != nil {
		return nil, fmt.Errorf("find the sealing key: %w", err)
	}
	aead, err := key.NewGCM()
	if err != nil {
		return nil, err
	}
	defer func() {
		if refused := recover(); refused != nil {
			sealed, err = nil, fmt.Errorf("seal: %v", refused)
		}
	}()
	return aead.Seal(nil, nonce, plain, additional), nil
}

func (m *module) SealCBC(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, plain []byte) ([]byte, error) {
	if err := m.context.EncryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_CBC_PAD, iv)}, key); err != nil {
		return nil, err
	}
	return m.context.Encrypt(session, plain)
}

func (m *module) DecryptGCM(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, nonce, additional, sealed, into []byte) (int, error) {
	return m.native.decryptGCM(session, key, nonce, additional, sealed, into)
}

func (m *module) DecryptCBC(session pkcs11.SessionHandle, key pkcs11.ObjectHandle, iv, sealed, into []byte) (int, error) {
	return m.native.decryptCBC(session, key, iv, sealed, into)
}

func (m *module) Random(into []byte) error {
	reader, err := m.crypto.NewRandomReader()
	if err != nil {
		return err
	}
	n, err := reader.Read(into)
	if err == nil && n != len(into) {
		err = fmt.Errorf("the token gave %d random bytes of %d", n, len(into))
	}
	return err
}

// What tokens are known to lose keys by. SoftHSM 2.6.1 does the first, NSS softokn 3.87 the second.
const (
	leakByDigest = "C_DigestKey answers with SHA-512 of an Ed25519 key's seed, which is the private key"
	leakByWrap   = "C_WrapKey hands a key that is not extractable out under any key of the caller's"
)

func (m *module) Leak(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) string {
	if wraps, err := m.context.GenerateKey(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, wrapperTemplate()); err == nil {
		for _, mechanism := range []uint{pkcs11.CKM_AES_KEY_WRAP, pkcs11.CKM_AES_KEY_WRAP_PAD, pkcs11.CKM_AES_CBC_PAD} {
			how := []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, wrapParameter(mechanism))}
			if _, err := m.context.WrapKey(session, how, wraps, object); err == nil {
				return leakByWrap
			}
		}
	}
	class, err := m.Attribute(session, object, pkcs11.CKA_CLASS)
	if err != nil || ulong(class) != pkcs11.CKO_PRIVATE_KEY {
		return "" // the hash of a secret key is not the key
	}
	err = m.context.DigestInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA512, nil)})
	if err == nil && m.context.DigestKey(session, object) == nil {
		return leakByDigest
	}
	return ""
}

// Close finalizes the library. No call may be in flight.
func (m *module) Close() error {
	err := m.crypto.Close()
	m.context.Destroy() // the function table; the library itself stays loaded
	return err
}
