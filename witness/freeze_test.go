package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/statement"
	"kura/witness"
)

const now = 1_800_000_000_000 // the witness's clock in these tests, unix ms

// person is somebody with a key of their own, made from a number.
func person(t *testing.T, number byte) (ssh.Signer, statement.Key) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{number}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := statement.KeyOf(signer.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return signer, key
}

func TestAnOfficersFreezeStopsTheWitness(t *testing.T) {
	l := newLog(t)
	officer, key := person(t, 1)
	stranger, _ := person(t, 2)
	freeze := func(change func(*statement.Freeze)) *statement.Freeze {
		f := &statement.Freeze{
			Journal: statement.Hash(l.genesis.Hash), ID: statement.NewID(now, [10]byte{1}), Expires: now + 60_000,
			Action: statement.ActionFreeze, Target: statement.Target{Kind: statement.TargetAll}, Reason: "intruder",
		}
		change(f)
		return f
	}
	for _, c := range []struct {
		name   string
		signer ssh.Signer
		body   *statement.Freeze
		stops  bool
	}{
		{"a stranger's", stranger, freeze(func(*statement.Freeze) {}), false},
		{"of one wallet", officer, freeze(func(f *statement.Freeze) { f.Target = statement.Target{Kind: statement.TargetWallet, Name: "hot"} }), false},
		{"of another journal", officer, freeze(func(f *statement.Freeze) { f.Journal = statement.Hash{1} }), false},
		{"expired", officer, freeze(func(f *statement.Freeze) { f.ID, f.Expires = statement.NewID(now-120_000, [10]byte{1}), now-60_000 }), false},
		{"from more than a day ahead", officer, freeze(func(f *statement.Freeze) {
			f.ID, f.Expires = statement.NewID(now+90_000_000, [10]byte{1}), now+90_060_000
		}), false},
		{"an officer's, of everything, while this clock is an hour behind", officer, freeze(func(f *statement.Freeze) {
			f.ID, f.Expires = statement.NewID(now+3_600_000, [10]byte{1}), now+3_660_000
		}), true},
		{"an officer's, of everything", officer, freeze(func(*statement.Freeze) {}), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := openWitness(t, l, t.TempDir())
			relayed, silent := make(chan []byte), make(chan struct{})
			var relays atomic.Int32
			relay := func(e []byte) {
				relays.Add(1)
				<-silent // a gateway that does not answer
				relayed <- e
			}
			srv := httptest.NewServer(w.Handler(witness.Stoppers{key: "emi"}, relay, slog.New(slog.DiscardHandler)))
			defer srv.Close()
			env, err := statement.Sign(c.signer, nil, c.body)
			if err != nil {
				t.Fatal(err)
			}
			raw := env.Encode()
			for range 3 { // whoever saw it on its way can repeat it
				resp, err := http.Post(srv.URL+"/freeze", "application/json", bytes.NewReader(raw))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if stopped := w.Stopped() != ""; stopped != c.stops || (resp.StatusCode == http.StatusOK) != c.stops {
					t.Fatalf("stopped %v (%q), status %d; want stopped %v", stopped, w.Stopped(), resp.StatusCode, c.stops)
				}
			}
			close(silent)
			if c.stops && !bytes.Equal(<-relayed, raw) {
				t.Error("another envelope is passed on")
			}
			if n := relays.Load(); c.stops != (n == 1) {
				t.Errorf("the freeze is relayed %d times at once", n)
			}
		})
	}
}

// TestAFreezeThatCannotBeKept stops the witness and is passed on all the same: it must not cosign again when the disk has
// room. Whoever froze is told that it is not kept, and asks again.
func TestAFreezeThatCannotBeKept(t *testing.T) {
	l, dir := newLog(t), filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w := openWitness(t, l, dir)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	officer, key := person(t, 1)
	env, err := statement.Sign(officer, nil, &statement.Freeze{
		Journal: statement.Hash(l.genesis.Hash), ID: statement.NewID(now, [10]byte{1}), Expires: now + 60_000,
		Action: statement.ActionFreeze, Target: statement.Target{Kind: statement.TargetAll}, Reason: "intruder",
	})
	if err != nil {
		t.Fatal(err)
	}
	relayed := make(chan []byte, 2)
	handler := w.Handler(witness.Stoppers{key: "emi"}, func(e []byte) { relayed <- e }, slog.New(slog.DiscardHandler))
	freeze := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/freeze", bytes.NewReader(env.Encode())))
		return answer
	}
	if a := freeze(); a.Code != http.StatusInternalServerError || !strings.HasPrefix(a.Body.String(), "stopped, but that could not be kept") {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if !bytes.Equal(<-relayed, env.Encode()) {
		t.Error("another envelope is passed on")
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	l.grow(1, "a")
	head := l.sign(t, l.tree.Head())
	if _, err := w.AddCheckpoint(context.Background(), 0, nil, head); !errors.Is(err, witness.ErrStopped) {
		t.Errorf("it cosigns again as soon as there is room: %v", err)
	}
	if a := freeze(); a.Code != http.StatusOK {
		t.Errorf("asked again: %d %s", a.Code, a.Body)
	}
	if w = reopen(t, w, l, dir); w.Stopped() == "" {
		t.Error("it is forgotten")
	}
}
