package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"kura/policy"
	"kura/policy/adversary"
	"kura/signer/rpc"
	"kura/signer/token/softhsmtest"
)

var update = flag.Bool("update", false, "write golden files")

func TestMain(m *testing.M) { os.Exit(softhsmtest.Main(m)) }

// needSoftHSM skips a test that needs a token where there is none; in CI that is a failure.
func needSoftHSM(t *testing.T) {
	t.Helper()
	_, err := findModule(modules)
	softhsmtest.Need(t, 1, err)
}

// kuraSim runs the program.
func kuraSim(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// golden compares what people read with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// hash stands for itself in a golden file: keys, and so statements, are new in each run.
var hash = regexp.MustCompile(`[0-9a-f]{64}`)

// TestTheft holds what people read, for policies that differ in what stops the thief: nothing, people, a tripwire.
func TestTheft(t *testing.T) {
	needSoftHSM(t)
	for _, name := range []string{"shop", "unlimited"} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := kuraSim(t, "rob", filepath.Join("testdata", name+".yaml"))
			if code != exitOK {
				t.Fatalf("exit %d: %s\n%s", code, errs, out)
			}
			for line := range strings.Lines(out) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
					t.Errorf("a line of %d characters: %s", n, line)
				}
			}
			golden(t, name+".golden", hash.ReplaceAllString(out, strings.Repeat("0", 64)))
		})
	}
}

func rob(t *testing.T, args ...string) robbery {
	t.Helper()
	code, out, errs := kuraSim(t, append([]string{"rob", "--json"}, args...)...)
	if code != exitOK {
		t.Fatalf("exit %d: %s\n%s", code, errs, out)
	}
	var r robbery
	if err := json.Unmarshal([]byte(out), &r, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestExamples plays the policies that we ship: nothing leaves beyond the bound, what was planned is what is signed, and
// where the key alone can move anything the plan comes close to the bound.
func TestExamples(t *testing.T) {
	needSoftHSM(t)
	for name, client := range map[string]policy.ClientID{"exchange": "backend", "treasury": "bookkeeping", "regulator": "core"} {
		t.Run(name, func(t *testing.T) {
			r := rob(t, filepath.Join("..", "..", "examples", name+".yaml"))
			if !r.OK || r.Client != client {
				t.Errorf("ok %v, client %s", r.OK, r.Client)
			}
			if len(r.Night.Requests) != len(adversary.Theft) {
				t.Errorf("%d requests in the night", len(r.Night.Requests))
			}
			for _, q := range r.Cleverest.Requests {
				if q.State != rpc.StateSigned {
					t.Errorf("planned and not signed: %+v", q)
				}
			}
			for _, l := range r.Cleverest.Losses {
				if l.Unbounded || l.Exceeded {
					t.Errorf("%+v", l)
				}
				if share := l.share(); l.Bound != "0" && !strings.HasPrefix(share, "99.") && !strings.HasPrefix(share, "100.") {
					t.Errorf("%s %s: only %s of the bound", l.Wallet, l.Asset, share)
				}
			}
			for _, run := range []*result{r.Night, r.Cleverest} {
				if !run.Journal.OK || !run.Journal.Pinned || run.Journal.Counts.Decisions == 0 {
					t.Errorf("journal: %+v", run.Journal)
				}
			}
		})
	}
}

// TestKeptDirectory: what is asked to be kept is there, and verifies again.
func TestKeptDirectory(t *testing.T) {
	needSoftHSM(t)
	dir := filepath.Join(t.TempDir(), "kept")
	code, out, errs := kuraSim(t, "rob", "--dir", dir, "testdata/shop.yaml")
	if code != exitOK || !strings.Contains(out, filepath.Join("night", exportName)) {
		t.Fatalf("exit %d: %s\n%s", code, errs, out)
	}
	for _, run := range []string{"night", "cleverest"} {
		if _, err := os.Stat(filepath.Join(dir, run, exportName)); err != nil {
			t.Error(err)
		}
	}
	if code, _, errs := kuraSim(t, "rob", "--dir", dir, "testdata/shop.yaml"); code != exitFailed || !strings.Contains(errs, "does not exist yet") {
		t.Errorf("a directory that is there: exit %d: %s", code, errs)
	}
}

// TestBeyondTheBound: if more left than was promised, everybody hears of it.
func TestBeyondTheBound(t *testing.T) {
	p := policyOf(t, "testdata/shop.yaml")
	left := map[stockKey]*takings{{"xem", "xem"}: {}}
	left[stockKey{"xem", "xem"}].own.SetInt64(1_000_000_001)
	b := policy.Blast{
		Rows:   []policy.BlastRow{{Wallet: "xem", Asset: "xem", Bound: "1000000000"}},
		Totals: []policy.BlastRow{{Asset: "xem", Bound: "1000000001"}},
	}
	r := &result{policy: p}
	r.Journal.OK = true
	r.Losses, r.Together = losses(b, left)
	if r.holds() || !r.Losses[0].Exceeded || r.Together[0].Exceeded {
		t.Errorf("one unit too many went unnoticed: %+v %+v", r.Losses, r.Together)
	}
	var out bytes.Buffer
	page := &page{out: &out}
	page.left(r)
	page.closing(&robbery{OK: r.holds()})
	for _, want := range []string{"1,000.000001 XEM OF AT MOST 1,000 XEM: THE BOUND DOES NOT HOLD", "MORE LEFT THAN THE BOUND ALLOWS"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("%q is missing in:\n%s", want, &out)
		}
	}
	b.Rows[0].Bound = "1000000001"
	if r.Losses, r.Together = losses(b, left); !r.holds() {
		t.Error("the bound itself counts as exceeded")
	}
	r.Journal.OK = false
	if r.holds() {
		t.Error("a journal that does not verify counts as verified")
	}
}

func TestRefusedInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shop := string(text)
	cut := func(from, to, instead string) string {
		start := strings.Index(shop, from)
		end := strings.Index(shop, to)
		return shop[:start] + instead + shop[end:]
	}
	both := strings.Replace(shop, "books: [suppliers]", "  - {id: txem, network: nis1-testnet, asset: \"nem:xem\", name: tXEM, supply: 8999999999, divisibility: 6}\nbooks: [suppliers]", 1)
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no file named", []string{"rob"}, exitUsage, "name one policy file"},
		{"unknown flag", []string{"rob", "--fast", "x"}, exitUsage, "--fast"},
		{"unknown command", []string{"steal"}, exitUsage, "steal"},
		{"no nights", []string{"rob", "--nights", "0", "testdata/shop.yaml"}, exitUsage, "want 1 to 30"},
		{"missing file", []string{"rob", filepath.Join(dir, "none.yaml")}, exitPolicy, "no such file"},
		{"not a policy", []string{"rob", write("bad.yaml", "semantics: one\n")}, exitPolicy, "semantics"},
		{"no wallet", []string{"rob", write("wallets.yaml", cut("wallets:", "assets:", "wallets: []\n"))}, exitPolicy, "nothing to rob"},
		{"no rule for anybody", []string{"rob", write("rules.yaml", cut("rules:", "limits:", "rules: []\n"))}, exitPolicy, "nothing to steal"},
		{"two networks of a chain", []string{"rob", write("both.yaml", both)}, exitPolicy, "assets[1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := kuraSim(t, c.args...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, c.code, c.says, out, errs)
			}
		})
	}
}

// TestNoSoftHSM: the message says what to type.
func TestNoSoftHSM(t *testing.T) {
	_, err := findModule([]string{filepath.Join(t.TempDir(), "libsofthsm2.so")})
	if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitAbsent || !strings.Contains(err.Error(), "apt-get install -y softhsm2") {
		t.Errorf("%v", err)
	}
}
