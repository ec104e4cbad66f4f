package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"kura/api"
)

// Timeouts of a connection. Answers that take longer (waits, streams) move their own deadline on.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
	shutdownTime  = 20 * time.Second // for requests under way when the process is to end
)

// listen opens an address for at most cfg.Limits.Connections connections at once.
func listen(ctx context.Context, cfg *config, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &boundedListener{
		Listener: l, places: make(chan struct{}, cfg.Limits.Connections), closed: make(chan struct{}),
		most: cfg.Limits.PerCaller, open: map[string]int{},
	}, nil
}

// serve answers on the listener until ctx ends, then lets the requests under way finish.
func serve(ctx context.Context, cfg *config, gateway *api.Gateway, certificate *certificate, l net.Listener, log *slog.Logger) error {
	tlsConfig := &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: certificate.get,
		NextProtos:     []string{"h2", "http/1.1"},
	}
	if cfg.TLS.ClientCA != "" {
		pool, err := loadPool(cfg.TLS.ClientCA)
		if err != nil {
			return fmt.Errorf("tls.client_ca: %w", err)
		}
		tlsConfig.ClientAuth, tlsConfig.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	server := &http.Server{
		Handler: gateway, TLSConfig: tlsConfig,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 128},
		// What is wrong with connections (scans, broken handshakes) is of interest when looking for it only.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("serving", "address", l.Addr().String(), "signer", cfg.Signer, "mutual_tls", cfg.TLS.ClientCA != "")
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(l, "", "") }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Info("ending")
	gateway.Close()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	return nil
}

// serveMetrics answers GET /metrics on a listener of its own until ctx ends. It is this machine's alone, so there is no
// TLS.
func serveMetrics(ctx context.Context, l net.Listener, gateway *api.Gateway, log *slog.Logger) {
	server := &http.Server{
		Handler: gateway.Metrics(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // what is cut off is scraped again
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("metrics are served no more", "error", err.Error())
	}
}

// A boundedListener holds back connections beyond its places until others end, and hangs up on callers who have as
// many as one may: one caller alone does not take all places (several addresses together can). Connections that say nothing go by themselves (headerTimeout, idleTimeout).
type boundedListener struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once

	most int // connections of one caller
	mu   sync.Mutex
	open map[string]int // by caller
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		caller := api.CallerOf(conn.RemoteAddr().String())
		if l.enter(caller) {
			return &boundedConn{Conn: conn, leave: sync.OnceFunc(func() {
				l.leave(caller)
				<-l.places
			})}, nil
		}
		_ = conn.Close() // it has not been used
		<-l.places
	}
}

func (l *boundedListener) enter(caller string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[caller] >= l.most {
		return false
	}
	l.open[caller]++
	return true
}

func (l *boundedListener) leave(caller string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[caller]--; l.open[caller] == 0 {
		delete(l.open, caller)
	}
}

// Close implements net.Listener.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
