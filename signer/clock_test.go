package signer_test

import (
	"testing"

	"kura/signer/rpc"
	"kura/signer/signertest"
)

// spend asks for as much as the limit of a day allows, by quorum or not, and returns how much was authorised at once.
func spend(t *testing.T, d *signertest.Deployment) (signed uint64) {
	t.Helper()
	for range signertest.DayMax/signertest.SmallMax + 2 {
		a := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.SmallMax))
		if a.State == rpc.StateSigned {
			signed += signertest.SmallMax
		}
	}
	return signed
}

// TestClockTurned: whoever turns the clock ahead gets no second helping of a limit (I2), neither within a run nor over a
// restart, nor over a reboot but for ten minutes.
func TestClockTurned(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	if got := spend(t, d); got > signertest.DayMax || got < signertest.DayMax-signertest.SmallMax {
		t.Fatalf("%d signed on the first day, the limit is %d", got, signertest.DayMax)
	}
	d.Clock.Turn(2*signertest.Day, 1000)
	if got := spend(t, d); got != 0 {
		t.Errorf("%d more signed after the clock was turned", got)
	}
	d.Restart()
	if got := spend(t, d); got != 0 {
		t.Errorf("%d more signed after a restart", got)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	d.Clock.Reboot(signertest.Day)
	d.Start()
	if got := spend(t, d); got != 0 {
		t.Errorf("%d more signed after a reboot", got)
	}
	d.Until("the signer says that its time is not vouched for", func() bool {
		r, err := d.Signer.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range r.Reasons {
			if reason.Code == "time_not_vouched" {
				return r.Ready
			}
		}
		return false
	})
	d.Clock.Pass(signertest.Day + signertest.Hour)
	if got := spend(t, d); got == 0 {
		t.Error("nothing was signed a real day later")
	}
}

// TestClockTurnedBack: a clock that is far behind the journal stops signing, which says so.
func TestClockTurnedBack(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small))
	w := d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)
	d.Clock.Turn(-2*signertest.Minute, 0)
	a, err := d.Signer.Submit(t.Context(), d.Sign("shop", w).Encode(), signertest.LongWait)
	if err != nil || a.State != rpc.StateSigned {
		t.Errorf("two minutes behind: %+v, %v", a, err)
	}
}
