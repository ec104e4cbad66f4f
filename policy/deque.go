package policy

// deque is a list that grows at the end and shrinks at the front, in chunks: it
// never holds more than one chunk too much at either end, and an element's
// position stays the same while it lives. The zero deque is empty.
type deque[T any] struct {
	chunks [][]T
	first  uint64 // position of the first element that lives
	base   uint64 // position of the first element of chunks[0]
	next   uint64 // position that the next element gets
}

const chunk = 512

func (d *deque[T]) push(x T) uint64 {
	at := d.next - d.base
	if at/chunk == uint64(len(d.chunks)) {
		d.chunks = append(d.chunks, make([]T, chunk))
	}
	d.chunks[at/chunk][at%chunk] = x
	d.next++
	return d.next - 1
}

func (d *deque[T]) at(position uint64) *T {
	i := position - d.base
	return &d.chunks[i/chunk][i%chunk]
}

// pop forgets the first element.
func (d *deque[T]) pop() {
	d.first++
	for d.first-d.base >= chunk {
		d.chunks[0] = nil
		d.chunks = d.chunks[1:]
		d.base += chunk
	}
}

func (d *deque[T]) empty() bool { return d.first == d.next }
