package rpc

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

var errClosed = errors.New("connection closed")

// patience is how long a peer may take to make room for a write; then its connection is dropped.
const patience = 10 * time.Second

// maxUnread bounds the bytes that a server holds for a connection whose peer does not read them: two of the longest
// answers, or a great many usual ones. Beyond it the connection is dropped.
const maxUnread = 2 * (headroom + MaxAnswer)

// A writer is the one goroutine that writes to a connection. It flushes when its queue is empty.
type writer struct {
	conn    net.Conn
	secrets bool // frames may hold a private key: nothing of them stays behind
	queue   chan []byte
	most    int64 // bytes that may wait to be written
	waiting atomic.Int64
	done    chan struct{} // closed when the connection takes nothing any more
	once    sync.Once
}

func newWriter(conn net.Conn, secrets bool, most int64) *writer {
	return &writer{conn: conn, secrets: secrets, most: most, queue: make(chan []byte, 64), done: make(chan struct{})}
}

// send hands an encoded frame over; after stop it reports errClosed, and the frame was not sent. More than most
// bytes that wait stop the writer.
func (w *writer) send(b []byte) error {
	select {
	case <-w.done:
		return errClosed
	default:
	}
	if w.waiting.Add(int64(len(b))) > w.most {
		w.stop()
		return errClosed
	}
	select {
	case w.queue <- b:
		return nil
	case <-w.done:
		return errClosed
	}
}

// stop ends the writer and closes the connection, which ends its reader.
func (w *writer) stop() {
	w.once.Do(func() {
		close(w.done)
		_ = w.conn.Close() // nobody is left to be told
	})
}

// run writes until stop is called or the connection fails.
func (w *writer) run() {
	defer w.stop()
	buffered := bufio.NewWriterSize(w.conn, 64<<10)
	for {
		select {
		case b := <-w.queue:
			if !w.write(buffered, b) {
				return
			}
		case <-w.done:
			return
		}
		for more := true; more; {
			select {
			case b := <-w.queue:
				if !w.write(buffered, b) {
					return
				}
			default:
				more = false
			}
		}
		if w.conn.SetWriteDeadline(time.Now().Add(patience)) != nil || buffered.Flush() != nil {
			return
		}
		if w.secrets {
			clear(buffered.AvailableBuffer()[:buffered.Available()])
		}
	}
}

func (w *writer) write(to *bufio.Writer, b []byte) bool {
	if w.conn.SetWriteDeadline(time.Now().Add(patience)) != nil {
		return false
	}
	_, err := to.Write(b)
	if w.secrets {
		clear(b)
	}
	w.waiting.Add(-int64(len(b)))
	return err == nil
}
