package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"kura/docs/docstest"
)

// TestDocumentedCommands holds the documents to the commands: what they show exists, with its flags, and there is no
// command that no page names.
func TestDocumentedCommands(t *testing.T) {
	root := newRoot()
	named := map[*cobra.Command]bool{}
	for _, shown := range docstest.Commands(t, "../..", "kura") {
		if shown.Page == "docs/journal.md" && shown.Args[0] == "gap" {
			continue // the first line of the text that directors sign
		}
		cmd, rest, err := root.Find(shown.Args)
		if err != nil || cmd == root || cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			t.Errorf("%s: there is no command kura %s", shown.Page, strings.Join(shown.Args, " "))
			continue
		}
		named[cmd] = true
		cmd.InheritedFlags() // adds those of the commands above
		for _, flag := range shown.Flags() {
			if flag != "help" && cmd.Flag(flag) == nil {
				t.Errorf("%s: %s has no flag --%s", shown.Page, cmd.CommandPath(), flag)
			}
		}
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() && !named[cmd] {
			t.Errorf("no page shows %s", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// TestDocumentedSettings: docs/cli.md shows every setting of a witness, in a form that is read, and names every setting
// of a home.
func TestDocumentedSettings(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "`kura witness serve --config witness.toml`")
	_, example, _ = strings.Cut(example, "\n\n")
	example, _, _ = strings.Cut(example, "\n\nIt serves")
	path := filepath.Join(t.TempDir(), "witness.toml")
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := readWitnessFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for field, value := range reflect.ValueOf(f).Fields() {
		if value.IsZero() {
			t.Errorf("docs/cli.md does not show %s of witness.toml", field.Tag.Get("toml"))
		}
	}
	for field := range reflect.TypeFor[homeFile]().Fields() {
		if !strings.Contains(string(page), "`"+field.Tag.Get("toml")+"` (") {
			t.Errorf("docs/cli.md says nothing of %s of kura.toml", field.Tag.Get("toml"))
		}
	}
}
