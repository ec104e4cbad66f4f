package signer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"kura/journal"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// decides reports whether a group holds what came of a statement.
func decides(g journal.Group) bool {
	for _, e := range g.Entries {
		if strings.Contains(string(e), `"kind":"statement/1"`) {
			return true
		}
	}
	return false
}

// gate holds the first group that decides something up in its append, until pass is called, which says how the append
// goes on.
type gate struct {
	f       *faults
	reached chan journal.Group
	goOn    chan func(context.Context, journal.Group) error
	behind  atomic.Int64 // groups that were written after it
}

func newGate(f *faults) *gate {
	g := &gate{f: f, reached: make(chan journal.Group), goOn: make(chan func(context.Context, journal.Group) error)}
	var once sync.Once
	f.store.set(func() {
		f.store.append = func(ctx context.Context, group journal.Group) error {
			how := f.store.Store.Append
			held := false
			if decides(group) {
				once.Do(func() { held = true; g.reached <- group; how = <-g.goOn })
			}
			err := how(ctx, group)
			if !held && err == nil && decides(group) {
				g.behind.Add(1)
			}
			return err
		}
	})
	return g
}

// TestAppendFailsBeforeDecisions has the append of a group fail in both ways, with the head readable and not, when what
// the group after it holds is decided already: nothing of either leaves before the first one's truth is known, the second is
// written after the first and never without it, and each is paid once.
func TestAppendFailsBeforeDecisions(t *testing.T) {
	for name, c := range map[string]struct{ written, blind bool }{
		"lost": {false, false}, "written": {true, false}, "lost and blind": {false, true}, "written and blind": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaults(t)
			g := newGate(f)
			made := f.token.Signatures.Load()
			_, first := f.submit(t, signertest.XYM)
			group := <-g.reached
			decided := f.decided(t)
			_, second := f.submit(t, signertest.XEM)
			f.Until("the second withdrawal is decided", func() bool { return f.decided(t) > decided })
			g.goOn <- func(ctx context.Context, group journal.Group) error {
				if c.blind {
					f.store.set(func() { f.store.headErr = errLost })
				}
				if c.written {
					if err := f.store.Store.Append(ctx, group); err != nil {
						return err
					}
				}
				return errLost
			}
			if c.blind {
				f.waitFor(t, "journal_unclear")
				if n := f.token.Signatures.Load(); n != made || g.behind.Load() != 0 {
					t.Fatalf("%d signatures, and %d groups behind one that nobody knows of", n-made, g.behind.Load())
				}
				if c, err := f.Signer.Checkpoint(t.Context()); err != nil || !journal.CheckpointSays(c.Checkpoint, group.Prev) {
					t.Errorf("readers see %q, %v", c.Checkpoint, err)
				}
				f.store.set(func() { f.store.headErr = nil })
			}
			for _, answered := range []chan answer{first, second} {
				f.leaves(t, answered)
			}
			if n := f.token.Signatures.Load(); n != made+2 {
				t.Errorf("%d signatures", n-made)
			}
			f.waitReady(t)
			if err := f.Stop(); err != nil {
				t.Fatal(err)
			}
			f.checkJournal(t, uint64(signertest.Small))
		})
	}
}

// TestAnchorFailsBehindAnAppend has the anchor of a group fail when the group after it is written already: of neither
// anything leaves, not even to readers, before the anchor has moved (I1).
func TestAnchorFailsBehindAnAppend(t *testing.T) {
	f := newFaults(t)
	made, before := f.token.Signatures.Load(), f.checkpoint(t)
	saving, goOn := make(chan struct{}), make(chan error)
	var once sync.Once
	f.anchor.save = func(journal.Checkpoint) (err error) {
		once.Do(func() { saving <- struct{}{}; err = <-goOn })
		return err
	}
	_, first := f.submit(t, signertest.XYM)
	<-saving
	written := make(chan struct{})
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			defer func() {
				if decides(g) {
					close(written)
				}
			}()
			return f.store.Store.Append(ctx, g)
		}
	})
	_, second := f.submit(t, signertest.XEM)
	<-written
	f.anchor.set(errors.New("disk full (test)"))
	goOn <- errors.New("disk full (test)")
	f.waitFor(t, "anchor_unavailable")
	if n := f.token.Signatures.Load(); n != made {
		t.Fatalf("%d signatures before the anchor moved", n-made)
	}
	if now := f.checkpoint(t); now != before {
		t.Fatalf("readers are shown %q, which is not anchored", now)
	}
	f.anchor.set(nil)
	for _, answered := range []chan answer{first, second} {
		f.leaves(t, answered)
	}
	f.waitReady(t)
}

// decided is how many entries were decided on, whether they are in the journal or not.
func (f *faults) decided(t *testing.T) (n int64) {
	t.Helper()
	m, err := f.Signer.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range m.Samples {
		if sample.Name == "kura_signer_entries_total" {
			n = sample.Value
		}
	}
	return n
}

// checkpoint is what readers are shown.
func (f *faults) checkpoint(t *testing.T) string {
	t.Helper()
	c, err := f.Signer.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(c.Checkpoint)
}

// TestStoppedBeforeDecisions ends the process while an append is unclear and the group after it waits: whoever waits for
// that one is not told that it is done, although the store can be read again by then.
func TestStoppedBeforeDecisions(t *testing.T) {
	f := newFaults(t)
	g := newGate(f)
	_, first := f.submit(t, signertest.XYM)
	<-g.reached
	decided := f.decided(t)
	sent, second := f.submit(t, signertest.XEM)
	f.Until("the second withdrawal is decided", func() bool { return f.decided(t) > decided })
	var asked atomic.Int64
	var stopping atomic.Bool
	f.store.set(func() {
		f.store.head = func(ctx context.Context) (journal.Checkpoint, error) {
			if asked.Add(1); stopping.Load() {
				return f.store.Store.Head(ctx)
			}
			return nil, errLost
		}
	})
	g.goOn <- func(ctx context.Context, group journal.Group) error {
		return errors.Join(errLost, f.store.Store.Append(ctx, group))
	}
	f.Until("the head was asked for, and the next pause is long", func() bool { return asked.Load() > 3 })
	stopping.Store(true)
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	<-first
	a := <-second
	store := openEmbedded(t, f.StorePath())
	defer store.Close()
	there := false
	for row, err := range store.Entries(t.Context(), 0, journal.MaxSeq) {
		if err != nil {
			t.Fatal(err)
		}
		there = there || strings.Contains(string(row.Bytes), statement.HashText(sent.Statement).String())
	}
	if a.err == nil && !there {
		t.Errorf("answered %s, and the journal knows nothing of it", a.State)
	}
}

// TestRefusedForWhatIsNeverWritten freezes the host twice, and the group with the first freeze is given up: nobody is told that
// there is a freeze already.
func TestRefusedForWhatIsNeverWritten(t *testing.T) {
	f := newFaults(t)
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			if strings.Contains(string(g.Entries[0]), `"kind":"stop/1"`) {
				once.Do(func() { close(reached) })
				<-goOn
				return errLost
			}
			return f.store.Store.Append(ctx, g)
		}
	})
	freeze := func() chan error {
		answered := make(chan error, 1)
		go func() {
			_, err := f.Signer.Admin().FreezeHost(context.Background(), rpc.Caller{}, "test")
			answered <- err
		}()
		return answered
	}
	first := freeze()
	<-reached
	decided := f.decided(t)
	second := freeze()
	f.submit(t, signertest.XYM)
	f.Until("what came behind the second is decided", func() bool { return f.decided(t) > decided })
	f.Signer.Halt("journal_rolled_back", "test")
	close(goOn)
	for _, answered := range []chan error{first, second} {
		if err := <-answered; codeOf(err) != "journal_rolled_back" {
			t.Errorf("answered %v", err)
		}
	}
}
