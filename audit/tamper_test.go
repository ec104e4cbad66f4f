package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kura/audit"
	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
)

// facts are the kinds that hold something that nothing else in the journal says: at least their times.
var facts = map[string]bool{
	ledger.KindGenesis: true, ledger.KindFounding: true, ledger.KindWallet: true, ledger.KindStart: true, ledger.KindSignature: true,
}

// TestEveryEditIsFound edits an export at random, under the old head: verification fails, and names the
// entry that was edited, or a range that it is in.
func TestEveryEditIsFound(t *testing.T) {
	w := ledgertest.Story(t)
	export := w.Export()
	all := bytes.SplitAfter(export, []byte("\n"))
	all = all[:len(all)-1] // nothing follows the last newline
	rapid.Check(t, func(t *rapid.T) {
		lines := slices.Clone(all)
		at := rapid.IntRange(1, len(lines)-2).Draw(t, "line") // an entry: neither header nor checkpoint
		entry := uint64(at - 1)
		switch rapid.SampledFrom([]string{"byte", "byte", "byte", "delete", "duplicate", "swap", "truncate"}).Draw(t, "edit") {
		case "byte":
			line := slices.Clone(lines[at])
			i := rapid.IntRange(0, len(line)-2).Draw(t, "byte")
			line[i] ^= 1 << rapid.IntRange(0, 6).Draw(t, "bit")
			if line[i] == '\n' {
				t.Skip("cuts the line in two")
			}
			lines[at] = line
		case "delete":
			lines = slices.Delete(lines, at, at+1)
		case "duplicate":
			lines = slices.Insert(lines, at, lines[at])
		case "swap":
			other := rapid.IntRange(1, len(lines)-2).Draw(t, "other")
			if bytes.Equal(lines[at], lines[other]) {
				t.Skip("nothing changes")
			}
			lines[at], lines[other] = lines[other], lines[at]
			entry = min(entry, uint64(other-1))
		case "truncate":
			lines = append(lines[:at:at], lines[len(lines)-1])
		}
		report, err := audit.Verify(context.Background(), bytes.NewReader(bytes.Join(lines, nil)), audit.Options{Genesis: w.Genesis.String()})
		if err != nil {
			t.Fatal(err)
		}
		if report.OK || report.Failure == nil {
			t.Fatalf("an edit of entry %d was not found", entry)
		}
		if report.Signed {
			t.Fatal("the report says that this is what was signed")
		}
		// A deleted or duplicated entry may equal its neighbour in all but its seq, so the next one is named.
		// What an entry only reports shows where something rests on it, or at the head.
		f, reported := report.Failure, facts[w.Entries[entry].Kind]
		if f.Last+1 < entry || f.Entry > entry+1 && !reported {
			t.Fatalf("entry %d was edited, the report says %v", entry, f)
		}
	})
}

// forgery changes the bodies of entries and signs the tree anew, as whoever holds the log key could.
func forgery(t *testing.T, w *ledgertest.World, change func(e *journal.Entry) bool) ([]byte, uint64) {
	t.Helper()
	lines := make([][]byte, len(w.Entries))
	changed := -1
	for i, e := range w.Entries {
		e.Body = slices.Clone(e.Body)
		if changed < 0 && change(&e) {
			changed = i
		}
		line, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = line
	}
	if changed < 0 {
		t.Fatal("nothing was changed")
	}
	return w.Forge(lines), uint64(changed)
}

// replace changes text in the body of the first entry of a kind that has it.
func replace(kind, old, with string) func(*journal.Entry) bool {
	return func(e *journal.Entry) bool {
		if e.Kind != kind || !strings.Contains(string(e.Body), old) {
			return false
		}
		e.Body = []byte(strings.Replace(string(e.Body), old, with, 1))
		return true
	}
}

// TestTheLogKeyAloneForgesNothing edits what decides and signs the head anew: judging again finds it.
func TestTheLogKeyAloneForgesNothing(t *testing.T) {
	w := ledgertest.Story(t)
	for _, c := range []struct {
		name   string
		change func(*journal.Entry) bool
		code   string
	}{
		{"a statement's amount", replace(ledger.KindStatement, `\"amount\":\"1000000\"`, `\"amount\":\"1000001\"`), audit.FailStatement},
		{"whose statement it is", replace(ledger.KindStatement, `"id":"shop"`, `"id":"desk"`), audit.FailDecision},
		{"a denial made an approval", replace(ledger.KindOutcome, `"state":"denied"`, `"state":"authorized"`), audit.FailDecision},
		{"a transaction's bytes", replace(ledger.KindOutcome, `"unsigned":"01`, `"unsigned":"02`), audit.FailDecision},
		{"a deadline", replace(ledger.KindOutcome, `"deadline":17672`, `"deadline":17673`), audit.FailDecision},
		{"a code", replace(ledger.KindOutcome, `"code":"needs_approval"`, `"code":"signed"`), audit.FailDecision},
		{"a limit's sum", replace(ledger.KindReasons, `"before":"1`, `"before":"2`), audit.FailDecision},
		{"a rule", replace(ledger.KindReasons, `"rule":"xem-small"`, `"rule":"xem-big"`), audit.FailDecision},
		{"a verdict that did not count", replace(ledger.KindOutcome, `"code":"operates_the_client"`, `"code":""`), audit.FailDecision},
		{"a signature", replace(ledger.KindSignature, `"signature":"`, `"signature":"0`), audit.FailDecision},
		{"the policy in force", replace(ledger.KindInForce, `"policy":"`, `"policy":"0`), audit.FailDecision},
		{"a freeze's list", replace(ledger.KindOutcome, `"signed":true`, `"signed":false`), audit.FailDecision},
		{"a wallet's address", replace(ledger.KindWallet, `"address":"T`, `"address":"A`), audit.FailDecision},
		{"a member more", replace(ledger.KindTick, `{}`, `{"x":1}`), audit.FailDecision},
		{"the credit of a start", replace(ledger.KindStart, `"credit":600000`, `"credit":700000`), audit.FailDecision},
		{"the clock of an outcome", func(e *journal.Entry) bool {
			if e.Kind != ledger.KindOutcome {
				return false
			}
			e.Clock++
			return true
		}, audit.FailDecision},
		{"an alarm that follows", replace(ledger.KindAlarm, `"code":"frozen"`, `"code":"nothing"`), audit.FailDecision},
	} {
		t.Run(c.name, func(t *testing.T) {
			export, entry := forgery(t, w, c.change)
			report := verify(t, w, export, audit.Options{})
			if report.OK {
				t.Fatalf("the forgery of entry %d was not found", entry)
			}
			if f := report.Failure; f.Entry != entry || f.Code != c.code || !report.Signed {
				t.Errorf("entry %d was forged; the report says %v (signed: %v)", entry, f, report.Signed)
			}
		})
	}
}

// TestAWrongSignatureIsFound journals a signature of another key.
func TestAWrongSignatureIsFound(t *testing.T) {
	w := ledgertest.New(t)
	res := w.Submit("shop", w.Withdrawal(w.Wallets[0], 1))
	r, _ := w.State.RequestByStatement(res.About)
	wrong := w.Sign(w.Wallets[0], r.Transaction.Unsigned)
	wrong[0] ^= 1
	at := w.State.Next()
	w.Must(ledger.SignatureInput{About: res.About, Signature: wrong})
	report := verify(t, w, w.Export(), audit.Options{})
	if report.OK || report.Failure.Entry != at || report.Failure.Code != audit.FailSignature {
		t.Errorf("%v", report.Failure)
	}
}

// TestLeftOutEntriesAreFound takes whole inputs out and closes the gap in the numbers, under a new head.
func TestLeftOutEntriesAreFound(t *testing.T) {
	w := ledgertest.Story(t)
	found := 0
	for cut := 5; cut < len(w.Entries); cut += 7 {
		lines := slices.Clone(w.Lines[:cut])
		for _, e := range w.Entries[cut+1:] {
			e.Seq--
			line, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if report := verify(t, w, w.Forge(lines), audit.Options{}); !report.OK {
			found++
		} else {
			t.Errorf("without entry %d (%s) it verifies", cut, w.Entries[cut].Kind)
		}
	}
	if found == 0 {
		t.Error("nothing was tried")
	}
}

func TestAnotherJournalAndARollback(t *testing.T) {
	w := ledgertest.Story(t)
	early := w.Checkpoint()
	size := len(w.Lines)
	rolledBack := w.Export()
	w.Submit("shop", w.Withdrawal(w.Wallets[1], 1))
	w.SignAll()
	late := w.Checkpoint()
	export := w.Export()

	report := verify(t, w, export, audit.Options{From: early})
	if !report.OK || report.From != uint64(size) {
		t.Errorf("from an earlier checkpoint: %d %v", report.From, report.Failure)
	}
	report = verify(t, w, rolledBack, audit.Options{From: late})
	if report.OK || report.Failure.Code != audit.FailConsistency {
		t.Errorf("a journal that was rolled back: %v", report.Failure)
	}
	if report = verify(t, w, rolledBack, audit.Options{From: []byte("x")}); report.OK || slices.Contains(report.Notes, audit.NoteRollback) {
		t.Errorf("a checkpoint that is none is said to be missing: %v, %v", report.Failure, report.Notes)
	}
	report = verify(t, w, rolledBack, audit.Options{})
	if !report.OK || !slices.Contains(report.Notes, audit.NoteRollback) {
		t.Errorf("without a checkpoint a rollback cannot be seen, and that must be said: %v", report.Notes)
	}
	other := w.Genesis
	other.Origin = "kura.test/other"
	report = verify(t, w, export, audit.Options{Genesis: other.String()})
	if report.OK || report.Failure.Code != audit.FailGenesis {
		t.Errorf("another journal: %v", report.Failure)
	}
	unpinned, err := audit.Verify(context.Background(), bytes.NewReader(export), audit.Options{})
	if err != nil || !unpinned.OK || unpinned.Pinned || !slices.Contains(unpinned.Notes, audit.NoteUnpinned) {
		t.Errorf("%v %+v", err, unpinned)
	}
}

// TestFactsAreCoveredByTheHead changes what judging again cannot check: who was present at a ceremony. The
// signed head finds it, and an earlier checkpoint finds it even if the log key signed the other journal.
func TestFactsAreCoveredByTheHead(t *testing.T) {
	w := ledgertest.Story(t)
	report := verify(t, w, bytes.Replace(w.Export(), []byte(`"present":["alice"]`), []byte(`"present":["alicf"]`), 1), audit.Options{})
	if f := report.Failure; f == nil || f.Code != audit.FailHead || f.Entry != 0 || f.Last != uint64(len(w.Lines)-1) {
		t.Errorf("under the old head: %v", f)
	}
	early := w.Checkpoint()
	fork, _ := forgery(t, w, replace(ledger.KindWallet, `"present":["alice"]`, `"present":["alicf"]`))
	if report = verify(t, w, fork, audit.Options{}); !report.OK {
		t.Fatalf("the forgery is not what this test needs: %v", report.Failure)
	}
	report = verify(t, w, fork, audit.Options{From: early})
	if f := report.Failure; f == nil || f.Code != audit.FailConsistency {
		t.Errorf("under a new head, held to an earlier checkpoint: %v", f)
	}
}

// TestHeadsBetweenNarrowTheRange puts every tenth signed head between the entries, as an export of a gateway has them
// all: what only the head covers is found between the two heads around it.
func TestHeadsBetweenNarrowTheRange(t *testing.T) {
	w := ledgertest.Story(t)
	text, _, _ := bytes.Cut(w.Export(), []byte("\n"))
	text = append(text, '\n')
	for i, line := range w.Lines {
		text = append(append(text, line...), '\n')
		if size := i + 1; size%10 == 0 || size == len(w.Lines) {
			upTo := w.Forge(w.Lines[:size])
			text = append(text, upTo[bytes.LastIndexByte(upTo[:len(upTo)-1], '\n')+1:]...)
		}
	}
	report := verify(t, w, text, audit.Options{})
	if want := uint64((len(w.Lines) + 9) / 10); !report.OK || report.Counts.Checkpoints != want {
		t.Fatalf("%d checkpoints, want %d: %v", report.Counts.Checkpoints, want, report.Failure)
	}
	at := slices.IndexFunc(w.Entries, func(e journal.Entry) bool { return e.Kind == ledger.KindWallet })
	first := uint64(at / 10 * 10)
	report = verify(t, w, bytes.Replace(text, []byte(`"present":["alice"]`), []byte(`"present":["alicf"]`), 1), audit.Options{})
	if f := report.Failure; f == nil || f.Code != audit.FailHead || f.Entry != first || f.Last != first+9 {
		t.Errorf("entry %d was edited, the report says %v", at, f)
	}
}

// TestHalfAnInputIsFound ends the journal, under a signed head, after each entry.
func TestHalfAnInputIsFound(t *testing.T) {
	w := ledgertest.New(t)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], 1))
	for size := len(w.Lines) - 3; size <= len(w.Lines); size++ {
		whole := w.Entries[size-1].Kind == ledger.KindReasons || size == len(w.Lines)-3
		report := verify(t, w, w.Forge(w.Lines[:size]), audit.Options{})
		if report.OK != whole || !whole && report.Failure.Code != audit.FailTruncated {
			t.Errorf("after %s: %v", w.Entries[size-1].Kind, report.Failure)
		}
	}
}

func TestFormsOfExports(t *testing.T) {
	w := ledgertest.New(t)
	export := string(w.Export())
	header, rest, _ := strings.Cut(export, "\n")
	for name, text := range map[string]string{
		"empty":               "",
		"no header":           rest,
		"unknown version":     strings.Replace(export, `"kura_export":1`, `"kura_export":2`, 1),
		"a member more":       strings.Replace(export, `{"kura_export":1,`, `{"kura_export":1,"x":1,`, 1),
		"header alone":        header + "\n",
		"no final checkpoint": export[:strings.LastIndex(export[:len(export)-1], "\n")+1],
		"cut off":             export[:len(export)-1],
		"more after the end":  export + w.Entries[0].Kind + "\n",
		"checkpoint too soon": header + "\n" + export[strings.LastIndex(export[:len(export)-1], "\n")+1:],
		"a checkpoint's form": strings.Replace(export, `{"checkpoint":`, `{"checkpoint":1,"y":`, 1),
	} {
		report := verify(t, w, []byte(text), audit.Options{})
		if report.OK || report.Failure == nil {
			t.Errorf("%s: it verifies", name)
		}
	}
	between := strings.Replace(export, "\n"+string(w.Lines[len(w.Lines)-1]), fmt.Sprintf("\n%s\n%s", checkpointLine(w), w.Lines[len(w.Lines)-1]), 1)
	if report := verify(t, w, []byte(between), audit.Options{}); report.OK || report.Failure.Code != audit.FailHead {
		t.Errorf("a checkpoint of another size between entries: %v", report.Failure)
	}
}

func checkpointLine(w *ledgertest.World) string {
	export := string(w.Export())
	return strings.TrimSuffix(export[strings.LastIndex(export[:len(export)-1], "\n")+1:], "\n")
}
