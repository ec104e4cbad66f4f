package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
)

// rebooted returns a world whose machine was off for an hour, and its three witnesses.
func rebooted(t *testing.T) (*ledgertest.World, []ledgertest.Witness) {
	w := ledgertest.New(t)
	w.Reboot(ledgertest.Hour)
	if _, behind := drift(w, 0); behind != 50*ledgertest.Minute {
		t.Fatalf("after the start it is %d behind", behind)
	}
	return w, ledgertest.Witnesses("ann", "ben", "cem")
}

func TestWitnessesVouchForTime(t *testing.T) {
	w, all := rebooted(t)
	in := w.Cosigned(all, 2, w.Clock, w.Clock)
	w.Must(in)
	if _, behind := drift(w, 0); behind != 0 {
		t.Errorf("two of three vouched for it, and it is %d behind", behind)
	}
	entry := body(t, w.Entries[len(w.Entries)-1]).(*ledger.Vouched)
	if entry.Moment != w.Clock || entry.Behind != 0 || entry.Quorum != 2 || !slices.Equal(entry.Witnesses, in.Witnesses) {
		t.Errorf("%+v", entry)
	}
	if _, err := w.Judge(in); !errors.Is(err, ledger.ErrInput) {
		t.Errorf("the same once more: %v", err)
	}

	w.Advance(ledgertest.Minute)
	w.Reboot(9 * ledgertest.Minute) // starts have their ten minutes again
	if _, behind := drift(w, 0); behind != 0 {
		t.Errorf("after the next start it is %d behind", behind)
	}
	if fold(t, w.Lines).Hash() != w.State.Hash() {
		t.Error("the fold is another state than the live one")
	}
	judgeAgain(t, ledger.NewState(), w.Entries)
}

// TestOldCosignaturesRenewNothing starts the machine again and again with a clock that is ahead, and brings the
// cosignatures of the first head again each time: ten minutes are given in all.
func TestOldCosignaturesRenewNothing(t *testing.T) {
	w := ledgertest.New(t)
	since := w.Now().Time
	old := w.Cosigned(ledgertest.Witnesses("ann", "ben", "cem"), 2, w.Clock, w.Clock, w.Clock)
	for range 20 {
		w.Reboot(ledgertest.Hour)
		if _, err := w.Judge(old); !errors.Is(err, ledger.ErrInput) {
			t.Fatalf("an old cosignature: %v", err)
		}
	}
	if moved, _ := drift(w, since); moved != 10*ledgertest.Minute {
		t.Errorf("it moved %d", moved)
	}
}

func TestWhatVouchesForNothing(t *testing.T) {
	w, all := rebooted(t)
	late := w.Clock
	other := ledgertest.Witnesses("mallory")[0]
	for name, in := range map[string]ledger.VouchedInput{
		"nobody":              w.Cosigned(all, 2),
		"one of three":        w.Cosigned(all, 2, late),
		"one runs ahead":      w.Cosigned(all, 2, late, w.Now().Time-1000, w.Now().Time-2000),
		"a quorum of half":    w.Cosigned(all[:2], 1, late, late),
		"a quorum of none":    w.Cosigned(all, 0, late, late, late),
		"more than there are": w.Cosigned(all, 4, late, late, late),
		"one of them twice":   w.Cosigned([]ledgertest.Witness{all[0], all[0], all[1]}, 2, late, late),
		"not a key line": func() ledger.VouchedInput {
			in := w.Cosigned(all, 2, late, late)
			in.Witnesses[2] = "cem.test"
			return in
		}(),
		"another's line": func() ledger.VouchedInput {
			in := w.Cosigned(all, 2, late)
			in.Checkpoint = other.Cosign(w, in.Checkpoint, late)
			return in
		}(),
		"a line of another head": func() ledger.VouchedInput {
			in := w.Cosigned(all, 2, late, late)
			text, _, _ := bytes.Cut(in.Checkpoint, []byte("\n\n"))
			changed := append(bytes.Replace(text, []byte(fmt.Sprint("\n", w.State.Next(), "\n")), []byte("\n3\n"), 1), in.Checkpoint[len(text):]...)
			in.Checkpoint = changed
			return in
		}(),
		"a head of the future": func() ledger.VouchedInput {
			longer, _ := rebooted(t)
			for range 30 {
				signedOrNot(longer)
			}
			return longer.Cosigned(all, 2, late, late)
		}(),
		"another origin": func() ledger.VouchedInput {
			in := w.Cosigned(all, 2)
			in.Checkpoint = bytes.Replace(in.Checkpoint, []byte("kura.test/main\n"), []byte("kura.test/mine\n"), 1)
			for _, x := range all {
				in.Checkpoint = x.Cosign(w, in.Checkpoint, late)
			}
			return in
		}(),
		"no checkpoint": {Witnesses: w.Cosigned(all, 2).Witnesses, Quorum: 2},
		"too long": func() ledger.VouchedInput {
			in := w.Cosigned(all, 2, late, late)
			in.Checkpoint = append(in.Checkpoint, make([]byte, 20<<10)...)
			return in
		}(),
		"past all years": w.Cosigned(all, 2, 1<<62, 1<<62),
	} {
		drafts, _, err := ledger.Judge(w.State, in, w.Now())
		if !errors.Is(err, ledger.ErrInput) || len(drafts) != 0 {
			t.Errorf("%s: %v, %v", name, drafts, err)
		}
	}
	w.Must(w.Cosigned(all, 2, late, 0, late)) // any two
}

// TestWitnessesAheadOfTheClock: the clock bounds what a quorum of witnesses can vouch for.
func TestWitnessesAheadOfTheClock(t *testing.T) {
	w, all := rebooted(t)
	w.Must(w.Cosigned(all, 2, w.Clock+5*ledgertest.Hour, w.Clock+5*ledgertest.Hour))
	if moved, behind := drift(w, w.Clock); moved != 0 || behind != 0 {
		t.Errorf("policy time is %d off the clock", moved)
	}
	w.Reboot(5 * ledgertest.Hour)
	if _, behind := drift(w, 0); behind != 5*ledgertest.Hour-10*ledgertest.Minute {
		t.Errorf("the next start is %d behind", behind)
	}
}

func TestAVouchedEntryIsHeldToClockAndTime(t *testing.T) {
	w, all := rebooted(t)
	now := w.Now()
	drafts, _, err := ledger.Judge(w.State, w.Cosigned(all, 2, w.Clock, w.Clock), now)
	if err != nil {
		t.Fatal(err)
	}
	b := *body(t, entryOf(w, drafts[0], now)).(*ledger.Vouched)
	for _, moment := range []int64{now.Time, now.Clock + 1} {
		b.Moment = moment
		text, err := ledger.EncodeBody(&b)
		if err != nil {
			t.Fatal(err)
		}
		s := fold(t, w.Lines)
		if err := s.Apply(entryOf(w, ledger.Draft{Kind: b.Kind(), Body: text}, now)); !errors.Is(err, ledger.ErrFold) {
			t.Errorf("moment %d at %+v: %v", moment, now, err)
		}
	}
}

// TestPolicyTimeIsNeverUnvouched turns clocks, restarts machines and brings cosignatures of honest and lying
// witnesses, old and new, at random. What really passed is kept beside it: policy time may be ahead of that by
// no more than the ten minutes and the boot clock's tolerance, and never ahead of the highest clock there was,
// whatever fewer than a quorum of witnesses say.
func TestPolicyTimeIsNeverUnvouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := ledgertest.New(t)
		all := ledgertest.Witnesses("ann", "ben", "cem", "dan", "eva")[:rapid.IntRange(1, 5).Draw(t, "witnesses")]
		quorum := rapid.IntRange(len(all)/2+1, len(all)).Draw(t, "quorum")
		liars := rapid.IntRange(0, quorum-1).Draw(t, "liars")
		truth, highest, ran := w.Clock, w.Clock, int64(0)
		var kept []ledger.VouchedInput
		bring := func(t *rapid.T, in ledger.VouchedInput) {
			if _, err := w.Judge(in); err != nil && !errors.Is(err, ledger.ErrInput) {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"pass": func(t *rapid.T) {
				millis := rapid.Int64Range(0, 3*ledgertest.Hour).Draw(t, "millis")
				w.Advance(millis)
				truth, ran = truth+millis, ran+millis
			},
			"turn":  func(t *rapid.T) { w.Clock += rapid.Int64Range(-ledgertest.Hour, 30*ledgertest.Hour).Draw(t, "by") },
			"right": func(*rapid.T) { w.Clock = truth },
			"reboot": func(t *rapid.T) {
				off := rapid.Int64Range(0, 2*ledgertest.Hour).Draw(t, "off")
				truth += off
				w.Reboot(off)
			},
			"cosign": func(t *rapid.T) {
				var times []int64
				for i := range all {
					says := truth
					if i < liars {
						says += rapid.Int64Range(-20*ledgertest.Hour, 40*ledgertest.Hour).Draw(t, "lie")
					}
					times = append(times, says)
				}
				n := rapid.IntRange(liars, len(all)).Draw(t, "answering")
				kept = append(kept, w.Cosigned(all, quorum, times[:n]...))
				bring(t, kept[len(kept)-1])
			},
			"bring": func(t *rapid.T) {
				if len(kept) == 0 {
					t.Skip()
				}
				bring(t, rapid.SampledFrom(kept).Draw(t, "cosigned"))
			},
			"": func(t *rapid.T) {
				highest = max(highest, w.Clock)
				now := w.Now()
				if now.Time > highest {
					t.Fatalf("policy time is %d ahead of every clock", now.Time-highest)
				}
				if ahead := now.Time - truth; ahead > 10*ledgertest.Minute+ran/1000+1 {
					t.Fatalf("policy time is %d ahead of what has passed", ahead)
				}
			},
		})
		judgeAgain(t, ledger.NewState(), w.Entries)
	})
}

// TestNewsOfWitnessesIsWhatIsDue: what waited for time goes on with the very input that vouches for it.
func TestNewsOfWitnessesIsWhatIsDue(t *testing.T) {
	w := ledgertest.New(t)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
	held := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax))
	if held.Code != policy.CodeWaitsForRoom {
		t.Fatalf("%+v", held)
	}
	w.Reboot(2 * ledgertest.Hour)
	w.Ticks()
	if r, _ := w.State.RequestByStatement(held.About); r.State != ledger.StateHeld {
		t.Fatalf("behind the clock it is %s", r.State)
	}
	w.Must(w.Cosigned(ledgertest.Witnesses("ann"), 1, w.Clock))
	if r, _ := w.State.RequestByStatement(held.About); r.State != ledger.StateAuthorized {
		t.Errorf("vouched for, it is %s (%s)", r.State, r.Code)
	}
}

// entryOf is the world's next entry.
func entryOf(w *ledgertest.World, d ledger.Draft, now policy.Now) journal.Entry {
	return journal.Entry{Seq: w.State.Next(), Clock: now.Clock, Time: now.Time, Kind: d.Kind, Body: d.Body}
}
