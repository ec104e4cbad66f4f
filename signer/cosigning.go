package signer

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"kura/journal"
	"kura/journal/cosign"
)

// Witnesses says whose cosignatures a signer asks for. The zero value is none.
type Witnesses struct {
	Keys   []cosign.Key
	Quorum int // how many of them must have cosigned a head; more than half, so that no two disagreeing heads have it
	// BeforeRelease withholds every answer and signature until a quorum has cosigned the head that covers it.
	BeforeRelease bool
	// Newest keeps the newest head that a quorum cosigned; the journal must extend it at every start.
	Newest journal.Anchor
}

func (w Witnesses) any() bool { return len(w.Keys) > 0 }

// Check refuses a choice of witnesses under which two heads that disagree could both be cosigned.
func (w Witnesses) Check() error {
	if !w.any() {
		if w.Quorum != 0 || w.BeforeRelease {
			return errors.New("a quorum of witnesses is asked for, and no witness is named")
		}
		return nil
	}
	if err := cosign.CheckQuorum(w.Keys, w.Quorum); err != nil {
		return err
	}
	if w.Newest == nil {
		return errors.New("no place is given to keep the newest cosigned head")
	}
	return nil
}

// Milliseconds of CLOCK_BOOTTIME.
const (
	renewEvery = 30_000 // a witness that has nothing new to cosign is asked again: it may have been told to stop, or be gone
	heardFor   = 90_000 // how long a cosignature says that its witness answers
	showEvery  = 5_000  // how often a witness is asked what it cosigned last
)

// cosigning is what the signer knows of its witnesses' heads. Heads are cosigned in rounds: every witness gets the
// same head, and the next round, for the newest head of that moment, begins once a quorum has cosigned it. Groups that
// were appended meanwhile share a round, and each round leaves one checkpoint that a quorum signed.
type cosigning struct {
	Witnesses
	boot    func() int64
	changed broadcast // after everything that somebody may wait for

	mu     sync.Mutex
	asks   bool   // this signer leads, or is about to: it has heads to be cosigned
	led    uint64 // size of the head that it took the lead with; larger ones are its own
	round  signedHead
	newest signedHead // of the journal, to be cosigned next
	done   bool       // the round has its quorum

	reached signedHead // the newest head that a quorum cosigned, with its lines; zero before the first
	seen    map[string]*testimony
}

// A signedHead is a head and its signed form.
type signedHead struct {
	journal.Head
	checkpoint journal.Checkpoint
}

// A testimony is what one witness has been seen to cosign, by its own valid signature.
type testimony struct {
	signedHead        // without its own line
	line       string // its signature line; "" when it says nothing about this round
	seconds    uint64 // its latest time, unix
	heard      int64  // boottime, milliseconds, at which that time was new; 0 for never
	asked      int64  // boottime at which it was last given a head
	shown      int64  // boottime at which it was last asked for what it has
	trouble    string // why the gateway's last attempt failed, as the gateway says
}

func newCosigning(w Witnesses, boot func() int64) *cosigning {
	c := &cosigning{Witnesses: w, boot: boot, done: true, seen: map[string]*testimony{}}
	for _, k := range w.Keys {
		c.seen[k.Name] = new(testimony)
	}
	return c
}

// key returns a witness by its name.
func (c *cosigning) key(name string) (cosign.Key, bool) {
	for _, k := range c.Keys {
		if k.Name == name {
			return k, true
		}
	}
	return cosign.Key{}, false
}

// begin asks all witnesses to cosign a head, whatever they have cosigned before: this signer takes the lead with it.
func (c *cosigning) begin(h signedHead) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asks, c.led, c.done, c.round, c.newest = true, h.Size, false, h, h
	if c.reached.Size > h.Size {
		c.reached = signedHead{} // of another history than the one that this signer leads
	}
	for _, t := range c.seen {
		t.line = ""
	}
	c.changed.notify()
}

// grow notes that the journal has a newer head.
func (c *cosigning) grow(h signedHead) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = h
	c.nextRound()
}

// nextRound begins a round if there is none and a head that needs one. The caller holds mu.
func (c *cosigning) nextRound() {
	if c.asks && c.done && c.newest.Size > c.round.Size {
		c.round, c.done = c.newest, false
		c.changed.notify()
	}
}

// record takes one witness's cosignature, which has been verified, and reports whether it made a quorum.
func (c *cosigning) record(k cosign.Key, h signedHead, line string, seconds uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.seen[k.Name]
	t.trouble = ""
	if h.Size < t.Size {
		return false // it came late
	}
	// A gateway that brings an old line again does not make its witness answer. The first line over a head that this run
	// has made is not old, whatever it says: the witness's clock may have been set back.
	if seconds > t.seconds || c.asks && h.Size > max(c.led, t.Size) {
		t.heard, t.seconds = c.boot(), seconds
	}
	t.signedHead, t.line = h, line
	c.changed.notify()
	lines, count := "", 0
	for _, k := range c.Keys {
		if t := c.seen[k.Name]; t.line != "" && t.Head == h.Head {
			lines += t.line
			count++
		}
	}
	if count < c.Quorum {
		return false
	}
	// While this signer leads, only a head that it asked about is known to be its own: a quorum on any other,
	// however large, releases nothing.
	if c.asks && h.Head != c.round.Head {
		return false
	}
	if h.Size > c.reached.Size || h.Head == c.reached.Head { // the same head once more: with newer times
		c.reached = signedHead{h.Head, append(bytes.Clone(h.checkpoint), lines...)}
	}
	if c.asks && h.Head == c.round.Head {
		c.done = true
		c.nextRound()
	}
	return true
}

// lineOf finds the line of a note by which a witness cosigned it.
func lineOf(k cosign.Key, note []byte) (line string, seconds uint64, ok bool) {
	text, signatures, _ := strings.Cut(string(note), "\n\n")
	for line := range strings.Lines(signatures) {
		if !strings.HasPrefix(line, "— "+k.Name+" ") {
			continue
		}
		if found, err := cosign.Verify([]byte(text+"\n\n"+line), []cosign.Key{k}); err == nil && len(found) == 1 {
			return line, found[0].Seconds, true
		}
	}
	return "", 0, false
}

// best returns the newest head that a quorum cosigned, with its lines.
func (c *cosigning) best() signedHead {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reached
}

// begun reports whether the round that begin began has its quorum.
func (c *cosigning) begun(size uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.round.Size > size || c.round.Size == size && c.done
}

// answering returns how many witnesses were heard lately.
func (c *cosigning) answering() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, n := c.boot(), 0
	for _, t := range c.seen {
		if t.answers(now) {
			n++
		}
	}
	return n
}

func (t *testimony) answers(now int64) bool { return t.heard != 0 && now-t.heard < heardFor }
