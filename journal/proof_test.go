package journal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"kura/journal"
	"kura/journal/storetest"
)

func TestGenesisLine(t *testing.T) {
	g := storetest.Genesis()
	line := g.String()
	want := "kura.test/storetest+" + hex.EncodeToString(g.Hash[:]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, g.LogKey[:]...))
	if line != want {
		t.Errorf("genesis line %s, want %s", line, want)
	}
	got, err := journal.ParseGenesis(line)
	if err != nil || got != g {
		t.Errorf("parsed %v, %v; want %v", got, err, g)
	}
	for name, bad := range map[string]string{
		"nothing":            "",
		"a newline":          line + "\n",
		"space before":       " " + line,
		"no origin":          line[strings.Index(line, "+"):],
		"space in origin":    strings.Replace(line, "/", " ", 1),
		"control character":  strings.Replace(line, "/", "\x00", 1),
		"origin too long":    strings.Repeat("o", 200) + line,
		"upper-case hex":     strings.Replace(line, hex.EncodeToString(g.Hash[:]), strings.ToUpper(hex.EncodeToString(g.Hash[:])), 1),
		"short hash":         strings.Replace(line, hex.EncodeToString(g.Hash[:]), hex.EncodeToString(g.Hash[:31]), 1),
		"one field less":     line[:strings.LastIndex(line, "+")],
		"another algorithm":  "o+" + hex.EncodeToString(g.Hash[:]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{2}, g.LogKey[:]...)),
		"a short key":        "o+" + hex.EncodeToString(g.Hash[:]) + "+" + base64.StdEncoding.EncodeToString(g.LogKey[:]),
		"loose base64":       line[:len(line)-1] + "\r=",
		"a verifier key":     must(g.VerifierKey()),
		"a field more":       line + "+00",
		"base64 of the hash": strings.Replace(line, hex.EncodeToString(g.Hash[:]), g.Hash.String(), 1),
	} {
		if got, err := journal.ParseGenesis(bad); !errors.Is(err, journal.ErrGenesis) {
			t.Errorf("%s: %q parsed as %v, %v", name, bad, got, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func FuzzParseGenesis(f *testing.F) {
	f.Add(storetest.Genesis().String())
	f.Add("a++")
	f.Fuzz(func(t *testing.T, line string) {
		if g, err := journal.ParseGenesis(line); err == nil && g.String() != line {
			t.Fatalf("%q parses and prints as %q", line, g)
		}
	})
}

func TestCheckpointOpensWithStockNote(t *testing.T) {
	g := storetest.Genesis()
	w := storetest.NewWriter()
	w.Next(7)
	verifier := must(note.NewVerifier(must(g.VerifierKey())))
	n, err := note.Open(w.Checkpoint, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if want := "kura.test/storetest\n7\n" + w.Head.Root.String() + "\n"; n.Text != want {
		t.Errorf("text %q, want %q", n.Text, want)
	}
	if head, err := journal.OpenCheckpoint(g, w.Checkpoint); err != nil || head != w.Head {
		t.Errorf("opened %v, %v; want %v", head, err, w.Head)
	}
}

// signText signs any text as a note of the log, to make checkpoints that a log never would.
func signText(t *testing.T, text string, also ...note.Signer) []byte {
	t.Helper()
	private := "PRIVATE+KEY+" + strings.Replace(must(storetest.Genesis().VerifierKey()), base64.StdEncoding.EncodeToString(append([]byte{1}, storetest.Key[32:]...)),
		base64.StdEncoding.EncodeToString(append([]byte{1}, storetest.Key.Seed()...)), 1)
	signers := append([]note.Signer{must(note.NewSigner(private))}, also...)
	return must(note.Sign(&note.Note{Text: text}, signers...))
}

func TestCheckpointIsStrict(t *testing.T) {
	g := storetest.Genesis()
	w := storetest.NewWriter()
	w.Next(7)
	good := journal.UnsignedCheckpoint(g.Origin, w.Head)
	root := w.Head.Root.String()
	if head, err := journal.OpenCheckpoint(g, signText(t, good)); err != nil || head != w.Head {
		t.Fatalf("the good one: %v, %v", head, err)
	}
	for name, text := range map[string]string{
		"another origin":    strings.Replace(good, g.Origin, "kura.test/other", 1),
		"an extension line": good + "more\n",
		"a line less":       g.Origin + "\n7\n",
		"a leading zero":    strings.Replace(good, "\n7\n", "\n07\n", 1),
		"a negative size":   strings.Replace(good, "\n7\n", "\n-7\n", 1),
		"a huge size":       strings.Replace(good, "\n7\n", "\n18446744073709551615\n", 1),
		"a short root":      g.Origin + "\n7\nAAAA\n",
		"a root in hex":     g.Origin + "\n7\n" + hex.EncodeToString(w.Head.Root[:]) + "\n",
		"a loose root":      strings.Replace(good, root, root[:len(root)-2]+string(root[len(root)-2]+1)+"=", 1),
	} {
		if head, err := journal.OpenCheckpoint(g, signText(t, text)); !errors.Is(err, journal.ErrCheckpoint) {
			t.Errorf("%s: opened as %v, %v", name, head, err)
		}
	}
	for i := range w.Checkpoint {
		c := bytes.Clone(w.Checkpoint)
		c[i] ^= 1
		if head, err := journal.OpenCheckpoint(g, c); err == nil {
			t.Errorf("with byte %d changed it opens as %v: %q", i, head, c)
		}
	}
	otherKey, otherOrigin := g, g
	otherKey.LogKey[0] ^= 1
	otherOrigin.Origin += "2"
	for _, g := range []journal.Genesis{otherKey, otherOrigin, {}} {
		if _, err := journal.OpenCheckpoint(g, w.Checkpoint); err == nil {
			t.Errorf("opens under the genesis %v", g)
		}
	}
	if _, err := journal.OpenCheckpoint(g, append(bytes.Clone(w.Checkpoint), make([]byte, journal.MaxCheckpoint)...)); !errors.Is(err, journal.ErrCheckpoint) {
		t.Errorf("oversized: %v", err)
	}
}

func TestCosignaturesAreTolerated(t *testing.T) {
	g := storetest.Genesis()
	w := storetest.NewWriter()
	w.Next(3)
	private, _, err := note.GenerateKey(nil, "witness.test/w1")
	if err != nil {
		t.Fatal(err)
	}
	c := signText(t, journal.UnsignedCheckpoint(g.Origin, w.Head), must(note.NewSigner(private)))
	if head, err := journal.OpenCheckpoint(g, c); err != nil || head != w.Head {
		t.Errorf("opened %v, %v", head, err)
	}
	if !journal.CheckpointSays(c, w.Head) || journal.CheckpointSays(c, journal.EmptyHead()) {
		t.Error("CheckpointSays")
	}
}

func TestSignCheckpointRefusesABadToken(t *testing.T) {
	g := storetest.Genesis()
	for name, sign := range map[string]journal.Sign{
		"a changed signature": func(key [32]byte, text []byte) ([64]byte, error) {
			signature, err := storetest.Sign(key, text)
			signature[9] ^= 1
			return signature, err
		},
		"another text": func(key [32]byte, text []byte) ([64]byte, error) { return storetest.Sign(key, append(text, '\n')) },
		"an error":     func([32]byte, []byte) ([64]byte, error) { return [64]byte{}, errors.New("token gone") },
	} {
		if c, err := journal.SignCheckpoint(g.Origin, journal.EmptyHead(), sign, g.LogKey); err == nil {
			t.Errorf("%s: %q", name, c)
		}
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	w := storetest.NewWriter()
	w.Next(3)
	f.Add([]byte(w.Checkpoint))
	f.Add([]byte("a\n1\n\n\n— a AAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, c []byte) {
		if head, err := journal.OpenCheckpoint(storetest.Genesis(), c); err == nil && head != w.Head {
			t.Fatalf("%q opens as %v", c, head)
		}
	})
}

func testReceipt(t *testing.T) journal.Receipt {
	t.Helper()
	log, err := journal.Create(t.Context(), testConfig(t), storetest.Entries(0, 11))
	if err != nil {
		t.Fatal(err)
	}
	return must(log.Receipt(t.Context(), 5))
}

func TestReceiptJSON(t *testing.T) {
	r := testReceipt(t)
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatal(err)
	}
	if len(members) != 4 || members["index"] != 5.0 || members["entry"] != base64.StdEncoding.EncodeToString(r.Entry) || len(members["proof"].([]any)) != len(r.Proof) {
		t.Errorf("JSON form %s", b)
	}
	var got journal.Receipt
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	for name, swap := range map[string][2]string{
		"an unknown member":   {`{"entry"`, `{"more":1,"entry"`},
		"a member twice":      {`{"entry"`, `{"index":5,"entry"`},
		"another case":        {`"index"`, `"Index"`},
		"a missing member":    {`"index":5,`, ``},
		"an index as text":    {`"index":5`, `"index":"5"`},
		"a negative index":    {`"index":5`, `"index":-5`},
		"null":                {`"index":5`, `"index":null`},
		"a short hash":        {`"proof":["`, `"proof":["AAAA","`},
		"trailing characters": {`"checkpoint":"`, `"checkpoint":"!`},
	} {
		bad := strings.Replace(string(b), swap[0], swap[1], 1)
		if bad == string(b) {
			t.Fatalf("%s: nothing was swapped in %s", name, b)
		}
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestReceiptVerify(t *testing.T) {
	g := storetest.Genesis()
	good := testReceipt(t)
	if e, err := good.Verify(g); err != nil || e.Seq != 5 {
		t.Fatalf("%v, %v", e, err)
	}
	other := storetest.NewEntry(5, "forged")
	for name, spoil := range map[string]func(*journal.Receipt){
		"another entry":          func(r *journal.Receipt) { r.Entry = must(other.Encode()) },
		"another index":          func(r *journal.Receipt) { r.Index++ },
		"an index past the size": func(r *journal.Receipt) { r.Index = 11 },
		"a huge index":           func(r *journal.Receipt) { r.Index = 1<<64 - 1 },
		"a changed hash":         func(r *journal.Receipt) { r.Proof[1][0] ^= 1 },
		"a hash less":            func(r *journal.Receipt) { r.Proof = r.Proof[1:] },
		"a hash more":            func(r *journal.Receipt) { r.Proof = append(r.Proof, journal.Hash{}) },
		"no proof":               func(r *journal.Receipt) { r.Proof = nil },
		"no checkpoint":          func(r *journal.Receipt) { r.Checkpoint = nil },
	} {
		r := good
		r.Proof = append([]journal.Hash(nil), good.Proof...)
		spoil(&r)
		if e, err := r.Verify(g); !errors.Is(err, journal.ErrReceipt) {
			t.Errorf("%s: verified as %v, %v", name, e, err)
		}
	}
	g.LogKey[3] ^= 1
	if _, err := good.Verify(g); !errors.Is(err, journal.ErrReceipt) {
		t.Errorf("under another key: %v", err)
	}
}

// TestReceiptOfAMisplacedEntry: the log key signed a tree in which an entry stands in another's place.
func TestReceiptOfAMisplacedEntry(t *testing.T) {
	w := storetest.NewWriter()
	w.Group([]journal.Entry{storetest.NewEntry(0, ""), storetest.NewEntry(5, "")})
	r := journal.Receipt{Index: 1, Entry: w.Rows[1].Bytes, Proof: []journal.Hash{journal.LeafHash(w.Rows[0].Bytes)}, Checkpoint: w.Checkpoint}
	if e, err := r.Verify(storetest.Genesis()); !errors.Is(err, journal.ErrReceipt) || !strings.Contains(err.Error(), "seq 5") {
		t.Errorf("verified as %v, %v", e, err)
	}
}

// TestReceiptOfAnotherGenesis: a log that shows another entry 0 under the pinned key is not the one.
func TestReceiptOfAnotherGenesis(t *testing.T) {
	log, err := journal.Create(t.Context(), testConfig(t), storetest.Entries(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := must(log.Receipt(t.Context(), 0))
	g := storetest.Genesis()
	if _, err := r.Verify(g); err != nil {
		t.Error(err)
	}
	g.Hash[0] ^= 1
	if _, err := r.Verify(g); !errors.Is(err, journal.ErrReceipt) {
		t.Errorf("under another genesis hash: %v", err)
	}
}

func FuzzReceipt(f *testing.F) {
	f.Add([]byte(`{"entry":"e30=","index":0,"proof":[],"checkpoint":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r journal.Receipt
		if err := json.Unmarshal(b, &r); err != nil {
			return
		}
		if e, err := r.Verify(storetest.Genesis()); err == nil {
			t.Fatalf("%s proves %v", b, e)
		}
	})
}

// TestTreeIsRFC6962 compares with package tlog's own arithmetic, hash by hash.
func TestTreeIsRFC6962(t *testing.T) {
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	if tree.Head() != journal.EmptyHead() {
		t.Errorf("empty tree %v", tree.Head())
	}
	for n := range int64(300) {
		leaf := []byte{byte(n), byte(n >> 8)}
		want := must(tlog.StoredHashes(n, leaf, reader))
		if got := tree.Append(journal.LeafHash(leaf)); !cmp.Equal(got, want) {
			t.Fatalf("hashes of entry %d: %v, want %v", n, got, want)
		}
		if journal.NodeCount(uint64(n)) != len(want) || journal.NodesBefore(uint64(n)) != uint64(len(stored)) {
			t.Fatalf("counts of entry %d", n)
		}
		stored = append(stored, want...)
		head := journal.Head{Size: uint64(n) + 1, Root: must(tlog.TreeHash(n+1, reader))}
		if tree.Head() != head {
			t.Fatalf("head %v, want %v", tree.Head(), head)
		}
		again := must(journal.NewTree(head.Size, reader))
		if again.Head() != head {
			t.Fatalf("read from stored hashes: %v, want %v", again.Head(), head)
		}
		for index := range head.Size {
			if n%17 == 0 {
				proof := must(again.Prove(index))
				if want := must(tlog.ProveRecord(n+1, int64(index), reader)); !cmp.Equal(proof, []tlog.Hash(want)) {
					t.Fatalf("proof of %d in %d", index, n+1)
				}
			}
		}
	}
	for _, sizes := range [][2]uint64{{0, 300}, {1, 300}, {255, 256}, {256, 300}, {300, 300}, {7, 8}} {
		old := must(journal.NewTree(sizes[0], reader)).Head()
		newer := must(journal.NewTree(sizes[1], reader)).Head()
		proof := must(tree.ProveConsistency(sizes[0], sizes[1]))
		if err := journal.VerifyConsistency(old, newer, proof); err != nil {
			t.Errorf("%v: %v", sizes, err)
		}
		old.Root[0] ^= 1
		if journal.VerifyConsistency(old, newer, proof) == nil {
			t.Errorf("%v: another old root is consistent", sizes)
		}
	}
	if _, err := tree.Prove(300); err == nil {
		t.Error("proved an entry past the end")
	}
	if _, err := tree.ProveConsistency(1, 301); err == nil {
		t.Error("proved consistency past the end")
	}
}

// TestReceiptNamesTheHeadBefore holds it to the tree itself, for every entry of every small journal.
func TestReceiptNamesTheHeadBefore(t *testing.T) {
	heads := []journal.Head{journal.EmptyHead()}
	for size := uint64(1); size <= 70; size++ {
		tree, err := journal.NewTree(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			tree.Append(journal.LeafHash([]byte{byte(i)}))
		}
		heads = append(heads, tree.Head())
		for i := range size {
			proof, err := tree.Prove(i)
			if err != nil {
				t.Fatal(err)
			}
			if got := (journal.Receipt{Index: i, Proof: proof}).Before(size); got != heads[i] {
				t.Fatalf("entry %d of %d stands behind %+v, the proof says %+v", i, size, heads[i], got)
			}
		}
	}
}
