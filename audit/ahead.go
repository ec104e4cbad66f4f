package audit

import (
	"errors"
	"io"
	"iter"
	"runtime"

	"kura/journal"
	"kura/ledger"
)

// A prepared item is a line with the work done that needs no order: decoding it, hashing it, and taking
// its input out, for which a statement's signature is verified.
type prepared struct {
	item
	leaf    journal.Hash
	decoded journal.Entry
	err     error // why the bytes are not an entry
	in      ledger.Input
	inErr   error // why no input begins with it
}

// batchLines is how many lines one worker takes at a time: enough to hide the hand-over.
const batchLines = 64

type batch struct {
	items []prepared
	err   error // of the reader, after these items
	done  chan struct{}
}

// readAhead yields an export's items in their order, prepared on all cores while the caller works on those
// before. The pointers are the caller's. An error of the reader is the last thing yielded.
func readAhead(r *reader) iter.Seq2[*prepared, error] {
	return func(yield func(*prepared, error) bool) {
		workers := runtime.GOMAXPROCS(0)
		todo := make(chan *batch, workers)
		inOrder := make(chan *batch, 2*workers)
		quit := make(chan struct{})
		defer close(quit)
		for range workers {
			go func() {
				for b := range todo {
					b.prepare()
				}
			}()
		}
		go func() {
			defer close(todo)
			defer close(inOrder)
			for more := true; more; {
				var b *batch
				b, more = readBatch(r)
				select {
				case inOrder <- b:
				case <-quit:
					return
				}
				todo <- b // workers end only when todo is closed, so this never blocks for good
			}
		}()
		for b := range inOrder {
			<-b.done
			for i := range b.items {
				if !yield(&b.items[i], nil) {
					return
				}
			}
			if b.err != nil {
				yield(nil, b.err)
				return
			}
		}
	}
}

// readBatch reads some lines; false says that there are no more.
func readBatch(r *reader) (*batch, bool) {
	b := &batch{items: make([]prepared, 0, batchLines), done: make(chan struct{})}
	for len(b.items) < batchLines {
		it, err := r.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				b.err = err
			}
			return b, false
		}
		b.items = append(b.items, prepared{item: it})
	}
	return b, true
}

func (b *batch) prepare() {
	defer close(b.done)
	for i := range b.items {
		p := &b.items[i]
		if p.checkpoint != nil {
			continue
		}
		p.leaf = journal.LeafHash(p.entry)
		if p.decoded, p.err = journal.DecodeEntry(p.entry); p.err == nil {
			p.in, p.inErr = ledger.InputOf(p.decoded)
		}
	}
}
