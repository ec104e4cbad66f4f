package dev

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// serviceRole is the role that dev makes for the signer in the owner's database.
const serviceRole = "kura_dev"

// ownerOf reads --journal. What was given is not repeated: there is a password in it.
func ownerOf(journal string) (*url.URL, error) {
	owner, err := url.Parse(journal)
	if err != nil || owner.Scheme != "postgres" && owner.Scheme != "postgresql" {
		return nil, errors.New("--journal: want postgres://OWNER:PASSWORD@HOST:PORT/DATABASE")
	}
	return owner, nil
}

// writeDSNs keeps the owner's connection string, and derives the service's: the
// same database, by a role that can only insert and select.
func (d *deployment) writeDSNs() error {
	owner, err := ownerOf(d.Journal)
	if err != nil {
		return err
	}
	password := rand.Text()
	service := *owner
	service.User = url.UserPassword(serviceRole, password)
	for name, text := range map[string]string{
		ownerDSN: owner.String(), serviceDSN: service.String(), servicePassword: password,
	} {
		if err := os.WriteFile(d.path(signerDir, name), []byte(text+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// migrate makes tables and role, as the database's owner. It runs before the
// signer's directory is given away, as the caller.
func (d *deployment) migrate(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, d.binary(signerBinary), "migrate", "--dsn-file", d.path(signerDir, ownerDSN),
		"--service-role", serviceRole, "--service-password-file", d.path(signerDir, servicePassword))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kura-signer migrate: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	// The signer's user gets this directory; the owner's rights are not for it.
	return os.Remove(d.path(signerDir, ownerDSN))
}
