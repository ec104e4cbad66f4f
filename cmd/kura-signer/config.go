package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// Config is the signer's configuration file. Paths that are not absolute start at the file's own directory.
type Config struct {
	Origin       string   `toml:"origin"`        // the journal's name, in every checkpoint
	StateDir     string   `toml:"state_dir"`     // sealed wallets, lock, mark of a refused PIN, snapshots of the ledger; mode 0700
	Socket       string   `toml:"socket"`        // the gateway's
	GatewayUID   *int64   `toml:"gateway_uid"`   // the only user who may connect to it
	AdminSocket  string   `toml:"admin_socket"`  // root's, or the signer's own user's
	AnchorFile   string   `toml:"anchor_file"`   // newest signed head, away from the journal; never backed up
	AlarmCommand []string `toml:"alarm_command"` // program and arguments; gets each alarm as JSON on standard input
	LogLevel     string   `toml:"log_level"`     // debug, info (default), warn, error

	Witnesses           []string `toml:"witnesses"`             // key lines (name+id+key) of those who cosign the journal's heads
	WitnessQuorum       int      `toml:"witness_quorum"`        // how many must have cosigned; more than half
	CosignBeforeRelease bool     `toml:"cosign_before_release"` // no answer and no signature before that; true with witnesses, unless it says false

	Token   TokenConfig   `toml:"token"`
	Journal JournalConfig `toml:"journal"`
}

// TokenConfig says which token holds the keys and where its PIN comes from: exactly one of the three pin members, or
// none for a prompt.
type TokenConfig struct {
	Module           string `toml:"module"`
	Label            string `toml:"label"`
	PINFile          string `toml:"pin_file"`
	PINFD            *int64 `toml:"pin_fd"`
	PINCredential    string `toml:"pin_credential"`
	SoftHSMConf      string `toml:"softhsm_conf"`       // sets SOFTHSM2_CONF before the module is loaded
	AcceptLeakyToken string `toml:"accept_leaky_token"` // why a token that gives keys away to its PIN is good enough here
	Sessions         int    `toml:"sessions"`           // calls in the module at once; 0: one more than there are cores
}

// JournalConfig says where the journal is kept.
type JournalConfig struct {
	Kind          string `toml:"kind"`           // embedded, postgres
	Shared        bool   `toml:"shared"`         // postgres: several signers share it, one leads and the others stand by
	Path          string `toml:"path"`           // embedded: its file
	DSNFile       string `toml:"dsn_file"`       // postgres: a file with the service's connection string
	DSNCredential string `toml:"dsn_credential"` // or the systemd credential with it
}

// Kinds of journals.
const (
	journalEmbedded = "embedded"
	journalPostgres = "postgres"
)

// readConfig reads the file strictly: an unknown member is an error, for it may be a misspelt safeguard.
func readConfig(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, exit(exitConfig, fmt.Errorf("read the configuration: %w", err))
	}
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, exit(exitConfig, err)
	}
	c, err := parseConfig(string(text), base)
	if err != nil {
		return nil, exit(exitConfig, fmt.Errorf("configuration %s: %w", path, err))
	}
	return c, nil
}

func parseConfig(text, base string) (*Config, error) {
	var c Config
	meta, err := toml.Decode(text, &c)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		names := make([]string, len(unknown))
		for i, key := range unknown {
			names[i] = key.String()
		}
		return nil, fmt.Errorf("unknown members: %s", strings.Join(names, ", "))
	}
	for _, p := range []*string{
		&c.StateDir, &c.Socket, &c.AdminSocket, &c.AnchorFile, &c.Token.Module, &c.Token.PINFile, &c.Token.SoftHSMConf,
		&c.Journal.Path, &c.Journal.DSNFile,
	} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	if len(c.Witnesses) > 0 && !meta.IsDefined("cosign_before_release") {
		c.CosignBeforeRelease = true // behind the answers, witnesses bound no rollback of this host: that is asked for by name
	}
	if c.LogLevel == "" {
		c.LogLevel = "info"
	}
	return &c, c.Validate()
}

// maxSocketPath is what the kernel takes.
const maxSocketPath = 107

// Validate names every member that is missing or wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	for _, m := range []struct{ field, value string }{
		{"origin", c.Origin}, {"state_dir", c.StateDir}, {"socket", c.Socket}, {"admin_socket", c.AdminSocket},
		{"anchor_file", c.AnchorFile}, {"token.module", c.Token.Module}, {"token.label", c.Token.Label},
	} {
		if m.value == "" {
			bad(m.field, "is missing")
		}
	}
	for _, m := range []struct{ field, value string }{{"socket", c.Socket}, {"admin_socket", c.AdminSocket}} {
		if len(m.value) > maxSocketPath {
			bad(m.field, "has %d bytes, the kernel takes %d", len(m.value), maxSocketPath)
		}
	}
	if c.Socket != "" && c.Socket == c.AdminSocket {
		bad("admin_socket", "is the gateway's socket")
	}
	switch {
	case c.GatewayUID == nil:
		bad("gateway_uid", "is missing: the number of the only user who may connect to socket")
	case *c.GatewayUID < 0 || *c.GatewayUID > 1<<32-2:
		bad("gateway_uid", "%d is not a user's number", *c.GatewayUID)
	}
	pins := 0
	for _, given := range []bool{c.Token.PINFile != "", c.Token.PINFD != nil, c.Token.PINCredential != ""} {
		if given {
			pins++
		}
	}
	if pins > 1 {
		bad("token", "at most one of pin_file, pin_fd and pin_credential")
	}
	if c.Token.PINFD != nil && (*c.Token.PINFD < 0 || *c.Token.PINFD > 1<<16) {
		bad("token.pin_fd", "%d is not a descriptor", *c.Token.PINFD)
	}
	if c.Token.Sessions < 0 || c.Token.Sessions > 256 {
		bad("token.sessions", "%d: 0 to 256", c.Token.Sessions)
	}
	if reason := c.Token.AcceptLeakyToken; reason != "" && strings.TrimSpace(reason) == "" {
		bad("token.accept_leaky_token", "%q is no reason", reason)
	}
	c.Journal.validate(bad)
	if _, err := c.witnesses(); err != nil {
		bad("witnesses", "%v", err)
	}
	if c.Journal.Shared && !c.CosignBeforeRelease {
		bad("cosign_before_release", "must be true where several signers share a journal (journal.shared)")
	}
	if _, err := c.level(); err != nil {
		bad("log_level", "%q: debug, info, warn or error", c.LogLevel)
	}
	if len(c.AlarmCommand) > 0 && !filepath.IsAbs(c.AlarmCommand[0]) {
		bad("alarm_command", "%q: the program's path must be absolute", c.AlarmCommand[0])
	}
	return errors.Join(errs...)
}

func (j *JournalConfig) validate(bad func(field, format string, args ...any)) {
	switch j.Kind {
	case journalEmbedded:
		if j.Path == "" {
			bad("journal.path", "is missing")
		}
		if j.DSNFile != "" || j.DSNCredential != "" {
			bad("journal.dsn_file", "belongs to kind postgres, as dsn_credential does")
		}
		if j.Shared {
			bad("journal.shared", "belongs to kind postgres")
		}
	case journalPostgres:
		switch {
		case j.DSNFile == "" && j.DSNCredential == "":
			bad("journal.dsn_file", "is missing, and dsn_credential too")
		case j.DSNFile != "" && j.DSNCredential != "":
			bad("journal", "one of dsn_file and dsn_credential, not both")
		case j.DSNCredential != filepath.Base(j.DSNCredential) && j.DSNFile == "":
			bad("journal.dsn_credential", "%q is not a plain name", j.DSNCredential)
		}
		if j.Path != "" {
			bad("journal.path", "belongs to kind embedded")
		}
	default:
		bad("journal.kind", "%q: embedded or postgres", j.Kind)
	}
}

func (c *Config) level() (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(c.LogLevel))
	return level, err
}
