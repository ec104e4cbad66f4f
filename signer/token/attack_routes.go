package token

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// route is one way to take a key: try returns what the token answered and
// whatever bytes came into the attacker's hands.
type route struct {
	name string
	fits func(*attacker, *victim) bool // nil: every victim
	try  func(*attacker, *victim) (answer string, taken [][]byte)
}

// routes are the ways by which a key has come out of one token or another.
var routes = concat(
	[]route{
		{name: "read CKA_VALUE", try: readValue},
		weaken("EXTRACTABLE", pkcs11.CKA_EXTRACTABLE, true),
		weaken("SENSITIVE", pkcs11.CKA_SENSITIVE, false),
		weaken("WRAP_WITH_TRUSTED", pkcs11.CKA_WRAP_WITH_TRUSTED, false),
		weaken("DERIVE", pkcs11.CKA_DERIVE, true),
		weaken("MODIFIABLE", pkcs11.CKA_MODIFIABLE, true),
		{name: "C_CopyObject with weaker attributes", try: copyWeaker},
		wrapUnder("AES (CKM_AES_KEY_WRAP)", pkcs11.CKM_AES_KEY_WRAP, aesWrapper),
		wrapUnder("AES (CKM_AES_KEY_WRAP_PAD)", pkcs11.CKM_AES_KEY_WRAP_PAD, aesWrapper),
		wrapUnder("AES (CKM_AES_CBC_PAD)", pkcs11.CKM_AES_CBC_PAD, aesWrapper),
		wrapUnder("RSA (CKM_RSA_PKCS)", pkcs11.CKM_RSA_PKCS, rsaWrapper),
		{name: "wrap, then decrypt with a key that has both uses", try: wrapThenDecrypt},
		{name: "wrap under a key that the user calls trusted", try: wrapTrustedByUser},
	},
	digestRoutes(),
	deriveRoutes(),
	[]route{
		{name: "C_GetOperationState in the middle of a use", try: operationState},
		{name: "read as another session", try: readElsewhere},
		{name: "read as security officer", fits: hasSO, try: readAsSO},
		{name: "read without login", try: readLoggedOut},
		{name: "use a key against its attributes", try: useForbidden},
	},
)

func concat(lists ...[]route) []route {
	var all []route
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func hasSO(a *attacker, _ *victim) bool { return len(a.config.SOPIN.bytes()) > 0 }

// said renders the token's answer.
func said(err error) string {
	if err == nil {
		return "done"
	}
	if rv, ok := errors.AsType[pkcs11.Error](err); ok {
		if rv == actionProhibited {
			return "pkcs11: 0x1B: CKR_ACTION_PROHIBITED" // a 2.40 name that the binding lacks
		}
		return rv.Error()
	}
	return err.Error()
}

// take reads CKA_VALUE of an object.
func (a *attacker) take(object pkcs11.ObjectHandle) (string, [][]byte) {
	value, err := a.module.Attribute(a.session, object, pkcs11.CKA_VALUE)
	if err != nil {
		return said(err), nil
	}
	return fmt.Sprintf("done, %d bytes", len(value)), [][]byte{value}
}

func readValue(a *attacker, v *victim) (string, [][]byte) { return a.take(v.handle) }

// weaken changes one attribute, then tries to read and to wrap.
func weaken(name string, kind uint, value bool) route {
	return route{name: fmt.Sprintf("set %s to %t, then read", name, value), try: func(a *attacker, v *victim) (string, [][]byte) {
		err := a.context.SetAttributeValue(a.session, v.handle, []*pkcs11.Attribute{attribute(kind, value)})
		answer, taken := a.take(v.handle)
		if err != nil {
			return said(err), taken
		}
		return "changed; then " + answer, taken
	}}
}

func copyWeaker(a *attacker, v *victim) (string, [][]byte) {
	object, err := a.context.CopyObject(a.session, v.handle, []*pkcs11.Attribute{
		attribute(pkcs11.CKA_TOKEN, false), attribute(pkcs11.CKA_SENSITIVE, false), attribute(pkcs11.CKA_EXTRACTABLE, true),
		attribute(pkcs11.CKA_LABEL, attackLabel+" copy"),
	})
	if err != nil {
		return said(err), nil
	}
	answer, taken := a.take(object)
	return "copied; then " + answer, taken
}

// wrapper is a key of the attacker's: what wraps, and what opens again.
type wrapper func(a *attacker, extra ...*pkcs11.Attribute) (wraps, opens pkcs11.ObjectHandle, err error)

func aesWrapper(a *attacker, extra ...*pkcs11.Attribute) (wraps, opens pkcs11.ObjectHandle, err error) {
	key, err := a.context.GenerateKey(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, append(wrapperTemplate(), extra...))
	return key, key, err
}

// wrapperTemplate is an AES key of the attacker's, gone with its session.
func wrapperTemplate() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		attribute(pkcs11.CKA_VALUE_LEN, 32), attribute(pkcs11.CKA_TOKEN, false),
		attribute(pkcs11.CKA_WRAP, true), attribute(pkcs11.CKA_UNWRAP, true), attribute(pkcs11.CKA_DECRYPT, true),
		attribute(pkcs11.CKA_LABEL, attackLabel+" wrapper"),
	}
}

func rsaWrapper(a *attacker, extra ...*pkcs11.Attribute) (wraps, opens pkcs11.ObjectHandle, err error) {
	public := append([]*pkcs11.Attribute{
		attribute(pkcs11.CKA_TOKEN, false), attribute(pkcs11.CKA_WRAP, true), attribute(pkcs11.CKA_ENCRYPT, true),
		attribute(pkcs11.CKA_MODULUS_BITS, 2048), attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		attribute(pkcs11.CKA_LABEL, attackLabel+" wrapper"),
	}, extra...)
	private := []*pkcs11.Attribute{
		attribute(pkcs11.CKA_TOKEN, false), attribute(pkcs11.CKA_UNWRAP, true), attribute(pkcs11.CKA_DECRYPT, true),
		attribute(pkcs11.CKA_LABEL, attackLabel+" wrapper"),
	}
	return a.context.GenerateKeyPair(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil)}, public, private)
}

func wrapParameter(mechanism uint) any {
	if mechanism == pkcs11.CKM_AES_CBC_PAD {
		return make([]byte, cbcIVSize)
	}
	return nil
}

// unwrap wraps the victim and decrypts the result.
func (a *attacker) unwrap(v *victim, mechanism uint, make wrapper, extra ...*pkcs11.Attribute) (string, [][]byte) {
	wraps, opens, err := make(a, extra...)
	if err != nil {
		return "no wrapping key: " + said(err), nil
	}
	how := []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, wrapParameter(mechanism))}
	wrapped, err := a.context.WrapKey(a.session, how, wraps, v.handle)
	if err != nil {
		return said(err), nil
	}
	if err := a.context.DecryptInit(a.session, how, opens); err == nil {
		if plain, err := a.context.Decrypt(a.session, wrapped); err == nil {
			return "wrapped and decrypted", [][]byte{plain}
		}
	}
	// The mechanism may open keys only: make it a readable one.
	object, err := a.context.UnwrapKey(a.session, how, opens, wrapped, []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
		attribute(pkcs11.CKA_TOKEN, false), attribute(pkcs11.CKA_SENSITIVE, false), attribute(pkcs11.CKA_EXTRACTABLE, true),
	})
	if err != nil {
		return "wrapped, but not opened: " + said(err), nil
	}
	answer, taken := a.take(object)
	return "wrapped, unwrapped as readable; then " + answer, taken
}

func wrapUnder(name string, mechanism uint, make wrapper) route {
	return route{name: "C_WrapKey under the attacker's " + name, try: func(a *attacker, v *victim) (string, [][]byte) {
		return a.unwrap(v, mechanism, make)
	}}
}

func wrapThenDecrypt(a *attacker, v *victim) (string, [][]byte) {
	return a.unwrap(v, pkcs11.CKM_AES_CBC_PAD, aesWrapper, attribute(pkcs11.CKA_ENCRYPT, true))
}

func wrapTrustedByUser(a *attacker, v *victim) (string, [][]byte) {
	return a.unwrap(v, pkcs11.CKM_AES_KEY_WRAP_PAD, aesWrapper, attribute(pkcs11.CKA_TRUSTED, true))
}

// digestRoutes: SHA-512 of an Ed25519 seed is the secret itself; a digest of an
// AES key, or another digest of a seed, is not.
func digestRoutes() []route {
	var list []route
	for _, digest := range []struct {
		name      string
		mechanism uint
	}{
		{"MD5", pkcs11.CKM_MD5}, {"SHA-1", pkcs11.CKM_SHA_1}, {"SHA-224", pkcs11.CKM_SHA224}, {"SHA-256", pkcs11.CKM_SHA256},
		{"SHA-384", pkcs11.CKM_SHA384}, {"SHA-512", pkcs11.CKM_SHA512},
	} {
		list = append(list, route{name: "C_DigestKey with " + digest.name, try: func(a *attacker, v *victim) (string, [][]byte) {
			if err := a.context.DigestInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(digest.mechanism, nil)}); err != nil {
				return "C_DigestInit: " + said(err), nil
			}
			if err := a.context.DigestKey(a.session, v.handle); err != nil {
				return said(err), nil
			}
			sum, err := a.context.DigestFinal(a.session)
			if err != nil {
				return "C_DigestFinal: " + said(err), nil
			}
			return fmt.Sprintf("done, the digest's %d bytes", len(sum)), [][]byte{sum}
		}})
	}
	return list
}

// deriveRoutes turn the key into another that may be read. The data they mix in
// is zero, so that what is read holds the key as it is.
func deriveRoutes() []route {
	zeros := func(*attacker) ([]byte, error) { return stringData(make([]byte, 32)) }
	return []route{
		derive("CKM_EXTRACT_KEY_FROM_KEY", pkcs11.CKM_EXTRACT_KEY_FROM_KEY, func(*attacker) ([]byte, error) { return make([]byte, 8), nil }),
		derive("CKM_XOR_BASE_AND_DATA", pkcs11.CKM_XOR_BASE_AND_DATA, zeros),
		derive("CKM_CONCATENATE_BASE_AND_DATA", pkcs11.CKM_CONCATENATE_BASE_AND_DATA, zeros),
		derive("CKM_CONCATENATE_DATA_AND_BASE", pkcs11.CKM_CONCATENATE_DATA_AND_BASE, zeros),
		derive("CKM_CONCATENATE_BASE_AND_KEY", pkcs11.CKM_CONCATENATE_BASE_AND_KEY, func(a *attacker) ([]byte, error) {
			key, err := a.context.GenerateKey(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_GENERIC_SECRET_KEY_GEN, nil)}, []*pkcs11.Attribute{
				attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
				attribute(pkcs11.CKA_VALUE_LEN, 32), attribute(pkcs11.CKA_TOKEN, false), attribute(pkcs11.CKA_DERIVE, true),
				attribute(pkcs11.CKA_SENSITIVE, false), attribute(pkcs11.CKA_EXTRACTABLE, true),
			})
			return binary.NativeEndian.AppendUint64(nil, uint64(key)), err
		}),
		derive("CKM_AES_ECB_ENCRYPT_DATA", pkcs11.CKM_AES_ECB_ENCRYPT_DATA, zeros),
		derive("CKM_SHA512_KEY_DERIVATION", pkcs11.CKM_SHA512_KEY_DERIVATION, func(*attacker) ([]byte, error) { return nil, nil }),
	}
}

func derive(name string, mechanism uint, parameter func(*attacker) ([]byte, error)) route {
	return route{name: "C_DeriveKey by " + name, try: func(a *attacker, v *victim) (string, [][]byte) {
		bytes, err := parameter(a)
		if err != nil {
			return "no parameter: " + said(err), nil
		}
		object, err := a.context.DeriveKey(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, bytes)}, v.handle, []*pkcs11.Attribute{
			attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
			attribute(pkcs11.CKA_VALUE_LEN, 32), attribute(pkcs11.CKA_TOKEN, false),
			attribute(pkcs11.CKA_SENSITIVE, false), attribute(pkcs11.CKA_EXTRACTABLE, true),
			attribute(pkcs11.CKA_LABEL, attackLabel+" derived"),
		})
		if err != nil {
			return said(err), nil
		}
		answer, taken := a.take(object)
		return "derived; then " + answer, taken
	}}
}

// attackData is memory that C may be pointed at: locked pages do not move.
var attackData *Secret

// stringData is a CK_KEY_DERIVATION_STRING_DATA: a pointer to data and its length.
func stringData(data []byte) ([]byte, error) {
	if attackData == nil {
		var err error
		if attackData, err = NewSecret(64); err != nil {
			return nil, err
		}
	}
	n := copy(attackData.Bytes(), data)
	address := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(attackData.Bytes())))) //nolint:gosec // mapped memory, which no collector moves
	parameter := binary.NativeEndian.AppendUint64(nil, address)
	return binary.NativeEndian.AppendUint64(parameter, uint64(n)), nil
}

// operationState asks for the state of a use of the key, which may hold it.
func operationState(a *attacker, v *victim) (string, [][]byte) {
	var err error
	switch v.use {
	case pkcs11.CKM_AES_GCM:
		parameters := pkcs11.NewGCMParams(make([]byte, gcmNonceSize), nil, gcmTagSize*8)
		defer parameters.Free()
		err = a.context.EncryptInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(v.use, parameters)}, v.handle)
	case pkcs11.CKM_AES_CBC_PAD:
		err = a.context.EncryptInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(v.use, make([]byte, cbcIVSize))}, v.handle)
	default:
		err = a.context.SignInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(v.use, nil)}, v.handle)
	}
	if err != nil {
		return "begin its use: " + said(err), nil
	}
	state, err := a.context.GetOperationState(a.session)
	if err != nil {
		return said(err), nil
	}
	return fmt.Sprintf("done, %d bytes", len(state)), [][]byte{state}
}

// readElsewhere reads from a second, read-only session.
func readElsewhere(a *attacker, v *victim) (string, [][]byte) {
	other, err := a.context.OpenSession(a.module.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return "C_OpenSession: " + said(err), nil
	}
	defer func() { _ = a.context.CloseSession(other) }() // the route has its answer
	mine := a.session
	a.session = other
	defer func() { a.session = mine }()
	return a.take(v.handle)
}

// loggedOut runs f after a logout and logs in again with the PIN, which this
// process knows to be right.
func (a *attacker) loggedOut(f func() (string, [][]byte)) (string, [][]byte) {
	leave, err := a.config.enter()
	if err != nil {
		return err.Error(), nil
	}
	defer leave()
	if err := a.context.Logout(a.session); err != nil {
		return "C_Logout: " + said(err), nil
	}
	answer, taken := f()
	if err := a.module.native.login(a.session, pkcs11.CKU_USER, a.config.PIN); err != nil {
		answer += "; logging in again: " + said(err)
	}
	return answer, taken
}

// findAndRead is what someone does who has not seen the handle.
func (a *attacker) findAndRead(v *victim) (string, [][]byte) {
	answer, taken := a.take(v.handle)
	handle, err := a.one(v.class, v.id)
	if err != nil {
		return "by handle: " + answer + "; by search: " + said(err), taken
	}
	found, more := a.take(handle)
	return "by handle: " + answer + "; by search: " + found, append(taken, more...)
}

func readLoggedOut(a *attacker, v *victim) (string, [][]byte) {
	defer a.relocate(v)
	return a.loggedOut(func() (string, [][]byte) { return a.findAndRead(v) })
}

func readAsSO(a *attacker, v *victim) (string, [][]byte) {
	defer a.relocate(v)
	return a.loggedOut(func() (string, [][]byte) {
		if err := a.module.native.login(a.session, pkcs11.CKU_SO, a.config.SOPIN); err != nil {
			return "C_Login: " + said(err), nil
		}
		answer, taken := a.findAndRead(v)
		wrapped, more := a.unwrap(v, pkcs11.CKM_AES_KEY_WRAP_PAD, aesWrapper, attribute(pkcs11.CKA_TRUSTED, true), attribute(pkcs11.CKA_PRIVATE, false))
		if err := a.context.Logout(a.session); err != nil {
			answer += "; C_Logout: " + said(err)
		}
		return answer + "; wrapped under a trusted key: " + wrapped, append(taken, more...)
	})
}

// relocate finds the victims again: a logout makes handles of private objects void.
func (a *attacker) relocate(*victim) {
	for _, v := range a.victims {
		if handle, err := a.one(v.class, v.id); err == nil {
			v.handle = handle
		}
	}
}

// useForbidden tries the uses that the attributes deny. None gives the key
// itself; a token that goes along enforces no uses at all.
func useForbidden(a *attacker, v *victim) (string, [][]byte) {
	answer := ""
	note := func(use string, err error) { answer += use + ": " + said(err) + "; " }
	if v.class == pkcs11.CKO_PRIVATE_KEY {
		note("decrypt", a.context.DecryptInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)}, v.handle))
		note("sign with CKM_ECDSA", a.context.SignInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, v.handle))
		note("sign with a key made with SIGN=false", a.signWithoutSign())
		return answer[:len(answer)-2], nil
	}
	note("sign", a.context.SignInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_CMAC, nil)}, v.handle))
	note("decrypt with CKM_AES_ECB", a.context.DecryptInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_ECB, nil)}, v.handle))
	wraps, _, err := aesWrapper(a, attribute(pkcs11.CKA_EXTRACTABLE, true))
	if err == nil {
		_, err = a.context.WrapKey(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_WRAP, nil)}, v.handle, wraps)
	}
	note("wrap another key", err)
	return answer[:len(answer)-2], nil
}

func (a *attacker) signWithoutSign() error {
	id, label := randomID(), attackLabel+" mute"
	public, private := ed25519PublicTemplate(label, id, a.quirk.ecParams), ed25519PrivateTemplate(label, id)
	for _, template := range [][]*pkcs11.Attribute{public, private} {
		for _, x := range template {
			if x.Type == pkcs11.CKA_SIGN || x.Type == pkcs11.CKA_TOKEN {
				x.Value = []byte{0}
			}
		}
	}
	if err := a.module.GenerateEd25519(a.session, a.quirk.without(public), a.quirk.without(private)); err != nil {
		return fmt.Errorf("make it: %w", err)
	}
	handle, err := a.one(pkcs11.CKO_PRIVATE_KEY, id)
	if err != nil {
		return err
	}
	return a.context.SignInit(a.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanismEdDSA, nil)}, handle)
}
