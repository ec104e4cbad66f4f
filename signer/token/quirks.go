package token

import (
	"strings"

	"github.com/miekg/pkcs11"
)

// PKCS#11 names that the binding lacks.
const (
	actionProhibited           = pkcs11.Error(0x1B)
	keyTypeEdwards             = 0x40
	mechanismEdwardsKeyPairGen = 0x1055
	mechanismEdDSA             = 0x1057
	attributeCopyable          = 0x171
	attributeDestroyable       = 0x172
)

// quirk is what is known of one family of tokens. Whatever this package does
// differently for one token stands in this table and nowhere else.
type quirk struct {
	name         string
	manufacturer string // prefix of CK_TOKEN_INFO's manufacturerID; "" matches every token
	// software: the keys are files of this host, so the PIN has to be strong,
	// whatever the slot says of itself.
	software bool
	// ecParams is CKA_EC_PARAMS for Ed25519.
	ecParams []byte
	// omit lists attributes that its templates must not carry, or that it tells wrongly.
	omit []uint
	// noGCM: CKM_AES_GCM is listed or not, but cannot be used; seal with
	// AES-CBC-PAD and HMAC-SHA512.
	noGCM bool
}

var (
	edwardsOID  = []byte{0x06, 0x03, 0x2b, 0x65, 0x70}                                           // 1.3.101.112
	edwardsName = []byte{0x13, 0x0c, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9'} // PrintableString
)

// quirks is searched from the top; the last row matches every token.
var quirks = []quirk{
	{name: "SoftHSM", manufacturer: "SoftHSM project", software: true, ecParams: edwardsOID},
	// Softokn 3.87 leaves the tag out when it is asked how long a GCM ciphertext
	// will be, and then finds the buffer too small. It wraps keys that are not
	// extractable: Open refuses such a token without a reason. It calls no key local.
	{name: "NSS softokn", manufacturer: "Mozilla Foundation", software: true, ecParams: edwardsOID, noGCM: true,
		omit: []uint{attributeCopyable, attributeDestroyable, pkcs11.CKA_ALLOWED_MECHANISMS, pkcs11.CKA_MODIFIABLE, pkcs11.CKA_LOCAL}},
	{name: "opencryptoki", manufacturer: "IBM", software: true, ecParams: edwardsOID, noGCM: true,
		omit: []uint{attributeCopyable, attributeDestroyable, pkcs11.CKA_ALLOWED_MECHANISMS}},
	{name: "YubiHSM", manufacturer: "Yubico", ecParams: edwardsName,
		omit: []uint{attributeCopyable, attributeDestroyable, pkcs11.CKA_ALLOWED_MECHANISMS, pkcs11.CKA_MODIFIABLE}},
	{name: "standard", ecParams: edwardsOID},
}

func quirkOf(info pkcs11.TokenInfo) quirk {
	for _, row := range quirks {
		if strings.HasPrefix(info.ManufacturerID, row.manufacturer) {
			return row
		}
	}
	return quirks[len(quirks)-1]
}

// without drops from a template what the token cannot take.
func (q quirk) without(template []*pkcs11.Attribute) []*pkcs11.Attribute {
	kept := make([]*pkcs11.Attribute, 0, len(template))
	for _, attribute := range template {
		if !q.omits(attribute.Type) {
			kept = append(kept, attribute)
		}
	}
	return kept
}

func (q quirk) omits(attribute uint) bool {
	for _, omitted := range q.omit {
		if attribute == omitted {
			return true
		}
	}
	return false
}
