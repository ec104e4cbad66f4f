package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// gatewayDouble is a Gateway for tests: what it does is what the test says. Methods that are not set panic.
type gatewayDouble struct {
	Gateway
	submit func(context.Context, []byte, int64) (Answer, error)
	ready  func(context.Context) (Ready, error)
}

func (g gatewayDouble) Submit(ctx context.Context, envelope []byte, waitMillis int64) (Answer, error) {
	return g.submit(ctx, envelope, waitMillis)
}

func (g gatewayDouble) Ready(ctx context.Context) (Ready, error) { return g.ready(ctx) }

// socket serves until the test ends and returns its path.
func socket(t *testing.T, s Server) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rpc") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := Listen(path, uint32(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	if s.Allow == nil {
		s.Allow = []uint32{uint32(os.Geteuid())}
	}
	if s.InFlight == 0 {
		s.InFlight = 64
	}
	s.Connections = max(s.Connections, 4)
	s.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return path
}

func client(t *testing.T, path string) GatewayClient {
	c := NewGatewayClient(path)
	t.Cleanup(c.Close)
	return c
}

func problemOf(t *testing.T, err error) *Problem {
	t.Helper()
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		t.Fatalf("not a problem: %v", err)
	}
	return p
}

func TestManyCallsAtOnce(t *testing.T) {
	g := gatewayDouble{submit: func(_ context.Context, envelope []byte, waitMillis int64) (Answer, error) {
		return Answer{ID: string(envelope), Seq: uint64(waitMillis), State: StateSigned, Receipt: &Receipt{Entry: envelope, Proof: [][]byte{{1}, {2}}}}, nil
	}}
	c := client(t, socket(t, Server{Methods: GatewayMethods(g)}))
	var calls sync.WaitGroup
	for i := range 50 {
		calls.Go(func() {
			envelope := bytes.Repeat([]byte{byte('a' + i%26)}, 1+i*100)
			got, err := c.Submit(t.Context(), envelope, int64(i))
			want := Answer{ID: string(envelope), Seq: uint64(i), State: StateSigned, Receipt: &Receipt{Entry: envelope, Proof: [][]byte{{1}, {2}}}}
			if err != nil || !cmp.Equal(got, want, cmpopts.EquateEmpty()) {
				t.Errorf("call %d: %v, %d bytes", i, err, len(got.ID))
			}
		})
	}
	calls.Wait()
}

func TestProblemsArrive(t *testing.T) {
	want := &Problem{
		Code: "id_conflict", Detail: "another text", Field: "id", Retry: RetryNewStatement, Effect: EffectNone,
		Answer: &Answer{ID: "1", State: StateHeld, Decision: &Decision{Outcome: "hold", Waits: []Wait{{Kind: "approval", Need: 2, Who: []string{"bob"}}}}},
	}
	g := gatewayDouble{
		submit: func(context.Context, []byte, int64) (Answer, error) { return Answer{}, want },
		ready:  func(context.Context) (Ready, error) { return Ready{}, errors.New("a secret detail") },
	}
	c := client(t, socket(t, Server{Methods: GatewayMethods(g)}))
	_, err := c.Submit(t.Context(), nil, 0)
	if got := problemOf(t, err); !cmp.Equal(got, want, cmp.AllowUnexported(Problem{})) {
		t.Errorf("%s", cmp.Diff(want, got, cmp.AllowUnexported(Problem{})))
	}
	_, err = c.Ready(t.Context())
	if got := problemOf(t, err); got.Code != CodeInternal || strings.Contains(got.Error(), "secret") {
		t.Errorf("an unforeseen error is told as %v", got)
	}
}

func TestPeerIsChecked(t *testing.T) {
	g := gatewayDouble{ready: func(context.Context) (Ready, error) { return Ready{Ready: true}, nil }}
	c := client(t, socket(t, Server{Methods: GatewayMethods(g), Allow: []uint32{uint32(os.Geteuid()) + 1}}))
	if r, err := c.Ready(t.Context()); err == nil || r.Ready {
		t.Error("a stranger was answered")
	}
}

func TestBusy(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	g := gatewayDouble{ready: func(context.Context) (Ready, error) {
		entered <- struct{}{}
		<-leave
		return Ready{}, nil
	}}
	c := client(t, socket(t, Server{Methods: GatewayMethods(g), InFlight: 1}))
	first := make(chan error, 1)
	go func() {
		_, err := c.Ready(t.Context())
		first <- err
	}()
	<-entered
	_, err := c.Ready(t.Context())
	if p := problemOf(t, err); p.Code != CodeBusy || p.Effect != EffectNone || p.Retry != RetrySame {
		t.Errorf("%+v", p)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestCallerGoesAway(t *testing.T) {
	entered, gone := make(chan struct{}), make(chan struct{})
	g := gatewayDouble{ready: func(ctx context.Context) (Ready, error) {
		close(entered)
		<-ctx.Done()
		close(gone)
		return Ready{}, ctx.Err()
	}}
	c := client(t, socket(t, Server{Methods: GatewayMethods(g)}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	_, err := c.Ready(ctx)
	if p := problemOf(t, err); p.Code != CodeNoAnswer || p.Effect != EffectUnknown || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v", p)
	}
	<-gone
}

func TestServerGoesAway(t *testing.T) {
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	c := client(t, path)
	if _, err := c.Ready(t.Context()); problemOf(t, err).Code != CodeUnavailable || problemOf(t, err).Effect != EffectNone {
		t.Errorf("without a server: %v", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = readFrame(conn, MaxRequest)
			_ = conn.Close()
		}
	}()
	if _, err := c.Ready(t.Context()); problemOf(t, err).Code != CodeNoAnswer || problemOf(t, err).Effect != EffectUnknown {
		t.Errorf("after a server that broke off: %v", err)
	}
	_ = l.Close()
	again, err := Listen(path, uint32(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	g := gatewayDouble{ready: func(context.Context) (Ready, error) { return Ready{Ready: true}, nil }}
	s := Server{Methods: GatewayMethods(g), Allow: []uint32{uint32(os.Geteuid())}, InFlight: 1, Connections: 1, Log: slog.New(slog.DiscardHandler)}
	go s.Serve(ctx, again)
	if r, err := c.Ready(t.Context()); err != nil || !r.Ready {
		t.Errorf("after the server came back: %v", err)
	}
}

// raw sends bytes and returns what comes back before the server hangs up.
func raw(t *testing.T, path string, send []byte) []byte {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(send); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	back, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the server did not hang up")
	}
	return back
}

func TestServerHangsUp(t *testing.T) {
	path := socket(t, Server{Methods: GatewayMethods(gatewayDouble{})})
	tooLarge := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	result, err := frame{call: 1, kind: kindResult, json: []byte("{}")}.encode(MaxRequest)
	if err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string][]byte{"too large": tooLarge, "a result": result, "unknown kind": {0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 9}} {
		if back := raw(t, path, send); len(back) != 0 {
			t.Errorf("%s: answered %x", name, back)
		}
	}
}

func TestBadCalls(t *testing.T) {
	c := client(t, socket(t, Server{Methods: GatewayMethods(gatewayDouble{})}))
	for name, in := range map[string]struct {
		method string
		params any
	}{
		"unknown method":    {"steal", struct{}{}},
		"unknown parameter": {"submit", struct{ WaitMillis, Extra int }{}},
		"other case":        {"submit", map[string]int{"waitmillis": 1}},
		"wrong type":        {"submit", map[string]string{"WaitMillis": "1"}},
	} {
		_, err := ask[Answer](t.Context(), c.Client, in.method, in.params, nil)
		if p := problemOf(t, err); p.Code != CodeBadCall || p.Effect != EffectNone {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, err := c.Submit(t.Context(), make([]byte, MaxRequest), 0); problemOf(t, err).Code != CodeTooLarge {
		t.Errorf("a request that no server takes: %v", err)
	}
}

// adminDouble records what an import gets.
type adminDouble struct {
	Admin
	got  []byte
	held []byte // the very slice, which must be wiped when the call is over
	by   Caller
}

func (a *adminDouble) ImportWallet(_ context.Context, by Caller, w NewWallet, address string, keyText []byte) (Ceremony, error) {
	a.got, a.held, a.by = bytes.Clone(keyText), keyText, by
	return Ceremony{Wallet: Wallet{ID: w.ID, Address: address}}, nil
}

func TestImportedKeyIsWiped(t *testing.T) {
	a := &adminDouble{}
	path := socket(t, Server{Methods: AdminMethods(a), Secrets: true})
	c := NewAdminClient(path)
	defer c.Close()
	got, err := c.ImportWallet(t.Context(), NewWallet{ID: "w"}, "T", []byte("secret"))
	if err != nil || got.Wallet.ID != "w" {
		t.Fatalf("%+v, %v", got, err)
	}
	if string(a.got) != "secret" || !bytes.Equal(a.held, make([]byte, len("secret"))) {
		t.Errorf("got %q, left %q", a.got, a.held)
	}
	if a.by.UID != uint32(os.Geteuid()) || a.by.PID != int32(os.Getpid()) {
		t.Errorf("the caller is said to be %+v", a.by)
	}
}

func TestListenReplacesOnlySockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, uint32(os.Geteuid())); err == nil {
		t.Error("a file was replaced by a socket")
	}
}

func BenchmarkCall(b *testing.B) {
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := Listen(filepath.Join(dir, "s"), uint32(os.Geteuid()))
	if err != nil {
		b.Fatal(err)
	}
	answer := Answer{ID: strings.Repeat("i", 36), State: StateSigned, Receipt: &Receipt{Entry: make([]byte, 1000), Proof: [][]byte{make([]byte, 32), make([]byte, 32)}, Checkpoint: make([]byte, 200)}}
	g := gatewayDouble{submit: func(context.Context, []byte, int64) (Answer, error) { return answer, nil }}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s := Server{Methods: GatewayMethods(g), Allow: []uint32{uint32(os.Geteuid())}, InFlight: 1000, Connections: 1, Log: slog.New(slog.DiscardHandler)}
	go s.Serve(ctx, l)
	c := NewGatewayClient(l.Addr().String())
	defer c.Close()
	envelope := make([]byte, 1000)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Submit(ctx, envelope, 0); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
