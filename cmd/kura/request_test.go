package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// TestAlarmsAreShownWhateverTheClockSays: the signer's clock was set back for days, so a new alarm looks old. Whoever
// makes contact for the first time since is told all the same, once.
func TestAlarmsAreShownWhateverTheClockSays(t *testing.T) {
	w := ledgertest.New(t)
	w.Advance(time.Now().UnixMilli() - w.Clock - 3*recentAlarms.Milliseconds())
	w.Freeze("bob", statement.ActionFreeze, statement.TargetWallet, "hot-xem")
	known := uint64(len(w.Entries))
	w.Freeze("alice", statement.ActionFreeze, statement.TargetAll, "")
	shown := func(known uint64) int {
		var out bytes.Buffer
		(&mirror{state: w.State, entries: w.Entries, known: known}).alarms(&out)
		return strings.Count(out.String(), "ALARM ")
	}
	if n := shown(known); n != 1 {
		t.Errorf("%d alarms are shown, one came since the last contact", n)
	}
	if n := shown(uint64(len(w.Entries))); n != 0 {
		t.Errorf("%d old alarms are shown again", n)
	}
	if n := shown(0); n != 0 {
		t.Errorf("%d old alarms are shown to somebody new", n)
	}
	w.Advance(3 * recentAlarms.Milliseconds())
	w.Freeze("carol", statement.ActionFreeze, statement.TargetWallet, "hot-xym")
	if n := shown(uint64(len(w.Entries))); n != 1 {
		t.Errorf("%d alarms of today are shown on every contact, one came", n)
	}
}

// TestBookChangeNamesLookalikes: what a director reads of an address that is to be listed says what an intruder would
// have overlooked: that it looks like a listed one, that its message is bytes and no text, and until when it counts.
func TestBookChangeNamesLookalikes(t *testing.T) {
	w := ledgertest.New(t)
	m := &mirror{state: w.State}
	listed := w.State.Book().Entries()[0]
	alike := listed.Address[:4] + strings.Repeat("A", len(listed.Address)-8) + listed.Address[len(listed.Address)-4:]
	change := policy.BookChange{Remove: []policy.EntryName{}, Add: []policy.Entry{{
		Book: "known", Name: "exchange", Network: listed.Network, Address: alike, LastDay: "2027-01-31",
		Message: policy.MessageRule{Rule: "exact", Kind: "hex", Value: "31323334"},
	}}}
	var out bytes.Buffer
	if err := m.showBookChange(newPage(&out), string(change.Text())); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{alike, `message exact hex "31323334"`, "until 2027-01-31", "RESEMBLES " + listed.Address} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, out.String())
		}
	}
}

// TestBookChangeWithoutAnAddress: whatever a signer lets stand as proposed, whoever would veto it can read it.
func TestBookChangeWithoutAnAddress(t *testing.T) {
	m := &mirror{state: ledgertest.New(t).State}
	change := policy.BookChange{Remove: []policy.EntryName{}, Add: []policy.Entry{{Book: "known", Name: "nobody", Address: "TA"}}}
	var out bytes.Buffer
	if err := m.showBookChange(newPage(&out), string(change.Text())); err != nil || !strings.Contains(out.String(), "TA on") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
