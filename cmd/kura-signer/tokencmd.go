package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"io/fs"
	"os"
	"text/tabwriter"

	"kura/signer/token"
)

// tokenInit prepares the token. A PIN file that does not exist yet is made, with a PIN of 128 random bits.
func tokenInit(ctx context.Context, in *invocation) error {
	var configPath, soPINFile string
	var asJSON bool
	err := in.flags("token init", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&soPINFile, "so-pin-file", "", "the security officer's PIN; made if the file does not exist (default STATE_DIR/so-pin)")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}, "config")
	if err != nil {
		return err
	}
	c, err := setUp(configPath)
	if err != nil {
		return err
	}
	unlock, err := lockState(c.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	config, err := c.tokenConfig()
	if err != nil {
		return err
	}
	if soPINFile == "" {
		soPINFile = c.StateDir + "/so-pin"
	}
	if config.PIN, err = makePIN(ctx, c); err != nil {
		return err
	}
	soPIN, err := readOrMakePIN(soPINFile)
	if err != nil {
		config.PIN.Wipe()
		return err
	}
	setup, err := token.Initialise(ctx, config, soPIN)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(in.stdout, setup)
	}
	w := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	say(w, "token\t%s %s, firmware %s, serial %s\n", setup.Manufacturer, setup.Model, setup.Firmware, setup.Serial)
	say(w, "log key\t%s\n", setup.LogKey)
	say(w, "sealing key\t%s\n", setup.SealingKey)
	if c.Token.PINFile != "" {
		say(w, "PIN\tin %s\n", c.Token.PINFile)
	}
	say(w, "SO PIN\tin %s: keep it elsewhere, the signer does not need it\n", soPINFile)
	if setup.Leaky {
		say(w, "warning\tthis token gives private keys to whoever has its PIN (see kura-signer token attack)\n")
	}
	if !setup.Made {
		say(w, "note\teverything was there already; nothing was changed\n")
	}
	return w.Flush()
}

// makePIN reads the configured PIN; a PIN file that does not exist is made first.
func makePIN(ctx context.Context, c *Config) (*token.PIN, error) {
	if c.Token.PINFile == "" {
		return openPIN(ctx, c.Token)
	}
	return readOrMakePIN(c.Token.PINFile)
}

func readOrMakePIN(path string) (*token.PIN, error) {
	_, err := os.Lstat(path)
	if err == nil {
		return token.ReadPINFile(path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pin, err := token.NewPIN(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := pin.WriteFile(path); err != nil {
		pin.Wipe()
		return nil, err
	}
	return pin, nil
}

// tokenList works beside a running signer, too.
func tokenList(ctx context.Context, in *invocation) (err error) {
	c, asJSON, err := in.configAndJSON("token list")
	if err != nil {
		return err
	}
	t, err := openToken(ctx, c, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	objects, err := t.List()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(in.stdout, objects)
	}
	return printObjects(in.stdout, objects)
}

// tokenAttack is a process of its own and touches only objects that it makes.
func tokenAttack(ctx context.Context, in *invocation) error {
	var configPath, soPINFile string
	var asJSON bool
	err := in.flags("token attack", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&soPINFile, "so-pin-file", "", "the security officer's PIN: tries that officer's routes, too")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}, "config")
	if err != nil {
		return err
	}
	c, err := setUp(configPath)
	if err != nil {
		return err
	}
	config, err := c.tokenConfig()
	if err != nil {
		return err
	}
	if soPINFile != "" {
		if config.SOPIN, err = token.ReadPINFile(soPINFile); err != nil {
			return err
		}
	}
	if config.PIN, err = openPIN(ctx, c.Token); err != nil {
		return err
	}
	rows, err := token.Attack(ctx, config)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(in.stdout, rows)
	}
	w := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	say(w, "STOLEN\tOBJECT\tATTACK\tANSWER\n")
	stolen := 0
	for _, r := range rows {
		mark := "no"
		if r.Stolen {
			mark = "YES"
			stolen++
		}
		say(w, "%s\t%s\t%s\t%s\n", mark, r.Object, r.Attack, r.Answer)
	}
	say(w, "\n%d attacks, %d keys stolen\n", len(rows), stolen)
	return w.Flush()
}
