package journal

import (
	"iter"
	"runtime"
	"sync"
)

// A decoded is a stored row with what it means: the work that needs no order.
type decoded struct {
	row   StoredEntry
	entry Entry
	leaf  Hash
	visit func() error // of Verification.Ahead
	err   error        // why the bytes are not an entry
}

// A batch is what one worker takes at a time: enough rows to hide the hand-over, not so many bytes that
// large entries fill the memory.
const (
	batchEntries = 256
	batchBytes   = 1 << 20
)

// maxWorkers bounds, with the batches, what is in memory at once: three for each worker.
const maxWorkers = 8

type batch struct {
	rows []decoded
	err  error // the store's error after these rows
	done chan struct{}
}

// readAhead decodes and hashes rows on all cores while the caller works on those before, calls ahead, if that
// is not nil, for each, and yields them in their order.
func readAhead(rows iter.Seq2[StoredEntry, error], ahead func(Entry) func() error) iter.Seq2[decoded, error] {
	return func(yield func(decoded, error) bool) {
		workers := min(runtime.GOMAXPROCS(0), maxWorkers)
		todo := make(chan *batch, workers)
		inOrder := make(chan *batch, 2*workers)
		quit := make(chan struct{})
		var running sync.WaitGroup
		defer running.Wait() // nobody reads the store any more once the caller goes on
		defer close(quit)
		for range workers {
			running.Go(func() {
				for b := range todo {
					b.decode(ahead)
				}
			})
		}
		running.Go(func() {
			defer close(todo)
			defer close(inOrder)
			readBatches(rows, func(b *batch) bool {
				select {
				case inOrder <- b:
				case <-quit:
					return false
				}
				todo <- b // the workers end only when todo is closed, so this never blocks for good
				return true
			})
		})
		for b := range inOrder {
			<-b.done
			for _, d := range b.rows {
				if !yield(d, nil) {
					return
				}
			}
			if b.err != nil {
				yield(decoded{}, b.err)
				return
			}
		}
	}
}

func (b *batch) decode(ahead func(Entry) func() error) {
	for i := range b.rows {
		d := &b.rows[i]
		d.leaf = LeafHash(d.row.Bytes)
		d.entry, d.err = DecodeEntry(d.row.Bytes)
		if d.err == nil && ahead != nil {
			d.visit = ahead(d.entry)
		}
	}
	close(b.done)
}

// readBatches gathers rows and hands them on until handOver says stop or the rows end.
func readBatches(rows iter.Seq2[StoredEntry, error], handOver func(*batch) bool) {
	next := func() *batch {
		return &batch{rows: make([]decoded, 0, batchEntries), done: make(chan struct{})}
	}
	b, size := next(), 0
	for row, err := range rows {
		if err != nil {
			b.err = err
			break
		}
		b.rows = append(b.rows, decoded{row: row})
		size += len(row.Bytes)
		if len(b.rows) == batchEntries || size >= batchBytes {
			if !handOver(b) {
				return
			}
			b, size = next(), 0
		}
	}
	handOver(b)
}
