package client_test

import (
	"errors"
	"strings"
	"testing"

	"kura/api/apitest"
	"kura/api/client"
	"kura/journal"
	"kura/ledger/ledgertest"
)

// TestAdvanceOverAGap keeps heads from before and after a loss: a head that was lost is explained, none is taken for
// extended, and a rollback is no gap.
func TestAdvanceOverAGap(t *testing.T) {
	w := ledgertest.New(t)
	size := len(w.Entries)
	kept := w.Checkpoint()
	var lost []journal.Checkpoint
	for range 6 {
		w.Restart()
		lost = append(lost, w.Checkpoint())
	}
	l := w.Lose(size)
	newest := len(lost) - 2 // the one that the directors name; another one was signed behind it
	l.Lost, l.Between = lost[newest], []journal.Checkpoint{lost[1]}
	l.Approve()
	l.Continue()
	double := apitest.NewWorld(w)
	g := apitest.StartBefore(t, double, apitest.Options{})
	c := newClient(t, client.Config{URL: g.URL, Genesis: w.Genesis, TLS: g.TLS})
	for name, x := range map[string]struct {
		had         journal.Checkpoint
		gap, named  bool
		contradicts bool
	}{
		"kept":           {had: kept},
		"named as lost":  {had: lost[newest], gap: true, named: true},
		"named between":  {had: lost[1], gap: true, named: true},
		"lost, unnamed":  {had: lost[3], gap: true},
		"newer than all": {had: lost[newest+1], contradicts: true},
		"the newest":     {had: w.Checkpoint()},
	} {
		_, head, err := c.Advance(t.Context(), x.had)
		tail := new(client.LostTail)
		switch {
		case x.gap:
			if !errors.As(err, &tail) || tail.Named != x.named || tail.Head != w.Head() || len(tail.Gap.Approvals) != 2 || strings.Contains(err.Error(), "rollback") == x.named {
				t.Errorf("%s: %v", name, err)
			}
		case x.contradicts:
			if !is[*client.Contradiction](err) || errors.As(err, &tail) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || head != w.Head():
			t.Errorf("%s: %v", name, err)
		}
	}

	// What followed the gap is rolled back: the gap explains nothing of that to whoever kept a larger size.
	for w.Head().Size < uint64(size)+10 {
		w.Restart()
	}
	after := w.Checkpoint()
	w.Lose(size + 4)
	double.Show(w)
	if _, _, err := c.Advance(t.Context(), after); !is[*client.Contradiction](err) {
		t.Errorf("a rollback behind the gap: %v", err)
	}
}

// TestAdvanceOverAGapAndAHandover: a head that was lost is explained, too, when its size belongs to another log key since.
func TestAdvanceOverAGapAndAHandover(t *testing.T) {
	w := ledgertest.New(t)
	size := len(w.Entries)
	for range 100 {
		w.Restart()
	}
	lost, had := w.Checkpoint(), w.Head()
	w.Restart()
	unnamed := w.Checkpoint() // behind the newest one that the directors knew of
	l := w.Lose(size)
	l.Lost = lost
	l.Approve()
	l.Continue()
	w.Advance(1000) // what was born before the gap's clock counts no more
	w.HandOver()
	w.Restart()
	if w.Head().Size >= uint64(size)+100 {
		t.Fatal("the journal has outgrown what it lost")
	}
	g := apitest.StartBefore(t, apitest.NewWorld(w), apitest.Options{})
	c := newClient(t, client.Config{URL: g.URL, Genesis: w.Genesis, TLS: g.TLS})
	_, _, err := c.Advance(t.Context(), lost)
	tail := new(client.LostTail)
	if !errors.As(err, &tail) || !tail.Named || tail.Head != w.Head() || tail.Kept != had {
		t.Errorf("the head that the gap names: %v", err)
	}
	if _, _, err := c.Advance(t.Context(), unnamed); !is[*client.Contradiction](err) || errors.As(err, &tail) {
		t.Errorf("one that it does not: %v", err)
	}
	forged := append(journal.Checkpoint{}, lost...)
	forged[len(forged)-5] ^= 1 // in the signature
	if _, _, err := c.Advance(t.Context(), forged); !is[*client.Contradiction](err) {
		t.Errorf("one that no log key signed: %v", err)
	}
}
