package statement

import (
	"encoding/base64"
	"errors"
	"math/big"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// The flags of a FIDO2 authenticator that matter here.
const (
	flagUserPresent  = 0x01
	flagUserVerified = 0x04
)

const (
	armorBegin = "-----BEGIN SSH SIGNATURE-----\n"
	armorEnd   = "\n-----END SSH SIGNATURE-----"
	// Line lengths of the base64: OpenSSH's, and that of PEM libraries.
	armorWidth    = 70
	armorWidthPEM = 64
)

// verify checks that armored is a signature of text in this namespace, and
// returns the key that made it.
func verify(text, armored, namespace string) (Key, SK, error) {
	sig, err := parseSignature(armored)
	if err != nil {
		return "", SK{}, err
	}
	key, err := KeyOf(sig.PublicKey)
	if err != nil {
		return "", SK{}, err
	}
	if sig.HashAlgorithm != sshsig.HashSHA512 {
		return "", SK{}, refuse(CodeSignatureMalformed, "", "want a signature over sha512, got %s", Quote(string(sig.HashAlgorithm), 20))
	}
	if sig.Namespace != namespace {
		return "", SK{}, refuse(CodeNamespaceMismatch, "", "signed for %s; sign it with -n %s", Quote(sig.Namespace, 40), namespace)
	}
	sk, err := readFlags(key, sig.Signature)
	if err != nil {
		return "", SK{}, err
	}
	if err := sshsig.Verify(strings.NewReader(text), sig, sig.PublicKey, sshsig.HashSHA512, namespace); err != nil {
		return "", SK{}, refuse(CodeSignatureInvalid, "", "the signature is not that of key %s over this text", key.Fingerprint())
	}
	return key, sk, nil
}

// parseSignature reads an armored signature in the few forms that one signature
// may have.
func parseSignature(armored string) (*sshsig.Signature, error) {
	const want = "want the output of ssh-keygen -Y sign, from -----BEGIN SSH SIGNATURE----- to -----END SSH SIGNATURE-----"
	if len(armored) > MaxSignature {
		return nil, refuse(CodeTooLarge, "", "a signature of %d bytes; want at most %d", len(armored), MaxSignature)
	}
	sig, err := sshsig.Unarmor([]byte(armored))
	if err != nil {
		if errors.Is(err, sshsig.ErrUnsupportedHashAlgorithm) {
			return nil, refuse(CodeSignatureMalformed, "", "want a signature over sha512")
		}
		return nil, refuse(CodeSignatureMalformed, "", "%s", want)
	}
	// The library reads generously; that writing gives the same again is
	// what holds spacing, trailing bytes and reserved fields to one form.
	given := strings.TrimSuffix(armored, "\n")
	if wire := sig.Marshal(); given != armor(wire, armorWidth) && given != armor(wire, armorWidthPEM) {
		return nil, refuse(CodeSignatureMalformed, "", "%s, unchanged", want)
	}
	if err := checkBlob(sig.Signature); err != nil {
		return nil, err
	}
	return sig, nil
}

// armor wraps a signature's wire form into lines, without the final newline.
func armor(wire []byte, width int) string {
	encoded := base64.StdEncoding.EncodeToString(wire)
	var b strings.Builder
	b.WriteString(armorBegin)
	for len(encoded) > width {
		b.WriteString(encoded[:width])
		b.WriteByte('\n')
		encoded = encoded[width:]
	}
	b.WriteString(encoded)
	b.WriteString(armorEnd)
	return b.String()
}

// checkBlob holds what verification would read generously: the integers of an
// ECDSA signature to their shortest form, and what follows the signature to
// nothing, but for a security key's flags and counter.
func checkBlob(sig *ssh.Signature) error {
	switch sig.Format {
	case keyECDSA:
		var rs struct{ R, S *big.Int }
		if err := ssh.Unmarshal(sig.Blob, &rs); err != nil || string(ssh.Marshal(rs)) != string(sig.Blob) {
			return refuse(CodeSignatureMalformed, "", "want an ECDSA signature of two integers in their shortest form")
		}
	case keySKEd25519:
		return nil
	}
	if len(sig.Rest) != 0 {
		return refuse(CodeSignatureMalformed, "", "want nothing after the signature, got %d bytes", len(sig.Rest))
	}
	return nil
}

// readFlags returns what a security key attests, and refuses one that signed
// without being touched. The signature covers it, so it means something only
// once that has been verified.
func readFlags(key Key, sig *ssh.Signature) (SK, error) {
	if !key.IsSecurityKey() {
		return SK{}, nil
	}
	var attested struct {
		Flags   byte
		Counter uint32
	}
	if err := ssh.Unmarshal(sig.Rest, &attested); err != nil {
		return SK{}, refuse(CodeSignatureMalformed, "", "want a security key's flags and counter after its signature")
	}
	if attested.Flags&flagUserPresent == 0 {
		return SK{}, refuse(CodeTouchMissing, "", "the security key signed without being touched; make a key without no-touch-required")
	}
	return SK{Used: true, UserVerified: attested.Flags&flagUserVerified != 0, Counter: attested.Counter}, nil
}
