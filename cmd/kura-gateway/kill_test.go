package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kura/api/apitest"
	"kura/api/client"
	"kura/journal"
	"kura/journal/embedded"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// A realGateway is the real binary before a signer.
type realGateway struct {
	t    *testing.T
	file string // the binary
	dir  string
	url  string
	tls  *tls.Config
	log  *logBuffer

	cmd *exec.Cmd
}

// newProcess builds the gateway and starts it before a signer's socket.
func newProcess(t *testing.T, socket string) *realGateway {
	t.Helper()
	dir := t.TempDir()
	p := &realGateway{t: t, file: filepath.Join(dir, "kura-gateway"), dir: dir}
	if out, err := exec.Command("go", "build", "-o", p.file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, leaf := makeCertificate(t, dir, "server", 1)
	p.tls = trust(leaf)
	more := ""
	if os.Geteuid() == 0 {
		more = "accept_root = \"a test\"\n"
	}
	configure(t, dir, socket, more)
	t.Cleanup(p.kill)
	// Where nobody else listens, who could have the port while it is killed.
	p.configureAddress("127.0.0.1:0", "127.0.0.3:0")
	p.start()
	// From now on at the same address, where clients look for it.
	p.configureAddress("127.0.0.3:0", strings.TrimPrefix(p.url, "https://"))
	return p
}

func (p *realGateway) configureAddress(old, address string) {
	p.t.Helper()
	path := filepath.Join(p.dir, "gateway.toml")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), old, address, 1)), 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *realGateway) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.file, "--config", filepath.Join(p.dir, "gateway.toml"))
	p.log = &logBuffer{records: make(chan map[string]any, 1024)}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.url = "https://" + p.log.until(p.t, "serving")["address"].(string)
}

// kill ends it with SIGKILL.
func (p *realGateway) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // which says that it was killed
		p.cmd = nil
	}
}

// watched is a real signer whose submissions a test can hold on their way in and on their way out.
type watched struct {
	rpc.Gateway
	mu      sync.Mutex
	in, out func()
}

func (w *watched) set(in, out func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in, w.out = in, out
}

func (w *watched) Submit(ctx context.Context, envelope []byte, waitMillis int64) (rpc.Answer, error) {
	w.mu.Lock()
	in, out := w.in, w.out
	w.mu.Unlock()
	in()
	defer func() { out() }()
	return w.Gateway.Submit(ctx, envelope, waitMillis)
}

// TestKilled kills the real gateway with SIGKILL while clients' requests are under way: before the signer has judged
// them, and when it has signed and the answer is on its way. The clients ask again with the same text, as soon as the
// gateway is back, and each text has one transaction.
func TestKilled(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	made := d.Token.(*signertest.FakeToken).Signatures.Load()
	w := &watched{Gateway: d.Signer, in: func() {}, out: func() {}}
	socket, _ := apitest.ServeSigner(t, w)
	gateway := newProcess(t, socket)
	c, err := client.New(client.Config{URL: gateway.url, Genesis: d.Genesis, TLS: gateway.tls, Patience: time.Duration(signertest.LongWait) * time.Millisecond, Pause: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	paid := map[statement.Hash]bool{}
	for _, moment := range []string{"on the way in", "on the way out"} {
		for _, clients := range []int{1, 8} {
			t.Run(fmt.Sprintf("%s, %d clients", moment, clients), func(t *testing.T) {
				reached, letGo := make(chan struct{}), make(chan struct{})
				hold := sync.OnceFunc(func() { close(reached); <-letGo })
				if moment == "on the way in" {
					w.set(hold, func() {})
				} else {
					w.set(func() {}, hold)
				}
				var asking sync.WaitGroup
				var mu sync.Mutex
				for i := range clients {
					e := d.Sign("shop", d.Withdrawal(d.Wallets[[]string{signertest.XEM, signertest.XYM}[i%2]], signertest.Small))
					asking.Go(func() {
						o, err := c.Submit(context.WithoutCancel(t.Context()), e)
						if err != nil || o.State != rpc.StateSigned {
							t.Errorf("%s, %v", o.State, err)
							return
						}
						again, err := c.Submit(context.WithoutCancel(t.Context()), e)
						if err != nil || *again.Answer.Transaction != *o.Answer.Transaction {
							t.Errorf("asked once more: %+v, %v; before %+v", again.Answer.Transaction, err, o.Answer.Transaction)
						}
						mu.Lock()
						defer mu.Unlock()
						paid[statement.HashText(e.Statement)] = true
					})
				}
				<-reached
				gateway.kill()
				close(letGo)
				gateway.start()
				asking.Wait()
			})
		}
	}
	if n := d.Token.(*signertest.FakeToken).Signatures.Load() - made; n != int64(len(paid)) {
		t.Errorf("%d signatures for %d texts", n, len(paid))
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	checkPaid(t, d, paid)
}

// checkPaid holds the journal to what clients were given: one authorisation for each text, and none for another.
func checkPaid(t *testing.T, d *signertest.Deployment, paid map[statement.Hash]bool) {
	t.Helper()
	s, err := embedded.Open(d.StorePath())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	authorised := map[statement.Hash]int{}
	_, _, err = journal.Verify(t.Context(), s, journal.Verification{Genesis: d.Genesis, Visit: func(e journal.Entry, _ []byte) error {
		if e.Kind != ledger.KindOutcome {
			return nil
		}
		body, err := ledger.DecodeBody(e.Kind, e.Body)
		if err != nil {
			return err
		}
		if o := body.(*ledger.Outcome); o.State == ledger.StateAuthorized {
			authorised[o.About]++
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for text := range paid {
		if authorised[text] != 1 {
			t.Errorf("%s was authorised %d times", text, authorised[text])
		}
	}
	if len(authorised) != len(paid) {
		t.Errorf("%d authorisations for %d texts", len(authorised), len(paid))
	}
}
