package gap_test

import (
	"bytes"
	"fmt"
	"testing"

	"kura/journal"
	"kura/journal/gap"
	"kura/ledger/ledgertest"
	"kura/statement"
)

func TestNamesAndSpans(t *testing.T) {
	head := func(size uint64, root string) journal.Head {
		return journal.Head{Size: size, Root: journal.LeafHash([]byte(root))}
	}
	g := gap.Gap{Kept: head(10, "a"), Lost: head(20, "a"), Between: []journal.Head{head(15, "a")}}
	for _, c := range []struct {
		head         journal.Head
		names, spans bool
	}{
		{head(9, "a"), false, false}, {head(10, "a"), false, false}, {head(10, "b"), false, false},
		{head(11, "a"), false, true}, {head(15, "a"), true, true}, {head(15, "b"), false, true}, {head(19, "a"), false, true},
		{head(20, "a"), true, true}, {head(20, "b"), false, false}, {head(21, "a"), false, false},
	} {
		if g.Names(c.head) != c.names || g.Spans(c.head) != c.spans {
			t.Errorf("%+v: names %v, spans %v", c.head, g.Names(c.head), g.Spans(c.head))
		}
	}
	if n := g.Entries(); n != 10 {
		t.Errorf("%d entries", n)
	}
	longer := gap.Gap{Kept: head(30, "a"), Lost: head(20, "b")}
	if !longer.Names(head(20, "b")) || longer.Spans(head(25, "a")) || longer.Entries() != 0 {
		t.Error("a gap whose kept head is the longer one")
	}
}

// TestText: whatever the entry says besides its verdicts is in the text that they approve.
func TestText(t *testing.T) {
	l := ledgertest.Founded(t).LoseTwoHeads()
	g := l.Gap()
	want := fmt.Sprintf("kura gap\nexample.com/kura\nkept %d %x\nlost %d %x\nbetween %d %x\nuntil %d\n", g.Kept.Size, g.Kept.Root[:], g.Lost.Size, g.Lost.Root[:],
		g.Between[0].Size, g.Between[0].Root[:], g.Until)
	if have := g.Text("example.com/kura"); have != want {
		t.Errorf("%s\nwant\n%s", have, want)
	}
	seen := map[statement.Hash]string{}
	for name, change := range map[string]func(*gap.Gap){
		"nothing":              func(*gap.Gap) {},
		"the kept size":        func(g *gap.Gap) { g.Kept.Size++ },
		"the kept root":        func(g *gap.Gap) { g.Kept.Root[0]++ },
		"the lost size":        func(g *gap.Gap) { g.Lost.Size++ },
		"the lost root":        func(g *gap.Gap) { g.Lost.Root[31]++ },
		"no head between":      func(g *gap.Gap) { g.Between = nil },
		"another head between": func(g *gap.Gap) { g.Between[0].Root[0]++ },
		"one head more":        func(g *gap.Gap) { g.Between = append(g.Between, g.Between[0]) },
		"until":                func(g *gap.Gap) { g.Until++ },
	} {
		changed := l.Gap()
		change(&changed)
		about := changed.About("example.com/kura")
		if other, ok := seen[about]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[about] = name
	}
}

// FuzzParseQuestion reads what anybody may have handed to a director.
func FuzzParseQuestion(f *testing.F) {
	l := ledgertest.Founded(f).LoseTwoHeads()
	keys := l.World.Genesis.Keys()
	q := gap.Question{Genesis: l.World.Genesis, Kept: l.Kept, Lost: l.Lost, Between: l.Between, Until: l.Until, Policy: statement.HashText("policy")}
	good, err := q.Encode()
	if err != nil {
		f.Fatal(err)
	}
	if _, g, err := gap.ParseQuestion(keys, good); err != nil || g.About(l.World.Genesis.Origin) != l.Verdict().About[0] || len(gap.LostIn(good)) != 2 {
		f.Fatalf("a good question is not read: %v", err)
	}
	f.Add(good)
	f.Add(bytes.Replace(good, []byte(`"kura_gap":1`), []byte(`"kura_gap":2`), 1))
	f.Add(bytes.Replace(good, []byte(`"lost"`), []byte(`"Lost"`), 1))
	f.Add(bytes.Replace(good, []byte(`"until":`), []byte(`"until":-`), 1))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, g, err := gap.ParseQuestion(keys, text)
		if err != nil {
			return
		}
		again, err := q.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, second, err := gap.ParseQuestion(keys, again); err != nil || second.Text("x") != g.Text("x") || g.Kept == g.Lost {
			t.Errorf("%s\nis read again as %v: %v", text, second, err)
		}
	})
}

// FuzzRead reads bodies that anybody may have written under a good entry's place.
func FuzzRead(f *testing.F) {
	l := ledgertest.Founded(f).LoseTwoHeads()
	l.Continue()
	w := l.World
	seq := w.State.Gaps()[0].Seq
	good := w.Entries[seq]
	before := w.Receipt(seq).Before(w.Head().Size)
	if g, err := gap.Read(w.Genesis.Keys(), good, before); err != nil || len(g.Approvals) != 2 || len(g.Between) != 1 {
		f.Fatalf("a good gap is not read: %v", err)
	}
	f.Add(good.Body)
	f.Add(bytes.Replace(good.Body, []byte(`approve`), []byte(`approvE`), 1))
	f.Add([]byte(`{"kept":"","lost":"","between":[],"until":0,"verdicts":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := good
		e.Body = body
		g, err := gap.Read(w.Genesis.Keys(), e, before)
		if err != nil {
			return
		}
		if g.Kept.Size != seq || g.Kept == g.Lost {
			t.Errorf("%s\nis a gap %+v", body, g)
		}
		for _, a := range g.Approvals {
			if a.Verdict.Verdict != statement.Approve {
				t.Errorf("%s counts as an approval", a.Hash)
			}
		}
	})
}
