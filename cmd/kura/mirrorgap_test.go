package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kura/api/apitest"
	"kura/journal"
	"kura/ledger/ledgertest"
)

// shown serves a world behind a real gateway and points a home at it.
func shown(t *testing.T, w *ledgertest.World, home string) *apitest.World {
	t.Helper()
	double := apitest.NewWorld(w)
	g := apitest.StartBefore(t, double, apitest.Options{})
	put(t, home, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate}))
	put(t, home, homeFileName, fmt.Appendf(nil, "gateway = %q\nca = \"ca.pem\"\ngenesis = %q\nkey = \"key\"\n", g.URL, w.Genesis.String()))
	return double
}

// TestMirrorOverAGap has an officer's copy that holds lost entries go on, once and aloud.
func TestMirrorOverAGap(t *testing.T) {
	w, kept := lostWorld(t)
	home := worldHome(t, w, "alice")
	lost, head := len(w.Entries), w.Head()
	w.Lose(kept).Continue()
	double := shown(t, w, home)
	_, said, code := kura(t, "", "log", "--home", home, "--last", "1")
	if code != exitOK {
		t.Fatalf("exit %d\n%s", code, said)
	}
	for _, want := range []string{"THE JOURNAL LOST ENTRIES", "[alice bob]", fmt.Sprintf("had %d of the lost entries", lost-kept), "withdrawal/1 is authorized"} {
		if !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if aside := read(t, home, fmt.Sprintf("journal-lost-%d-%x.jsonl", lost, head.Root[:4])); strings.Count(aside, "\n") != lost {
		t.Errorf("put aside are %d lines", strings.Count(aside, "\n"))
	}
	w.Restart()
	if _, said, code := kura(t, "", "log", "--home", home); code != exitOK || strings.Contains(said, "LOST ENTRIES") {
		t.Errorf("the second time: exit %d\n%s", code, said)
	}

	// A rollback of what followed the gap, to a size among those that were lost, is no gap.
	w.Lose(kept + 2)
	double.Show(w)
	if _, said, code := kura(t, "", "log", "--home", home); code != exitNotProven {
		t.Errorf("a rollback behind the gap: exit %d\n%s", code, said)
	}
}

// TestMirrorOverAGapAtTheSameEntry has the same old copy put back twice: an officer's copy went on after the first gap, and
// goes on after the second, which stands in its place.
func TestMirrorOverAGapAtTheSameEntry(t *testing.T) {
	w, kept := lostWorld(t)
	home := worldHome(t, w, "alice")
	w.Lose(kept).Continue()
	for range 3 {
		w.Restart()
	}
	double := shown(t, w, home)
	if _, said, code := kura(t, "", "log", "--home", home); code != exitOK {
		t.Fatalf("exit %d\n%s", code, said)
	}
	w.Lose(kept).Continue()
	double.Show(w)
	if _, said, code := kura(t, "", "log", "--home", home); code != exitOK || !strings.Contains(said, "LOST ENTRIES") {
		t.Errorf("exit %d\n%s", code, said)
	}
}

// TestMirrorRefusesAnEarlierGap is shown the history of a first gap, by a copy that is already behind the second one at
// the same entry: an old backup, put in the journal's place.
func TestMirrorRefusesAnEarlierGap(t *testing.T) {
	w, kept := lostWorld(t)
	for range 5 { // so that the first gap says that more was lost than the copy will have
		w.Restart()
	}
	w.Lose(kept).Continue()
	old := *w
	w.Advance(60_000)
	w.Lose(kept).Continue()
	home := worldHome(t, w, "alice")
	shown(t, &old, home)
	before := read(t, home, mirrorFileName)
	if _, said, code := kura(t, "", "log", "--home", home); code != exitNotProven {
		t.Errorf("exit %d\n%s", code, said)
	}
	if read(t, home, mirrorFileName) != before {
		t.Error("the refusal changed the copy")
	}
}

// TestMirrorRefusesAGap that does not name all that the copy holds, and one of another history.
func TestMirrorRefusesAGap(t *testing.T) {
	for name, lose := range map[string]func(w *ledgertest.World, kept int, named journal.Checkpoint){
		"the copy has more than is named": func(w *ledgertest.World, kept int, named journal.Checkpoint) {
			l := w.Lose(kept)
			l.Lost, l.Verdicts = named, nil
			for _, who := range []string{"alice", "bob"} {
				l.Verdicts = append(l.Verdicts, w.Envelope(who, l.Verdict()))
			}
			l.Continue()
		},
		"the kept head is another one": func(w *ledgertest.World, kept int, _ journal.Checkpoint) {
			w.Lose(kept)
			for range 12 {
				w.Restart()
			}
			w.Lose(kept + 2).Continue()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, kept := lostWorld(t)
			named := w.Checkpoint()
			w.Restart()
			home := worldHome(t, w, "alice")
			lose(w, kept, named)
			shown(t, w, home)
			before := read(t, home, mirrorFileName)
			if _, said, code := kura(t, "", "log", "--home", home); code != exitNotProven {
				t.Errorf("exit %d\n%s", code, said)
			}
			if read(t, home, mirrorFileName) != before {
				t.Error("the refusal changed the copy")
			}
		})
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
