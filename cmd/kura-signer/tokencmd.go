package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/signer/token"
)

// tokenOptions are the flags of the commands that may need the security officer's PIN.
type tokenOptions struct {
	config    *Config
	soPINFile string
	asJSON    bool
}

func (in *invocation) tokenOptions(name, aboutSOPIN string) (tokenOptions, error) {
	var configPath string
	var o tokenOptions
	err := in.flags(name, func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&o.soPINFile, "so-pin-file", "", aboutSOPIN)
		f.BoolVar(&o.asJSON, "json", false, "print JSON")
	}, "config")
	if err == nil {
		o.config, err = setUp(configPath)
	}
	return o, err
}

// tokenInit prepares the token. A PIN file that does not exist yet is made, with a PIN of 128 random bits.
func tokenInit(ctx context.Context, in *invocation) error {
	o, err := in.tokenOptions("token init", "the security officer's PIN; made for a new token if the file does not exist (default STATE_DIR/so-pin)")
	if err != nil {
		return err
	}
	c := o.config
	unlock, err := lockState(c.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	config, err := c.tokenConfig(nil)
	if err != nil {
		return err
	}
	if o.soPINFile == "" {
		o.soPINFile = c.soPINFile()
	}
	if config.PIN, err = makePIN(ctx, c); err != nil {
		return err
	}
	setup, err := token.Initialise(ctx, config, func(fresh bool) (*token.PIN, error) {
		if fresh {
			return readOrMakePIN(o.soPINFile)
		}
		return token.ReadPINFile(o.soPINFile)
	})
	if errors.Is(err, token.ErrHalfMade) {
		return fmt.Errorf("%w%s", err, c.halfMade())
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		return printJSON(in.stdout, setup)
	}
	w := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	say(w, "token\t%s %s, firmware %s, serial %s\n", setup.Manufacturer, setup.Model, setup.Firmware, setup.Serial)
	say(w, "log key\t%s\n", setup.LogKey)
	say(w, "sealing key\t%s\n", setup.SealingKey)
	if c.Token.PINFile != "" {
		say(w, "PIN\tin %s\n", c.Token.PINFile)
	}
	if _, err := os.Lstat(o.soPINFile); err == nil { // made now, or by a run that ended early
		say(w, "SO PIN\tin %s: put it in a safe now. The signer does not need it; whoever has it and the token sets another PIN\n", o.soPINFile)
	}
	if setup.Leaky {
		say(w, "warning\tthis token gives private keys to whoever has its PIN (see kura-signer token attack)\n")
	}
	if !setup.Made {
		say(w, "note\teverything was there already; nothing was changed\n")
	}
	return w.Flush()
}

// halfMade names the directory of the one token of SoftHSM's that holds no key; "" if there is none, or more than one.
func (c *Config) halfMade() string {
	tokens, err := c.tokenDirectory()
	if err != nil || tokens == "" {
		return ""
	}
	var found []string
	all, _ := filepath.Glob(filepath.Join(tokens, "*", "token.object")) // it fails only for a bad pattern
	for _, file := range all {
		dir := filepath.Dir(file)
		if objects, _ := filepath.Glob(filepath.Join(dir, "*.object")); len(objects) == 1 {
			found = append(found, dir)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return "; that directory is " + found[0]
}

// soPINFile is where token init puts a security officer's PIN that it makes, for somebody to take away.
func (c *Config) soPINFile() string { return filepath.Join(c.StateDir, "so-pin") }

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

// tokenList works beside a running signer, too, and on a token that no signer starts with: it says what is wrong.
func tokenList(ctx context.Context, in *invocation) (err error) {
	c, asJSON, err := in.configAndJSON("token list")
	if err != nil {
		return err
	}
	t, err := openTokenBy(ctx, c, nil, token.Look)
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
	if err := printObjects(in.stdout, objects); err != nil {
		return err
	}
	return in.printLogKeys(ctx, c, t)
}

// printLogKeys says what the token's log keys are for, as far as the newest head in the anchor file tells.
func (in *invocation) printLogKeys(ctx context.Context, c *Config, t *token.Token) error {
	held, err := t.LogKeys(ctx)
	if err != nil {
		return err
	}
	newest, err := anchorfile.New(c.AnchorFile).Load(ctx)
	if err != nil || newest == nil {
		return err // no journal was founded yet
	}
	signed := -1
	for i, key := range held {
		if _, err := journal.OpenCheckpoint(journal.Genesis{Origin: c.Origin, LogKey: key}, newest); err == nil {
			signed = i
		}
	}
	say(in.stdout, "\n")
	for i, key := range held {
		use := "signed the newest head of the anchor file"
		switch {
		case signed < 0:
			use = "did not sign the newest head of the anchor file"
		case i < signed:
			use = "was replaced: kura-signer rotate log-key --destroy-old destroys it"
		case i > signed:
			use = "waits: kura-signer rotate log-key says for what"
		}
		say(in.stdout, "log key  %s  %s\n", journal.FormatLogKey(key), use)
	}
	return nil
}

// tokenAttack is a process of its own and touches only objects that it makes.
func tokenAttack(ctx context.Context, in *invocation) error {
	o, err := in.tokenOptions("token attack", "the security officer's PIN: tries that officer's routes, too")
	if err != nil {
		return err
	}
	config, err := o.config.tokenConfig(nil)
	if err != nil {
		return err
	}
	if o.soPINFile != "" {
		if config.SOPIN, err = token.ReadPINFile(o.soPINFile); err != nil {
			return err
		}
	}
	if config.PIN, err = openPIN(ctx, o.config.Token); err != nil {
		return err
	}
	rows, err := token.Attack(ctx, config)
	if err != nil {
		return err
	}
	if o.asJSON {
		return printJSON(in.stdout, rows)
	}
	return printAttack(in.stdout, rows, o.soPINFile != "")
}
