package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kura/signer/token"
	"kura/signer/token/backup"
)

// walletBackup encrypts the seeds of sealed wallets to custodians. It reads, so it works beside a running signer, too.
func walletBackup(ctx context.Context, in *invocation) (err error) {
	var configPath, out string
	var need int
	var names, recipients, imports []string
	err = in.flags("wallet backup", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.Var((*repeated)(&recipients), "recipient", "a custodian's age recipient, with a name if wanted: NAME=age1…; once for each")
		f.IntVar(&need, "need", 0, "how many custodians restore together, at least 2")
		f.StringVar(&out, "out", "", "the backup, which must not exist; - for standard output")
		f.Var((*repeated)(&names), "name", "a sealed wallet; once for each; without it, all of them")
		f.Var((*repeated)(&imports), "imported", "NAME=FD: a wallet imported into the token, and the descriptor to read its private key from once more; once for each")
	}, "config", "recipient", "out")
	if err != nil {
		return err
	}
	custodians, err := parseCustodians(recipients)
	if err != nil {
		return exit(exitUsage, err)
	}
	if need < 2 || need > len(custodians) {
		return exit(exitUsage, fmt.Errorf("--need %d: want 2 to %d, the number of custodians (--recipient)", need, len(custodians)))
	}
	c, err := setUp(configPath)
	if err != nil {
		return err
	}
	file, err := in.openBackup(out)
	if err != nil {
		return err
	}
	defer func() { err = file.end(err) }()
	t, err := openToken(ctx, c, slog.New(slog.NewTextHandler(in.stderr, nil)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	genesis, err := genesisLine(ctx, c, t)
	if err != nil {
		return err
	}
	held, err := readImports(ctx, t, genesis.Hash, imports)
	defer func() {
		for _, one := range held {
			one.Seed.Wipe()
		}
	}()
	if err != nil {
		return err
	}
	wallets, err := t.Wallets()
	if err != nil {
		return err
	}
	if err := checkNames(wallets, names); err != nil {
		return exit(exitUsage, err)
	}
	archive, err := t.Backup(ctx, names, held, custodians, need)
	if err != nil {
		return err
	}
	f := backupFile{Format: backupFormat, Backup: archive.ID, Journal: genesis.String(), Threshold: need}
	missing := f.list(wallets, names, held)
	if err := f.fill(archive); err != nil {
		return err
	}
	text, err := f.encode()
	if err != nil {
		return err
	}
	if err := file.write(text); err != nil {
		return err
	}
	f.describe(file.report, file.where, missing)
	return nil
}

// A backupOut is where a backup goes, and where the report of it goes then.
type backupOut struct {
	file   *os.File // under another name until the backup is whole; nil for standard output
	path   string
	out    io.Writer
	report io.Writer
	where  string
}

// openBackup makes the file, before anything is decrypted for it.
func (in *invocation) openBackup(path string) (*backupOut, error) {
	if path == "-" {
		return &backupOut{out: in.stdout, report: in.stderr, where: "on standard output"}, nil
	}
	if err := absent(path); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600; each run has its own
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: this command is uid %d, the owner of the state directory, and has to be able to write there; or give --out - and redirect the output", err, os.Geteuid())
	}
	return &backupOut{file, path, file, in.stdout, "in " + path}, err
}

// absent refuses to write over what is there.
func absent(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "make", Path: path, Err: fs.ErrExist}
	}
	return nil
}

func (o *backupOut) write(text []byte) error {
	_, err := o.out.Write(text)
	if o.file == nil {
		return err
	}
	if err = errors.Join(err, o.file.Sync(), absent(o.path)); err != nil {
		return err
	}
	if err := os.Rename(o.file.Name(), o.path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(o.path)) // or a loss of power could take the name back that is reported now
}

// end closes the file, and removes what is left of it if anything went wrong: half a backup is none.
func (o *backupOut) end(err error) error {
	if o.file == nil {
		return err
	}
	err = errors.Join(err, o.file.Close())
	_ = os.Remove(o.file.Name()) // gone already when all went well
	return err
}

// parseCustodians reads NAME=RECIPIENT; a recipient without a name is called by its number.
func parseCustodians(recipients []string) ([]backup.Custodian, error) {
	var all []backup.Custodian
	for i, text := range recipients {
		name, recipient, named := strings.Cut(text, "=")
		if !named {
			name, recipient = "custodian "+strconv.Itoa(i+1), text
		}
		if strings.HasPrefix(recipient, "AGE-SECRET-KEY-") {
			return nil, errors.New("--recipient: that is a secret identity, not a recipient; and it has been seen on a command line now")
		}
		all = append(all, backup.Custodian{Name: name, Recipient: recipient})
	}
	return all, nil
}

// readImports takes the keys that only the import itself had, and holds each to the wallet it is for.
func readImports(ctx context.Context, t *token.Token, genesis [32]byte, imports []string) (held []token.SeedBackup, err error) {
	for _, text := range imports {
		name, number, _ := strings.Cut(text, "=")
		fd, err := strconv.Atoi(number)
		if err != nil {
			return held, exit(exitUsage, fmt.Errorf("--imported %q: want NAME=FD", text))
		}
		info, err := t.Wallet(ctx, name)
		if err != nil {
			return held, err
		}
		if !info.Imported || info.Custody != token.CustodyToken {
			return held, exit(exitUsage, fmt.Errorf("--imported: wallet %q was not imported into the token", name))
		}
		seed, err := fromDescriptor(ctx, fd, func(fd int) (*token.Secret, error) {
			return token.ReadPrivateKeyFD(info.Network.Chain(), fd)
		})
		if err != nil {
			return held, err
		}
		held = append(held, token.SeedBackup{Spec: token.WalletSpec{Name: name, Network: info.Network, Genesis: genesis}, Seed: seed})
		if public := token.PublicKeyOf(info.Network, seed); public != info.PublicKey {
			return held, fmt.Errorf("the key for wallet %q leads to %s, not to %s", name, public.Address(info.Network), info.Address)
		}
	}
	return held, nil
}

// checkNames refuses the name of a wallet that is not sealed, before anything is decrypted.
func checkNames(wallets []token.WalletInfo, names []string) error {
	for _, name := range names {
		at := slices.IndexFunc(wallets, func(w token.WalletInfo) bool { return w.Name == name })
		switch {
		case at < 0:
			return fmt.Errorf("--name: there is no wallet %q", name)
		case wallets[at].Custody != token.CustodySealed:
			return fmt.Errorf("--name: wallet %q is not sealed: its key is in the token, which does not give it back (of one that was imported: --imported)", name)
		}
	}
	return nil
}

// list notes the wallets whose keys are in the backup, and returns the others.
func (f *backupFile) list(wallets []token.WalletInfo, names []string, held []token.SeedBackup) (missing []token.WalletInfo) {
	for _, w := range wallets {
		in := w.Custody == token.CustodySealed && (len(names) == 0 || slices.Contains(names, w.Name)) ||
			slices.ContainsFunc(held, func(one token.SeedBackup) bool { return one.Spec.Name == w.Name })
		if !in {
			missing = append(missing, w)
			continue
		}
		f.Wallets = append(f.Wallets, backedUp{w.Name, w.Network.String(), w.Address.String(), w.Imported})
	}
	return missing
}

func (f *backupFile) fill(archive backup.Archive) (err error) {
	if f.Contents, err = armored(archive.Contents); err != nil {
		return err
	}
	for _, s := range archive.Shares {
		text, err := armored(s.File)
		if err != nil {
			return err
		}
		f.Shares = append(f.Shares, custodyShare{s.Custodian, text})
	}
	return nil
}

// describe says what the backup contains, and what it does not.
func (f *backupFile) describe(w io.Writer, where string, missing []token.WalletInfo) {
	say(w, "backup %s %s: any %d of %d custodians restore it\n", f.Backup, where, f.Threshold, len(f.Shares))
	for _, s := range f.Shares {
		say(w, "  %s\n", s.Custodian)
	}
	say(w, "It contains the keys of\n")
	for _, b := range f.Wallets {
		say(w, "  %s  %s  %s\n", b.Name, b.Network, b.Address)
	}
	if len(missing) == 0 {
		return
	}
	say(w, "It does not contain the keys of\n")
	for _, m := range missing {
		why := "not named"
		switch {
		case m.Custody == token.CustodyToken && m.Imported:
			why = "imported into the token, which does not give it back: give the key once more with --imported"
		case m.Custody == token.CustodyToken:
			why = "made in the token and never out of it: only the token's own backup keeps it"
		}
		say(w, "  %s  %s  %s  %s\n", m.Name, m.Network, m.Address, why)
	}
}
