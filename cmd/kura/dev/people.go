package dev

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// keyFileName is the private key in each home; the public one has .pub behind it.
const keyFileName = "id_ed25519"

// makeParty makes the home of somebody that the example policy names: an Ed25519 key as ssh-keygen
// would write it, without a passphrase (this is a development directory).
func makeParty(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("making %s's key: %w", name, err)
	}
	block, err := ssh.MarshalPrivateKey(private, name)
	if err != nil {
		return fmt.Errorf("encoding %s's key: %w", name, err)
	}
	file := filepath.Join(dir, keyFileName)
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	sshKey, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshKey))) + " " + name + "\n"
	return os.WriteFile(file+".pub", []byte(line), 0o644)
}

// publicKey reads "ssh-ed25519 AAAA…" from a home, without the comment.
func publicKey(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, keyFileName+".pub"))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return "", fmt.Errorf("%s holds no public key", filepath.Join(dir, keyFileName+".pub"))
	}
	return fields[0] + " " + fields[1], nil
}

func privateKey(dir string) (ssh.Signer, error) {
	text, err := os.ReadFile(filepath.Join(dir, keyFileName))
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(text)
}
