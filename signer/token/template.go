package token

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// Labels (CKA_LABEL) of what Kura keeps in a token. Keys of one label are told
// apart by CKA_ID.
const (
	labelLog     = "kura-log"
	labelSealing = "kura-sealing"
	labelMAC     = "kura-sealing-mac" // only on tokens without AES-GCM
	labelWallet  = "kura-wallet"      // followed by network and name
	labelGenesis = "kura-genesis"
	labelAnchor  = "kura-anchor"

	application = "kura" // CKA_APPLICATION of data objects
)

func attribute(kind uint, value any) *pkcs11.Attribute { return pkcs11.NewAttribute(kind, value) }

// walletKeyID is the CKA_ID of a wallet's key: it binds the key to the genesis,
// the network and the name, so that a key is never found for another wallet.
func walletKeyID(genesis [32]byte, network nem.Network, name string) []byte {
	h := sha256.New()
	h.Write([]byte("kura wallet key 1\n"))
	h.Write(genesis[:])
	h.Write([]byte(network.String() + "\n" + name + "\n"))
	return h.Sum(nil)
}

func walletLabel(network nem.Network, name string) string {
	return labelWallet + " " + network.String() + " " + name
}

// generationID is the CKA_ID of log and sealing keys: a big-endian generation
// number, which orders them, and 8 random bytes, which tell keys of two tokens apart.
func generationID(generation uint64, random [8]byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, generation), random[:]...)
}

func generationOf(id []byte) (uint64, bool) {
	if len(id) != 16 {
		return 0, false
	}
	return binary.BigEndian.Uint64(id), true
}

func mechanisms(allowed ...uint) *pkcs11.Attribute {
	var list []byte
	for _, mechanism := range allowed {
		list = binary.NativeEndian.AppendUint64(list, uint64(mechanism))
	}
	return attribute(pkcs11.CKA_ALLOWED_MECHANISMS, list)
}

// keyTemplate holds what every key of Kura has: it stays in the token, is not
// shown, not copied, not changed, and has none of the uses that lead out.
func keyTemplate(label string, id []byte) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		attribute(pkcs11.CKA_TOKEN, true),
		attribute(pkcs11.CKA_PRIVATE, true),
		attribute(pkcs11.CKA_SENSITIVE, true),
		attribute(pkcs11.CKA_EXTRACTABLE, false),
		attribute(pkcs11.CKA_MODIFIABLE, false),
		attribute(attributeCopyable, false),
		attribute(pkcs11.CKA_DERIVE, false),
		attribute(pkcs11.CKA_UNWRAP, false),
		attribute(pkcs11.CKA_LABEL, label),
		attribute(pkcs11.CKA_ID, id),
	}
}

// ed25519PrivateTemplate is a private key that signs with CKM_EDDSA and does nothing else.
func ed25519PrivateTemplate(label string, id []byte) []*pkcs11.Attribute {
	return append(keyTemplate(label, id),
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
		attribute(pkcs11.CKA_KEY_TYPE, keyTypeEdwards),
		attribute(pkcs11.CKA_SIGN, true),
		attribute(pkcs11.CKA_SIGN_RECOVER, false),
		attribute(pkcs11.CKA_DECRYPT, false),
		mechanisms(mechanismEdDSA),
	)
}

func ed25519PublicTemplate(label string, id, ecParams []byte) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY),
		attribute(pkcs11.CKA_KEY_TYPE, keyTypeEdwards),
		attribute(pkcs11.CKA_TOKEN, true),
		attribute(pkcs11.CKA_PRIVATE, false),
		attribute(pkcs11.CKA_MODIFIABLE, false),
		attribute(pkcs11.CKA_VERIFY, true),
		attribute(pkcs11.CKA_ENCRYPT, false),
		attribute(pkcs11.CKA_WRAP, false),
		attribute(pkcs11.CKA_EC_PARAMS, ecParams),
		attribute(pkcs11.CKA_LABEL, label),
		attribute(pkcs11.CKA_ID, id),
	}
}

// secretTemplate is a secret key with exactly one use: to seal and open
// (encrypts), or to authenticate.
func secretTemplate(label string, id []byte, encrypts bool, mechanism uint) []*pkcs11.Attribute {
	return append(keyTemplate(label, id),
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		attribute(pkcs11.CKA_WRAP, false),
		attribute(pkcs11.CKA_ENCRYPT, encrypts),
		attribute(pkcs11.CKA_DECRYPT, encrypts),
		attribute(pkcs11.CKA_SIGN, !encrypts),
		attribute(pkcs11.CKA_VERIFY, !encrypts),
		mechanisms(mechanism),
	)
}

// dataTemplate is a private data object: readable only after login.
func dataTemplate(label string, value []byte) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_DATA),
		attribute(pkcs11.CKA_TOKEN, true),
		attribute(pkcs11.CKA_PRIVATE, true),
		attribute(pkcs11.CKA_MODIFIABLE, false),
		attribute(pkcs11.CKA_APPLICATION, application),
		attribute(pkcs11.CKA_LABEL, label),
		attribute(pkcs11.CKA_VALUE, value),
	}
}
