package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mutated are the files that a decision runs through.
var mutated = []string{
	"decide.go", "decide_limits.go", "rule.go", "message.go", "usage.go", "window.go", "deque.go", "approval.go", "overlay.go",
}

// mutations says what each operator becomes.
var mutations = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">", token.EQL: "!=", token.NEQ: "==",
	token.LAND: "||", token.LOR: "&&", token.ADD: "-", token.SUB: "+",
}

// equivalent explains mutants that survive because they change nothing that can
// be seen, by file, operator and source line.
var equivalent = map[string]string{
	`decide.go: + in j.d.Outflows = make([]Outflow, 0, len(t.Assets)+1)`:                            "room that is made beforehand; more is made when it is needed",
	`decide_limits.go: && in if (per.Has(PerDestination) || per.Has(PerCustomer)) && !k.digested {`: "makes the same digests again",
	`approval.go: < in } else if v.At < b.approved[j].At {`:                                         "of two approvals of one party at one moment, either says the same",
	`deque.go: >= in for d.first-d.base >= chunk {`:                                                 "an empty chunk stays until the next element goes",
	`rule.go: < in if h.from < h.to {`:                                                              "no hours begin when they end: validation refuses them",
	`message.go: < in if end < 0 || !e.parseRepeat(text[i+1:i+end]) {`:                              "what is looked for stands behind the brace",
	`message.go: >= in case text[i] == '\\' || text[i] == '[' || text[i] >= 0x80:`:                  "no character of UTF-8 begins with 0x80",
	`message.go: >= in if text[i] > text[i+2] || text[i+2] >= 0x80 {`:                               "no character of UTF-8 begins with 0x80",
	`overlay.go: || in if v.By.Kind != PersonActor || len(o.stops) == 0 {`:                          "only directors veto, and they are persons; without stops nobody is muted",
	`usage.go: > in if r.time > u.last-t.limit.window {`:                                            "what is exactly one window old stays a little longer, and is not counted all the same",
}

// switches is a source file of the package in which KURA_MUTANT=n turns mutant n
// on: each function computes what its name says, or the mutant's value.
const switches = `package policy

import (
	"cmp"
	"os"
	"strconv"
)

var mutantOn, _ = strconv.Atoi(os.Getenv("KURA_MUTANT"))

func mutantIs(n int) bool { return mutantOn == n }

func mutantLess[T cmp.Ordered](n int, x, y T) bool { return x < y || (mutantIs(n) && x == y) }

func mutantAtMost[T cmp.Ordered](n int, x, y T) bool { return x < y || (!mutantIs(n) && x == y) }

type mutantNumber interface{ ~int | ~int64 | ~uint64 | ~uint32 | ~uint16 | ~uint8 }

func mutantSum[T mutantNumber](n int, x, y T) T {
	if mutantIs(n) {
		return x - y
	}
	return x + y
}

func mutantDifference[T mutantNumber](n int, x, y T) T {
	if mutantIs(n) {
		return x + y
	}
	return x - y
}
`

// mutant is one place where an operator is exchanged.
type mutant struct {
	file string
	line int
	col  int
	op   token.Token
	text string // of the line
}

// TestMutants flips every comparison, connective and sum of all that a decision
// runs through, one at a time, and wants some test to fail. All mutants are built
// at once, each behind a switch of its own; the sources are not touched (go test
// -overlay). It takes minutes and runs with KURA_MUTATE=1.
func TestMutants(t *testing.T) {
	if os.Getenv("KURA_MUTATE") == "" {
		t.Skip("takes minutes; KURA_MUTATE=1 runs it")
	}
	binary, mutants := buildMutants(t)
	if killed(t, binary, 0) {
		t.Fatal("the tests fail without any mutant")
	}
	survivors := 0
	for i, m := range mutants {
		if killed(t, binary, i+1) {
			continue
		}
		says := fmt.Sprintf("mutant %d, %s:%d:%d: %s → %s survives: %s", i+1, m.file, m.line, m.col, m.op, mutations[m.op], m.text)
		if reason := equivalent[m.file+": "+m.op.String()+" in "+m.text]; reason != "" {
			t.Log(says, ": ", reason)
			continue
		}
		survivors++
		t.Error(says)
	}
	t.Logf("%d mutants, %d survive unexplained", len(mutants), survivors)
}

// killed runs the quick tests with a mutant on and tells whether one failed.
func killed(t *testing.T, binary string, number int) bool {
	t.Helper()
	run := exec.Command(binary, "-test.failfast", "-test.timeout", "60s", "-test.skip", "TestAdversary|TestBookManyChanges|TestMutants")
	run.Env = append(os.Environ(), "KURA_MUTANT="+strconv.Itoa(number), "KURA_CASES=4000")
	err := run.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	return err != nil
}

// buildMutants makes a test binary that holds every mutant.
func buildMutants(t *testing.T) (binary string, mutants []mutant) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{filepath.Join(here, "mutant.go"): write("mutant.go", switches)}
	for _, name := range mutated {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text, more := withSwitches(t, name, string(source), len(mutants))
		mutants = append(mutants, more...)
		replace[filepath.Join(here, name)] = write(name, text)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "mutants.test")
	build := exec.Command("go", "test", "-c", "-vet=off", "-overlay", write("overlay.json", string(overlay)), "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutants do not build: %s", out)
	}
	return binary, mutants
}

// withSwitches gives the source with every operator behind a switch, numbered
// after those that there are already.
func withSwitches(t *testing.T, name, source string, before int) (string, []mutant) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(source, "\n")
	var places []*ast.BinaryExpr
	ast.Inspect(file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.GenDecl:
			return x.Tok != token.CONST
		case *ast.ArrayType:
			return false // its length is a constant
		case *ast.BinaryExpr:
			if mutations[x.Op] != "" && !joinsTexts(x) {
				places = append(places, x)
			}
		}
		return true
	})
	var mutants []mutant
	for i, x := range places {
		at := files.Position(x.OpPos)
		mutants = append(mutants, mutant{name, at.Line, at.Column, x.Op, strings.TrimSpace(lines[at.Line-1])})
		putSwitch(x, before+i+1)
	}
	var out bytes.Buffer
	if err := format.Node(&out, files, file); err != nil {
		t.Fatal(err)
	}
	return out.String(), mutants
}

// putSwitch turns an expression into one of the same value, or of the mutant's
// if that is on.
func putSwitch(x *ast.BinaryExpr, number int) {
	n := &ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(number)}
	call := func(name string, args ...ast.Expr) ast.Expr {
		return &ast.CallExpr{Fun: ast.NewIdent(name), Args: append([]ast.Expr{n}, args...)}
	}
	// unless is the condition, and its opposite if the mutant is on.
	unless := func(e ast.Expr) *ast.BinaryExpr {
		return &ast.BinaryExpr{X: &ast.ParenExpr{X: e}, Op: token.NEQ, Y: call("mutantIs")}
	}
	was := *x
	switch x.Op {
	case token.EQL, token.NEQ:
		*x = *unless(&was)
	case token.LAND, token.LOR: // not both not: either
		was.X, was.Y = unless(was.X), unless(was.Y)
		*x = *unless(&was)
	case token.LSS:
		*x = ast.BinaryExpr{X: call("mutantLess", was.X, was.Y), Op: token.NEQ, Y: ast.NewIdent("false")}
	case token.LEQ:
		*x = ast.BinaryExpr{X: call("mutantAtMost", was.X, was.Y), Op: token.NEQ, Y: ast.NewIdent("false")}
	case token.GTR:
		*x = ast.BinaryExpr{X: call("mutantLess", was.Y, was.X), Op: token.NEQ, Y: ast.NewIdent("false")}
	case token.GEQ:
		*x = ast.BinaryExpr{X: call("mutantAtMost", was.Y, was.X), Op: token.NEQ, Y: ast.NewIdent("false")}
	case token.ADD:
		*x = ast.BinaryExpr{X: call("mutantSum", was.X, was.Y), Op: token.ADD, Y: &ast.BasicLit{Kind: token.INT, Value: "0"}}
	case token.SUB:
		*x = ast.BinaryExpr{X: call("mutantDifference", was.X, was.Y), Op: token.ADD, Y: &ast.BasicLit{Kind: token.INT, Value: "0"}}
	default: // nothing that is turned into a mutant
	}
}

// joinsTexts tells whether an expression is a sum of texts.
func joinsTexts(x *ast.BinaryExpr) bool {
	texts := false
	ast.Inspect(x, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		texts = texts || (ok && literal.Kind == token.STRING)
		return true
	})
	return texts && x.Op == token.ADD
}
