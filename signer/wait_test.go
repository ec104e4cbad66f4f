package signer_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestWaitsLeaveRoomForAFreeze: a client's key asks for the state of a payment that is held, again and again, each time
// to be told of a change. Were every call kept waiting, the socket would take no other, not even a freeze.
func TestWaitsLeaveRoomForAFreeze(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	held := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.SmallMax+1))
	if held.State != rpc.StateHeld {
		t.Fatalf("%+v", held)
	}
	shop, watch := d.Login(t.Context(), d.Signer, "shop"), d.Login(t.Context(), d.Signer, "bob")
	gateway := serveGateway(t, d.Signer, signer.MaxWaits+100)
	ctx, goAway := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	defer asking.Wait()
	defer goAway()
	var told atomic.Int64
	ask := func(bearer string, times int) {
		for range times {
			asking.Go(func() {
				if a, err := gateway.Withdrawal(ctx, bearer, held.ID, 300_000); err == nil && a.State == rpc.StateHeld {
					told.Add(1)
				}
			})
		}
	}
	ask(shop, signer.MaxWaitsEach+50)
	d.Until("one party's calls beyond those that may wait are answered", func() bool { return told.Load() == 50 })
	told.Store(0)
	ask(watch, signer.MaxWaits-signer.MaxWaitsEach+50)
	d.Until("all parties' calls beyond those that may wait are answered", func() bool { return told.Load() == 50 })
	freeze := d.Freeze(statement.TargetAll, "")
	a, err := gateway.Submit(t.Context(), d.Sign("alice", freeze).Encode(), 0)
	if err != nil || a.State != rpc.StateInForce {
		t.Errorf("the freeze: %+v, %v", a, err)
	}
}

// serveGateway serves a signer on a socket that answers so many calls at once.
func serveGateway(t *testing.T, s *signer.Signer, inFlight int) rpc.GatewayClient {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.Server{
		Methods: rpc.GatewayMethods(s), Allow: []uint32{uint32(os.Geteuid())}, InFlight: inFlight, Connections: 1,
		Log: slog.New(slog.DiscardHandler),
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	client := rpc.NewGatewayClient(path)
	t.Cleanup(func() {
		client.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return client
}
