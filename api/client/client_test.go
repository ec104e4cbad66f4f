package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kura/api/apitest"
	"kura/api/client"
	"kura/journal"
	"kura/signer/rpc"
	"kura/statement"
)

// connect returns a client that loses patience at once.
func connect(t *testing.T, g *apitest.Gateway) *client.Client {
	t.Helper()
	return newClient(t, client.Config{URL: g.URL, Genesis: g.Signer.Genesis(), TLS: g.TLS, Patience: 50 * time.Millisecond, Pause: time.Millisecond})
}

func newClient(t *testing.T, config client.Config) *client.Client {
	t.Helper()
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// readAll reads the journal and leads through it to the newest head.
func readAll(t *testing.T, c *client.Client, tree *journal.Tree) (journal.Checkpoint, error) {
	t.Helper()
	return c.Read(t.Context(), tree, func(journal.Entry) error { return nil })
}

func emptyTree(t *testing.T) *journal.Tree {
	t.Helper()
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestProvenOutcomes(t *testing.T) {
	for _, state := range []string{rpc.StateSigned, rpc.StateAuthorized, rpc.StateHeld, rpc.StateDenied, rpc.StateRejected, rpc.StateCancelled, rpc.StateLapsed, rpc.StateStranded} {
		t.Run(state, func(t *testing.T) {
			g := apitest.Start(t, apitest.Options{})
			g.Signer.Judge = func(statement.Signed) apitest.Ruling {
				return apitest.Ruling{State: state, Code: "because", Detail: "of this"}
			}
			env := apitest.Withdrawal(t, g.Signer.Genesis())
			o, err := connect(t, g).Submit(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			if o.State != state || o.Code != "because" || o.Entry.Kind != "outcome/1" || o.Head.Size != 2 {
				t.Errorf("outcome %q, code %q, entry %q, head %d", o.State, o.Code, o.Entry.Kind, o.Head.Size)
			}
			final := state != rpc.StateAuthorized && state != rpc.StateHeld
			if o.Final() != final {
				t.Errorf("final is %v, want %v", o.Final(), final)
			}
			if (o.Answer.Transaction != nil) != (state == rpc.StateSigned) {
				t.Errorf("transaction: %v", o.Answer.Transaction)
			}
		})
	}
}

// TestLyingGateway lets a gateway that was taken over alter answers in every way that we can think of:
// none of them becomes an outcome.
func TestLyingGateway(t *testing.T) {
	denied := func(statement.Signed) apitest.Ruling { return apitest.Ruling{State: rpc.StateDenied, Code: "no_rule"} }
	held := func(statement.Signed) apitest.Ruling { return apitest.Ruling{State: rpc.StateHeld} }
	for _, lie := range []struct {
		name  string
		judge func(statement.Signed) apitest.Ruling
		tell  func(string) string // what becomes of the body
		code  int                 // what becomes of the status
	}{
		{name: "held is called signed", judge: held, tell: swap(`"state":"held"`, `"state":"signed"`), code: 201},
		{name: "signed is called denied", tell: swap(`"state":"signed"`, `"state":"denied"`), code: 200},
		{name: "denied is called signed", judge: denied, tell: func(body string) string {
			inner := body[strings.Index(body, `"answer":`)+len(`"answer":`):]
			return strings.Replace(inner[:len(inner)-2], `"state":"denied"`, `"state":"signed"`, 1)
		}, code: 201},
		{name: "another transaction", tell: swap(apitest.Unsigned, "0101000000000099"), code: 201},
		{name: "another hash", tell: become(`"hash":"[0-9A-F]{64}"`, `"hash":"`+strings.Repeat("0", 64)+`"`), code: 201},
		{name: "another fee", tell: swap(`"fee":"50000"`, `"fee":"1"`), code: 201},
		{name: "another deadline", tell: become(`"deadline":"....`, `"deadline":"2099`), code: 201},
		{name: "another method", tell: swap(`"method":"POST"`, `"method":"GET"`), code: 201},
		{name: "another path", tell: swap(`"path":"/transaction/announce"`, `"path":"//evil.example/"`), code: 201},
		{name: "a signature of zeros", tell: become(`signature\\":\\"[0-9a-f]{128}`, `signature\":\"`+strings.Repeat("0", 128)), code: 201},
		{name: "no signature", tell: become(`signature\\":\\"[0-9a-f]{128}`, `signature\":\"`), code: 201},
		{name: "a body in another form", tell: swap(`{\"data\"`, ` {\"data\"`), code: 201},
		{name: "another network", tell: swap(`"network":"nis1-testnet"`, `"network":"nis1-mainnet"`), code: 201},
		{name: "no receipt", tell: func(body string) string {
			return body[:strings.Index(body, `,"receipt":`)] + "}"
		}, code: 201},
		{name: "another entry in the receipt", tell: swap(`"entry":"ey`, `"entry":"eX`), code: 201},
		{name: "another index", tell: swap(`"index":1`, `"index":0`), code: 201},
		{name: "another seq", tell: swap(`"seq":1`, `"seq":2`), code: 201},
		{name: "a page of a proxy", tell: func(string) string { return "<html>ok</html>" }, code: 200},
		{name: "nothing", tell: func(string) string { return "" }, code: 201},
		{name: "a refusal instead of a signature", tell: func(string) string {
			return `{"type":"urn:kura:problem:bad_value","title":"t","status":400,"detail":"d","code":"bad_value","retry":"new_statement","effect":"none"}`
		}, code: 400},
		{name: "a redirect", tell: func(string) string { return "" }, code: 307},
	} {
		t.Run(lie.name, func(t *testing.T) {
			g := apitest.Start(t, apitest.Options{Wrap: func(honest http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					rec := httptest.NewRecorder()
					honest.ServeHTTP(rec, r)
					told := lie.tell(rec.Body.String())
					if lie.code < 300 && told == rec.Body.String() {
						t.Errorf("the lie changes nothing in %s", told)
					}
					w.Header().Set("Content-Type", map[bool]string{true: "application/problem+json", false: "application/json"}[lie.code >= 400])
					w.Header().Set("Location", "https://evil.example/v1/withdrawals")
					w.WriteHeader(lie.code)
					_, _ = w.Write([]byte(told))
				})
			}})
			g.Signer.Judge = lie.judge
			o, err := connect(t, g).Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis()))
			unknown, ok := errors.AsType[*client.Unknown](err)
			if !ok || !unknown.Sent {
				t.Errorf("outcome %+v, error %v; want an unknown outcome of something sent", o.State, err)
			}
		})
	}
}

// swap replaces the first occurrence.
func swap(old, with string) func(string) string {
	return func(body string) string { return strings.Replace(body, old, with, 1) }
}

// become replaces the first match.
func become(pattern, with string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(body string) string { return strings.Replace(body, re.FindString(body), with, 1) }
}

func TestReceiptOfAnotherStatement(t *testing.T) {
	var first atomic.Value
	g := apitest.Start(t, apitest.Options{Wrap: func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			honest.ServeHTTP(rec, r)
			first.CompareAndSwap(nil, rec.Body.Bytes())
			w.WriteHeader(rec.Code)
			_, _ = w.Write(first.Load().([]byte)) // a true answer, to something else
		})
	}})
	c := connect(t, g)
	if _, err := c.Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis())); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis())); !is[*client.Unknown](err) {
		t.Errorf("error %v, want unknown", err)
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestAnotherGenesisProvesNothing(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	pinned := g.Signer.Genesis()
	pinned.LogKey[0] ^= 1
	c := newClient(t, client.Config{URL: g.URL, Genesis: pinned, TLS: g.TLS, Patience: 20 * time.Millisecond, Pause: time.Millisecond})
	if _, err := c.Submit(t.Context(), apitest.Withdrawal(t, pinned)); !is[*client.Unknown](err) || !errors.Is(err, journal.ErrReceipt) {
		t.Errorf("error %v, want unknown because of the receipt", err)
	}
	if _, _, err := c.Checkpoint(t.Context()); !is[*client.Contradiction](err) {
		t.Errorf("checkpoint: %v, want a contradiction", err)
	}
}

func TestAnotherDeploymentIsNotSent(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	other := g.Signer.Genesis()
	other.Hash[0] ^= 1
	_, err := connect(t, g).Submit(t.Context(), apitest.Withdrawal(t, other))
	if refused, ok := errors.AsType[*statement.Error](err); !ok || refused.Field != "journal" {
		t.Errorf("error %v, want one that names journal", err)
	}
	if n := len(g.Signer.Submitted()); n != 0 {
		t.Errorf("%d statements were sent", n)
	}
}

func TestAsksAgainWithTheSameText(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	var calls atomic.Int32
	g.Signer.Gate = func(context.Context, string) error {
		if calls.Add(1) <= 2 {
			return &rpc.Problem{Code: "token_unavailable", Detail: "the token does not answer", Retry: rpc.RetrySame, Effect: rpc.EffectNone}
		}
		return nil
	}
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	c := newClient(t, client.Config{URL: g.URL, Genesis: g.Signer.Genesis(), TLS: g.TLS, Pause: time.Millisecond})
	if o, err := c.Submit(t.Context(), env); err != nil || o.State != rpc.StateSigned {
		t.Fatalf("outcome %v, error %v", o.State, err)
	}
	sent := g.Signer.Submitted()
	if len(sent) != 3 || !bytes.Equal(sent[0], env.Encode()) || !bytes.Equal(sent[1], sent[0]) || !bytes.Equal(sent[2], sent[0]) {
		t.Errorf("sent %q", sent)
	}
}

func TestNeverSent(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	c := newClient(t, client.Config{URL: "https://127.0.0.1:1", Genesis: g.Signer.Genesis(), Patience: time.Millisecond, Pause: time.Millisecond})
	_, err := c.Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis()))
	if unknown, ok := errors.AsType[*client.Unknown](err); !ok || unknown.Sent {
		t.Errorf("error %v, want unknown and not sent", err)
	}
}

func TestConflictIsProven(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	c := connect(t, g)
	w := apitest.NewWithdrawal(g.Signer.Genesis())
	if _, err := c.Submit(t.Context(), apitest.Sign(t, w)); err != nil {
		t.Fatal(err)
	}
	w.Reference = "another"
	_, err := c.Submit(t.Context(), apitest.Sign(t, w))
	conflict, ok := errors.AsType[*client.Conflict](err)
	if !ok || conflict.Recorded.State != rpc.StateSigned {
		t.Errorf("error %v, want a conflict with a signed withdrawal", err)
	}
}

func TestFreeze(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	if o, err := connect(t, g).Freeze(t.Context(), apitest.Freeze(t, g.Signer.Genesis())); err != nil || o.State != rpc.StateInForce {
		t.Errorf("outcome %q, error %v", o.State, err)
	}
}

func TestNotFrozen(t *testing.T) {
	for _, c := range []struct {
		name  string
		judge func(statement.Signed) apitest.Ruling
		wrap  func(http.Handler) http.Handler
		stop  bool
	}{
		{name: "the signer refuses", judge: func(statement.Signed) apitest.Ruling {
			return apitest.Ruling{State: rpc.StateRefused, Code: "not_an_officer"}
		}},
		{name: "the signer is away", stop: true},
		{name: "the gateway says yes and does nothing", wrap: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"id":"","type":"freeze/1","state":"in_force","seq":7,"statementHash":""}`))
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := apitest.Start(t, apitest.Options{Wrap: c.wrap})
			g.Signer.Judge = c.judge
			if c.stop {
				g.StopSigner()
			}
			_, err := connect(t, g).Freeze(t.Context(), apitest.Freeze(t, g.Signer.Genesis()))
			if !is[*client.NotFrozen](err) || !strings.HasPrefix(err.Error(), "NOT FROZEN") || !strings.Contains(err.Error(), "freeze another way") {
				t.Errorf("error %v, want NOT FROZEN and the other ways", err)
			}
		})
	}
	g := apitest.Start(t, apitest.Options{})
	if _, err := connect(t, g).Freeze(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis())); !is[*client.NotFrozen](err) {
		t.Errorf("a withdrawal as a freeze: %v", err)
	}
}

func TestWait(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Judge = func(statement.Signed) apitest.Ruling { return apitest.Ruling{State: rpc.StateHeld} }
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	c := connect(t, g)
	if o, err := c.Submit(t.Context(), env); err != nil || o.State != rpc.StateHeld {
		t.Fatalf("outcome %q, error %v", o.State, err)
	}
	var calls atomic.Int32
	g.Signer.Gate = func(context.Context, string) error {
		if calls.Add(1) == 3 {
			g.Signer.Settle(env, apitest.Ruling{State: rpc.StateSigned})
		}
		return nil
	}
	if o, err := c.Wait(t.Context(), env); err != nil || o.State != rpc.StateSigned || calls.Load() != 3 {
		t.Errorf("outcome %q after %d calls, error %v", o.State, calls.Load(), err)
	}
}

// login opens a session.
func login(t *testing.T, g *apitest.Gateway, c *client.Client) {
	t.Helper()
	session, secret, err := c.OpenSession(t.Context(), func(hash statement.Hash) (statement.Envelope, error) {
		return apitest.Login(t, g.Signer.Genesis(), hash), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if session.Actor.ID != "alice" || *secret == [32]byte{} {
		t.Errorf("session %+v with secret %x", session, secret)
	}
}

func TestSession(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	c := connect(t, g)
	if _, err := c.Wallets(t.Context()); !isCode(err, "no_session") {
		t.Errorf("without a session: %v", err)
	}
	login(t, g, c)
	if wallets, err := c.Wallets(t.Context()); err != nil || len(wallets) != 1 {
		t.Errorf("wallets %v, error %v", wallets, err)
	}
	if limits, err := c.Limits(t.Context()); err != nil || len(limits) != 1 {
		t.Errorf("limits %v, error %v", limits, err)
	}
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	posted, err := c.Submit(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	id, err := statement.ParseID(posted.Answer.ID)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := c.Withdrawal(t.Context(), id, time.Second); err != nil || o.State != rpc.StateSigned {
		t.Errorf("withdrawal %q, error %v", o.State, err)
	}
	c.Use(nil)
	if _, err := c.Wallets(t.Context()); !isCode(err, "no_session") {
		t.Errorf("after forgetting it: %v", err)
	}
	if ready, err := c.Ready(t.Context()); err != nil || !ready.Ready {
		t.Errorf("ready %+v, error %v", ready, err)
	}
	g.StopSigner()
	if ready, err := c.Ready(t.Context()); err != nil || ready.Ready || len(ready.Reasons) != 1 {
		t.Errorf("without a signer: ready %+v, error %v", ready, err)
	}
}

func isCode(err error, code string) bool {
	p, ok := errors.AsType[*rpc.Problem](err)
	return ok && p.Code == code
}

// TestSecretGoesOnlyWithReading: what is posted speaks for itself, and a bearer in it would be one more
// place to lose it.
func TestSecretGoesOnlyWithReading(t *testing.T) {
	var posted, got atomic.Int32
	g := apitest.Start(t, apitest.Options{Wrap: func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				map[string]*atomic.Int32{http.MethodPost: &posted, http.MethodGet: &got}[r.Method].Add(1)
			}
			honest.ServeHTTP(w, r)
		})
	}})
	c := connect(t, g)
	login(t, g, c)
	if _, err := c.Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis())); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Wallets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if posted.Load() != 0 || got.Load() != 1 {
		t.Errorf("the secret went with %d POSTs and %d GETs", posted.Load(), got.Load())
	}
}

func TestOldTLSIsNotSpoken(t *testing.T) {
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	roots := x509.NewCertPool()
	roots.AddCert(old.Certificate())
	c, err := client.New(client.Config{URL: old.URL, Genesis: apitest.NewSigner().Genesis(), TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	genesis := apitest.NewSigner().Genesis()
	for name, cfg := range map[string]client.Config{
		"plain HTTP": {URL: "http://localhost", Genesis: genesis},
		"no URL":     {Genesis: genesis},
		"a password": {URL: "https://a:b@localhost", Genesis: genesis},
		"no genesis": {URL: "https://localhost"},
		"no host":    {URL: "https://", Genesis: genesis},
		"with query": {URL: "https://localhost?x=1", Genesis: genesis},
	} {
		if _, err := client.New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestSecretHash holds the bearer to docs/statements.md: the hash in the login is that of the secret's bytes.
func TestSecretHash(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	var sent statement.Hash
	_, secret, err := connect(t, g).OpenSession(t.Context(), func(hash statement.Hash) (statement.Envelope, error) {
		sent = hash
		return apitest.Login(t, g.Signer.Genesis(), hash), nil
	})
	if err != nil || sent != sha256.Sum256(secret[:]) {
		t.Errorf("hash %s of %x, error %v", sent, secret, err)
	}
}
