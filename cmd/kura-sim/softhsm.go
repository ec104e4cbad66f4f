package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"kura/signer/token"
)

// modules are where Linux distributions put SoftHSM; the first is Debian's.
var modules = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
}

// findModule finds SoftHSM, or says how to get it.
func findModule(candidates []string) (string, error) {
	at := slices.IndexFunc(candidates, func(path string) bool {
		_, err := os.Stat(path)
		return !errors.Is(err, fs.ErrNotExist)
	})
	if at < 0 {
		return "", exit(exitAbsent, errors.New("SoftHSM is not installed, and a robbery is played with a real token: apt-get install -y softhsm2"))
	}
	return candidates[at], nil
}

// makeToken sets a throw-away SoftHSM token up in dir and opens it.
func makeToken(ctx context.Context, module, dir string, log *slog.Logger) (*token.Token, error) {
	tokens, configuration, pinFile := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "token.pin")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n", tokens)
	if err := errors.Join(
		os.Mkdir(tokens, 0o700),
		os.WriteFile(configuration, []byte(text), 0o600),
		os.Setenv("SOFTHSM2_CONF", configuration), // SoftHSM reads it whenever a token is opened
	); err != nil {
		return nil, err
	}
	pin, err := token.NewPIN(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := pin.WriteFile(pinFile); err != nil {
		return nil, err
	}
	soPIN := func(bool) (*token.PIN, error) { return token.NewPIN(rand.Reader) } // nobody needs it again
	config := token.Config{
		Module: module, Label: "kura-sim", PIN: pin, StateDir: filepath.Join(dir, "keys"),
		AcceptLeakyToken: "a throw-away token of kura-sim: its keys are worth nothing", Log: log,
	}
	if _, err := token.Initialise(ctx, config, soPIN); err != nil {
		return nil, err
	}
	if config.PIN, err = token.ReadPINFile(pinFile); err != nil {
		return nil, err
	}
	return token.Open(ctx, config)
}
