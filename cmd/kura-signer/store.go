package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"kura/journal"
	"kura/journal/embedded"
	"kura/journal/postgres"
	"kura/signer"
)

// A store is a journal.Store that can be closed.
type store interface {
	journal.Store
	Close() error
}

// leaseOf is what the signers of a shared journal compete for; nil for the only signer of one.
func leaseOf(c JournalConfig, s store) (signer.Lease, error) {
	if !c.Shared {
		return nil, nil
	}
	lease, ok := s.(signer.Lease)
	if !ok {
		return nil, errors.New("a shared journal needs a store with a lease, which kind postgres is")
	}
	return lease, nil
}

func openStore(ctx context.Context, c JournalConfig) (s store, err error) {
	defer func() {
		if err != nil { // and a nil *postgres.Store is not yet a store that is nil
			s, err = nil, fmt.Errorf("open the journal's store: %w", err)
		}
	}()
	if c.Kind == journalEmbedded {
		return openEmbedded(ctx, c.Path)
	}
	dsn, err := c.readDSN()
	if err != nil {
		return nil, err
	}
	return postgres.Open(ctx, dsn)
}

// openEmbedded says what was cut off the end of the file: no later look finds it again.
func openEmbedded(ctx context.Context, path string) (store, error) {
	s, err := embedded.Open(path)
	if err != nil {
		return nil, err
	}
	if stray, err := s.Stray(ctx); err == nil && stray.Cut {
		slog.Warn("the journal's file had more than the journal", "file", path, "stray", stray.String())
	}
	return s, nil
}

// readDSN reads the service's connection string from where the configuration says.
func (j *JournalConfig) readDSN() (string, error) {
	if j.DSNCredential == "" {
		return readSecretLine(j.DSNFile)
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("journal.dsn_credential %q: CREDENTIALS_DIRECTORY is not set: the unit has no LoadCredential= line", j.DSNCredential)
	}
	return readSecretLine(filepath.Join(dir, j.DSNCredential))
}

// maxSecretLine bounds a connection string or password, in bytes.
const maxSecretLine = 4096

// readSecretLine reads one line from a file that nobody but its owner may read: it holds a password.
func readSecretLine(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0) //nolint:gosec // the operator's own, from the configuration
	if err != nil {
		return "", err
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	others := fs.FileMode(0o077)
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && filepath.Dir(path) == filepath.Clean(dir) {
		others = 0o037 // systemd lets the unit's user in by an access list, whose mask stands where the group's bits are
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&others != 0 {
		return "", fmt.Errorf("%s holds a password: it must be a file with mode 0600 or 0400, not %s", path, info.Mode())
	}
	b := make([]byte, maxSecretLine+1)
	n, err := f.Read(b)
	if err != nil || n > maxSecretLine {
		return "", errors.Join(fmt.Errorf("%s does not hold one line of 1 to %d bytes", path, maxSecretLine), err)
	}
	line := strings.TrimSuffix(string(b[:n]), "\n")
	if line == "" || strings.Contains(line, "\n") {
		return "", fmt.Errorf("%s does not hold one line of 1 to %d bytes", path, maxSecretLine)
	}
	return line, nil
}
