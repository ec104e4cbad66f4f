package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"kura/journal"
)

// testRollback puts a place back to each of its earlier heads: a whole, signed journal that only the
// anchor can tell from the true one.
func testRollback(t *testing.T, p Place) {
	s := p.Open(t)
	w := NewWriter()
	groups := w.Grow(t, s, 4, 3, 2)
	closeStore(t, s)
	anchor := &faultyAnchor{held: w.Checkpoint}
	for len(groups) > 0 {
		last := groups[len(groups)-1]
		groups = groups[:len(groups)-1]
		rows := p.Rows(t)
		for seq := last.Prev.Size; seq < last.Head.Size; seq++ {
			rows.DeleteEntry(seq)
		}
		rows.DeleteHead(last.Head.Size)
		rows.Close()
		s := p.Open(t)
		_, err := journal.Open(t.Context(), journal.Config{Genesis: Genesis(), Store: s, Sign: Sign, Anchors: []journal.Anchor{anchor}})
		var rollback *journal.RollbackError
		if !errors.As(err, &rollback) || rollback.Anchored != w.Head || rollback.Journal != last.Prev {
			t.Errorf("rolled back to size %d: %v", last.Prev.Size, err)
		}
		if len(groups) > 0 {
			// Without an anchor it is a journal like any other: that is the documented limit.
			if _, err := journal.Open(t.Context(), journal.Config{Genesis: Genesis(), Store: s}); err != nil {
				t.Errorf("rolled back to size %d, without an anchor: %v", last.Prev.Size, err)
			}
		}
		closeStore(t, s)
	}
}

// testTamper edits a journal's rows at random, one edit at a time, and expects every edit to be found and
// named when the journal is opened or verified. KURA_ROUNDS makes it a campaign on 10,000 entries.
func testTamper(t *testing.T, p Place) {
	rounds := Rounds(p.Rounds)
	size := uint64(400)
	if rounds >= 1000 {
		size = 10_000
	}
	random := Random(t, 2)
	v := &victim{t: t, place: p, random: random, writer: NewWriter()}
	s := p.Open(t)
	for v.writer.Head.Size < size {
		v.groups = append(v.groups, v.writer.Grow(t, s, 1+random.IntN(40))...)
	}
	closeStore(t, s)
	if stray, err := v.inspect(); err != nil || stray.Rows > 0 {
		t.Fatalf("before anything was edited: %v, %v", err, stray)
	}
	for round := range rounds {
		if round%500 == 499 {
			t.Logf("%d edits, all found and named", round)
		}
		edit := edits[round%len(edits)]
		rows := &undoRows{Rows: p.Rows(t), entries: map[uint64]*journal.StoredEntry{}, heads: map[uint64]*journal.StoredHead{}}
		expect := edit.do(v, rows)
		rows.Close()
		stray, err := v.inspect()
		if problem := expect(err, stray); problem != "" {
			t.Fatalf("round %d, %s: %s; opening and verifying said: %v, strays %+v", round, edit.name, problem, err, stray)
		}
		rows.Rows = p.Rows(t)
		rows.undo()
		rows.Close()
	}
	if stray, err := v.inspect(); err != nil || stray.Rows > 0 {
		t.Fatalf("after everything was put back: %v, %v", err, stray)
	}
}

// A victim is the journal that testTamper edits.
type victim struct {
	t      testing.TB
	place  Place
	random *rand.Rand
	writer *Writer // what the journal truly holds
	groups []journal.Group
}

// inspect opens the journal with its anchor and, if that finds nothing, verifies every signature.
func (v *victim) inspect() (journal.Stray, error) {
	s := v.place.Open(v.t)
	defer closeStore(v.t, s)
	anchor := &faultyAnchor{held: v.writer.Checkpoint}
	_, err := journal.Open(v.t.Context(), journal.Config{Genesis: Genesis(), Store: s, Anchors: []journal.Anchor{anchor}})
	if err == nil {
		_, _, err = journal.Verify(v.t.Context(), s, journal.Verification{Genesis: Genesis(), EverySignature: true})
	}
	stray, strayErr := s.Stray(v.t.Context())
	return stray, errors.Join(err, strayErr)
}

func (v *victim) seq() uint64 { return v.random.Uint64N(v.writer.Head.Size) }

// twoSeqs returns two different numbers, the smaller first.
func (v *victim) twoSeqs() (a, b uint64) {
	a = v.random.Uint64N(v.writer.Head.Size - 1)
	return a, a + 1 + v.random.Uint64N(v.writer.Head.Size-a-1)
}

func (v *victim) row(seq uint64) journal.StoredEntry {
	row := v.writer.Rows[seq]
	return journal.StoredEntry{Seq: seq, Bytes: slices.Clone(row.Bytes), Nodes: slices.Clone(row.Nodes)}
}

func (v *victim) group(seq uint64) int {
	return slices.IndexFunc(v.groups, func(g journal.Group) bool { return seq < g.Head.Size })
}

// forged is a well-formed entry with that number which was never written.
func (v *victim) forged(seq uint64) []byte { return mustEncode(NewEntry(seq, "forged")) }

func (v *victim) flip(b []byte) { b[v.random.IntN(len(b))] ^= 1 << v.random.IntN(8) }

// An expectation says what is wrong with what was found, "" if nothing.
type expectation func(err error, stray journal.Stray) string

// named expects a TamperError about the entry, or about a span that holds it.
func named(seq uint64, codes ...string) expectation {
	return func(err error, _ journal.Stray) string {
		var tamper *journal.TamperError
		if !errors.As(err, &tamper) {
			return fmt.Sprintf("the edit at entry %d was not named", seq)
		}
		if seq < tamper.First || seq > tamper.Last {
			return fmt.Sprintf("entry %d was edited, entries %d to %d were named", seq, tamper.First, tamper.Last)
		}
		if !slices.Contains(codes, tamper.Code) {
			return fmt.Sprintf("code %s, expected one of %v", tamper.Code, codes)
		}
		return ""
	}
}

// rolledBack expects the anchor to tell.
func rolledBack(to journal.Head) expectation {
	return func(err error, _ journal.Stray) string {
		var rollback *journal.RollbackError
		if !errors.As(err, &rollback) || rollback.Journal != to {
			return fmt.Sprintf("the rollback to size %d was not named", to.Size)
		}
		return ""
	}
}

// strayOnly expects that the journal is intact and rows past its head were reported.
func strayOnly(rows, first uint64) expectation {
	return func(err error, stray journal.Stray) string {
		if err != nil || stray.Rows != rows || stray.First != first {
			return fmt.Sprintf("expected %d stray rows from %d on and nothing else", rows, first)
		}
		return ""
	}
}

var edits = []struct {
	name string
	do   func(v *victim, rows Rows) expectation
}{
	{"change bits of an entry", func(v *victim, rows Rows) expectation {
		row := v.row(v.seq())
		row.Bytes[len(row.Bytes)/2+v.random.IntN(20)] ^= 1 // stays text: PostgreSQL takes no other
		rows.SetEntry(row)
		return named(row.Seq, journal.TamperMalformed, journal.TamperLeaf, journal.TamperGenesis)
	}},
	{"change an entry and its leaf hash", func(v *victim, rows Rows) expectation {
		row := v.row(v.seq())
		row.Bytes = v.forged(row.Seq)
		row.Nodes[0] = journal.LeafHash(row.Bytes)
		rows.SetEntry(row)
		return named(row.Seq, journal.TamperRoot, journal.TamperGenesis)
	}},
	{"rewrite history from an entry on, with all hashes and heads", rewrite},
	{"delete an entry", func(v *victim, rows Rows) expectation {
		seq := v.seq()
		rows.DeleteEntry(seq)
		return named(seq, journal.TamperMissing)
	}},
	{"swap two entries", func(v *victim, rows Rows) expectation {
		i, j := v.twoSeqs()
		a, b := v.row(i), v.row(j)
		a.Bytes, b.Bytes = b.Bytes, a.Bytes
		if v.random.IntN(2) == 0 {
			a.Nodes[0], b.Nodes[0] = b.Nodes[0], a.Nodes[0]
		}
		rows.SetEntry(a)
		rows.SetEntry(b)
		return named(i, journal.TamperSeq)
	}},
	{"duplicate an entry over another", func(v *victim, rows Rows) expectation {
		i, j := v.twoSeqs()
		row := v.row(j)
		row.Bytes = v.row(i).Bytes
		row.Nodes[0] = v.row(i).Nodes[0]
		rows.SetEntry(row)
		return named(j, journal.TamperSeq)
	}},
	{"insert an entry and move the others up", func(v *victim, rows Rows) expectation {
		size := v.writer.Head.Size
		at := size - 1 - v.random.Uint64N(min(size-1, 50))
		for seq := size; seq > at; seq-- {
			rows.SetEntry(journal.StoredEntry{Seq: seq, Bytes: v.row(seq - 1).Bytes, Nodes: v.row(seq - 1).Nodes})
		}
		row := v.row(at)
		row.Bytes = v.forged(at)
		row.Nodes[0] = journal.LeafHash(row.Bytes)
		rows.SetEntry(row)
		return func(err error, stray journal.Stray) string {
			if stray.Rows != 1 || stray.First != size {
				return "the entry that was pushed out was not reported"
			}
			// The one after it is out of place, unless its group ends with it.
			if named(at, journal.TamperRoot, journal.TamperGenesis)(err, stray) == "" {
				return ""
			}
			return named(at+1, journal.TamperSeq)(err, stray)
		}
	}},
	{"append entries past the head", func(v *victim, rows Rows) expectation {
		size, n := v.writer.Head.Size, 1+v.random.Uint64N(3)
		for seq := size; seq < size+n; seq++ {
			b := v.forged(seq)
			rows.SetEntry(journal.StoredEntry{Seq: seq, Bytes: b, Nodes: []journal.Hash{journal.LeafHash(b)}})
		}
		return strayOnly(n, size)
	}},
	{"truncate the entries", func(v *victim, rows Rows) expectation {
		size := v.writer.Head.Size
		from := size - 1 - v.random.Uint64N(min(size-1, 50))
		for seq := from; seq < size; seq++ {
			rows.DeleteEntry(seq)
		}
		return named(from, journal.TamperMissing)
	}},
	{"truncate to an earlier signed head", func(v *victim, rows Rows) expectation {
		n := 1 + v.random.IntN(min(3, len(v.groups)-1))
		to := v.groups[len(v.groups)-n].Prev
		for seq := to.Size; seq < v.writer.Head.Size; seq++ {
			rows.DeleteEntry(seq)
		}
		for _, g := range v.groups[len(v.groups)-n:] {
			rows.DeleteHead(g.Head.Size)
		}
		return rolledBack(to)
	}},
	{"delete the newest head only", func(v *victim, rows Rows) expectation {
		last := v.groups[len(v.groups)-1]
		for seq := last.Prev.Size; seq < last.Head.Size; seq++ {
			rows.SetEntry(v.row(seq)) // so that they are put back when the store cuts them off
		}
		rows.DeleteHead(last.Head.Size)
		return rolledBack(last.Prev)
	}},
	{"delete a head", func(v *victim, rows Rows) expectation {
		g := v.groups[v.random.IntN(len(v.groups)-1)]
		rows.DeleteHead(g.Head.Size)
		return named(g.Prev.Size, journal.TamperChain, journal.TamperMissing)
	}},
	{"change a head", func(v *victim, rows Rows) expectation {
		g := v.groups[v.random.IntN(len(v.groups)-1)]
		c := slices.Clone(g.Checkpoint)
		c[v.random.IntN(len(c))] ^= 1
		rows.SetHead(g.Head.Size, journal.StoredHead{Prev: g.Prev, Checkpoint: c})
		return named(g.Prev.Size, journal.TamperHead, journal.TamperRoot, journal.TamperChain)
	}},
	{"change the newest head", func(v *victim, rows Rows) expectation {
		g := v.groups[len(v.groups)-1]
		c := slices.Clone(g.Checkpoint)
		c[v.random.IntN(len(c))] ^= 1
		rows.SetHead(g.Head.Size, journal.StoredHead{Prev: g.Prev, Checkpoint: c})
		return func(err error, _ journal.Stray) string {
			var tamper *journal.TamperError
			if !errors.As(err, &tamper) || tamper.Code != journal.TamperHead {
				return "the newest head was not named"
			}
			return ""
		}
	}},
	{"let a head follow another", func(v *victim, rows Rows) expectation {
		g := v.groups[1+v.random.IntN(len(v.groups)-1)]
		prev := g.Prev
		v.flip(prev.Root[:])
		rows.SetHead(g.Head.Size, journal.StoredHead{Prev: prev, Checkpoint: g.Checkpoint})
		return named(g.Prev.Size, journal.TamperChain)
	}},
	{"change a tree hash", func(v *victim, rows Rows) expectation {
		row := v.row(v.seq())
		v.flip(row.Nodes[v.random.IntN(len(row.Nodes))][:])
		rows.SetEntry(row)
		return named(row.Seq, journal.TamperLeaf, journal.TamperNode)
	}},
	{"drop a tree hash", func(v *victim, rows Rows) expectation {
		row := v.row(v.seq() | 1) // one that completes a subtree
		if row.Seq >= v.writer.Head.Size-1 {
			row = v.row(1)
		}
		row.Nodes = row.Nodes[:len(row.Nodes)-1]
		rows.SetEntry(row)
		return named(row.Seq, journal.TamperNode)
	}},
}

// rewrite replaces an entry and puts everything after it right again, as far as that can be done without
// the log key: tree hashes, roots and the text of the heads, with the signatures that were there.
func rewrite(v *victim, rows Rows) expectation {
	size := v.writer.Head.Size
	seq := size - 1 - v.random.Uint64N(min(size-1, 60))
	forger := NewWriter()
	for _, row := range v.writer.Rows[:v.groups[v.group(seq)].Prev.Size] {
		forger.tree.Append(journal.LeafHash(row.Bytes))
	}
	forger.Head = v.groups[v.group(seq)].Prev
	for _, g := range v.groups[v.group(seq):] {
		entries := make([]journal.Entry, 0, len(g.Entries))
		for at := g.Prev.Size; at < g.Head.Size; at++ {
			e := NewEntry(at, "")
			if at == seq {
				e = NewEntry(at, "forged")
			}
			entries = append(entries, e)
		}
		forged := forger.Group(entries)
		for _, row := range forger.Rows {
			rows.SetEntry(row)
		}
		forger.Rows = nil
		_, signature := splitNote(g.Checkpoint)
		text, _ := splitNote(forged.Checkpoint)
		rows.SetHead(g.Head.Size, journal.StoredHead{Prev: forged.Prev, Checkpoint: append(text, signature...)})
	}
	return func(err error, _ journal.Stray) string {
		var tamper *journal.TamperError
		if !errors.As(err, &tamper) || tamper.Code != journal.TamperHead {
			return "the forged heads were not named"
		}
		return ""
	}
}

// splitNote cuts a note into text and signatures.
func splitNote(c journal.Checkpoint) (text, signatures []byte) {
	i := bytes.IndexByte(c, 0xe2) // the dash before a signature
	return slices.Clone(c[:i]), c[i:]
}

// undoRows remembers what was there before the first edit of each row.
type undoRows struct {
	Rows
	entries map[uint64]*journal.StoredEntry
	heads   map[uint64]*journal.StoredHead
}

func (u *undoRows) rememberEntry(seq uint64) {
	if _, seen := u.entries[seq]; seen {
		return
	}
	u.entries[seq] = nil
	if row, ok := u.Entry(seq); ok {
		u.entries[seq] = &row
	}
}

func (u *undoRows) rememberHead(size uint64) {
	if _, seen := u.heads[size]; seen {
		return
	}
	u.heads[size] = nil
	if row, ok := u.Head(size); ok {
		u.heads[size] = &row
	}
}

func (u *undoRows) SetEntry(row journal.StoredEntry) {
	u.rememberEntry(row.Seq)
	u.Rows.SetEntry(row)
}

func (u *undoRows) DeleteEntry(seq uint64) {
	u.rememberEntry(seq)
	u.Rows.DeleteEntry(seq)
}

func (u *undoRows) SetHead(size uint64, row journal.StoredHead) {
	u.rememberHead(size)
	u.Rows.SetHead(size, row)
}

func (u *undoRows) DeleteHead(size uint64) {
	u.rememberHead(size)
	u.Rows.DeleteHead(size)
}

func (u *undoRows) undo() {
	for size, row := range u.heads {
		if row == nil {
			u.Rows.DeleteHead(size)
		} else {
			u.Rows.SetHead(size, *row)
		}
	}
	for seq, row := range u.entries {
		if row == nil {
			u.Rows.DeleteEntry(seq)
		} else {
			u.Rows.SetEntry(*row)
		}
	}
}
