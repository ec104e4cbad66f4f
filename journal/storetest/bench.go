package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"kura/journal"
	"kura/journal/anchorfile"
)

// Benchmark measures appends from 1, 16, 64 and 256 callers, each of which waits until its entry is
// durable, signed and anchored before it sends the next. What has gathered goes in one group. Beside it,
// in the same run and in turns, a bare loop writes rows of the same size in groups of the same sizes: no
// encoding, hashing, signing, checking or anchor. The metric "of-bare" is the rate as a part of the
// loop's.
func Benchmark(b *testing.B, open func(t testing.TB) journal.Store) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmarkAppend(b, open, callers) })
	}
	b.Run("proof", func(b *testing.B) { benchmarkProof(b, open(b)) })
	b.Run("verify", func(b *testing.B) { benchmarkVerify(b, open(b)) })
}

// rounds is how many times log and loop take turns, since a shared machine drifts.
const rounds = 10

func benchmarkAppend(b *testing.B, open func(t testing.TB) journal.Store, callers int) {
	store := open(b)
	defer closeStore(b, store)
	log, err := journal.Create(b.Context(), journal.Config{
		Genesis: Genesis(), Store: store, Sign: Sign,
		Anchors: []journal.Anchor{anchorfile.New(b.TempDir() + "/anchor")},
	}, Entries(0, 1))
	if err != nil {
		b.Fatal(err)
	}
	bare := newBareLoop(b, open(b))
	defer closeStore(b, bare.store)

	var inLog, inLoop time.Duration
	groups := 0
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := min(b.N-done, max(callers, b.N/rounds))
		took, sizes := runCallers(b, log, callers, n)
		inLog += took
		groups += len(sizes)
		b.StopTimer()
		inLoop += bare.run(sizes)
		b.StartTimer()
		done += n
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/inLog.Seconds(), "entries/s")
	b.ReportMetric(float64(b.N)/float64(groups), "entries/group")
	b.ReportMetric(float64(inLoop)/float64(inLog), "of-bare")
	b.ReportMetric(float64(inLog-inLoop)/float64(groups)/1000, "us-over-bare/group")
}

// runCallers appends n entries from that many callers, and returns how long it took and the sizes of the
// groups. One goroutine takes what has gathered, as the signer's sequencer does.
func runCallers(b *testing.B, log *journal.Log, callers, n int) (time.Duration, []int) {
	type request struct{ done chan struct{} }
	requests := make(chan request, callers)
	var left sync.WaitGroup
	share := make(chan struct{}, n)
	for range n {
		share <- struct{}{}
	}
	close(share)
	began := time.Now()
	for range callers {
		left.Go(func() {
			r := request{make(chan struct{}, 1)}
			for range share {
				requests <- r
				<-r.done
			}
		})
	}
	go func() {
		left.Wait()
		close(requests)
	}()
	var sizes []int
	for first := range requests {
		gathered := []request{first}
		for len(requests) > 0 {
			gathered = append(gathered, <-requests)
		}
		size := log.Head().Size
		if _, err := log.Append(b.Context(), Entries(size, size+uint64(len(gathered)))); err != nil {
			b.Error(err)
		}
		sizes = append(sizes, len(gathered))
		for _, r := range gathered {
			r.done <- struct{}{}
		}
	}
	return time.Since(began), sizes
}

// A bareLoop appends prepared groups, with nothing else to do.
type bareLoop struct {
	b      *testing.B
	store  journal.Store
	writer *Writer
}

func newBareLoop(b *testing.B, store journal.Store) *bareLoop {
	return &bareLoop{b: b, store: store, writer: NewWriter()}
}

// run writes groups of the given sizes and returns how long that took, without preparing them.
func (l *bareLoop) run(sizes []int) time.Duration {
	groups := make([]journal.Group, len(sizes))
	for i, n := range sizes {
		groups[i] = l.writer.Next(n)
		l.writer.Rows = nil
	}
	began := time.Now()
	for _, g := range groups {
		if err := l.store.Append(context.WithoutCancel(l.b.Context()), g); err != nil {
			l.b.Fatal(err)
		}
	}
	return time.Since(began)
}

// grown returns a log of 100,000 entries.
func grown(b *testing.B, store journal.Store) *journal.Log {
	w := NewWriter()
	for range 100 {
		w.Grow(b, store, 1000)
		w.Rows = nil
	}
	log, err := journal.Open(b.Context(), journal.Config{Genesis: Genesis(), Store: store})
	if err != nil {
		b.Fatal(err)
	}
	return log
}

// benchmarkProof makes receipts' proofs from tree hashes that are in memory.
func benchmarkProof(b *testing.B, store journal.Store) {
	defer closeStore(b, store)
	log := grown(b, store)
	size := log.Head().Size
	prove := func(i uint64) {
		if _, err := log.Prove(b.Context(), i*7919%size); err != nil {
			b.Fatal(err)
		}
	}
	for i := range size {
		prove(i)
	}
	i := uint64(0)
	for b.Loop() {
		prove(i)
		i++
	}
}

// benchmarkVerify verifies 100,000 entries from the store.
func benchmarkVerify(b *testing.B, store journal.Store) {
	defer closeStore(b, store)
	size := grown(b, store).Head().Size
	b.ResetTimer()
	for b.Loop() {
		if _, _, err := journal.Verify(b.Context(), store, journal.Verification{Genesis: Genesis()}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
