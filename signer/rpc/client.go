package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Client is the asking end of a socket. It keeps one connection, dialled when it is first needed and again after
// it broke; calls that were under way then have an unknown effect and are not repeated. Safe for concurrent use.
type Client struct {
	path    string
	secrets bool // attachments may hold a private key

	mu     sync.Mutex
	conn   *connection // nil: dial
	closed bool
}

// NewGatewayClient returns the gateway's client of the socket at path. It does not connect yet.
func NewGatewayClient(path string) GatewayClient { return GatewayClient{&Client{path: path}} }

// NewAdminClient returns the administrator's client of the socket at path. It does not connect yet.
func NewAdminClient(path string) AdminClient { return AdminClient{&Client{path: path, secrets: true}} }

// Close ends the connection; calls under way end with an unknown effect, later ones are refused.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.conn != nil {
		c.conn.out.stop()
	}
}

// A connection carries calls until it breaks, once.
type connection struct {
	out *writer

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan frame
	broken  error // why nothing comes any more
}

// connect returns the connection, dialling if there is none that works.
func (c *Client) connect(ctx context.Context) (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if c.conn != nil && c.conn.usable() {
		return c.conn, nil
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, err
	}
	c.conn = &connection{out: newWriter(conn, c.secrets, math.MaxInt64), waiting: map[uint64]chan frame{}}
	go c.conn.out.run()
	go c.conn.read(bufio.NewReaderSize(conn, 64<<10))
	return c.conn, nil
}

func (c *connection) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken == nil
}

// read hands answers to who waits for them, until the connection breaks.
func (c *connection) read(conn io.Reader) {
	for {
		f, err := readFrame(conn, MaxAnswer)
		if err != nil {
			c.breakOff(err)
			return
		}
		c.mu.Lock()
		waiting, ok := c.waiting[f.call]
		delete(c.waiting, f.call)
		c.mu.Unlock()
		if ok {
			waiting <- f // has room for one
		}
	}
}

func (c *connection) breakOff(err error) {
	c.out.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = err
	for _, waiting := range c.waiting {
		close(waiting)
	}
	clear(c.waiting)
}

// begin gives a call a number and a place for its answer.
func (c *connection) begin() (number uint64, answer chan frame, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return 0, nil, c.broken
	}
	c.next++
	answer = make(chan frame, 1)
	c.waiting[c.next] = answer
	return c.next, answer, nil
}

func (c *connection) forget(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, number)
}

// ask makes one call. Every error is a *Problem.
func ask[R any](ctx context.Context, c *Client, method string, params any, attachment []byte) (R, error) {
	var result R
	f, err := c.exchange(ctx, method, params, attachment)
	if err != nil {
		return result, err
	}
	switch f.kind {
	case kindResult:
		if err := json.Unmarshal(f.json, &result, strict); err != nil {
			return result, unknown(fmt.Errorf("the answer to %s does not decode: %w", method, err))
		}
		return result, nil
	case kindProblem:
		problem := new(Problem)
		if err := json.Unmarshal(f.json, problem, strict); err != nil {
			return result, unknown(fmt.Errorf("the problem with %s does not decode: %w", method, err))
		}
		return result, problem
	default:
		return result, unknown(fmt.Errorf("answered %s by a frame of kind %d", method, f.kind))
	}
}

func (c *Client) exchange(ctx context.Context, method string, params any, attachment []byte) (frame, error) {
	encoded, err := json.Marshal(params)
	if err != nil {
		return frame{}, &Problem{Code: CodeBadCall, Detail: err.Error(), Retry: RetryNever, Effect: EffectNone, cause: err}
	}
	head, err := json.Marshal(call{method, jsontext.Value(encoded)})
	if err != nil {
		return frame{}, &Problem{Code: CodeBadCall, Detail: err.Error(), Retry: RetryNever, Effect: EffectNone, cause: err}
	}
	conn, err := c.connect(ctx)
	if err != nil {
		return frame{}, unavailable(err)
	}
	number, answer, err := conn.begin()
	if err != nil {
		return frame{}, unavailable(err)
	}
	b, err := frame{call: number, kind: kindCall, json: head, attachment: attachment}.encode(MaxRequest)
	if err != nil {
		conn.forget(number)
		return frame{}, &Problem{Code: CodeTooLarge, Detail: err.Error(), Retry: RetryNever, Effect: EffectNone, cause: err}
	}
	if err := conn.out.send(b); err != nil {
		conn.forget(number)
		return frame{}, unavailable(err)
	}
	select {
	case f, ok := <-answer:
		if !ok {
			return frame{}, unknown(errors.New("the connection to the signer broke"))
		}
		return f, nil
	case <-ctx.Done():
		conn.forget(number)
		if b, err := (frame{call: number, kind: kindCancel}).encode(MaxRequest); err == nil {
			_ = conn.out.send(b) // only a courtesy: the answer is not waited for any more
		}
		return frame{}, unknown(ctx.Err())
	}
}

func unavailable(err error) *Problem {
	return &Problem{Code: CodeUnavailable, Detail: "the signer cannot be reached", Retry: RetrySame, Effect: EffectNone, cause: err}
}

func unknown(err error) *Problem {
	return &Problem{Code: CodeNoAnswer, Detail: "no answer from the signer: " + err.Error(), Retry: RetrySame, Effect: EffectUnknown, cause: err}
}
