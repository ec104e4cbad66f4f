package main

import (
	"context"
	"math"
	"time"

	"kura/journal"
	"kura/ledger"
)

// settle waits until every signature that was handed out is in the journal, and then sets the clock. The signer journals
// signatures a moment after they leave; a clock that leaps in that moment would date them to another day.
func (d *deployment) settle(ctx context.Context, next int64) error {
	d.signer.Wake()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if err := d.countSignatures(ctx); err != nil {
			return err
		}
		if d.journalled == int(d.handedOut.Load()) {
			d.clock.Set(next)
			return nil
		}
		select {
		case <-look.C:
			d.signer.Wake()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// countSignatures reads what is new in the journal.
func (d *deployment) countSignatures(ctx context.Context) error {
	for row, err := range d.store.Entries(ctx, d.read, math.MaxInt64) {
		if err != nil {
			return err
		}
		e, err := journal.DecodeEntry(row.Bytes)
		if err != nil {
			return err
		}
		if e.Kind == ledger.KindSignature {
			d.journalled++
		}
		d.read = row.Seq + 1
	}
	return nil
}
