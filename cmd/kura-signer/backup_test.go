package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/go-json-experiment/json"

	"kura/audit"
	"kura/cmd/kura-signer/host"
	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
	"kura/ledger"
	"kura/nem"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/signer/token/backup"
	"kura/statement"
)

// custodians are three people with age identities.
type custodians struct {
	identities map[string]*age.X25519Identity
	flags      []string
}

func newCustodians(t *testing.T) custodians {
	t.Helper()
	c := custodians{identities: map[string]*age.X25519Identity{}}
	for _, name := range []string{"ann", "ben", "cem"} {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		c.identities[name] = identity
		c.flags = append(c.flags, "--recipient", name+"="+identity.Recipient().String())
	}
	return c
}

// share decrypts a custodian's share with nothing of Kura.
func (c custodians) share(t *testing.T, backupPath, name string) []byte {
	t.Helper()
	var f backupFile
	text, err := os.ReadFile(backupPath)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Shares {
		if s.Custodian != name {
			continue
		}
		r, err := age.Decrypt(armor.NewReader(strings.NewReader(s.Share)), c.identities[name])
		if err != nil {
			t.Fatal(err)
		}
		share, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return share
	}
	t.Fatalf("%s has no share", name)
	return nil
}

// TestBackupAndRestore loses token, journal and everything else of an installation, and goes on in a successor journal
// from two of three custodians' shares: with the old policy, after the wait, from the same address.
func TestBackupAndRestore(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	if a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small)); a.State != rpc.StateSigned {
		t.Fatalf("before the loss: %s", a.State)
	}
	people := newCustodians(t)
	kept := filepath.Join(t.TempDir(), "kura.backup")
	out := x.must(append([]string{"wallet", "backup", "--config", x.config, "--need", "2", "--out", kept}, people.flags...)...)
	contains, misses, ok := strings.Cut(out, "It does not contain")
	if xem, xym := x.wallets[signertest.XEM].Address, x.wallets[signertest.XYM].Address; !ok || !strings.Contains(contains, xem) || !strings.Contains(misses, xym) {
		t.Errorf("wallet backup says\n%s", out)
	}
	if _, stderr, code := x.run(append([]string{"wallet", "backup", "--config", x.config, "--need", "2", "--out", kept}, people.flags...)...); code == exitOK {
		t.Errorf("a backup was replaced: %s", stderr)
	}
	for _, wrong := range []struct{ name, says string }{{signertest.XYM, "is not sealed"}, {"nobody", "there is no wallet"}, {signertest.XEM, "is named twice"}} {
		args := append([]string{"wallet", "backup", "--config", x.config, "--need", "2", "--out", kept + "." + wrong.name, "--name", signertest.XEM, "--name", wrong.name}, people.flags...)
		if _, stderr, code := x.run(args...); code == exitOK || !strings.Contains(stderr, wrong.says) {
			t.Errorf("wallet backup of %s and %s: exit %d\n%s", signertest.XEM, wrong.name, code, stderr)
		}
		if _, err := os.Stat(kept + "." + wrong.name); err == nil {
			t.Errorf("a backup that failed is there: %s", wrong.name)
		}
	}
	printed, stderr, code := x.run(append([]string{"wallet", "backup", "--config", x.config, "--need", "2", "--out", "-"}, people.flags...)...)
	if f, err := parseBackup([]byte(printed)); err != nil || code != exitOK || len(f.Wallets) != 1 || !strings.Contains(stderr, "on standard output: any 2 of 3") {
		t.Errorf("a backup on standard output: exit %d, %v\n%s", code, err, stderr)
	}
	x.stop()
	before := x.export(t)
	checkpoint := save(t, x.dir, "last", before.checkpoint)

	// Everything but the backup, the policy and that checkpoint is gone.
	for _, name := range []string{"tokens", "state", "journal", "anchor", "pin"} {
		if err := os.RemoveAll(filepath.Join(x.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"state", "tokens"} {
		if err := os.Mkdir(filepath.Join(x.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	x.must("token", "init", "--config", x.config)

	lost := x.genesis.String()
	verdict := func(who string) string {
		return string(x.Sign(who, x.Verdict(statement.Approve, x.Force.Hash(), statement.HashText(string(before.checkpoint)))).Encode())
	}
	policyPath := save(t, x.dir, "policy-in-force", x.Force.Text())
	restore := func(verdicts []string, more ...string) []string {
		return append([]string{
			"restore", "--config", x.config, "--backup", kept, "--present", "ann", "--policy", policyPath,
			"--policy-hash", x.Force.Hash().String(), "--predecessor", lost, "--predecessor-checkpoint", checkpoint,
			"--verdicts", save(t, x.dir, "succession", []byte(strings.Join(verdicts, "\n")+"\n")),
		}, more...)
	}
	ann := save(t, x.dir, "ann.share", people.share(t, kept, "ann"))
	cem := save(t, x.dir, "cem.identity", []byte(people.identities["cem"].String()+"\n"))
	if _, stderr, code := x.run(restore([]string{verdict("alice")}, "--share", ann, "--identity", cem)...); code == exitOK {
		t.Errorf("one director opened a successor: %s", stderr)
	}
	quorum := []string{verdict("alice"), verdict("bob")}
	if _, stderr, code := x.run(restore(quorum, "--share", ann)...); code == exitOK || !strings.Contains(stderr, "nothing was changed") {
		t.Errorf("one custodian restored: %s", stderr)
	}
	if list := x.must("token", "list", "--config", x.config); strings.Contains(list, "kura-genesis") {
		t.Errorf("too few custodians, and a successor was founded:\n%s", list)
	}
	for range 2 { // the second finds nothing left to do
		out = x.must(restore(quorum, "--share", ann, "--identity", cem)...)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	next, err := journal.ParseGenesis(lines[len(lines)-1])
	if err != nil || !strings.Contains(out, "restored      "+signertest.XEM) || !strings.Contains(out, "not restored  "+signertest.XYM) {
		t.Fatalf("restore says, %v\n%s", err, out)
	}

	// The daemon serves the successor, refuses the old journal's statements, and signs nothing yet.
	replayed := x.Withdrawal(x.wallets[signertest.XEM], signertest.Small)
	x.genesis, x.Journal = next, statement.Hash(next.Hash)
	x.start("")
	if _, stderr, code := x.run(restore(quorum, "--share", ann, "--identity", cem)...); code != exitBusy {
		t.Errorf("a restore beside a running signer: exit %d\n%s", code, stderr)
	}
	if _, err := x.gateway.Submit(t.Context(), x.Sign("shop", replayed).Encode(), 0); err == nil {
		t.Error("a statement for the old journal was taken")
	}
	if r, err := x.admin.Ready(t.Context()); err != nil || !slices.ContainsFunc(r.Reasons, func(why rpc.Reason) bool { return why.Code == ledger.CodePredecessorAlive }) {
		t.Errorf("the signer does not say that it waits: %v, %+v", err, r)
	}
	a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small))
	if a.State != rpc.StateDenied || a.Decision.Code != ledger.CodePredecessorAlive {
		t.Errorf("at once: %s %+v", a.State, a.Decision)
	}
	x.stop()

	x.payLater(t)
	after := x.export(t)
	r, err := audit.Verify(t.Context(), bytes.NewReader(after.bytes), audit.Options{Genesis: next.String(), Predecessor: bytes.NewReader(before.bytes)})
	if err != nil || !r.OK || r.Counts.Signatures != 1 {
		t.Errorf("the successor: %v, %+v, %v", err, r, r.Failure)
	}
}

// payLater runs a signer on what was restored, under a clock that leaps, and pays from the restored wallet.
func (x *installation) payLater(t *testing.T) {
	t.Helper()
	c, err := readConfig(x.config)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := openToken(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close() // a test's
	store, err := embedded.Open(c.Journal.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() // a test's
	clock := signertest.NewClock()
	s, err := signer.Open(t.Context(), signer.Config{
		Genesis: x.genesis, Store: store, Token: host.Keys{Token: keys}, Clock: clock, Version: "test", Log: slog.New(slog.DiscardHandler),
		Anchors: []journal.Anchor{anchorfile.New(c.AnchorFile)}, TokenAnchor: host.Anchor{Token: keys},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	x.Parties.Now = func() int64 { now, _ := clock.Now(); return now }
	wallet := x.wallets[signertest.XEM]
	pay := func() rpc.Answer { return x.Submit(ctx, s, "shop", x.Withdrawal(wallet, signertest.Small)) }
	x.Until("the signer has started", func() bool {
		r, err := s.Ready(ctx)
		return err == nil && r.Ready
	})
	clock.Pass(30 * signertest.Hour)
	if a := pay(); a.State != rpc.StateDenied || a.Decision.Code != ledger.CodePredecessorAlive {
		t.Errorf("after 30 hours: %s %+v", a.State, a.Decision)
	}
	clock.Pass(signertest.Hour)
	a := pay()
	if a.State != rpc.StateSigned {
		t.Fatalf("after 31 hours: %s %+v", a.State, a.Decision)
	}
	var announced struct{ Data, Signature string }
	if err := json.Unmarshal([]byte(a.Transaction.Announce.Body), &announced, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(announced.Data)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := nem.Decode(nem.NIS1Testnet, data)
	if err != nil {
		t.Fatal(err)
	}
	if signed := tx.Signer().Address(nem.NIS1Testnet).String(); signed != wallet.Address {
		t.Errorf("%s paid, want %s", signed, wallet.Address)
	}
}

// exported is a journal as an auditor gets it.
type exported struct {
	bytes      []byte
	checkpoint journal.Checkpoint
}

// export reads the embedded store of an installation whose daemon does not run.
func (x *installation) export(t *testing.T) exported {
	t.Helper()
	store, err := embedded.Open(filepath.Join(x.dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() // it was only read
	checkpoint, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := audit.Export(&out, x.genesis, store.Heads(t.Context(), 0), store.Entries(t.Context(), 0, journal.MaxSeq)); err != nil {
		t.Fatal(err)
	}
	return exported{out.Bytes(), checkpoint}
}

func save(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// FuzzParseBackup reads files that anybody may have written: what is taken has the members of a backup, and its parts are
// decrypted or refused.
func FuzzParseBackup(f *testing.F) {
	people := []backup.Custodian{}
	for _, name := range []string{"ann", "ben"} {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			f.Fatal(err)
		}
		people = append(people, backup.Custodian{Name: name, Recipient: identity.Recipient().String()})
	}
	archive, err := backup.Seal([]byte("plain"), people, 2)
	if err != nil {
		f.Fatal(err)
	}
	good := backupFile{Format: backupFormat, Backup: archive.ID, Threshold: 2, Wallets: []backedUp{{Name: "w"}}}
	if err := good.fill(archive); err != nil {
		f.Fatal(err)
	}
	text, err := good.encode()
	if err != nil {
		f.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":"kura-backup/1","shares":[{"custodian":"ann","share":"-----BEGIN AGE ENCRYPTED FILE-----\n-----END AGE ENCRYPTED FILE-----\n"}]}`))
	f.Add([]byte(`{"format":"kura-backup/1","format":"x"}`))
	f.Add([]byte(`{"format":"kura-backup/2"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := parseBackup(text)
		if err != nil {
			return
		}
		if parsed.Format != backupFormat {
			t.Errorf("format %q was taken", parsed.Format)
		}
		if share, err := parsed.open([]byte(stranger.String())); err == nil {
			t.Errorf("a stranger opened a share of %d bytes", len(share))
		}
	})
}
