// Package statementtest holds signers for the tests of every package that reads
// statements. Its keys are derived from names and protect nothing; only tests
// may import it.
package statementtest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"golang.org/x/crypto/ssh"

	"kura/statement"
)

// Signer returns the ssh-ed25519 key of this name, always the same.
func Signer(name string) ssh.Signer {
	seed := sha256.Sum256([]byte("kura test key " + name))
	return must(ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:])))
}

// ECDSASigner returns the ecdsa-sha2-nistp256 key of this name, always the same.
func ECDSASigner(name string) ssh.Signer {
	seed := sha256.Sum256([]byte("kura test key " + name))
	return must(ssh.NewSignerFromKey(must(ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:]))))
}

// Key returns the public key of a signer.
func Key(signer ssh.Signer) statement.Key { return must(statement.KeyOf(signer.PublicKey())) }

// ID returns an id born at unixMillis, the n-th of that moment.
func ID(unixMillis int64, n uint64) statement.ID {
	var random [10]byte
	binary.BigEndian.PutUint64(random[2:], n)
	return statement.NewID(unixMillis, random)
}

// SecurityKey imitates a FIDO2 security key (sk-ssh-ed25519@openssh.com) in
// software, as OpenSSH's PROTOCOL.u2f describes it.
type SecurityKey struct {
	Touched      bool
	UserVerified bool
	Counter      uint32 // counts up with every signature
	Application  string

	private ed25519.PrivateKey
}

// NewSecurityKey returns the security key of this name, which is touched and
// verifies no user.
func NewSecurityKey(name string) *SecurityKey {
	seed := sha256.Sum256([]byte("kura test security key " + name))
	return &SecurityKey{Touched: true, Application: "ssh:", private: ed25519.NewKeyFromSeed(seed[:])}
}

// PublicKey returns the public key with its application.
func (k *SecurityKey) PublicKey() ssh.PublicKey {
	return must(ssh.ParsePublicKey(ssh.Marshal(struct {
		Kind        string
		Point       []byte
		Application string
	}{ssh.KeyAlgoSKED25519, k.private.Public().(ed25519.PublicKey), k.Application})))
}

// Sign signs what an authenticator would: the application's hash, flags, counter
// and the data's hash.
func (k *SecurityKey) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	k.Counter++
	var flags byte
	if k.Touched {
		flags |= 0x01
	}
	if k.UserVerified {
		flags |= 0x04
	}
	attested := binary.BigEndian.AppendUint32([]byte{flags}, k.Counter)
	application, message := sha256.Sum256([]byte(k.Application)), sha256.Sum256(data)
	signed := append(append(application[:], attested...), message[:]...)
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(k.private, signed), Rest: attested}, nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
