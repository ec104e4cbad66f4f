package pgtest

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Direction is one in which a Proxy carries bytes, or both.
type Direction int

// Directions.
const (
	ToServer Direction = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

// A Proxy stands between a store and its server, on TCP, and does what networks do: it cuts connections, and it
// carries nothing any more without telling either end (half-open). It is a test double of the network only.
type Proxy struct {
	DSN string // of the same role and schema, through the proxy

	listener net.Listener
	network  string
	address  string

	mu    sync.Mutex
	links map[*link]bool
	held  Direction // what new connections do not carry
	down  bool      // new connections are closed at once
}

// A link is one connection and the one behind it.
type link struct {
	client, server net.Conn

	mu    sync.Mutex
	moved sync.Cond // held or gone has changed
	held  Direction
	gone  bool
}

// NewProxy makes a proxy before the server of a DSN. It ends with the test.
func NewProxy(t testing.TB, dsn string) *Proxy {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{links: map[*link]bool{}}
	p.network, p.address = pgconn.NetworkAddress(config.Host, config.Port)
	if p.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = p.listener.Addr().String(), query.Encode()
	p.DSN = u.String()
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.Down()
		serving.Wait()
	})
	return p
}

func (p *Proxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(context.Background(), p.network, p.address)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server}
		l.moved.L = &l.mu
		p.mu.Lock()
		l.held = p.held
		p.links[l] = true
		down := p.down
		p.mu.Unlock()
		if down {
			l.cut()
		}
		serving.Go(func() { l.carry(server, client, ToServer) })
		serving.Go(func() {
			l.carry(client, server, ToClient)
			p.mu.Lock()
			delete(p.links, l)
			p.mu.Unlock()
		})
	}
}

// carry copies until the link is cut. The end of one side reaches the other like any byte: only when the direction is
// not held.
func (l *link) carry(to, from net.Conn, d Direction) {
	buf := make([]byte, 1<<15)
	for {
		n, err := from.Read(buf)
		if !l.pass(d) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				l.lost(d)
				return
			}
		}
		if err != nil {
			l.cut()
			return
		}
	}
}

// pass waits while the direction is held; false: the link is cut.
func (l *link) pass(d Direction) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.held&d != 0 && !l.gone {
		l.moved.Wait()
	}
	return !l.gone
}

// lost ends a link one of whose ends takes no bytes, once the other may know.
func (l *link) lost(d Direction) {
	if l.pass(Both &^ d) {
		l.cut()
	}
}

func (l *link) hold(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = d
	l.moved.Broadcast()
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	l.moved.Broadcast()
	_ = l.client.Close()
	_ = l.server.Close()
}

// Stall has the connections that there are carry nothing more in a direction; new ones are not concerned.
func (p *Proxy) Stall(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.hold(d)
	}
}

// StallAll has no connection carry anything in a direction, new ones included.
func (p *Proxy) StallAll(d Direction) {
	p.mu.Lock()
	p.held = d
	p.mu.Unlock()
	p.Stall(d)
}

// Cut closes the connections that there are, in the middle of whatever they carry.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Down cuts all connections and takes no new ones.
func (p *Proxy) Down() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.Cut()
}

// Up carries everything again, on the connections that still stand and on new ones.
func (p *Proxy) Up() {
	p.mu.Lock()
	p.held, p.down = 0, false
	p.mu.Unlock()
	p.Stall(0)
}
