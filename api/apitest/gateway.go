package apitest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"kura/api"
	"kura/signer/rpc"
)

// A Gateway is a real one on a real TLS socket, before a double on a real unix socket.
type Gateway struct {
	URL string
	TLS *tls.Config // trusts its certificate
	// Certificate is its own, in DER.
	Certificate []byte
	Signer      *Signer
	Socket      string
	// StopSigner ends the double's server, as if the signer had died.
	StopSigner func()
}

// Options change how Start builds a gateway.
type Options struct {
	Config api.Config                      // zero: the defaults
	Log    io.Writer                       // nil: nowhere
	Wrap   func(http.Handler) http.Handler // stands between network and gateway: a gateway that was taken over
}

// Start starts a double and a gateway before it, until the test ends.
func Start(t testing.TB, o Options) *Gateway {
	t.Helper()
	double := NewSigner()
	g := StartBefore(t, double, o)
	g.Signer = double
	return g
}

// StartBefore starts a gateway before any signer; the Gateway's Signer is nil.
func StartBefore(t testing.TB, signer rpc.Gateway, o Options) *Gateway {
	t.Helper()
	g := &Gateway{}
	g.Socket, g.StopSigner = ServeSigner(t, signer)
	if o.Config.Limits == (api.Limits{}) {
		o.Config.Limits = api.DefaultLimits()
		o.Config.Observers = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	client := rpc.NewGatewayClient(g.Socket)
	t.Cleanup(client.Close)
	gateway, err := api.New(client, o.Config, slog.New(slog.NewJSONHandler(o.Log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = gateway
	if o.Wrap != nil {
		handler = o.Wrap(handler)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(func() {
		gateway.Close()
		server.Close()
	})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	g.Certificate = server.Certificate().Raw
	g.URL, g.TLS = server.URL, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	return g
}

// ServeSigner serves a signer on a unix socket until stop is called or the test ends.
func ServeSigner(t testing.TB, s rpc.Gateway) (socket string, stop func()) {
	t.Helper()
	// Not t.TempDir: a socket's path may have 108 bytes at most.
	dir, err := os.MkdirTemp("", "kura")
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "signer.sock")
	listener, err := rpc.Listen(socket, uint32(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &rpc.Server{
		Methods: rpc.GatewayMethods(s), Allow: []uint32{uint32(os.Geteuid())},
		InFlight: 64, Connections: 8, Log: slog.New(slog.DiscardHandler),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(ctx, listener) // ends with the context
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(func() {
		stop()
		_ = os.RemoveAll(dir)
	})
	return socket, stop
}
