package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"kura/signer/rpc"
	"kura/signer/signertest"
)

// TestBackupAndRestore brings a sealed wallet back onto another token, in a successor journal, from two of three shares.
func TestBackupAndRestore(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	var lines strings.Builder
	identities := map[string]*age.X25519Identity{}
	for _, name := range []string{"ann", "ben", "cem"} {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		identities[name] = identity
		lines.WriteString(name + " " + identity.Recipient().String() + "\n")
	}
	x.write("custodians", lines.String())
	kept := filepath.Join(x.dir, "kept")
	x.must("wallet", "backup", "--config", x.config, "--custodians", filepath.Join(x.dir, "custodians"), "--threshold", "2", "--out", kept)
	checkpoint, err := x.gateway.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x.stop()

	y := install(t, "--predecessor", x.genesis.String(), "--predecessor-checkpoint", save(t, x.dir, "checkpoint", checkpoint.Checkpoint))
	args := []string{"wallet", "restore", "--config", y.config, "--contents", filepath.Join(kept, "contents.age"), "--present", "ann"}
	for _, name := range []string{"ann", "cem"} {
		file, err := os.ReadFile(filepath.Join(kept, "share-"+name+".age"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := age.Decrypt(bytes.NewReader(file), identities[name])
		if err != nil {
			t.Fatal(err)
		}
		share, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if name == "cem" {
			if _, stderr, code := y.run(args...); code == exitOK {
				t.Errorf("one share restored: %s", stderr)
			}
		}
		args = append(args, "--share", save(t, y.dir, name, share))
	}
	for range 2 { // the second time there is nothing left to do
		if out := y.must(args...); !strings.Contains(out, x.wallets[signertest.XEM].Address) {
			t.Errorf("restore:\n%s", out)
		}
	}
	y.start("")
	wallets, err := y.admin.ListWallets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := x.wallets[signertest.XEM]
	if len(wallets) != 1 || wallets[0].PublicKey != want.PublicKey || wallets[0].State != "active" {
		t.Errorf("after the restore: %+v", wallets)
	}
	if _, err := y.admin.CreateWallet(t.Context(), rpc.NewWallet{ID: want.ID, Network: want.Network, Present: []string{"ann"}}); err == nil {
		t.Error("a wallet was made over the restored one")
	}
}

func save(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
