package signer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"kura/journal"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// alarmsOf takes what people were called for so far, and counts what has a code.
func alarmsOf(d *signertest.Deployment, code string) (n int) {
	for len(d.Alarms) > 0 {
		if a := <-d.Alarms; a.Code == code {
			n++
		}
	}
	return n
}

// TestAlarmOfTheRunBefore has a signer end after a freeze was written and before that could be told: the next start calls
// people for it, once.
func TestAlarmOfTheRunBefore(t *testing.T) {
	f := newFaults(t)
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			f.store.set(func() { f.store.headErr = errLost })
			return errors.Join(errLost, f.store.Store.Append(ctx, g))
		}
	})
	frozen := make(chan error, 1)
	go func() {
		_, err := f.Signer.Admin().FreezeHost(context.Background(), rpc.Caller{}, "test")
		frozen <- err
	}()
	f.waitFor(t, "journal_unclear")
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-frozen; codeOf(err) != "stopping" {
		t.Errorf("the freeze is answered %v", err)
	}
	if n := alarmsOf(f.Deployment, "frozen"); n != 0 {
		t.Errorf("people were called %d times for what nobody knew", n)
	}
	f.Start()
	f.Restart()
	if n := alarmsOf(f.Deployment, "frozen"); n != 1 {
		t.Errorf("people were called %d times", n)
	}
	wallets, err := f.Signer.Admin().ListWallets(t.Context())
	if err != nil || !wallets[0].Frozen {
		t.Errorf("the freeze is not in force: %+v, %v", wallets, err)
	}
}

// TestAlarmThatWaitedForWitnesses is the same with a freeze that was never cosigned.
func TestAlarmThatWaitedForWitnesses(t *testing.T) {
	w := newWitnesses(t, 1, 1, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	untilQuiet(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small)))
	w.setDown(true, 0)
	size := ready(t, d.Signer).Size
	sent := d.Sign("watch", d.Freeze(statement.TargetAll, ""))
	go func() { _, _ = d.Signer.Submit(context.Background(), sent.Encode(), 0) }()
	d.Until("the freeze is in the journal", func() bool { return ready(t, d.Signer).Size > size })
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := alarmsOf(d, "frozen"); n != 0 {
		t.Errorf("people were called %d times for what is not cosigned", n)
	}
	w.stop() // what the ended signer's courier still has in hand is not cosigned now
	w.setDown(false, 0)
	d.Start()
	d.Restart()
	if n := alarmsOf(d, "frozen"); n != 1 {
		t.Errorf("people were called %d times", n)
	}
}

// TestOldAlarmsAreNotRaisedAgain: a signer that has never led, or has lost what it knew of the witnesses, cannot tell what
// others were told. It calls nobody for what was days ago.
func TestOldAlarmsAreNotRaisedAgain(t *testing.T) {
	w := newWitnesses(t, 1, 1, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	d.Submit(t.Context(), d.Signer, "watch", d.Freeze(statement.TargetAll, ""))
	d.Clock.Pass(48 * signertest.Hour)
	d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := alarmsOf(d, "frozen"); n != 1 {
		t.Fatalf("people were called %d times for the freeze", n)
	}
	if err := os.Remove(filepath.Join(w.dir, "cosigned")); err != nil {
		t.Fatal(err)
	}
	d.Start()
	d.Restart()
	if n := alarmsOf(d, "frozen"); n != 0 {
		t.Errorf("people were called %d times more", n)
	}
}
