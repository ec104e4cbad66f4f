package main

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kura/docs/docstest"
)

// TestDocumentedCommands holds the documents to the commands: what they show exists, with its flags, and there is no
// command that no page shows.
func TestDocumentedCommands(t *testing.T) {
	named := map[string]bool{}
	for _, shown := range docstest.Commands(t, "../..", "kura-signer") {
		all := commands()
		at := slices.IndexFunc(all, func(c command) bool {
			words := strings.Fields(c.name)
			return len(shown.Args) >= len(words) && slices.Equal(shown.Args[:len(words)], words)
		})
		if at < 0 {
			t.Errorf("%s: there is no command kura-signer %s", shown.Page, strings.Join(shown.Args, " "))
			continue
		}
		named[all[at].name] = true
		for _, flag := range shown.Flags() {
			if !slices.Contains(flagsOf(all[at].usage), flag) {
				t.Errorf("%s: kura-signer %s has no flag --%s", shown.Page, all[at].name, flag)
			}
		}
	}
	for _, c := range commands() {
		if c.about != "" && !named[c.name] {
			t.Errorf("no page shows kura-signer %s", c.name)
		}
	}
}

// TestUsageNamesEveryFlag: the one line of help about a command has its flags, all of them and no others.
func TestUsageNamesEveryFlag(t *testing.T) {
	defined := regexp.MustCompile(`(?m)^  -([a-z-]+)`)
	for _, c := range commands() {
		if c.about == "" || c.usage == "" {
			continue
		}
		var out bytes.Buffer
		if code := run(t.Context(), append(strings.Fields(c.name), "-h"), nil, &out, &out); code != exitOK {
			t.Errorf("%s -h: exit %d", c.name, code)
		}
		var flags []string
		for _, m := range defined.FindAllStringSubmatch(out.String(), -1) {
			flags = append(flags, m[1])
		}
		shown := flagsOf(c.usage)
		slices.Sort(shown)
		if shown = slices.Compact(shown); !slices.Equal(shown, flags) {
			t.Errorf("%s takes %v, its usage shows %v", c.name, flags, shown)
		}
	}
}

func flagsOf(usage string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(usage, -1) {
		names = append(names, m[1])
	}
	return names
}

// TestDocumentedSettings: docs/operations.md has a row for every setting of signer.toml.
func TestDocumentedSettings(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n`signer.toml` ")
	table, _, _ = strings.Cut(table, "\n\nReports:")
	for _, setting := range settings(reflect.TypeFor[Config](), "") {
		section, name, ok := strings.Cut(setting, ".")
		if !strings.Contains(table, "`"+setting+"`") && !(ok && strings.Contains(table, "| `"+section+".") && strings.Contains(table, "`"+name+"`")) {
			t.Errorf("docs/operations.md says nothing of the setting %s", setting)
		}
	}
}

// settings are the keys of a configuration's type, those of a table after its name.
func settings(of reflect.Type, prefix string) []string {
	var names []string
	for field := range of.Fields() {
		name := prefix + field.Tag.Get("toml")
		if field.Type.Kind() == reflect.Struct {
			names = append(names, settings(field.Type, name+".")...)
		} else {
			names = append(names, name)
		}
	}
	return names
}
