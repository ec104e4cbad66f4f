package signer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kura/api"
	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/cosign"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/witness"
)

// witnesses are real witnesses on real sockets, and couriers between them and the signers of a test.
type witnesses struct {
	t      testing.TB
	dir    string
	quorum int
	before bool
	now    atomic.Pointer[func(i int) time.Time] // the witnesses' clocks

	keys     []cosign.Key
	privates []ed25519.PrivateKey
	servers  []*httptest.Server
	down     []atomic.Bool
	once     sync.Once
	stop     context.CancelFunc // of the couriers of the signer that was opened last
}

func newWitnesses(t testing.TB, n, quorum int, before bool) *witnesses {
	t.Helper()
	w := &witnesses{t: t, dir: t.TempDir(), quorum: quorum, before: before, down: make([]atomic.Bool, n), stop: func() {}}
	w.setNow(func(int) time.Time { return time.Now() })
	for i := range n {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		w.keys = append(w.keys, cosign.Key{Name: fmt.Sprintf("w%d.test", i), Public: [32]byte(public)})
		w.privates = append(w.privates, private)
	}
	t.Cleanup(func() {
		w.stop()
		for _, s := range w.servers {
			s.Close()
		}
	})
	return w
}

func (w *witnesses) serve(g journal.Genesis) {
	for i, key := range w.keys {
		one, err := witness.Open(g, key, w.privates[i], filepath.Join(w.dir, key.Name), func() time.Time { return (*w.now.Load())(i) })
		if err != nil {
			w.t.Fatal(err)
		}
		w.servers = append(w.servers, httptest.NewServer(one.Handler(nil, nil, slog.New(slog.DiscardHandler))))
	}
}

// config adds the witnesses to a signer's configuration.
func (w *witnesses) config(c signer.Config, cosigned string) signer.Config {
	c.Witnesses = signer.Witnesses{Keys: w.keys, Quorum: w.quorum, BeforeRelease: w.before, Newest: anchorfile.New(cosigned)}
	return c
}

func (w *witnesses) cosigned() string { return filepath.Join(w.dir, "cosigned") }

// open is for signertest.Options.
func (w *witnesses) open(c signer.Config) (*signer.Signer, error) {
	w.once.Do(func() { w.serve(c.Genesis) })
	s, err := signer.Open(context.Background(), w.config(c, w.cosigned()))
	if err != nil {
		return nil, err
	}
	w.stop()
	w.stop = w.carry(s)
	return s, nil
}

// another opens a signer beside a deployment's, with an anchor and a newest cosigned head of its own in dir. Without a
// token in c it has the deployment's.
func (w *witnesses) another(d *signertest.Deployment, dir string, c signer.Config) *signer.Signer {
	w.t.Helper()
	c.Genesis, c.Clock, c.Version, c.Log = d.Genesis, d.Clock, "another", slog.New(slog.DiscardHandler)
	c.Anchors = []journal.Anchor{anchorfile.New(filepath.Join(dir, "anchor"))}
	if c.Token == nil {
		c.Token = d.Token
	}
	s, err := signer.Open(w.t.Context(), w.config(c, filepath.Join(dir, "cosigned")))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// carry runs the gateway's couriers for a signer.
func (w *witnesses) carry(s rpc.Witnessed) (stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, server := range w.servers {
		client := &http.Client{Transport: way{server.Client().Transport, &w.down[i]}}
		c := &api.Courier{Name: w.keys[i].Name, URL: server.URL, Signer: s, Client: client, Log: slog.New(slog.DiscardHandler)}
		running.Go(func() { c.Run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// A way to a witness carries nothing while the witness is down. It is the courier's end that knows: what has left it may
// arrive later.
type way struct {
	http.RoundTripper
	down *atomic.Bool
}

func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.down.Load() {
		return nil, errors.New("down (test)")
	}
	return w.RoundTripper.RoundTrip(r)
}

func (w *witnesses) setNow(now func(i int) time.Time) { w.now.Store(&now) }

func (w *witnesses) setDown(down bool, which ...int) {
	for _, i := range which {
		w.down[i].Store(down)
	}
}

// cosignedBy counts the witnesses whose valid lines a receipt's checkpoint carries.
func (w *witnesses) cosignedBy(t *testing.T, r *rpc.Receipt) int {
	t.Helper()
	found, err := cosign.Verify(r.Checkpoint, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func ready(t *testing.T, s *signer.Signer) rpc.Ready {
	t.Helper()
	r, err := s.Ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// journalled waits until the signature of a payment is in the journal, for readers, too: it is written when it has left,
// behind the two entries of the outcome.
func journalled(t *testing.T, d *signertest.Deployment, paid rpc.Answer) {
	t.Helper()
	c, err := d.Signer.Follow(t.Context(), paid.Seq+2, signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	if head, err := journal.OpenCheckpoint(d.Genesis, c.Checkpoint); err != nil || head.Size <= paid.Seq+2 {
		t.Fatalf("size %d (%v), and the payment is entry %d", head.Size, err, paid.Seq)
	}
}

// untilQuiet waits until the signature of the newest payment, which is journalled when it has left, stands behind the two
// entries of the outcome, and everything is cosigned. It returns the journal's size, which an idle signer does not change.
func untilQuiet(t *testing.T, d *signertest.Deployment, paid rpc.Answer) (size uint64) {
	t.Helper()
	d.Until("the signature is journalled and cosigned", func() bool {
		r := ready(t, d.Signer)
		size = r.Size
		return size > paid.Seq+2 && r.Cosigned == size
	})
	return size
}

func hasReason(r rpc.Ready, code string) bool {
	return slices.ContainsFunc(r.Reasons, func(reason rpc.Reason) bool { return reason.Code == code })
}
