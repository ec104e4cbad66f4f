package rpc

import (
	"bufio"
	"errors"
	"net"
	"sync"
)

var errClosed = errors.New("connection closed")

// A writer is the one goroutine that writes to a connection. It flushes when its queue is empty.
type writer struct {
	conn    net.Conn
	secrets bool // frames may hold a private key: nothing of them stays behind
	queue   chan []byte
	done    chan struct{} // closed when the connection takes nothing any more
	once    sync.Once
}

func newWriter(conn net.Conn, secrets bool) *writer {
	return &writer{conn: conn, secrets: secrets, queue: make(chan []byte, 64), done: make(chan struct{})}
}

// send hands an encoded frame over; after stop it reports errClosed, and the frame was not sent.
func (w *writer) send(b []byte) error {
	select {
	case <-w.done:
		return errClosed
	default:
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
		if buffered.Flush() != nil {
			return
		}
		if w.secrets {
			clear(buffered.AvailableBuffer()[:buffered.Available()])
		}
	}
}

func (w *writer) write(to *bufio.Writer, b []byte) bool {
	_, err := to.Write(b)
	if w.secrets {
		clear(b)
	}
	return err == nil
}
