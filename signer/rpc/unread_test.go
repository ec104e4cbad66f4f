package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPeerThatDoesNotRead sends calls and reads no answer: the server begins only as many as it may have in flight
// and may queue, and drops the connection in the end.
func TestPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int32
		g := gatewayDouble{ready: func(context.Context) (Ready, error) {
			begun.Add(1)
			return Ready{}, nil
		}}
		s := Server{Methods: GatewayMethods(g), Log: slog.New(slog.DiscardHandler)}
		peer, conn := net.Pipe()
		ended := make(chan struct{})
		const places = 4
		go func() {
			defer close(ended)
			s.serve(t.Context(), conn, Caller{}, make(chan struct{}, places))
		}()
		go func() {
			for i := range uint64(1000) {
				b, err := frame{call: i, kind: kindCall, json: []byte(`{"method":"ready","params":{}}`)}.encode(MaxRequest)
				if err != nil {
					t.Error(err)
				}
				if _, err := peer.Write(b); err != nil {
					return
				}
				synctest.Wait() // until the call is answered, or nobody can take the answer
			}
		}()
		began := time.Now()
		<-ended // hangs, which synctest reports, if nothing ends it
		if waited := time.Since(began); waited < patience || waited > patience+time.Second {
			t.Errorf("dropped after %v, want %v", waited, patience)
		}
		// What the writer holds in its buffer is small: the answers that fit into 64 KB.
		if n := begun.Load(); n == 1000 {
			t.Errorf("all %d calls were begun while nobody read an answer", n)
		}
	})
}

func TestUnreadBytesAreBounded(t *testing.T) {
	_, conn := net.Pipe()
	w := newWriter(conn, false, maxUnread) // it does not run: nothing is ever written
	for range 2 {
		if err := w.send(make([]byte, MaxAnswer)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.send(make([]byte, MaxAnswer)); !errors.Is(err, errClosed) {
		t.Errorf("a third of the longest answers: %v", err)
	}
	if _, err := conn.Write([]byte{0}); err == nil {
		t.Error("the connection is open")
	}
}

// TestCallsKeepNoBytes: only methods that take an attachment get one, and none keeps the call's frame.
func TestCallsKeepNoBytes(t *testing.T) {
	all := []Methods{GatewayMethods(gatewayDouble{}), AdminMethods(&adminDouble{}), WitnessMethods(nil)}
	takes := map[string]bool{"submit": true, "session": true, "wallet.import": true, "witness.cosigned": true}
	for _, methods := range all {
		for name := range methods {
			text, err := json.Marshal(map[string]any{"method": name, "params": map[string]any{}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = methods.task(frame{json: text, attachment: bytes.Repeat([]byte{1}, 4<<10)})
			if problem, ok := errors.AsType[*Problem](err); ok == takes[name] || (ok && problem.Code != CodeBadCall) {
				t.Errorf("%s with an attachment: %v", name, err)
			}
		}
	}
}
