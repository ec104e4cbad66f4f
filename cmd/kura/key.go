package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

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
	text, exposed, err := readKey(h.key)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	defer clear(text)
	if public, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return agentSigner(cmd.Context(), public)
	}
	if exposed != nil {
		return nil, exposed
	}
	signer, err := statement.ParsePrivateKey(text, func() ([]byte, error) {
		return askSecret(cmd, fmt.Sprintf("Passphrase for %s: ", h.key))
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", h.key, err)
	}
	return signer, nil
}

// maxKey bounds the file of a key, in bytes.
const maxKey = 64 << 10

// readKey reads the file of a key. If it is a private one, it is not to be used where exposed says why: others than the
// user whose file it is may read it, so it may be theirs by now. (ssh refuses the same. A file of another owner, as
// container platforms hand secrets over, is that owner's concern.)
func readKey(name string) (text []byte, exposed, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if text, err = io.ReadAll(io.LimitReader(f, maxKey+1)); err != nil {
		return nil, nil, err
	}
	if len(text) > maxKey {
		return nil, nil, fmt.Errorf("%s has more than %d bytes: it is no key", name, maxKey)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(owner.Uid) == os.Geteuid() && info.Mode().Perm()&0o077 != 0 {
		exposed = fmt.Errorf("%s has mode %04o, and a private key that others may read is not used: close it (chmod 600 %[1]s), and replace the key if somebody could have read it", name, info.Mode().Perm())
	}
	return text, exposed, nil
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
