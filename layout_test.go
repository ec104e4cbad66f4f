// Package kura_test holds the layout of the whole module: which package may
// import which, where the dangerous libraries may stand, and what the pure core
// must never touch. It is the written form of the module's tree and arrows; a
// change of architecture starts by changing this file.
package kura_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows says, for each package, which packages of this module it may import
// (tests aside). A package that is missing here fails the test: adding one is a
// decision, taken in this table.
var arrows = map[string][]string{
	"nem":                 {},
	"statement":           {"nem"},
	"policy":              {"nem", "statement"},
	"policy/source":       {"nem", "statement", "policy"},
	"policy/adversary":    {"nem", "statement", "policy"},
	"journal":             {},
	"journal/anchorfile":  {"journal"},
	"journal/cosign":      {},
	"journal/embedded":    {"journal"},
	"journal/gap":         {"journal", "statement"},
	"journal/postgres":    {"journal", "migrations"},
	"migrations":          {},
	"ledger":              {"nem", "statement", "policy", "journal", "journal/cosign", "journal/gap"},
	"signer":              {"nem", "statement", "policy", "journal", "journal/cosign", "journal/gap", "ledger", "signer/rpc"},
	"signer/token":        {"nem", "signer/token/backup"},
	"signer/token/backup": {},
	"signer/process":      {},
	"signer/rpc":          {},
	"api":                 {"signer/rpc", "statement", "journal"},
	"api/client":          {"nem", "signer/rpc", "statement", "journal", "journal/gap"},
	"interop":             {},
	"audit":               {"nem", "statement", "policy", "journal", "journal/cosign", "journal/gap", "ledger"},
	"witness":             {"journal", "journal/cosign", "journal/gap", "statement"},
}

// cmds are the places where everything is wired; what they must not link stands
// in forbidden.
const cmds = "cmd/"

// onlyIn lists libraries that may be imported in a few places only (tests
// aside): the reason is the trusted computing base that an auditor must read.
var onlyIn = map[string][]string{
	"github.com/miekg/pkcs11":         {"signer/token"},
	"github.com/ThalesGroup/crypto11": {"signer/token"},
	"github.com/jackc/pgx/v5":         {"journal/postgres"},
	"github.com/goccy/go-yaml":        {"policy/source"},
	"github.com/spf13/cobra":          {"cmd/kura", "cmd/kura-sim"},
	"github.com/go-chi/chi/v5":        {"api"},
}

// forbidden says what a binary must not link, by import path prefix.
var forbidden = map[string][]string{
	"kura/cmd/kura-signer": {
		"github.com/goccy/", "github.com/spf13/", "github.com/go-chi/", "pgregory.net/",
		"kura/api", "kura/audit", "kura/policy/source", "kura/policy/adversary",
	},
	"kura/cmd/kura-gateway": {
		"github.com/miekg/", "github.com/ThalesGroup/", "github.com/jackc/", "github.com/goccy/", "go.etcd.io/",
		"kura/ledger", "kura/policy", "kura/signer/token", "kura/journal/embedded", "kura/journal/postgres",
	},
	"kura/cmd/kura": {
		"github.com/miekg/", "github.com/ThalesGroup/",
	},
}

// pure lists the packages that take no clock, no randomness, no network and no
// file; impure what they therefore never import or call.
var (
	pure          = []string{"nem", "statement", "policy", "journal", "journal/gap", "ledger"}
	impureImports = []string{"os", "net", "net/http", "crypto/rand", "math/rand", "math/rand/v2", "os/exec", "database/sql"}
	impureCalls   = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.NewTimer", "time.NewTicker", "time.AfterFunc"}
)

type listed struct {
	ImportPath string
	Dir        string
	Doc        string
	Imports    []string
	Deps       []string
	GoFiles    []string
	CgoFiles   []string
}

func list(t *testing.T) map[string]listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,Deps,GoFiles,CgoFiles", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	all := map[string]listed{}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

// isTestSupport tells the packages that hold test doubles and fixtures: their
// names end in "test" and nothing outside tests may import them.
func isTestSupport(path string) bool { return strings.HasSuffix(path, "test") }

func TestArrows(t *testing.T) {
	for path, p := range list(t) {
		name := strings.TrimPrefix(path, "kura/")
		if path == "kura" || isTestSupport(path) {
			continue
		}
		allowed, known := arrows[name]
		isCmd := strings.HasPrefix(name, cmds)
		if !known && !isCmd {
			t.Errorf("package %s stands in no arrow: add it to the table in layout_test.go, with what it may import", path)
		}
		for _, imp := range p.Imports {
			switch own, ok := strings.CutPrefix(imp, "kura/"); {
			case ok && isTestSupport(imp):
				t.Errorf("%s imports %s, which is for tests only", path, imp)
			case ok && !isCmd && !slices.Contains(allowed, own):
				t.Errorf("%s imports %s; it may import only %v", path, imp, allowed)
			}
			for lib, places := range onlyIn {
				if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !within(name, places) {
					t.Errorf("%s imports %s, which may stand only in %v", path, imp, places)
				}
			}
		}
	}
}

func within(name string, places []string) bool {
	return slices.ContainsFunc(places, func(place string) bool {
		return name == place || strings.HasPrefix(name, place+"/")
	})
}

func TestBinariesLinkOnlyWhatTheyNeed(t *testing.T) {
	all := list(t)
	for binary, prefixes := range forbidden {
		p, ok := all[binary]
		if !ok {
			t.Errorf("binary %s is gone; forbidden in layout_test.go still names it", binary)
		}
		for _, dep := range p.Deps {
			for _, prefix := range prefixes {
				if strings.HasPrefix(dep, prefix) {
					t.Errorf("%s links %s, which it must not (%s…)", binary, dep, prefix)
				}
			}
		}
	}
}

func TestOnlyTheTokenUsesCgo(t *testing.T) {
	for path, p := range list(t) {
		if len(p.CgoFiles) > 0 && !strings.HasPrefix(path, "kura/signer/token") {
			t.Errorf("%s uses cgo (%v); only kura/signer/token may", path, p.CgoFiles)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for path, p := range list(t) {
		if path != "kura" && len(p.Doc) == 0 {
			t.Errorf("%s has no package comment: say what it is for, what it trusts and what it promises", path)
		}
	}
}

func TestThePureCoreIsPure(t *testing.T) {
	all := list(t)
	for _, name := range pure {
		p := all["kura/"+name]
		for _, imp := range p.Imports {
			if slices.Contains(impureImports, imp) {
				t.Errorf("%s imports %s: the pure core takes no clock, randomness, network or file", name, imp)
			}
		}
		for _, file := range p.GoFiles {
			for _, call := range calls(t, filepath.Join(p.Dir, file)) {
				if slices.Contains(impureCalls, call) {
					t.Errorf("%s/%s calls %s: times are passed in", name, file, call)
				}
			}
		}
	}
}

// calls lists the selectors "pkg.Name" that a file uses.
func calls(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok {
				found = append(found, x.Name+"."+sel.Sel.Name)
			}
		}
		return true
	})
	return found
}

// TestTheSignerCannotSetItsClock: only kura-sim has a settable clock, so kura-signer must not even link it.
func TestTheSignerCannotSetItsClock(t *testing.T) {
	for _, dep := range list(t)["kura/cmd/kura-signer"].Deps {
		if strings.HasPrefix(dep, "kura/cmd/kura-sim") {
			t.Errorf("kura-signer links %s", dep)
		}
	}
}

// TestNoBannedRooms keeps drawers without a label out of the tree.
func TestNoBannedRooms(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		switch d.Name() {
		case ".git", ".demo", ".build", "node_modules":
			return filepath.SkipDir
		case "util", "utils", "common", "helpers", "misc":
			t.Errorf("%s: a package is named after what it holds", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
