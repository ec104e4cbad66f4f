package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kura/signer/rpc"
	"kura/signer/token"
)

// say writes for people. If nobody reads any more there is nobody to tell, and what was done is done.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

func printJSON(w io.Writer, v any) error {
	if err := json.MarshalWrite(w, v, json.Deterministic(true), jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// configAndJSON reads the flags of a command that has only these two.
func (in *invocation) configAndJSON(name string) (*Config, bool, error) {
	var configPath string
	var asJSON bool
	err := in.flags(name, func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}, "config")
	if err != nil {
		return nil, false, err
	}
	c, err := setUp(configPath)
	return c, asJSON, err
}

func printObjects(out io.Writer, objects []token.ObjectReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(w, "LABEL\tCLASS\tPROBLEMS\tATTRIBUTES\n")
	for _, o := range objects {
		var attributes []string
		for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
			attributes = append(attributes, name+"="+o.Attributes[name])
		}
		problems := "none"
		if len(o.Problems) > 0 {
			problems = strings.Join(o.Problems, "; ")
		}
		say(w, "%s\t%s\t%s\t%s\n", o.Label, o.Kind, problems, strings.Join(attributes, " "))
	}
	return w.Flush()
}

// printAttack prints every route, and below them, where they are not overlooked, those that took a key.
func printAttack(out io.Writer, rows []token.AttackRow, officer bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(w, "STOLEN\tOBJECT\tATTACK\tANSWER\n")
	var stolen []token.AttackRow
	for _, r := range rows {
		mark := "no"
		if r.Stolen {
			mark = "YES"
			stolen = append(stolen, r)
		}
		say(w, "%s\t%s\t%s\t%s\n", mark, r.Object, r.Attack, r.Answer)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	say(out, "\n%d attacks, %d of them stole a key\n", len(rows), len(stolen))
	for _, r := range stolen {
		say(out, "  %s: %s\n", r.Object, r.Attack)
	}
	if len(stolen) > 0 {
		say(out, "Whoever runs code as the signer's user, or has the token and its PIN, has these keys.\n")
	}
	if !officer {
		say(out, "Not tried: the security officer's routes (--so-pin-file).\n")
	}
	return nil
}

func printWallets(out io.Writer, wallets []rpc.Wallet) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(w, "WALLET\tNETWORK\tADDRESS\tCUSTODY\tKEY\tPOLICY\tNOTES\n")
	for _, one := range wallets {
		named := "not named yet"
		if one.Named {
			named = "named"
		}
		var notes []string
		if one.Imported {
			notes = append(notes, "imported")
		}
		if one.Frozen {
			notes = append(notes, "frozen")
		}
		say(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.ID, one.Network, one.Address, one.Custody, one.State, named, strings.Join(notes, ", "))
	}
	return w.Flush()
}
