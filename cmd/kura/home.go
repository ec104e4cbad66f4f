package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"kura/journal"
)

// home is the directory of one person, client or auditor: what they trust, and
// what they have seen.
//
//	kura.toml    where the gateway is, which genesis is pinned, which key signs
//	checkpoint   the last signed head seen; every later one must extend it
//	journal      the entries verified so far, one line each
type home struct {
	dir     string
	gateway string          // URL of the gateway
	ca      string          // file of the gateway's CA certificate
	genesis journal.Genesis // the pinned genesis line
	key     string          // file of the private key, or of the public key if ssh-agent holds the private one
}

// homeFile is kura.toml. Paths are relative to the home.
type homeFile struct {
	Gateway string `toml:"gateway"`
	CA      string `toml:"ca"`
	Genesis string `toml:"genesis"`
	Key     string `toml:"key"`
}

const homeFileName = "kura.toml"

// openHome reads the home that the command line, the environment or the user's
// own directory names.
func openHome(cmd *cobra.Command) (*home, error) {
	dir, err := cmd.Flags().GetString("home")
	if err != nil {
		return nil, err
	}
	if dir == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return nil, usagef("no --home, no $KURA_HOME and no home directory: %w", err)
		}
		dir = filepath.Join(user, ".kura")
	}
	name := filepath.Join(dir, homeFileName)
	var file homeFile
	meta, err := toml.DecodeFile(name, &file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("%s does not exist: give --home a directory that has one (`kura dev` makes them; docs/cli.md describes it)", name)
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: %s is not a setting; there are gateway, ca, genesis and key", name, unknown[0])
	}
	return file.open(dir)
}

func (f homeFile) open(dir string) (*home, error) {
	bad := func(field string, err error) error {
		return fmt.Errorf("%s: %s: %w", filepath.Join(dir, homeFileName), field, err)
	}
	u, err := url.Parse(f.Gateway)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, bad("gateway", fmt.Errorf("want a URL like https://kura.example:8443, got %q", f.Gateway))
	}
	genesis, err := journal.ParseGenesis(f.Genesis)
	if err != nil {
		return nil, bad("genesis", err)
	}
	h := &home{dir: dir, gateway: f.Gateway, genesis: genesis}
	if f.CA != "" {
		h.ca = within(dir, f.CA)
	}
	if f.Key != "" {
		h.key = within(dir, f.Key)
	}
	return h, nil
}

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }
