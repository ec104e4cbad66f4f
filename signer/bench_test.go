package signer_test

import (
	"context"
	"sync/atomic"
	"testing"

	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// BenchmarkSubmit measures the road in one process with a token double (real signatures, no PKCS#11): statement,
// decision, embedded store, anchor file, signature, receipt. Run it with -cpu and compare ratios only.
func BenchmarkSubmit(b *testing.B) {
	for _, name := range []string{signertest.XEM, signertest.XYM} {
		for _, clients := range []int{1, 64} {
			b.Run(name+"/"+map[int]string{1: "1", 64: "64"}[clients], func(b *testing.B) {
				d := signertest.New(b, signertest.Options{})
				envelopes := make([]statement.Envelope, b.N)
				for i := range envelopes {
					envelopes[i] = d.Sign("shop", d.Withdrawal(d.Wallets[name], 1))
				}
				var next atomic.Int64
				b.SetParallelism(max(1, clients/2))
				b.ResetTimer()
				run := func(more func() bool) {
					for more() {
						i := next.Add(1) - 1
						if i >= int64(len(envelopes)) {
							return
						}
						a, err := d.Signer.Submit(context.Background(), envelopes[i].Encode(), signertest.LongWait)
						if err != nil || a.State != rpc.StateSigned {
							b.Errorf("%+v, %v", a, err)
							return
						}
					}
				}
				if clients == 1 {
					run(func() bool { return true })
					return
				}
				b.RunParallel(func(pb *testing.PB) { run(pb.Next) })
				m, err := d.Signer.Metrics(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				for _, sample := range m.Samples {
					if sample.Name == "kura_signer_groups_total" {
						b.ReportMetric(float64(b.N)/float64(sample.Value), "requests/group")
					}
				}
			})
		}
	}
}
