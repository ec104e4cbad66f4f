package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kura/api"
	"kura/audit"
	"kura/journal"
	"kura/journal/cosign"
	"kura/journal/postgres/pgtest"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
	"kura/witness"
)

// A cluster is three real signers on one PostgreSQL and one logical token, with two of three witnesses, each signer
// with a gateway's couriers of its own.
type cluster struct {
	*installation
	nodes     []*node
	db        pgtest.Database
	witnesses []*witness.Witness
	servers   []*httptest.Server
	keys      []cosign.Key
}

// A node is one of the signers.
type node struct {
	dir     string
	config  string
	gateway rpc.GatewayClient
	admin   rpc.AdminClient
	process *exec.Cmd
	log     *signertest.Log
	ended   chan struct{}

	database *pgtest.Proxy // its way to PostgreSQL
}

func newCluster(t *testing.T) *cluster {
	db := pgtest.Open(t)
	private := make([]ed25519.PrivateKey, 3)
	c := &cluster{db: db}
	var lines []string
	for i := range private {
		public, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private[i] = key
		c.keys = append(c.keys, cosign.Key{Name: fmt.Sprintf("w%d.test", i), Public: [32]byte(public)})
		lines = append(lines, fmt.Sprintf("%q", c.keys[i].String()))
	}
	c.installation = installWith(t, func(x *installation) {
		x.write("dsn", db.Service+"\n")
		text, err := os.ReadFile(x.config)
		if err != nil {
			t.Fatal(err)
		}
		own, _, _ := strings.Cut(string(text), "[journal]")
		x.write("signer.toml", fmt.Sprintf("witnesses = [%s]\nwitness_quorum = 2\ncosign_before_release = true\n%s[journal]\nkind = \"postgres\"\nshared = true\ndsn_file = \"dsn\"\n",
			strings.Join(lines, ", "), own))
	})
	for i := range 2 { // the third one is away for good
		w, err := witness.Open(c.genesis, c.keys[i], private[i], filepath.Join(c.dir, c.keys[i].Name), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(w.Handler(nil, nil, slog.New(slog.DiscardHandler)))
		t.Cleanup(server.Close)
		c.servers, c.witnesses = append(c.servers, server), append(c.witnesses, w)
	}
	text, err := os.ReadFile(c.config)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		n := &node{dir: filepath.Join(c.dir, fmt.Sprint("n", i))}
		if err := os.MkdirAll(filepath.Join(n.dir, "state", "wallets"), 0o700); err != nil {
			t.Fatal(err)
		}
		n.config = filepath.Join(n.dir, "signer.toml")
		own := strings.NewReplacer(`"pin"`, `"../pin"`, `"softhsm2.conf"`, `"../softhsm2.conf"`).Replace(string(text))
		c.write(filepath.Join("n"+fmt.Sprint(i), "signer.toml"), own)
		n.database = pgtest.NewProxy(t, db.Service)
		c.write(filepath.Join("n"+fmt.Sprint(i), "dsn"), n.database.DSN+"\n")
		n.gateway = rpc.NewGatewayClient(filepath.Join(n.dir, "gateway.sock"))
		n.admin = rpc.NewAdminClient(filepath.Join(n.dir, "admin.sock"))
		t.Cleanup(n.gateway.Close)
		t.Cleanup(n.admin.Close)
		c.nodes = append(c.nodes, n)
	}
	ctx, stop := context.WithCancel(context.Background())
	var couriers sync.WaitGroup
	t.Cleanup(func() { stop(); couriers.Wait() })
	for _, n := range c.nodes {
		for i, server := range c.servers {
			courier := &api.Courier{Name: c.keys[i].Name, URL: server.URL, Signer: n.gateway, Client: server.Client(), Log: slog.New(slog.DiscardHandler)}
			couriers.Go(func() { courier.Run(ctx) })
		}
	}
	return c
}

func (c *cluster) startNode(n *node) {
	c.TB.Helper()
	n.process = exec.Command(binary, "serve", "--config", n.config)
	n.process.Env = []string{"PATH=/usr/bin:/bin"}
	n.log = new(signertest.Log)
	n.process.Stderr = n.log
	if err := n.process.Start(); err != nil {
		c.TB.Fatal(err)
	}
	n.ended = make(chan struct{})
	go func(p *exec.Cmd, ended chan struct{}) {
		_ = p.Wait()
		close(ended)
	}(n.process, n.ended)
	c.TB.Cleanup(func() {
		_ = n.process.Process.Kill()
		<-n.ended
	})
}

// ready asks a node, "" and no error being no answer.
func (n *node) ready(ctx context.Context) rpc.Ready {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := n.admin.Ready(ctx)
	if err != nil {
		return rpc.Ready{}
	}
	return r
}

// leader returns the node that leads and is ready, nil if none is now.
func (c *cluster) leader(ctx context.Context, but *node) *node {
	for _, n := range c.nodes {
		if n == but {
			continue
		}
		if r := n.ready(ctx); r.Ready && r.Role == "leader" {
			return n
		}
	}
	return nil
}

func (c *cluster) waitLeader(ctx context.Context, but *node) (leader *node) {
	c.TB.Helper()
	if !signertest.Await(20*time.Millisecond, func() bool { leader = c.leader(ctx, but); return leader != nil }) {
		c.TB.Fatal("no signer leads")
	}
	return leader
}

// shareWallets copies the sealed wallets to every node, as operators do.
func (c *cluster) shareWallets(from *node) {
	c.TB.Helper()
	files, err := filepath.Glob(filepath.Join(from.dir, "state", "wallets", "*"))
	if err != nil || len(files) == 0 {
		c.TB.Fatalf("no sealed wallets in %s: %v", from.dir, err)
	}
	for _, n := range c.nodes {
		for _, file := range files {
			if n == from {
				continue
			}
			b, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(filepath.Join(n.dir, "state", "wallets", filepath.Base(file)), b, 0o600)
			}
			if err != nil {
				c.TB.Fatal(err)
			}
		}
	}
}

// TestLeaderPaused stops the leading signer's process under load and lets it go on later; then it cuts the next leader
// off from the database. Another one takes over each time; what was asked of the one and of the other is paid once, with
// one transaction for each id; and the one that comes back signs nothing and ends with the reason.
func TestLeaderPaused(t *testing.T) {
	c := newCluster(t)
	for _, n := range c.nodes {
		c.startNode(n)
		// One after the other, as an operator does it: each tries its token with keys that it throws away.
		c.Until("a node answers", func() bool {
			if n.hasEnded() {
				t.Fatalf("a node ended:\n%s", n.log)
			}
			return n.ready(t.Context()).Role != ""
		})
	}
	first := c.waitLeader(t.Context(), nil)
	c.wallets = c.Equip(t.Context(), first.gateway, func(w rpc.NewWallet) (rpc.Ceremony, error) { return first.admin.CreateWallet(t.Context(), w) })
	c.shareWallets(first)
	for _, n := range c.nodes {
		if n == first {
			continue
		}
		c.Until("the others stand by", func() bool {
			if n.hasEnded() {
				t.Fatalf("a standby ended:\n%s", n.log)
			}
			r := n.ready(t.Context())
			return r.Role == "standby" && !r.Ready
		})
		_, err := n.gateway.Submit(t.Context(), c.Sign("shop", c.Withdrawal(c.wallets[signertest.XYM], signertest.Small)).Encode(), 0)
		if p, ok := errors.AsType[*rpc.Problem](err); !ok || p.Code != "standby" || p.Retry != rpc.RetrySame || p.Effect != rpc.EffectNone {
			t.Errorf("a standby answers %v", err)
		}
	}

	pay := c.startPayers()
	pay.more(5)
	first = c.waitLeader(t.Context(), nil)
	if err := first.process.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := c.waitLeader(t.Context(), first)
	pay.more(4) // under the second leader, while the first one is paused
	if err := first.process.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	pay.more(4) // with the first one awake
	c.Until("the first leader ends", first.hasEnded)
	if !strings.Contains(first.log.String(), "lease_lost") {
		t.Errorf("the first leader does not say why it ended:\n%s", first.log)
	}
	if _, err := first.gateway.Submit(t.Context(), c.Sign("shop", c.Withdrawal(c.wallets[signertest.XYM], signertest.Small)).Encode(), 2_000); err == nil {
		t.Error("the first leader signs after its pause")
	}
	if second.hasEnded() {
		t.Errorf("the second leader ended:\n%s", second.log)
	}
	c.startNode(first)
	c.Until("the first leader stands by", func() bool {
		if first.hasEnded() {
			t.Fatalf("the first leader ended:\n%s", first.log)
		}
		r := first.ready(t.Context())
		return r.Role == "standby" && r.Size > 0
	})
	c.cutOff(t, c.waitLeader(t.Context(), nil), pay)
	transactions := pay.stop()
	leader := c.waitLeader(t.Context(), nil)
	c.check(t, leader, transactions)
	c.plannedSwitch(t, leader)
}

// cutOff has the leader's way to PostgreSQL carry nothing any more, without closing anything; witnesses and clients
// reach it all the same. Another one takes over under load, and the first one ends when it is heard again.
func (c *cluster) cutOff(t *testing.T, leader *node, pay *payers) {
	pay.more(2)
	leader.database.StallAll(pgtest.Both)
	next := c.waitLeader(t.Context(), leader)
	pay.more(4)
	if r := leader.ready(t.Context()); r.Role == "leader" {
		t.Errorf("a leader without its database says %+v", r)
	}
	leader.database.Up()
	pay.more(4)
	c.Until("the leader that was cut off ends", leader.hasEnded)
	if !strings.Contains(leader.log.String(), "lease_lost") {
		t.Errorf("the leader that was cut off does not say why it ended:\n%s", leader.log)
	}
	if next.hasEnded() {
		t.Errorf("the leader after it ended:\n%s", next.log)
	}
}

// payers are clients that ask every node they can, again and again with the same text, until one has signed.
type payers struct {
	c       *cluster
	clients sync.WaitGroup
	over    atomic.Bool
	signed  atomic.Int64

	mu           sync.Mutex
	transactions map[statement.Hash]map[string]bool // what came out, by text
}

func (c *cluster) startPayers() *payers {
	p := &payers{c: c, transactions: map[statement.Hash]map[string]bool{}}
	for i := range 4 {
		p.clients.Go(func() {
			for k := i; !p.over.Load(); k++ {
				p.pay([]string{signertest.XEM, signertest.XYM}[k%2])
			}
		})
	}
	c.TB.Cleanup(func() { p.over.Store(true); p.clients.Wait() })
	return p
}

// pay pays once. It asks the other nodes, too, when one has signed: whatever they say is held against it.
func (p *payers) pay(wallet string) {
	sent := p.c.Sign("shop", p.c.Withdrawal(p.c.wallets[wallet], signertest.Small))
	hash := statement.HashText(sent.Statement)
	done := false
	signertest.Await(10*time.Millisecond, func() bool {
		for _, n := range p.c.nodes {
			a, ok := n.ask(p.c.TB.Context(), sent)
			if !ok {
				continue
			}
			done = true
			p.mu.Lock()
			if p.transactions[hash] == nil {
				p.transactions[hash] = map[string]bool{}
			}
			p.transactions[hash][a.Transaction.Announce.Body] = true
			p.mu.Unlock()
		}
		return done || p.c.TB.Context().Err() != nil
	})
	if done {
		p.signed.Add(1)
	}
}

// more waits for so many payments from now on.
func (p *payers) more(n int64) {
	p.c.TB.Helper()
	wanted := p.signed.Load() + n
	p.c.Until("payments are signed", func() bool { return p.signed.Load() >= wanted })
}

// stop waits for the payments under way, and returns what came out for each text.
func (p *payers) stop() map[statement.Hash]map[string]bool {
	p.over.Store(true)
	p.clients.Wait()
	return p.transactions
}

// ask sends a text to a node, which may be paused, busy or gone: then nothing is known.
func (n *node) ask(ctx context.Context, sent statement.Envelope) (rpc.Answer, bool) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	a, err := n.gateway.Submit(ctx, sent.Encode(), 2_000)
	return a, err == nil && a.Transaction != nil
}

func (n *node) hasEnded() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// paid asks a node until it has the transaction of a text.
func (c *cluster) paid(n *node, sent statement.Envelope) (a rpc.Answer) {
	c.TB.Helper()
	c.Until("a payment is signed", func() (ok bool) {
		if n.hasEnded() {
			c.TB.Fatalf("a node ended:\n%s", n.log)
		}
		a, ok = n.ask(c.TB.Context(), sent)
		return ok
	})
	return a
}

// plannedSwitch ends the leader as systemd does: another one takes over at once, and pays on.
func (c *cluster) plannedSwitch(t *testing.T, leader *node) {
	sent := c.Sign("shop", c.Withdrawal(c.wallets[signertest.XEM], signertest.Small))
	before := c.paid(leader, sent)
	if err := leader.process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-leader.ended
	if code := leader.process.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("the leader ended with %d\n%s", code, leader.log)
	}
	next := c.waitLeader(t.Context(), leader)
	if after := c.paid(next, sent); *after.Transaction != *before.Transaction {
		t.Errorf("the next leader answers %+v; the one before it had signed %+v", after, before.Transaction)
	}
	c.paid(next, c.Sign("shop", c.Withdrawal(c.wallets[signertest.XYM], signertest.Small)))
}

// check compares what left with what the journal holds, and has an auditor decide everything again.
func (c *cluster) check(t *testing.T, n *node, transactions map[statement.Hash]map[string]bool) {
	t.Helper()
	for hash, bodies := range transactions {
		if len(bodies) != 1 {
			t.Errorf("%s has %d transactions", hash, len(bodies))
		}
	}
	bearer := c.Login(t.Context(), n.gateway, "alice")
	checkpoint, err := n.gateway.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head, err := journal.OpenCheckpoint(c.genesis, checkpoint.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	var entries, heads [][]byte
	for from := uint64(0); from < head.Size; from = uint64(len(entries)) {
		page, err := n.gateway.Entries(t.Context(), bearer, from, head.Size)
		if err != nil {
			t.Fatal(err)
		}
		entries, heads = append(entries, page.Entries...), append(heads, page.Heads...)
	}
	var export bytes.Buffer
	err = audit.Export(&export, c.genesis, func(yield func(journal.StoredHead, error) bool) {
		for _, h := range heads {
			if !yield(journal.StoredHead{Checkpoint: h}, nil) {
				return
			}
		}
	}, func(yield func(journal.StoredEntry, error) bool) {
		for i, e := range entries {
			if !yield(journal.StoredEntry{Seq: uint64(i), Bytes: e}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(t.Context(), &export, audit.Options{Genesis: c.genesis.String()})
	if err != nil || !report.OK {
		t.Errorf("audit verify: %v %+v", err, report)
	}
	authorised := map[string]int{}
	for _, raw := range entries {
		if bytes.Contains(raw, []byte(`"kind":"outcome/1"`)) && bytes.Contains(raw, []byte(`"state":"authorized"`)) {
			for hash := range transactions {
				if bytes.Contains(raw, []byte(`"about":"`+hash.String()+`"`)) {
					authorised[hash.String()]++
				}
			}
		}
	}
	for hash := range transactions {
		if n := authorised[hash.String()]; n != 1 {
			t.Errorf("%s was authorised %d times", hash, n)
		}
	}
	found, err := cosign.Verify(checkpoint.Checkpoint, c.keys)
	if err != nil || len(found) < 2 {
		t.Errorf("the newest head carries %d cosignatures: %v", len(found), err)
	}
	t.Logf("%d payments, %d entries", len(transactions), len(entries))
}
