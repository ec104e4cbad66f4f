package statement

import (
	"encoding/base64"
	"strings"

	"filippo.io/edwards25519"
	"golang.org/x/crypto/ssh"
)

// Key is a public key in canonical OpenSSH form, "ssh-ed25519 AAAA…": kind and
// base64, no comment. It is comparable: one key has one Key. The zero value is
// no key.
type Key string

// The kinds of keys that may sign statements.
const (
	keyEd25519   = ssh.KeyAlgoED25519
	keySKEd25519 = ssh.KeyAlgoSKED25519
	keyECDSA     = ssh.KeyAlgoECDSA256
)

const (
	maxKey         = 512
	maxApplication = 64
)

// ParseKey reads a key for a policy: exactly the first two fields of a .pub
// file. It refuses every kind but ssh-ed25519, sk-ssh-ed25519@openssh.com and
// ecdsa-sha2-nistp256, every encoding but the canonical one, and Ed25519 points
// of small order, for which anybody can sign. The error is an *[Error].
func ParseKey(text string) (Key, error) {
	const want = "want a public key such as \"ssh-ed25519 AAAA…\", without comment"
	if len(text) > maxKey {
		return "", refuse(CodeKeyMalformed, "", "%s; got %d bytes", want, len(text))
	}
	kind, encoded, _ := strings.Cut(text, " ")
	if err := checkKind(kind); err != nil {
		return "", err
	}
	if strings.Contains(encoded, " ") {
		return "", refuse(CodeKeyMalformed, "", "%s; got three fields or more", want)
	}
	wire, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", refuse(CodeKeyMalformed, "", "%s; the base64 does not decode", want)
	}
	public, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return "", refuse(CodeKeyMalformed, "", "%s; the key does not decode", want)
	}
	key, err := KeyOf(public)
	if err != nil {
		return "", err
	}
	if string(key) != text {
		return "", refuse(CodeKeyMalformed, "", "%s; this is not how ssh-keygen writes it", want)
	}
	if err := checkOrder(public); err != nil {
		return "", err
	}
	return key, nil
}

// KeyOf returns the Key of a public key of an accepted kind, such as an agent
// lists. The error is an *[Error].
func KeyOf(public ssh.PublicKey) (Key, error) {
	kind, wire := public.Type(), public.Marshal()
	if err := checkKind(kind); err != nil {
		return "", err
	}
	if kind == keySKEd25519 {
		if err := checkApplication(wire); err != nil {
			return "", err
		}
	}
	return Key(kind + " " + base64.StdEncoding.EncodeToString(wire)), nil
}

// Kind returns the key's first field, "ssh-ed25519".
func (k Key) Kind() string {
	kind, _, _ := strings.Cut(string(k), " ")
	return kind
}

// IsSecurityKey reports whether the key lives in a FIDO2 security key.
func (k Key) IsSecurityKey() bool { return k.Kind() == keySKEd25519 }

// Fingerprint returns "SHA256:" and 43 characters, as ssh-keygen -lf prints it.
func (k Key) Fingerprint() string {
	_, encoded, _ := strings.Cut(string(k), " ")
	wire, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	digest := HashText(string(wire))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(digest[:])
}

func (k Key) String() string { return string(k) }

// UnmarshalText reads a key as strictly as [ParseKey].
func (k *Key) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKey(string(text))
	return err
}

// checkKind refuses RSA, other curves, certificates, webauthn and whatever is
// yet to come.
func checkKind(kind string) error {
	switch kind {
	case keyEd25519, keySKEd25519, keyECDSA:
		return nil
	}
	return refuse(CodeKeyTypeRefused, "", "want a key of kind %s, %s or %s; got %s", keyEd25519, keySKEd25519, keyECDSA, Quote(kind, 40))
}

// checkApplication holds a security key to applications that a browser never
// hands a web page's request to: those that begin with "ssh:".
func checkApplication(wire []byte) error {
	var key struct {
		Kind        string
		Point       []byte
		Application string
	}
	if err := ssh.Unmarshal(wire, &key); err != nil {
		return refuse(CodeKeyMalformed, "", "the security key does not decode")
	}
	ok := strings.HasPrefix(key.Application, "ssh:") && len(key.Application) <= maxApplication
	for i := range len(key.Application) {
		ok = ok && '!' <= key.Application[i] && key.Application[i] <= '~'
	}
	if !ok {
		return refuse(CodeKeyMalformed, "", "want a security key whose application begins with \"ssh:\" and is at most %d printable characters; got %s",
			maxApplication, Quote(key.Application, 40))
	}
	return nil
}

// checkOrder refuses Ed25519 keys that are not the canonical encoding of a
// point of large order. It is done where keys enter a policy and not for each
// signature: a key that is in no policy counts for nothing.
func checkOrder(public ssh.PublicKey) error {
	if public.Type() == keyECDSA {
		return nil // its group has prime order
	}
	var key struct {
		Kind  string
		Point []byte
		Rest  []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(public.Marshal(), &key); err != nil {
		return refuse(CodeKeyMalformed, "", "the Ed25519 key does not decode")
	}
	point, err := new(edwards25519.Point).SetBytes(key.Point)
	if err != nil || string(point.Bytes()) != string(key.Point) {
		return refuse(CodeKeyMalformed, "", "want an Ed25519 key in its canonical encoding")
	}
	if new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return refuse(CodeKeyMalformed, "", "this Ed25519 key has small order: anybody can sign for it")
	}
	return nil
}
