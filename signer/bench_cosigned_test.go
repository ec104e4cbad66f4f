package signer_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// BenchmarkSubmitCosigned is BenchmarkSubmit with two of three witnesses before release: what a round costs on one
// machine, where each witness syncs its state to the same disk.
func BenchmarkSubmitCosigned(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			w := newWitnesses(b, 3, 2, true)
			d := signertest.New(b, signertest.Options{Open: w.open})
			envelopes := make([]statement.Envelope, b.N)
			for i := range envelopes {
				envelopes[i] = d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], 1))
			}
			var next atomic.Int64
			var asking sync.WaitGroup
			b.ResetTimer()
			for range clients {
				asking.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if a, err := d.Signer.Submit(context.Background(), envelopes[i-1].Encode(), signertest.LongWait); err != nil || a.State != rpc.StateSigned {
							b.Errorf("%+v, %v", a, err)
							return
						}
					}
				})
			}
			asking.Wait()
		})
	}
}
