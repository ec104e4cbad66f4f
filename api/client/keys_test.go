package client_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"kura/api/apitest"
	"kura/api/client"
	"kura/journal"
)

// TestHandoversOfTheLogKey: a client that pins the genesis line reads, advances, exports and takes outcomes over two
// handovers, and keeps what it learned.
func TestHandoversOfTheLogKey(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(10)
	c := connect(t, g)
	login(t, g, c)
	tree := emptyTree(t)
	last, err := readAll(t, c, tree)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		g.Signer.HandOver()
		if _, err := readAll(t, c, tree); err != nil {
			t.Fatalf("up to handover %d: %v", n+1, err)
		}
		g.Signer.Grow(3)
		if last, _, err = c.Advance(t.Context(), last); err != nil {
			t.Fatalf("behind handover %d: %v", n+1, err)
		}
		if _, err := c.Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis())); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(t, c, tree); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if head, err := c.Export(t.Context(), &out); err != nil || head != tree.Head() {
		t.Errorf("export: %v, %v", head, err)
	}
	if n := len(c.Handovers()); n != 2 {
		t.Errorf("it keeps %d handovers", n)
	}

	// Another run, with what was kept, and one that learns everything anew.
	for _, kept := range []journal.Chain{c.Handovers(), c.Handovers()[:1], nil} {
		again := newClient(t, client.Config{URL: g.URL, Genesis: g.Signer.Genesis(), TLS: g.TLS, Handovers: kept})
		if _, _, err := again.Advance(t.Context(), last); err != nil {
			t.Errorf("with %d kept handovers: %v", len(kept), err)
		}
		if n := len(again.Handovers()); n != 2 {
			t.Errorf("with %d kept handovers it has %d", len(kept), n)
		}
	}
}

// TestAnOldLogKeyContradicts shows heads that the log key signed after it had handed over: to a client that knew, and
// to one that finds the handover among the entries.
func TestAnOldLogKeyContradicts(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(4)
	c := connect(t, g)
	g.Signer.HandOver()
	g.Signer.Grow(1)
	if _, _, err := c.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.Signer.SignLate(1)
	var contradiction *client.Contradiction
	if _, _, err := c.Checkpoint(t.Context()); !errors.As(err, &contradiction) {
		t.Errorf("to a client that knew: %v", err)
	}
	if _, err := c.Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis())); err != nil {
		t.Errorf("what the new key signs goes on: %v", err)
	}
	g.Signer.SignLate(1)
	fresh := connect(t, g)
	login(t, g, fresh)
	if _, err := readAll(t, fresh, emptyTree(t)); !errors.As(err, &contradiction) {
		t.Errorf("to one that reads the handover: %v", err)
	}
	if _, err := fresh.Export(t.Context(), new(bytes.Buffer)); err == nil {
		t.Error("an export under the old key's late head was taken")
	}
}

// TestNoOutcomeUnderAnOldLogKey: whoever has an old log key can prove anything below its handover. A client that knows of
// the handover takes no outcome from them; one that does not is misled.
func TestNoOutcomeUnderAnOldLogKey(t *testing.T) {
	g, thief := apitest.Start(t, apitest.Options{}), apitest.Start(t, apitest.Options{}) // the same genesis
	g.Signer.Grow(40)
	g.Signer.HandOver()
	g.Signer.Grow(1)
	c := connect(t, g)
	if _, _, err := c.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := apitest.Withdrawal(t, thief.Signer.Genesis())
	if _, err := connect(t, thief).Submit(t.Context(), w); err != nil {
		t.Fatalf("the thief's journal proves nothing to anybody: %v", err)
	}
	knows := newClient(t, client.Config{URL: thief.URL, Genesis: thief.Signer.Genesis(), TLS: thief.TLS, Handovers: c.Handovers(), Patience: 50 * time.Millisecond, Pause: time.Millisecond})
	if o, err := knows.Submit(t.Context(), w); err == nil || !strings.Contains(err.Error(), "of a log key that was handed over since") {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestTwoHistoriesOfTheLogKey: what a client knows of handovers is not exchanged for another server's.
func TestTwoHistoriesOfTheLogKey(t *testing.T) {
	g, other := apitest.Start(t, apitest.Options{}), apitest.Start(t, apitest.Options{}) // the same genesis
	g.Signer.Grow(4)
	g.Signer.HandOver()
	g.Signer.Grow(1)
	c := connect(t, g)
	if _, _, err := c.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.Signer.Grow(2) // the thief of the first key hands over earlier, and to a key of their own
	other.Signer.HandOver()
	other.Signer.HandOver()
	other.Signer.Grow(9)
	misled := newClient(t, client.Config{URL: other.URL, Genesis: g.Signer.Genesis(), TLS: other.TLS, Handovers: c.Handovers(), Patience: 50 * time.Millisecond, Pause: time.Millisecond})
	var contradiction *client.Contradiction
	if _, _, err := misled.Checkpoint(t.Context()); !errors.As(err, &contradiction) {
		t.Errorf("a client that knew took the other history: %v", err)
	}
	if _, err := misled.Submit(t.Context(), apitest.Withdrawal(t, other.Signer.Genesis())); err == nil {
		t.Error("and an outcome of it")
	}
	bad := c.Handovers()
	bad[0].Proof = nil
	if _, err := client.New(client.Config{URL: g.URL, Genesis: g.Signer.Genesis(), TLS: g.TLS, Handovers: bad}); err == nil {
		t.Error("kept handovers that prove nothing were taken")
	}
}
