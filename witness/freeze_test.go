package witness_test

import (
	"bytes"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/statement"
	"kura/witness"
)

func TestAnOfficersFreezeStopsTheWitness(t *testing.T) {
	const now = 1_800_000_000_000 // the witness's clock in these tests, unix ms
	l := newLog(t)
	officer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := statement.KeyOf(officer.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
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
