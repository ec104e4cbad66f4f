package token

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/pkcs11"
)

// ObjectReport is one object of the token as it reads back. It holds no secret.
type ObjectReport struct {
	Kind       string            `json:"kind"` // "log key", "sealing key", "wallet key", ... or "foreign"
	Label      string            `json:"label"`
	ID         string            `json:"id"` // CKA_ID in hex
	Attributes map[string]string `json:"attributes"`
	Problems   []string          `json:"problems"` // empty when nothing is wrong
}

// attributeNames are the attributes that reports show, in PKCS#11's names
// without the prefix. CKA_VALUE is not among them.
var attributeNames = []struct {
	kind uint
	name string
}{
	{pkcs11.CKA_CLASS, "CLASS"},
	{pkcs11.CKA_KEY_TYPE, "KEY_TYPE"},
	{pkcs11.CKA_TOKEN, "TOKEN"},
	{pkcs11.CKA_PRIVATE, "PRIVATE"},
	{pkcs11.CKA_MODIFIABLE, "MODIFIABLE"},
	{attributeCopyable, "COPYABLE"},
	{pkcs11.CKA_SENSITIVE, "SENSITIVE"},
	{pkcs11.CKA_ALWAYS_SENSITIVE, "ALWAYS_SENSITIVE"},
	{pkcs11.CKA_EXTRACTABLE, "EXTRACTABLE"},
	{pkcs11.CKA_NEVER_EXTRACTABLE, "NEVER_EXTRACTABLE"},
	{pkcs11.CKA_LOCAL, "LOCAL"},
	{pkcs11.CKA_SIGN, "SIGN"},
	{pkcs11.CKA_SIGN_RECOVER, "SIGN_RECOVER"},
	{pkcs11.CKA_VERIFY, "VERIFY"},
	{pkcs11.CKA_ENCRYPT, "ENCRYPT"},
	{pkcs11.CKA_DECRYPT, "DECRYPT"},
	{pkcs11.CKA_WRAP, "WRAP"},
	{pkcs11.CKA_UNWRAP, "UNWRAP"},
	{pkcs11.CKA_DERIVE, "DERIVE"},
	{pkcs11.CKA_EC_PARAMS, "EC_PARAMS"},
	{pkcs11.CKA_ALLOWED_MECHANISMS, "ALLOWED_MECHANISMS"},
	{pkcs11.CKA_APPLICATION, "APPLICATION"},
	{pkcs11.CKA_LABEL, "LABEL"},
	{pkcs11.CKA_ID, "ID"},
}

// mustHave are the attributes without which a key is not believed to be safe,
// whatever a token omits.
var mustHave = map[uint]bool{
	pkcs11.CKA_CLASS: true, pkcs11.CKA_TOKEN: true, pkcs11.CKA_PRIVATE: true,
	pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: true, pkcs11.CKA_SIGN: true,
}

// inspect reads an object back and compares it with the template it was made by.
func (s *session) inspect(handle pkcs11.ObjectHandle, template []*pkcs11.Attribute) (ObjectReport, error) {
	report := ObjectReport{Attributes: map[string]string{}}
	values := map[uint][]byte{}
	for _, shown := range attributeNames {
		value, err := s.module.Attribute(s.handle, handle, shown.kind)
		switch {
		case errors.Is(err, errNoAttribute), errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_SENSITIVE)):
			continue
		case err != nil:
			return ObjectReport{}, fmt.Errorf("read %s: %w", shown.name, err)
		}
		values[shown.kind] = value
		report.Attributes[shown.name] = attributeText(shown.kind, value)
	}
	report.Label, report.ID = report.Attributes["LABEL"], report.Attributes["ID"]
	report.Problems = s.problems(template, values)
	return report, nil
}

func (s *session) problems(template []*pkcs11.Attribute, values map[uint][]byte) []string {
	var found []string
	for _, want := range template {
		name := attributeName(want.Type)
		if name == "" {
			continue // CKA_VALUE of a data object is compared where it is used
		}
		value, present := values[want.Type]
		switch {
		case !present && (s.quirk.omits(want.Type) || !mustHave[want.Type]):
		case !present:
			found = append(found, fmt.Sprintf("%s is missing, it has to be %s", name, attributeText(want.Type, want.Value)))
		case bytes.Equal(value, want.Value):
		case want.Type == pkcs11.CKA_ALLOWED_MECHANISMS && len(value) == 0:
			// The token keeps no list; the single use (SIGN, DECRYPT) still holds.
		case want.Type == pkcs11.CKA_EC_PARAMS && (bytes.Equal(value, edwardsOID) || bytes.Equal(value, edwardsName)):
		case s.quirk.omits(want.Type):
		default:
			found = append(found, fmt.Sprintf("%s is %s, it has to be %s", name,
				attributeText(want.Type, value), attributeText(want.Type, want.Value)))
		}
	}
	return append(found, s.history(template, values)...)
}

// history is what the token says of a key's past, where it says anything: it was made
// in the token and could never be read. Only a wallet's key may come from outside.
func (s *session) history(template []*pkcs11.Attribute, values map[uint][]byte) (found []string) {
	var label []byte
	secret := false
	for _, want := range template {
		switch want.Type {
		case pkcs11.CKA_LABEL:
			label = want.Value
		case pkcs11.CKA_SENSITIVE:
			secret = true
		}
	}
	if !secret {
		return nil
	}
	no := func(kind uint) bool { return bytes.Equal(values[kind], []byte{0}) && !s.quirk.omits(kind) }
	if strings.HasPrefix(string(label), labelWallet+" ") && !bytes.Equal(values[pkcs11.CKA_LOCAL], []byte{1}) {
		return nil // shown as imported wherever it is
	}
	if no(pkcs11.CKA_LOCAL) {
		return []string{"LOCAL is false, it has to be true: the key was not made in the token"}
	}
	for _, kind := range []uint{pkcs11.CKA_ALWAYS_SENSITIVE, pkcs11.CKA_NEVER_EXTRACTABLE} {
		if no(kind) {
			found = append(found, attributeName(kind)+" is false, it has to be true: the key could be read before")
		}
	}
	return found
}

func attributeName(kind uint) string {
	for _, shown := range attributeNames {
		if shown.kind == kind {
			return shown.name
		}
	}
	return ""
}

// attributeText renders a value for people and for comparisons in ceremonies.
func attributeText(kind uint, value []byte) string {
	switch kind {
	case pkcs11.CKA_CLASS:
		names := map[uint64]string{
			pkcs11.CKO_DATA: "data", pkcs11.CKO_CERTIFICATE: "certificate", pkcs11.CKO_PUBLIC_KEY: "public key",
			pkcs11.CKO_PRIVATE_KEY: "private key", pkcs11.CKO_SECRET_KEY: "secret key",
		}
		if name, ok := names[ulong(value)]; ok {
			return name
		}
		return strconv.FormatUint(ulong(value), 10)
	case pkcs11.CKA_KEY_TYPE:
		names := map[uint64]string{
			pkcs11.CKK_RSA: "RSA", pkcs11.CKK_EC: "EC", keyTypeEdwards: "EC_EDWARDS",
			pkcs11.CKK_AES: "AES", pkcs11.CKK_GENERIC_SECRET: "GENERIC_SECRET",
		}
		if name, ok := names[ulong(value)]; ok {
			return name
		}
		return "0x" + strconv.FormatUint(ulong(value), 16)
	case pkcs11.CKA_LABEL, pkcs11.CKA_APPLICATION:
		return strings.ToValidUTF8(string(value), "?")
	case pkcs11.CKA_ID, pkcs11.CKA_EC_PARAMS:
		return hex.EncodeToString(value)
	case pkcs11.CKA_ALLOWED_MECHANISMS:
		var list []string
		for ; len(value) >= 8; value = value[8:] {
			list = append(list, "0x"+strconv.FormatUint(ulong(value[:8]), 16))
		}
		return strings.Join(list, " ")
	}
	if len(value) == 1 {
		return strconv.FormatBool(value[0] != 0)
	}
	return hex.EncodeToString(value)
}

// ulong reads a CK_ULONG, 8 bytes in this machine's order; anything else is no
// class, type or mechanism that is known.
func ulong(value []byte) uint64 {
	if len(value) != 8 {
		return ^uint64(0)
	}
	return binary.NativeEndian.Uint64(value)
}
