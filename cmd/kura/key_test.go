package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
)

// TestPrivateKeysOfOthersAreNotUsed: a private key that others than its owner may read is refused, by name and with
// what to do; a public one, which stands for a key in ssh-agent, may be anybody's.
func TestPrivateKeysOfOthersAreNotUsed(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "key")
	write := func(text []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	h, cmd := &home{key: name}, &cobra.Command{}
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o666: true, 0o610: true} {
		write(pem.EncodeToMemory(block), mode)
		_, err := h.signer(cmd)
		if refused != (err != nil) || refused && !strings.Contains(err.Error(), "chmod 600 "+name) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if _, err := (witnessFile{Genesis: "kura.example/main+" + strings.Repeat("0", 64) + "+AeGyuC86AEJGmHyw1Ji34LRUPit1PkrnHFn/BvtsMjN6", Key: name}).open(); refused != strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("a witness's key of mode %04o: %v", mode, err)
		}
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	write(ssh.MarshalAuthorizedKey(sshPublic), 0o644)
	t.Setenv("SSH_AUTH_SOCK", "")
	cmd.SetContext(t.Context())
	if _, err := h.signer(cmd); err == nil || !strings.Contains(err.Error(), "ssh-agent") {
		t.Errorf("a public key for everybody: %v", err)
	}
}
