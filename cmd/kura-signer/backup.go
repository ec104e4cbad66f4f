package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"kura/cmd/kura-signer/host"
	"kura/ledger"
	"kura/signer/token/backup"
)

// walletBackup encrypts the seeds of sealed wallets to custodians. It reads, so it works beside a running signer, too.
func walletBackup(ctx context.Context, in *invocation) (err error) {
	var configPath, custodiansPath, out string
	var threshold int
	var names []string
	err = in.flags("wallet backup", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&custodiansPath, "custodians", "", "one custodian a line: NAME AGE-RECIPIENT")
		f.IntVar(&threshold, "threshold", 0, "how many custodians restore together, at least 2")
		f.StringVar(&out, "out", "", "directory for the archive and the shares; it must not exist")
		f.Var((*repeated)(&names), "name", "a wallet; once for each; without it, all sealed ones")
	}, "config", "custodians", "out")
	if err != nil {
		return err
	}
	c, err := readConfig(configPath)
	if err != nil {
		return err
	}
	custodians, err := readCustodians(custodiansPath)
	if err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		return err
	}
	t, err := openToken(ctx, c, slog.New(slog.NewTextHandler(in.stderr, nil)))
	if err != nil {
		return errors.Join(err, os.Remove(out))
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	archive, err := t.Backup(ctx, names, nil, custodians, threshold)
	if err != nil {
		return errors.Join(err, os.Remove(out))
	}
	files := map[string][]byte{"contents.age": archive.Contents}
	for _, share := range archive.Shares {
		files["share-"+share.Custodian+".age"] = share.File
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o600); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(in.stdout, "backup %s: contents.age and %d shares in %s; any %d custodians restore it\n",
		archive.ID, len(archive.Shares), out, threshold)
	return err
}

// readCustodians reads names and recipients. A name becomes part of a file's name.
func readCustodians(path string) ([]backup.Custodian, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []backup.Custodian
	for n, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			continue
		case len(words) != 2 || filepath.Base(words[0]) != words[0] || strings.HasPrefix(words[0], "."):
			return nil, fmt.Errorf("%s, line %d: not NAME AGE-RECIPIENT with a plain name", path, n+1)
		}
		all = append(all, backup.Custodian{Name: words[0], Recipient: words[1]})
	}
	return all, nil
}

// walletRestore puts a backup's wallets into a fresh token that is bound to a journal of its own (a successor's), and
// journals their ceremonies there. It can be interrupted and run again.
func walletRestore(ctx context.Context, in *invocation) error {
	var configPath, contentsPath string
	var sharePaths, present []string
	err := in.flags("wallet restore", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&contentsPath, "contents", "", "contents.age of the backup")
		f.Var((*repeated)(&sharePaths), "share", "a custodian's share, decrypted with age -d; once for each")
		f.Var((*repeated)(&present), "present", "who is there, for the record; once for each")
	}, "config", "contents", "share", "present")
	if err != nil {
		return err
	}
	c, err := readConfig(configPath)
	if err != nil {
		return err
	}
	contents, err := os.ReadFile(contentsPath)
	if err != nil {
		return err
	}
	var shares [][]byte
	for _, path := range sharePaths {
		share, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		defer clear(share)
		shares = append(shares, share)
	}
	unlock, err := lockState(c.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	d := &daemon{config: c, log: slog.New(slog.NewTextHandler(in.stderr, &slog.HandlerOptions{Level: slog.LevelError}))}
	defer d.close()
	if err := d.open(ctx); err != nil {
		return err
	}
	ceremonies, err := d.token.Restore(ctx, contents, shares)
	if err != nil {
		return err
	}
	records := make([]ledger.Wallet, len(ceremonies))
	for i, ceremony := range ceremonies {
		records[i] = host.Record(ceremony)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.signer.Run(running) }()
	err = d.signer.RecordCeremonies(ctx, records, present)
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	for _, r := range records {
		say(in.stdout, "restored %s  %s  %s\n", r.Name, r.Network, r.Address)
	}
	return nil
}
