package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/term"

	"kura/statement"
)

// signer opens the key of this home: a private key file (its passphrase is asked
// for on the terminal), or, if the file holds a public key, the same key in
// ssh-agent, which is also the way to FIDO2 security keys and smart cards.
func (h *home) signer(cmd *cobra.Command) (ssh.Signer, error) {
	if h.key == "" {
		return nil, usagef("%s names no key, and this command signs", h.path(homeFileName))
	}
	text, err := os.ReadFile(h.key)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	defer clear(text)
	if public, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return agentSigner(cmd.Context(), public)
	}
	signer, err := statement.ParsePrivateKey(text, func() ([]byte, error) {
		return askSecret(cmd, fmt.Sprintf("Passphrase for %s: ", h.key))
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", h.key, err)
	}
	return signer, nil
}

// askSecret reads a line from the terminal without showing it.
func askSecret(cmd *cobra.Command, prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("the key has a passphrase and there is no terminal to ask for it; use ssh-agent: %w", err)
	}
	defer tty.Close()
	fmt.Fprint(cmd.ErrOrStderr(), prompt)
	defer fmt.Fprintln(cmd.ErrOrStderr())
	return term.ReadPassword(int(tty.Fd()))
}

func agentSigner(ctx context.Context, public ssh.PublicKey) (ssh.Signer, error) {
	want, err := statement.KeyOf(public)
	if err != nil {
		return nil, err
	}
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, errors.New("the home's key is a public key, so ssh-agent must hold the private one, but SSH_AUTH_SOCK is not set")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("asking ssh-agent: %w", err)
	}
	return statement.AgentKey(agent.NewClient(conn), want)
}
