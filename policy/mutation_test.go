package policy_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutations says what each operator becomes.
var mutations = map[token.Token]string{
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">", token.EQL: "!=", token.NEQ: "==",
	token.LAND: "||", token.LOR: "&&", token.ADD: "-", token.SUB: "+",
}

// equivalent explains mutants that survive because they change nothing that can
// be seen, by file and source line.
var equivalent = map[string]string{
	`decide.go: j.d.Outflows = make([]Outflow, 0, len(t.Assets)+1)`:                              "room that is made beforehand; more is made when it is needed",
	`decide_limits.go: if (per.Has(PerDestination) || per.Has(PerCustomer)) && !keys.digested {`: "makes the same digests again",
	`approval.go: } else if v.At < b.approved[j].At {`:                                           "of two approvals of one party at one moment, either says the same",
	`deque.go: for d.first-d.base >= chunk {`:                                                    "an empty chunk stays until the next element goes",
	`usage.go: if r.time > u.last-t.limit.window {`:                                              "what is exactly one window old stays a little longer, and is not counted all the same",
}

// TestMutants flips every comparison, connective and sum of Decide, of usage and
// of the counting of approvals, one at a time, and wants some test to fail. It
// takes minutes and runs with KURA_MUTATE=1; the sources are not touched (go test
// -overlay).
func TestMutants(t *testing.T) {
	if os.Getenv("KURA_MUTATE") == "" {
		t.Skip("takes minutes; KURA_MUTATE=1 runs it")
	}
	mutants, survivors := 0, 0
	for _, name := range []string{"decide.go", "decide_limits.go", "usage.go", "deque.go", "approval.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			b, ok := n.(*ast.BinaryExpr)
			if !ok || mutations[b.Op] == "" {
				return true
			}
			at := files.Position(b.OpPos)
			mutant := string(source[:at.Offset]) + mutations[b.Op] + string(source[at.Offset+len(b.Op.String()):])
			mutants++
			line := strings.TrimSpace(strings.Split(string(source), "\n")[at.Line-1])
			if !killed(t, name, mutant) {
				reason, explained := equivalent[name+": "+line]
				if explained && reason != "" {
					t.Logf("%s:%d: %s → %s survives: %s", name, at.Line, b.Op, mutations[b.Op], reason)
					return true
				}
				survivors++
				t.Errorf("%s:%d: %s → %s survives: %s", name, at.Line, b.Op, mutations[b.Op], line)
			}
			return true
		})
	}
	t.Logf("%d mutants, %d survive unexplained", mutants, survivors)
}

// killed runs the quick tests against a mutant and tells whether one failed (or
// the mutant does not compile).
func killed(t *testing.T, name, mutant string) bool {
	t.Helper()
	dir := t.TempDir()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(dir, name)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{changed: []byte(mutant), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("go", "test", "-overlay", filepath.Join(dir, "overlay.json"), "-vet=off", "-timeout", "60s",
		"-run", "TestAgrees|TestGolden|TestWindow|TestUsage|TestSums|TestFill|TestNewLimit|TestTooMany|TestMost|TestLong|TestOrder|TestHours|TestUnseen|TestLevyAt|TestTransfer|TestEvent|TestFees|TestDecide|TestPolicyProposal|TestOverlay|TestCheckVerdict", ".")
	run.Env = append(os.Environ(), "KURA_MUTATE=", "KURA_CASES=4000")
	out, err := run.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "ok") {
		t.Fatal(fmt.Sprint("the run said nothing: ", string(out)))
	}
	return err != nil
}
