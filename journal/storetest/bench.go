package storetest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kura/journal"
	"kura/journal/anchorfile"
)

// Benchmark measures what a journal does on a store.
func Benchmark(b *testing.B, open func(t testing.TB) journal.Store) {
	BenchmarkAppends(b, open, Genesis(), Sign)
	b.Run("proof", func(b *testing.B) { benchmarkProof(b, open(b)) })
	b.Run("verify", func(b *testing.B) { benchmarkVerify(b, open(b)) })
}

// BenchmarkAppends measures appends from 1, 16, 64 and 256 callers, each of which waits until its entry is
// durable, signed and anchored before it sends the next. What has gathered goes in one group, which is signed
// while the one before it is written and the anchor moves to the one before that, as in the signer. Beside it, in the same run and in turns, a
// bare loop writes rows of the same size in groups of the same sizes: no encoding, hashing, signing,
// checking or anchor. The metric "of-bare" is the rate as a part of the loop's, the median of the turns.
// "us-over-bare/group" is what a group took longer than the loop's, the median too; "sign-us" and "fsync-us"
// are what one signature of a head and one write of 4,096 bytes with
// fdatasync took in the same run: what a group of a lone caller may cost over the loop's. "unanchored" is the same
// without the anchor file, whose sync goes to the disk that the store is on, too.
func BenchmarkAppends(b *testing.B, open func(t testing.TB) journal.Store, genesis journal.Genesis, sign journal.Sign) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			benchmarkAppend(b, open, genesis, sign, callers, anchorfile.New(b.TempDir()+"/anchor"))
		})
		b.Run(fmt.Sprintf("callers=%d/unanchored", callers), func(b *testing.B) { benchmarkAppend(b, open, genesis, sign, callers) })
	}
}

// rounds is how many times log and loop take turns, since a shared machine drifts.
const rounds = 20

func benchmarkAppend(b *testing.B, open func(t testing.TB) journal.Store, genesis journal.Genesis, sign journal.Sign, callers int, anchors ...journal.Anchor) {
	store := open(b)
	defer closeStore(b, store)
	log, err := journal.Create(b.Context(), journal.Config{
		Genesis: genesis, Store: store, Sign: sign, Anchors: anchors,
	}, Entries(0, 1))
	if err != nil {
		b.Fatal(err)
	}
	bare := newBareLoop(b, open(b))
	defer closeStore(b, bare.store)

	var inLog, inSign, inSync time.Duration
	var ofBare, overBare []float64 // of each turn
	groups := 0
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := min(b.N-done, max(callers, b.N/rounds))
		took, sizes := runCallers(b, log, callers, n)
		inLog += took
		groups += len(sizes)
		b.StopTimer()
		inLoop := bare.run(sizes)
		ofBare = append(ofBare, float64(inLoop)/float64(took))
		overBare = append(overBare, float64(took-inLoop)/float64(len(sizes))/1000)
		inSign += signOnce(b, genesis.LogKey, sign)
		inSync += syncOnce(b)
		b.StartTimer()
		done += n
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/inLog.Seconds(), "entries/s")
	b.ReportMetric(float64(b.N)/float64(groups), "entries/group")
	b.ReportMetric(median(ofBare), "of-bare")
	b.ReportMetric(median(overBare), "us-over-bare/group")
	b.ReportMetric(float64(inSign)/float64(len(ofBare)*repeats)/1000, "sign-us")
	b.ReportMetric(float64(inSync)/float64(len(ofBare)*repeats)/1000, "fsync-us")
}

func median(all []float64) float64 {
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// repeats is how often a turn measures a signature and a sync.
const repeats = 20

func signOnce(b *testing.B, key [32]byte, sign journal.Sign) time.Duration {
	text := []byte(journal.UnsignedCheckpoint(Origin, journal.EmptyHead()))
	began := time.Now()
	for range repeats {
		if _, err := sign(key, text); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

func syncOnce(b *testing.B) time.Duration {
	file, err := os.Create(b.TempDir() + "/synced")
	if err != nil {
		b.Fatal(err)
	}
	block := make([]byte, 4096)
	write := func() {
		if _, err := file.WriteAt(block, 0); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	write() // which gives the file its size
	began := time.Now()
	for range repeats {
		write()
	}
	took := time.Since(began)
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

// A waitingGroup is a group on its way, and those who wait for it.
type waitingGroup struct {
	draft   *journal.Draft
	waiting []chan struct{}
}

// runCallers appends n entries from that many callers, and returns how long it took and the sizes of the
// groups.
func runCallers(b *testing.B, log *journal.Log, callers, n int) (time.Duration, []int) {
	entries := Entries(log.Head().Size, log.Head().Size+uint64(n)) // as the callers' own work makes them
	requests := make(chan chan struct{}, callers)
	var left sync.WaitGroup
	share := make(chan struct{}, n)
	for range n {
		share <- struct{}{}
	}
	close(share)
	began := time.Now()
	for range callers {
		left.Go(func() {
			done := make(chan struct{}, 1)
			for range share {
				requests <- done
				<-done
			}
		})
	}
	go func() {
		left.Wait()
		close(requests)
	}()
	p := pipeline{b: b, log: log, gathered: make(chan *waitingGroup), signed: make(chan *waitingGroup), written: make(chan *waitingGroup), stored: make(chan struct{}, 1)}
	go p.gather(entries, requests)
	go p.sign()
	go p.write()
	var sizes []int
	for g := range p.written {
		if err := log.Cover(b.Context(), g.draft); err != nil {
			b.Error(err)
		}
		sizes = append(sizes, len(g.waiting))
		p.letOut.Store(int64(len(g.waiting)))
		for _, done := range g.waiting {
			done <- struct{}{}
		}
	}
	return time.Since(began), sizes
}

// A pipeline takes groups through their steps as the signer does: while one is covered, the next is written and the one
// behind that is signed.
type pipeline struct {
	b                         *testing.B
	log                       *journal.Log
	gathered, signed, written chan *waitingGroup
	storing                   atomic.Bool   // a group is in the store's hands
	stored                    chan struct{} // it is not any more
	letOut                    atomic.Int64  // entries of the group that was covered last
}

// gather closes a group when nothing is in the store's hands, or when as much has come as was let out last.
func (p *pipeline) gather(entries []journal.Entry, requests <-chan chan struct{}) {
	defer close(p.gathered)
	g := &waitingGroup{draft: p.log.Draft(nil)}
	for {
		next := p.gathered
		if n := int64(len(g.waiting)); n == 0 || p.storing.Load() && (len(requests) > 0 || n < p.letOut.Load()) {
			next = nil
		}
		select {
		case done, more := <-requests:
			if !more {
				return
			}
			if err := g.draft.Add(entries[0]); err != nil {
				p.b.Error(err)
				return
			}
			entries = entries[1:]
			g.waiting = append(g.waiting, done)
		case next <- g:
			g = &waitingGroup{draft: p.log.Draft(g.draft)}
		case <-p.stored:
		}
	}
}

func (p *pipeline) sign() {
	defer close(p.signed)
	for g := range p.gathered {
		if err := p.log.Sign(g.draft); err != nil {
			p.b.Error(err)
		}
		p.signed <- g
	}
}

func (p *pipeline) write() {
	defer close(p.written)
	for g := range p.signed {
		p.storing.Store(true)
		if err := p.log.Commit(p.b.Context(), g.draft); err != nil {
			p.b.Error(err)
		}
		p.written <- g
		p.storing.Store(false)
		select {
		case p.stored <- struct{}{}:
		default:
		}
	}
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
