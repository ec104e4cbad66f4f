package signer_test

import (
	"strings"
	"testing"
	"time"

	"kura/journal"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// witnessed is a deployment with three witnesses, two of whom must agree. Their clocks are the deployment's own.
func witnessed(t *testing.T) (*signertest.Deployment, *witnesses) {
	t.Helper()
	w := newWitnesses(t, 3, 2, false)
	d := signertest.New(t, signertest.Options{Open: w.open})
	w.setNow(func(int) time.Time { clock, _ := d.Clock.Now(); return time.UnixMilli(clock) })
	return d, w
}

// stopped ends the signer, and while it is ended the couriers of its witnesses.
func stopped(t *testing.T, d *signertest.Deployment, w *witnesses) {
	t.Helper()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	w.stop()
}

func timeReason(t *testing.T, d *signertest.Deployment) string {
	t.Helper()
	for _, r := range ready(t, d.Signer).Reasons {
		if r.Code == "time_not_vouched" {
			return r.Detail
		}
	}
	return ""
}

// vouchedEntries are the entries by which witnesses vouched for time.
func vouchedEntries(t *testing.T, d *signertest.Deployment) (all []*ledger.Vouched) {
	t.Helper()
	for _, e := range entriesOf(t, d) {
		body, err := ledger.DecodeBody(e.Kind, e.Body)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := body.(*ledger.Vouched); ok {
			all = append(all, v)
		}
	}
	return all
}

func entriesOf(t *testing.T, d *signertest.Deployment) (all []journal.Entry) {
	t.Helper()
	page, err := d.Signer.Entries(t.Context(), d.Login(t.Context(), d.Signer, "alice"), 0, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range page.Entries {
		e, err := journal.DecodeEntry(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// TestWitnessesEndTheLag: a machine that was off for a day has its windows empty again as soon as its witnesses say that
// a day has passed, and one entry says so.
func TestWitnessesEndTheLag(t *testing.T) {
	d, w := witnessed(t)
	if got := spend(t, d); got < signertest.DayMax-signertest.SmallMax {
		t.Fatalf("%d signed on the first day", got)
	}
	if n := len(vouchedEntries(t, d)); n != 0 {
		t.Errorf("%d entries vouch for time that nobody doubts", n)
	}
	stopped(t, d, w)
	d.Clock.Reboot(signertest.Day + signertest.Minute)
	d.Start()
	d.Until("the witnesses vouch for the time", func() bool { return len(vouchedEntries(t, d)) > 0 })
	if got := spend(t, d); got < signertest.DayMax-signertest.SmallMax {
		t.Errorf("%d signed a day later", got)
	}
	d.Until("the signer says no more of it", func() bool { return timeReason(t, d) == "" })
	d.Clock.Pass(signertest.Hour)
	d.Submit(t.Context(), d.Signer, "alice", d.Freeze("all", ""))
	all := vouchedEntries(t, d)
	clock, _ := d.Clock.Now()
	if len(all) != 1 || all[0].Quorum != 2 || len(all[0].Witnesses) != 3 || clock-all[0].Moment > 2*signertest.Hour {
		t.Errorf("%d entries: %+v", len(all), all)
	}
}

// TestFewerThanAQuorumVouchForNothing: one witness of three that runs a day ahead lends nothing to a clock that was
// turned, and the signer says which of them is wrong.
func TestFewerThanAQuorumVouchForNothing(t *testing.T) {
	d, w := witnessed(t)
	if got := spend(t, d); got < signertest.DayMax-signertest.SmallMax {
		t.Fatalf("%d signed on the first day", got)
	}
	stopped(t, d, w)
	d.Clock.Reboot(signertest.Day) // nobody was off: somebody turned the clock
	w.setNow(func(i int) time.Time {
		clock, _ := d.Clock.Now()
		if i > 0 {
			return time.UnixMilli(clock).Add(-24 * time.Hour)
		}
		return time.UnixMilli(clock)
	})
	d.Start()
	if got := spend(t, d); got != 0 {
		t.Errorf("%d more signed on the word of one witness", got)
	}
	d.Until("the signer says that its own clock is ahead", func() bool {
		return strings.Contains(timeReason(t, d), "this host's clock is ahead")
	})
	if all := vouchedEntries(t, d); len(all) != 0 {
		t.Errorf("%+v", all[0])
	}
	if r := ready(t, d.Signer); !r.Ready {
		t.Errorf("what fits its limits is not signed: %+v", r.Reasons)
	}
}

// TestLagWithoutWitnesses says what ends it.
func TestLagWithoutWitnesses(t *testing.T) {
	d, w := witnessed(t)
	stopped(t, d, w)
	w.setDown(true, 0, 1)
	d.Clock.Reboot(signertest.Day)
	if err := d.TryStart(); err != nil { // it waits for them, and has not begun to count time
		t.Fatal(err)
	}
	d.Until("the signer says that it waits", func() bool { return hasReason(ready(t, d.Signer), "witnesses_missing") })
	d.Until("a witness was heard", func() bool { return ready(t, d.Signer).Witnesses[2].Answers })
	if reason := timeReason(t, d); reason != "" {
		t.Errorf("before it counts time by itself: %s", reason)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}

	alone := signertest.New(t, signertest.Options{})
	if err := alone.Stop(); err != nil {
		t.Fatal(err)
	}
	alone.Clock.Reboot(signertest.Day)
	alone.Start()
	alone.Until("the signer says what ends the lag", func() bool {
		return strings.Contains(timeReason(t, alone), "a quorum's resume") && strings.Contains(timeReason(t, alone), "no witnesses are configured")
	})
	if a := alone.Submit(t.Context(), alone.Signer, "shop", alone.Withdrawal(alone.Wallets[signertest.XEM], signertest.Small)); a.State != rpc.StateSigned {
		t.Errorf("%+v", a)
	}
}

// TestLagWhileWitnessesAreAway: they vouch when they are back, with the same head as before.
func TestLagWhileWitnessesAreAway(t *testing.T) {
	d, _ := witnessed(t)
	d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small))
	d.Clock.Turn(signertest.Hour, 0) // the machine slept without counting
	d.Until("the witnesses vouch for the time", func() bool {
		d.Clock.Pass(5000) // until they are asked again
		return len(vouchedEntries(t, d)) > 0
	})
	d.Until("the signer says no more of it", func() bool { return timeReason(t, d) == "" })
}
