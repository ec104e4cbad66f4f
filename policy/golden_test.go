package policy_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kura/policy"
	"kura/statement"
)

var writeGolden = flag.Bool("write-golden", false, "write golden cases of semantics 1 that do not exist yet")

// goldenWorld is the first line of a golden file, goldenRow every other. The
// history of a row is what the rows above it signed.
type goldenWorld struct {
	Policy string       `json:"policy"`
	Book   []bookChange `json:"book"`
}

type bookChange = policy.BookChange

type goldenRow struct {
	Client    policy.ClientID  `json:"client"`
	Key       statement.Key    `json:"key"`
	Statement string           `json:"statement"`
	Since     int64            `json:"since"`
	Stops     []policy.Stop    `json:"stops"`
	Verdicts  []policy.Verdict `json:"verdicts"`
	Now       policy.Now       `json:"now"`
	Decision  jsontext.Value   `json:"decision"`
}

// TestGoldenIsFrozen: no file of cases changes or goes. testdata/golden/SHA256SUMS
// names them all, as sha256sum -c reads it; a file that is added is added there.
func TestGoldenIsFrozen(t *testing.T) {
	sums, err := os.ReadFile("testdata/golden/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	// The first twelve files are those of the first release, and so are these lines.
	const first, firstHash = 12, "544269f2193d16e3bb0220a7242d4396ebf9a5a3ef36b91eb7b9fdaa8386f81a"
	lines := strings.SplitAfter(string(sums), "\n")
	if got := hashHex([]byte(strings.Join(lines[:min(first, len(lines))], ""))); got != firstHash {
		t.Errorf("the first %d lines of SHA256SUMS have the hash %s, want %s", first, got, firstHash)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		listed[name] = true
		text, err := os.ReadFile(filepath.Join("testdata/golden", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := hashHex(text); got != want {
			t.Errorf("%s was changed: its hash is %s, want %s", name, got, want)
		}
	}
	files, err := filepath.Glob("testdata/golden/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !listed[filepath.Base(file)] {
			t.Errorf("%s does not stand in SHA256SUMS", file)
		}
	}
}

func hashHex(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }

// TestGolden: what semantics 1 has decided it decides for ever. The files are
// written once (-write-golden adds files, and never changes one).
func TestGolden(t *testing.T) {
	if *writeGolden {
		for seed := range 12 {
			writeGoldenFile(t, seed)
		}
	}
	files, err := filepath.Glob("testdata/golden/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	outcomes := map[policy.Outcome]int{}
	for _, file := range files {
		rows += replayGolden(t, file, outcomes)
	}
	t.Logf("%d rows: %v", rows, outcomes)
	if rows < 500 || outcomes[policy.Sign] < 50 || outcomes[policy.Hold] < 50 {
		t.Errorf("%d rows, %v: want at least 500, and 50 of each outcome", rows, outcomes)
	}
}

func replayGolden(t *testing.T, file string, outcomes map[policy.Outcome]int) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	lines.Scan()
	var head goldenWorld
	if err := json.Unmarshal(lines.Bytes(), &head, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	p, err := policy.Parse([]byte(head.Policy))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var book *policy.Book
	for i := range head.Book {
		if book, err = book.Apply(&head.Book[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	usage := policy.NewUsage(p)
	rows := 0
	for lines.Scan() {
		rows++
		var row goldenRow
		if err := json.Unmarshal(lines.Bytes(), &row, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%s, row %d: %v", file, rows, err)
		}
		body, err := statement.Decode(row.Statement)
		if err != nil {
			t.Fatalf("%s, row %d: %v", file, rows, err)
		}
		w := body.(*statement.Withdrawal)
		d := policy.Decide(policy.Input{
			Policy: p, Overlay: policy.NewOverlay(row.Stops), Book: book, Usage: usage, Verdicts: row.Verdicts, Now: row.Now,
			Request: policy.Request{Hash: statement.HashText(row.Statement), Client: row.Client, Key: row.Key, Withdrawal: w, Since: row.Since},
		})
		got, err := json.Marshal(&d, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, row.Decision) {
			t.Fatalf("%s, row %d: semantics 1 decided\n%s\nand now decides\n%s", file, rows, row.Decision, got)
		}
		outcomes[d.Outcome]++
		if d.Outcome != policy.Sign {
			continue
		}
		e, err := d.Event(p, w, row.Client, row.Now.Time)
		if err == nil {
			err = usage.Add(e)
		}
		if err != nil {
			t.Fatalf("%s, row %d: %v", file, rows, err)
		}
	}
	return rows
}

func writeGoldenFile(t *testing.T, seed int) {
	t.Helper()
	file := fmt.Sprintf("testdata/golden/semantics-1-%02d.jsonl", seed)
	if _, err := os.Stat(file); err == nil {
		return
	}
	// Of some worlds, the one that signs and holds most.
	var best *bytes.Buffer
	most := -1
	for variant := range 40 {
		out, score := goldenLines(t, uint64(seed*1000+variant))
		if score > most {
			best, most = out, score
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, best.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func goldenLines(t *testing.T, seed uint64) (*bytes.Buffer, int) {
	t.Helper()
	w := newWorld(t, rand.New(rand.NewPCG(seed, 99)))
	var out bytes.Buffer
	line := func(x any) {
		text, err := json.Marshal(x, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	head := goldenWorld{Policy: string(w.p.Text())}
	for _, e := range w.entries {
		head.Book = append(head.Book, policy.BookChange{Remove: []policy.EntryName{}, Add: []policy.Entry{e}})
	}
	line(&head)
	outcomes := map[policy.Outcome]int{}
	for range 50 {
		w.step()
		in := w.input()
		text, err := statement.Encode(in.Request.Withdrawal)
		if err != nil {
			t.Fatal(err)
		}
		in.Request.Hash = statement.HashText(text)
		d := policy.Decide(in)
		decision, err := json.Marshal(&d, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		outcomes[d.Outcome]++
		if d.Outcome == policy.Sign {
			w.take(t, in, &d)
		}
		line(&goldenRow{in.Request.Client, in.Request.Key, text, in.Request.Since, w.stops, in.Verdicts, in.Now, decision})
	}
	return &out, min(outcomes[policy.Sign], 15) + 2*min(outcomes[policy.Hold], 12)
}
