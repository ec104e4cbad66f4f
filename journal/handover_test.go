package journal_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kura/journal"
	"kura/journal/storetest"
)

// A rotated is a journal whose log key was handed over at some points, with every head that it had.
type rotated struct {
	log   *journal.Log
	store *memoryStore
	heads []journal.Head
	notes []journal.Checkpoint // of heads
	given []journal.Handover
}

func (r *rotated) config() journal.Config {
	return journal.Config{Genesis: storetest.Genesis(), Store: r.store, Sign: storetest.Sign}
}

// rotate makes a journal of groups of the given sizes; one that is negative ends with a handover.
func rotate(t testing.TB, sizes ...int) *rotated {
	t.Helper()
	r := &rotated{store: new(memoryStore)}
	var err error
	if r.log, err = journal.Create(t.Context(), r.config(), storetest.Entries(0, 2)); err != nil {
		t.Fatal(err)
	}
	r.note()
	for _, n := range sizes {
		r.append(t, r.entries(n)...)
	}
	return r
}

// entries are the next ones.
func (r *rotated) entries(n int) []journal.Entry {
	size := r.log.Head().Size
	if n > 0 {
		return storetest.Entries(size, size+uint64(n))
	}
	end := size + uint64(-n) - 1
	return append(storetest.Entries(size, end), storetest.NewHandover(end, len(r.given)))
}

func (r *rotated) append(t testing.TB, entries ...journal.Entry) {
	t.Helper()
	if _, err := r.log.Append(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	if last := entries[len(entries)-1]; last.Kind == journal.KindHandover {
		n := len(r.given)
		r.given = append(r.given, journal.Handover{Seq: last.Seq, Old: storetest.PublicKey(n), New: storetest.PublicKey(n + 1)})
	}
	r.note()
}

func (r *rotated) note() {
	r.heads = append(r.heads, r.log.Head())
	r.notes = append(r.notes, r.log.Checkpoint())
}

// below are the handovers that a head of a size rests on or carries.
func (r *rotated) below(size uint64) []journal.Handover {
	var all []journal.Handover
	for _, h := range r.given {
		if h.Seq < size {
			all = append(all, h)
		}
	}
	return all
}

// TestRotationsAtRandomPoints: whoever has the genesis line, and nothing else, opens every head and verifies
// every receipt, whenever the log key was handed over; and no head is taken from another key than its own.
func TestRotationsAtRandomPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(-4, -1)), 1, 12).Draw(t, "groups")
		r := rotateIn(t, sizes)
		ctx := context.Background()
		g := storetest.Genesis()
		keys := r.log.Keys()
		if !slices.Equal(keys.Handovers(), r.given) {
			t.Fatalf("handovers %v, want %v", keys.Handovers(), r.given)
		}
		follower, err := journal.Open(ctx, r.config())
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(r.heads)-1).Draw(t, "trusted")
		c := r.config()
		c.Trusted, c.Handovers = r.heads[at], r.below(r.heads[at].Size)
		trusting, err := journal.Open(ctx, c)
		if err != nil {
			t.Fatalf("from size %d: %v", c.Trusted.Size, err)
		}
		if _, _, err := journal.Verify(ctx, r.store, journal.Verification{Genesis: g, EverySignature: true}); err != nil {
			t.Fatal(err)
		}
		for _, l := range []*journal.Log{r.log, follower, trusting} {
			index := rapid.Uint64Range(0, l.Head().Size-1).Draw(t, "entry")
			note := rapid.SampledFrom(r.notes).Draw(t, "under")
			if under := openAny(t, keys, note); under.Size > index {
				checkReceipt(t, g, must(l.ReceiptUnder(ctx, index, note)), r.below(under.Size-1))
			}
			checkReceipt(t, g, must(l.Receipt(ctx, index)), r.below(l.Head().Size-1))
			if err := l.CheckExtends(ctx, "an old head", note); err != nil {
				t.Fatal(err)
			}
		}
		for i, head := range r.heads {
			for n := range len(r.given) + 1 {
				c := must(journal.SignCheckpoint(g.Origin, head, storetest.Sign, storetest.PublicKey(n)))
				got, err := keys.Open(c)
				own := n == len(r.below(head.Size-1))
				if own != bytes.Equal(c, r.notes[i]) || own != (err == nil && got == head) || !own && !errors.Is(err, journal.ErrOtherKey) {
					t.Fatalf("the head of size %d under key %d: %v, %v", head.Size, n, got, err)
				}
			}
		}
	})
}

func rotateIn(t *rapid.T, sizes []int) *rotated {
	r := &rotated{store: new(memoryStore)}
	var err error
	if r.log, err = journal.Create(context.Background(), r.config(), storetest.Entries(0, 2)); err != nil {
		t.Fatal(err)
	}
	r.note()
	for _, n := range sizes {
		entries := r.entries(n)
		if _, err := r.log.Append(context.Background(), entries); err != nil {
			t.Fatal(err)
		}
		if last := entries[len(entries)-1]; n < 0 {
			k := len(r.given)
			r.given = append(r.given, journal.Handover{Seq: last.Seq, Old: storetest.PublicKey(k), New: storetest.PublicKey(k + 1)})
		}
		r.note()
	}
	return r
}

func openAny(t *rapid.T, keys journal.LogKeys, c journal.Checkpoint) journal.Head {
	head, err := keys.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// checkReceipt verifies a receipt as it travels, by the genesis line alone, and demands its chain of exactly the
// handovers that it rests on.
func checkReceipt(t *rapid.T, g journal.Genesis, r journal.Receipt, rests []journal.Handover) {
	text := must(json.Marshal(r))
	var read journal.Receipt
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if e, err := read.Verify(g); err != nil || e.Seq != r.Index {
		t.Fatalf("entry %d: %v, %v", r.Index, e, err)
	}
	if len(read.Handovers) != len(rests) || bytes.Contains(text, []byte("handovers")) != (len(rests) > 0) {
		t.Fatalf("a chain of %d handovers, want %d", len(read.Handovers), len(rests))
	}
	for i := range rests {
		spoilt := read
		spoilt.Handovers = slices.Delete(slices.Clone(read.Handovers), i, i+1)
		if e, err := spoilt.Verify(g); !errors.Is(err, journal.ErrReceipt) {
			t.Fatalf("without handover %d of %d: %v, %v", i, len(rests), e, err)
		}
	}
}

func TestAppendRefusesAHandoverThatCannotFollow(t *testing.T) {
	r := rotate(t, 1, -2, 3)
	size := r.log.Head().Size
	handover := func(seq uint64, old, next [32]byte) journal.Entry {
		e := storetest.NewHandover(seq, 0)
		e.Body = []byte(`{"old":"` + journal.FormatLogKey(old) + `","new":"` + journal.FormatLogKey(next) + `","proposal":""}`)
		return e
	}
	malformed := storetest.NewHandover(size, 1)
	malformed.Body = bytes.Replace(malformed.Body, []byte(`"new":"`), []byte(`"new":"A`), 1)
	more := storetest.NewHandover(size, 1)
	more.Body = bytes.Replace(more.Body, []byte(`"proposal"`), []byte(`"more":"","proposal"`), 1)
	for name, entries := range map[string][]journal.Entry{
		"before the end of its group": {storetest.NewHandover(size, 1), storetest.NewEntry(size+1, "")},
		"twice in a group":            {storetest.NewHandover(size, 1), storetest.NewHandover(size+1, 2)},
		"from an old key":             {handover(size, storetest.PublicKey(0), storetest.PublicKey(2))},
		"to itself":                   {handover(size, storetest.PublicKey(1), storetest.PublicKey(1))},
		"to the genesis line's key":   {handover(size, storetest.PublicKey(1), storetest.PublicKey(0))},
		"with a malformed key":        {malformed},
		"with another member":         {more},
	} {
		if _, err := r.log.Append(t.Context(), entries); !errors.Is(err, journal.ErrHandover) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := r.log.Head(); got.Size != size {
		t.Fatalf("size %d after refusals", got.Size)
	}
	r.append(t, r.entries(-1)...)
	r.append(t, r.entries(1)...)
	if r.log.Keys().Newest() != storetest.PublicKey(2) {
		t.Error("a good handover after them did not count")
	}
}

// A forgery is a group as somebody writes it who has the database and a log key that handed over already.
func forge(t testing.TB, r *rotated, key int, entries ...journal.Entry) journal.Group {
	t.Helper()
	tree := must(journal.NewTree(0, nil))
	for _, row := range r.store.rows {
		tree.Append(journal.LeafHash(row.Bytes))
	}
	g := journal.Group{Prev: tree.Head()}
	for _, e := range entries {
		b := must(e.Encode())
		g.Entries = append(g.Entries, b)
		g.Nodes = append(g.Nodes, tree.Append(journal.LeafHash(b))...)
	}
	g.Head = tree.Head()
	g.Checkpoint = must(journal.SignCheckpoint(storetest.Origin, g.Head, storetest.Sign, storetest.PublicKey(key)))
	return g
}

// TestAnOldKeySignsNothingAfterItsHandover writes what its thief would into the store, and shows the thief's
// heads to a log that goes on.
func TestAnOldKeySignsNothingAfterItsHandover(t *testing.T) {
	ctx := t.Context()
	r := rotate(t, 2, -1)
	size := r.log.Head().Size
	for name, group := range map[string]journal.Group{
		"an entry more":        forge(t, r, 0, storetest.NewEntry(size, "forged")),
		"a handover elsewhere": forge(t, r, 0, handoverTo(size, 0, 7)),
		"a key of the thief's": forge(t, r, 7, storetest.NewEntry(size, "forged")),
	} {
		store := r.store.clone()
		if err := store.Append(ctx, group); err != nil {
			t.Fatal(err)
		}
		for _, every := range []bool{false, true} {
			_, _, err := journal.Verify(ctx, store, journal.Verification{Genesis: storetest.Genesis(), EverySignature: every})
			if tamper, ok := errors.AsType[*journal.TamperError](err); !ok || tamper.Code != journal.TamperHead || tamper.First != size {
				t.Errorf("%s: verified: %v", name, err)
			}
		}
		c := r.config()
		c.Store = store
		follower := must(journal.Open(ctx, r.config()))
		if err := r.log.CheckExtends(ctx, "witness", group.Checkpoint); err == nil {
			t.Errorf("%s: extended", name)
		}
		if l, err := journal.Open(ctx, c); err == nil {
			t.Errorf("%s: opened at %v", name, l.Head())
		}
		*r.store, store = *store, r.store.clone()
		if err := follower.Follow(ctx, nil); err == nil {
			t.Errorf("%s: followed to %v", name, follower.Head())
		}
		*r.store = *store
	}
	r.append(t, r.entries(1)...)
	if err := r.log.CheckExtends(ctx, "file", must(journal.SignCheckpoint(storetest.Origin, r.log.Head(), storetest.Sign, storetest.PublicKey(0)))); !errors.Is(err, journal.ErrOtherKey) {
		t.Errorf("the journal's own head under its old key: %v", err)
	}
}

func handoverTo(seq uint64, old, next int) journal.Entry {
	e := storetest.NewHandover(seq, old)
	a, b := storetest.PublicKey(old+1), storetest.PublicKey(next)
	e.Body = bytes.Replace(e.Body, []byte(journal.FormatLogKey(a)), []byte(journal.FormatLogKey(b)), 1)
	return e
}

// TestTamperedHandovers: rows that hand the log key over as no log does are found and named.
func TestTamperedHandovers(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		code  string
		first uint64
		forge func(r *rotated) []journal.Group
	}{
		"to a thief's key, without the old key": {journal.TamperHead, 4, func(r *rotated) []journal.Group {
			return []journal.Group{forge(t, r, 9, handoverTo(4, 0, 9)), r.after(t, 9, handoverTo(4, 0, 9), storetest.NewEntry(5, ""))}
		}},
		"in the middle of a group": {journal.TamperHandover, 4, func(r *rotated) []journal.Group {
			return []journal.Group{forge(t, r, 0, handoverTo(4, 0, 1), storetest.NewEntry(5, ""))}
		}},
		"from a key that is not in use": {journal.TamperHandover, 4, func(r *rotated) []journal.Group {
			return []journal.Group{forge(t, r, 0, handoverTo(4, 3, 4))}
		}},
	} {
		r := rotate(t, 2)
		for _, g := range test.forge(r) {
			if err := r.store.Append(ctx, g); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := journal.Verify(ctx, r.store, journal.Verification{Genesis: storetest.Genesis()})
		tamper, ok := errors.AsType[*journal.TamperError](err)
		if !ok || tamper.Code != test.code || tamper.First != test.first {
			t.Errorf("%s: %v, want %s at entry %d", name, err, test.code, test.first)
		}
	}
}

// after forges a group behind an entry that the store does not have yet.
func (r *rotated) after(t testing.TB, key int, before journal.Entry, entries ...journal.Entry) journal.Group {
	t.Helper()
	longer := &rotated{store: r.store.clone()}
	if err := longer.store.Append(t.Context(), forge(t, longer, 0, before)); err != nil {
		t.Fatal(err)
	}
	return forge(t, longer, key, entries...)
}

// TestRolledBackBehindAHandover: an anchor that holds a head under a key which the journal does not know any
// more proves a rollback, like every anchor that is ahead.
func TestRolledBackBehindAHandover(t *testing.T) {
	r := rotate(t, 2)
	before := r.store.clone()
	anchor := new(memoryAnchor)
	c := r.config()
	c.Anchors = []journal.Anchor{anchor}
	r.append(t, r.entries(-1)...)
	r.append(t, r.entries(2)...)
	anchor.held = r.log.Checkpoint()
	if _, err := journal.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	c.Store = before
	_, err := journal.Open(t.Context(), c)
	want := &journal.RollbackError{Anchor: anchor.Name(), Anchored: r.log.Head(), Journal: r.heads[1]}
	if got, ok := errors.AsType[*journal.RollbackError](err); !ok || !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", err, want)
	}
}

// TestChains: a chain that was changed teaches nothing, and one that disagrees with what is known is refused.
func TestChains(t *testing.T) {
	ctx := t.Context()
	r := rotate(t, 2, -1, 3, -2, 1)
	genesis := storetest.Genesis().Keys()
	chain := must(r.log.Chain(ctx))
	keys := must(genesis.Learn(chain))
	if !slices.Equal(keys.Handovers(), r.given) {
		t.Fatalf("learned %v", keys.Handovers())
	}
	var read journal.Chain
	if err := json.Unmarshal(must(json.Marshal(chain)), &read); err != nil || !cmp.Equal(read, chain) {
		t.Errorf("read back: %v", err)
	}
	if again := must(keys.Learn(chain[:1])); !slices.Equal(again.Handovers(), r.given) {
		t.Errorf("an older chain takes away: %v", again.Handovers())
	}
	late := chain[0] // as the old key's thief would prove it, under a head that the key never signed
	late.Proof = must(r.log.Prove(ctx, late.Index))
	late.Checkpoint = must(journal.SignCheckpoint(storetest.Origin, r.log.Head(), storetest.Sign, storetest.PublicKey(0)))
	nested := chain[0]
	nested.Handovers = chain[:1]
	for name, bad := range map[string]journal.Chain{
		"the second first":     {chain[1], chain[0]},
		"the second alone":     {chain[1]},
		"one twice":            {chain[0], chain[0]},
		"under a later head":   {late},
		"another kind":         {must(r.log.ReceiptUnder(ctx, 1, r.notes[0]))},
		"a chain in the chain": {nested},
	} {
		if keys, err := genesis.Learn(bad); !errors.Is(err, journal.ErrHandover) {
			t.Errorf("%s: learned %v, %v", name, keys.Handovers(), err)
		}
	}
	// The old key's thief makes another history, with a handover of its own.
	fork := rotate(t, 1)
	fork.append(t, handoverTo(3, 0, 8))
	forged := must(fork.log.Chain(ctx))
	if _, err := genesis.Learn(forged); err != nil {
		t.Fatalf("the fork proves itself to whoever knows nothing else: %v", err)
	}
	if _, err := keys.Learn(forged); !errors.Is(err, journal.ErrHandover) || !strings.Contains(err.Error(), "two histories") {
		t.Errorf("a fork was learned by who knew better: %v", err)
	}
	fork.append(t, storetest.NewEntry(4, ""))
	receipt := must(fork.log.Receipt(ctx, 1))
	if _, _, err := receipt.VerifyUnder(keys); !errors.Is(err, journal.ErrReceipt) {
		t.Errorf("a receipt of the fork: %v", err)
	}
	longer := must(rotate(t, 9).log.Receipt(ctx, 1)) // signed by the first key, longer than it ever signed
	if _, _, err := longer.VerifyUnder(keys); !errors.Is(err, journal.ErrOtherKey) {
		t.Errorf("a receipt under the old key's late head: %v", err)
	}
}

// TestChainOfATamperedStore: what a store gives for a proof is held to what was verified before.
func TestChainOfATamperedStore(t *testing.T) {
	r := rotate(t, 2, -1, 1)
	l := must(journal.Open(t.Context(), r.config()))
	r.store.heads[2].Checkpoint = r.notes[1]
	_, err := l.Receipt(t.Context(), 0)
	if tamper, ok := errors.AsType[*journal.TamperError](err); !ok || tamper.Code != journal.TamperHandover {
		t.Errorf("%v", err)
	}
}

func FuzzChain(f *testing.F) {
	f.Add([]byte(`[{"entry":"e30=","index":0,"proof":[],"checkpoint":""}]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c journal.Chain
		if err := json.Unmarshal(b, &c); err != nil {
			return
		}
		if keys, err := storetest.Genesis().Keys().Learn(c); err == nil && len(keys.Handovers()) > 0 {
			t.Fatalf("%s proves %v", b, keys.Handovers())
		}
	})
}

// badHead is a store whose newest head is shown with other signature bytes.
type badHead struct {
	*memoryStore
	shown journal.Checkpoint
}

func (b badHead) Head(context.Context) (journal.Checkpoint, error) { return b.shown, nil }

// TestTheNewestHeadIsAlwaysOpened: a checkpoint under a key that no handover explains is refused, also when no row is
// read after what is trusted, and when the rows have the same head with its right signature.
func TestTheNewestHeadIsAlwaysOpened(t *testing.T) {
	r := rotate(t, 3)
	bad, err := journal.SignCheckpoint(storetest.Genesis().Origin, r.log.Head(), storetest.Sign, storetest.PublicKey(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, trusted := range []journal.Head{{}, r.log.Head()} {
		c := r.config()
		c.Store, c.Trusted = badHead{r.store, bad}, trusted
		if _, err := journal.Open(t.Context(), c); err == nil {
			t.Errorf("opened from size %d on", trusted.Size)
		}
	}
}
