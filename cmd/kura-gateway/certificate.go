package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
)

// A certificate is the server's, which can be replaced while it serves.
type certificate struct {
	files   tlsConfig
	current atomic.Pointer[tls.Certificate]
}

// loadCertificate reads the server's certificate and key. A key that everybody on the machine can read is
// refused: it is nobody's any more.
func loadCertificate(files tlsConfig) (*certificate, error) {
	c := &certificate{files: files}
	return c, c.load()
}

func (c *certificate) load() error {
	info, err := os.Stat(c.files.Key)
	if err != nil {
		return fmt.Errorf("tls.key: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("tls.key: %s has mode %s, others must not reach it (chmod 0400)", c.files.Key, fs.FileMode.String(info.Mode()))
	}
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		return fmt.Errorf("tls.certificate and tls.key: %w", err)
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// reloadOn reads the files again at each signal. Files that do not load leave the old ones in use.
func (c *certificate) reloadOn(ctx context.Context, signals <-chan os.Signal, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			if err := c.load(); err != nil {
				log.Error("certificate not reloaded", "error", err.Error())
				continue
			}
			log.Info("certificate reloaded")
		}
	}
}

// loadPool reads the certificates that clients' must come from.
func loadPool(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in it")
	}
	return pool, nil
}
