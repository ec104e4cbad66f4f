package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"kura/api"
	"kura/api/apitest"
	"kura/journal"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// secret opens a session with the double wherever admitted sends it.
var secret = [32]byte{1, 2, 3}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if media := r.header.Get("Content-Type"); media != api.ProblemMedia {
		t.Fatalf("status %d with media type %q, want a problem: %s", r.status, media, r.body)
	}
	if err := json.Unmarshal(r.body, &p, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("problem does not decode: %v\n%s", err, r.body)
	}
	if p.Status != r.status || p.Type != "urn:kura:problem:"+p.Code || p.Title == "" || p.Detail == "" || p.Retry == "" || p.Effect == "" {
		t.Errorf("problem is not whole: %s", r.body)
	}
	return p
}

func clientOf(t *testing.T, g *apitest.Gateway) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: g.TLS, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func send(t *testing.T, g *apitest.Gateway, method, path, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := clientOf(t, g).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, b}
}

func post(t *testing.T, g *apitest.Gateway, path string, env statement.Envelope) reply {
	t.Helper()
	return send(t, g, http.MethodPost, path, string(env.Encode()))
}

// admitted reads with an open session.
func admitted(t *testing.T, g *apitest.Gateway, path string, header ...string) reply {
	t.Helper()
	g.Signer.Admit(secret)
	return send(t, g, http.MethodGet, path, "", append(header, "Authorization", "Bearer "+hex.EncodeToString(secret[:]))...)
}

func TestWithdrawalIsSigned(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	// White space around the envelope is transport, and is carried like all else.
	sent := " " + string(env.Encode()) + "\n"
	first := send(t, g, http.MethodPost, "/v1/withdrawals", sent)
	if first.status != http.StatusCreated {
		t.Fatalf("status %d: %s", first.status, first.body)
	}
	var answer rpc.Answer
	if err := json.Unmarshal(first.body, &answer, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	if answer.State != rpc.StateSigned || answer.Transaction == nil || answer.Receipt == nil {
		t.Errorf("answer is not whole: %s", first.body)
	}
	if got := g.Signer.Submitted(); len(got) != 1 || string(got[0]) != sent {
		t.Errorf("the signer got %q, not the bytes that were sent", got)
	}
	again := send(t, g, http.MethodPost, "/v1/withdrawals", sent)
	if again.status != first.status || !bytes.Equal(again.body, first.body) {
		t.Errorf("the same text again: status %d and\n%s\nwant the same answer as before", again.status, again.body)
	}
}

func TestStatesAreStatuses(t *testing.T) {
	for _, c := range []struct {
		state         string
		status        int
		retry, effect string // of the problem; empty for a success
	}{
		{rpc.StateSigned, 201, "", ""},
		{rpc.StateAuthorized, 202, "", ""},
		{rpc.StateHeld, 202, "", ""},
		{rpc.StateDenied, 403, "new_statement", "none"},
		{rpc.StateRejected, 403, "new_statement", "none"},
		{rpc.StateCancelled, 409, "new_statement", "none"},
		{rpc.StateLapsed, 409, "new_statement", "none"},
		{rpc.StateStranded, 409, "never", "unknown"},
		{"invented", 500, "same", "unknown"},
	} {
		t.Run(c.state, func(t *testing.T) {
			g := apitest.Start(t, apitest.Options{})
			g.Signer.Judge = func(statement.Signed) apitest.Ruling {
				return apitest.Ruling{State: c.state, Code: "limit_exceeded", Detail: "over the day's limit"}
			}
			r := post(t, g, "/v1/withdrawals", apitest.Withdrawal(t, g.Signer.Genesis()))
			if r.status != c.status {
				t.Fatalf("status %d, want %d: %s", r.status, c.status, r.body)
			}
			if c.retry == "" {
				return
			}
			p := r.problem(t)
			if p.Retry != c.retry || p.Effect != c.effect {
				t.Errorf("retry %q and effect %q, want %q and %q", p.Retry, p.Effect, c.retry, c.effect)
			}
			if p.Answer == nil || p.Answer.Receipt == nil || p.Answer.State != c.state {
				t.Errorf("the problem has no answer with a receipt: %s", r.body)
			}
			if c.status != 500 && (p.Code != "limit_exceeded" || p.Detail != "over the day's limit") {
				t.Errorf("code %q, detail %q are not the decision's", p.Code, p.Detail)
			}
		})
	}
}

func TestSignedAndWithheld(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Judge = func(statement.Signed) apitest.Ruling { return apitest.Ruling{State: rpc.StateSigned, Withheld: true} }
	if r := post(t, g, "/v1/withdrawals", apitest.Withdrawal(t, g.Signer.Genesis())); r.status != 202 {
		t.Errorf("there is nothing to announce, and the status is %d", r.status)
	}
}

func TestVerdictsOverOneAndOverSeveral(t *testing.T) {
	refused, counted := rpc.Answer{State: rpc.StateRefused}, rpc.Answer{State: rpc.StateCounted}
	for _, c := range []struct {
		results []rpc.Answer
		status  int
	}{
		{[]rpc.Answer{refused}, 403},
		{[]rpc.Answer{refused, counted}, 200},
		{[]rpc.Answer{refused, refused}, 200},
	} {
		g := apitest.Start(t, apitest.Options{})
		g.Signer.Judge = func(statement.Signed) apitest.Ruling {
			return apitest.Ruling{State: rpc.StateRefused, Results: c.results}
		}
		if r := post(t, g, "/v1/verdicts", apitest.Verdict(t, g.Signer.Genesis(), statement.Hash{1})); r.status != c.status {
			t.Errorf("%d results: status %d, want %d", len(c.results), r.status, c.status)
		}
	}
}

func TestAnotherTextUnderTheSameID(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	w := apitest.NewWithdrawal(g.Signer.Genesis())
	post(t, g, "/v1/withdrawals", apitest.Sign(t, w))
	w.Reference = "order 2"
	r := post(t, g, "/v1/withdrawals", apitest.Sign(t, w))
	p := r.problem(t)
	if r.status != 409 || p.Code != "id_conflict" || p.Answer == nil || p.Answer.State != rpc.StateSigned || p.Effect != "none" {
		t.Errorf("status %d: %s", r.status, r.body)
	}
}

func TestEveryStatementHasItsRoute(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	genesis := g.Signer.Genesis()
	c := apitest.NewCommon(genesis)
	proposal := apitest.Sign(t, &statement.Proposal{
		Journal: c.Journal, ID: c.ID, Expires: c.Expires, Proposes: statement.ProposeResume, Document: "{}", Reason: "r",
	})
	for path, env := range map[string]statement.Envelope{
		"/v1/withdrawals": apitest.Withdrawal(t, genesis),
		"/v1/verdicts":    apitest.Verdict(t, genesis, statement.Hash{1}),
		"/v1/freezes":     apitest.Freeze(t, genesis),
		"/v1/proposals":   proposal,
		"/v1/sessions":    apitest.Login(t, genesis, statement.Hash{2}),
	} {
		for _, other := range []string{"/v1/withdrawals", "/v1/verdicts", "/v1/freezes", "/v1/proposals", "/v1/sessions"} {
			r := post(t, g, other, env)
			if other == path {
				if r.status >= 300 {
					t.Errorf("%s: status %d: %s", path, r.status, r.body)
				}
				continue
			}
			p := r.problem(t)
			if r.status != 400 || p.Code != api.CodeWrongType || p.Field != "statement.type" || p.Effect != "none" || !strings.Contains(p.Detail, path) {
				t.Errorf("%s posted to %s: %s", path, other, r.body)
			}
		}
	}
	if n := len(g.Signer.Submitted()); n != 4 {
		t.Errorf("%d statements reached the signer, want the 4 that were posted where they belong", n)
	}
}

func TestSignerAway(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	g.StopSigner()
	r := post(t, g, "/v1/withdrawals", env)
	if p := r.problem(t); r.status != 503 || p.Code != rpc.CodeUnavailable || p.Retry != "same" || p.Effect != "none" || r.header.Get("Retry-After") == "" {
		t.Errorf("never sent: status %d: %s", r.status, r.body)
	}
	if r := send(t, g, "GET", "/readyz", ""); r.status != 503 || !bytes.Contains(r.body, []byte(rpc.CodeUnavailable)) {
		t.Errorf("readyz: status %d: %s", r.status, r.body)
	}
	if r := send(t, g, "GET", "/healthz", ""); r.status != 200 {
		t.Errorf("healthz: status %d: %s", r.status, r.body)
	}
	if r := send(t, g, "GET", "/metrics", ""); r.status != 200 || !bytes.Contains(r.body, []byte("kura_gateway_signer_up 0")) {
		t.Errorf("metrics: status %d: %s", r.status, r.body)
	}
}

func TestSignerDiesUnderACall(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	inside := make(chan struct{})
	enter := sync.OnceFunc(func() { close(inside) }) // the gateway may ask why, and come through while the signer ends
	g.Signer.Gate = func(ctx context.Context, method string) error {
		enter()
		<-ctx.Done()
		return ctx.Err()
	}
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	go func() {
		<-inside
		g.StopSigner()
	}()
	r := post(t, g, "/v1/withdrawals", env)
	if p := r.problem(t); r.status != 503 || p.Effect != "unknown" || p.Retry != "same" {
		t.Errorf("it may have arrived: status %d: %s", r.status, r.body)
	}
}

// TestNoAnswerSaysWhy: whoever sent a statement just before signing stopped learns why it is not answered, as whoever comes
// later does, and that it may have been taken all the same.
func TestNoAnswerSaysWhy(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Gate = func(_ context.Context, method string) error {
		if method == "submit" {
			return &rpc.Problem{Code: rpc.CodeNoAnswer, Detail: "the caller's time was over", Retry: rpc.RetrySame, Effect: rpc.EffectUnknown}
		}
		return nil
	}
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	if p := post(t, g, "/v1/withdrawals", env).problem(t); p.Code != rpc.CodeNoAnswer || p.Status != 503 {
		t.Errorf("nothing has stopped: %+v", p)
	}
	g.Signer.Stop = &rpc.Reason{Code: "token_unavailable", Detail: "the token is gone", Stops: true}
	p := post(t, g, "/v1/withdrawals", env).problem(t)
	if p.Status != 503 || p.Code != "token_unavailable" || !strings.Contains(p.Detail, "the token is gone") || p.Retry != rpc.RetrySame || p.Effect != rpc.EffectUnknown {
		t.Errorf("%+v", p)
	}
}

func TestSignerDiesUnderARead(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	inside := make(chan struct{})
	enter := sync.OnceFunc(func() { close(inside) }) // the gateway may ask why, and come through while the signer ends
	g.Signer.Gate = func(ctx context.Context, method string) error {
		enter()
		<-ctx.Done()
		return ctx.Err()
	}
	go func() {
		<-inside
		g.StopSigner()
	}()
	r := send(t, g, http.MethodGet, "/v1/log/checkpoint", "")
	if p := r.problem(t); r.status < 500 || p.Effect != "none" || p.Retry != "same" {
		t.Errorf("a read has no effect: status %d: %s", r.status, r.body)
	}
}

func TestSignersProblemComesThrough(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Gate = func(context.Context, string) error {
		return &rpc.Problem{Code: "journal_rolled_back", Detail: "the journal does not extend the anchor", Retry: rpc.RetrySame, Effect: rpc.EffectNone}
	}
	r := post(t, g, "/v1/withdrawals", apitest.Withdrawal(t, g.Signer.Genesis()))
	if p := r.problem(t); r.status != 503 || p.Code != "journal_rolled_back" || p.Detail != "the journal does not extend the anchor" || p.Effect != "none" {
		t.Errorf("status %d: %s", r.status, r.body)
	}
	g.Signer.Gate = func(context.Context, string) error { return errors.New("secret path /root/pin") }
	if r := send(t, g, "GET", "/v1/log/checkpoint", ""); bytes.Contains(r.body, []byte("/root/pin")) || r.status != 500 {
		t.Errorf("a fault shows what is inside: status %d: %s", r.status, r.body)
	}
}

func TestSessionReads(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(20)
	var page rpc.Entries
	if err := json.Unmarshal(admitted(t, g, "/v1/log/entries?from=3&to=5").body, &page); err != nil {
		t.Fatal(err)
	}
	if page.From != 3 || len(page.Entries) != 2 {
		t.Errorf("page from %d with %d entries", page.From, len(page.Entries))
	}
	if r := admitted(t, g, "/v1/wallets"); r.status != 200 || !bytes.Contains(r.body, []byte(`"wallets":[{"id":"hot"`)) {
		t.Errorf("wallets: %d %s", r.status, r.body)
	}
	if r := admitted(t, g, "/v1/limits"); r.status != 200 || !bytes.Contains(r.body, []byte(`"limits":[{"id":"day"`)) {
		t.Errorf("limits: %d %s", r.status, r.body)
	}
	var receipt journal.Receipt
	if err := json.Unmarshal(admitted(t, g, "/v1/log/receipts/4").body, &receipt); err != nil {
		t.Fatal(err)
	}
	if e, err := receipt.Verify(g.Signer.Genesis()); err != nil || e.Seq != 4 {
		t.Errorf("receipt of entry 4: %v, %v", e, err)
	}
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	posted := post(t, g, "/v1/withdrawals", env)
	body, err := statement.Decode(env.Statement)
	if err != nil {
		t.Fatal(err)
	}
	if r := admitted(t, g, "/v1/withdrawals/"+body.Common().ID.String()+"?wait=1s"); r.status != 200 || !bytes.Equal(r.body, posted.body) {
		t.Errorf("withdrawal: %d %s", r.status, r.body)
	}
}

func TestOpenReads(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(3)
	note := send(t, g, "GET", "/checkpoint", "")
	head, err := journal.OpenCheckpoint(g.Signer.Genesis(), note.body)
	if err != nil || head.Size != 4 {
		t.Errorf("checkpoint: %v, %v", head, err)
	}
	if r := send(t, g, "GET", "/tile/0/000.p/4", ""); r.status != 200 || len(r.body) != 4*32 {
		t.Errorf("tile: %d, %d bytes", r.status, len(r.body))
	}
	if r := send(t, g, "GET", "/v1/log/consistency?old=1&new=4", ""); r.status != 200 {
		t.Errorf("consistency: %d %s", r.status, r.body)
	}
	document := send(t, g, "GET", "/openapi.json", "")
	want, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(document.body)); diff != "" {
		t.Errorf("openapi.json:\n%s", diff)
	}
}

func TestMetricsAreForObservers(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	send(t, g, "GET", "/v1/secrets", "")
	r := send(t, g, "GET", "/metrics", "")
	for _, line := range []string{
		`kura_gateway_problems_total{code="no_route"} 1`,
		`kura_gateway_request_duration_seconds_count{method="GET",route="(none)",status="404"} 1`,
		`kura_gateway_in_flight 1`,
		`kura_gateway_signer_up 1`,
		"# TYPE kura_entries_total counter\nkura_entries_total 3",
		`# HELP kura_frozen A \\ and\na line.`,
		`kura_frozen{wallet="a\"b\\c\nd"} 1`,
	} {
		if !strings.Contains(string(r.body), line+"\n") {
			t.Errorf("metrics lack %s in\n%s", line, r.body)
		}
	}
	closed := apitest.Start(t, apitest.Options{Config: api.Config{Limits: api.DefaultLimits(), Observers: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	if r := send(t, closed, "GET", "/metrics", ""); r.status != 403 || r.problem(t).Code != api.CodeNotObserver {
		t.Errorf("a stranger reads metrics: %d %s", r.status, r.body)
	}
}

func TestRateLimit(t *testing.T) {
	limits := api.DefaultLimits()
	limits.Rate, limits.Burst = 1, 3
	g := apitest.Start(t, apitest.Options{Config: api.Config{Limits: limits}})
	for range 3 {
		if r := send(t, g, "GET", "/v1/log/checkpoint", ""); r.status != 200 {
			t.Fatalf("within the burst: %d %s", r.status, r.body)
		}
	}
	var r reply
	signertest.Await(0, func() bool { // on a busy machine a second may pass, which allows one more
		r = send(t, g, "GET", "/v1/log/checkpoint", "")
		return r.status != 200
	})
	if p := r.problem(t); r.status != 429 || p.Code != api.CodeRateLimited || p.Retry != "same" || p.Effect != "none" || r.header.Get("Retry-After") != "1" {
		t.Errorf("beyond it: %d %s (Retry-After %q)", r.status, r.body, r.header.Get("Retry-After"))
	}
	if r := send(t, g, "GET", "/healthz", ""); r.status != 200 {
		t.Errorf("healthz is counted: %d", r.status)
	}
}

func TestEveryAnswerIsSecured(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	for _, path := range []string{"/healthz", "/nothing", "/checkpoint", "/v1/wallets"} {
		h := send(t, g, "GET", path, "", "Origin", "https://evil.example").header
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Access-Control-Allow-Origin": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if id := h.Get("X-Request-Id"); len(id) != 20 {
			t.Errorf("%s: request id %q", path, id)
		}
	}
}

func TestOnlyTLS13(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	old := g.TLS.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	conn, err := tls.Dial("tcp", strings.TrimPrefix(g.URL, "https://"), old)
	if err == nil {
		conn.Close()
		t.Error("TLS 1.2 was taken")
	}
}

func TestLogHasNoSecretsAndNoBodies(t *testing.T) {
	log := new(signertest.Log)
	g := apitest.Start(t, apitest.Options{Log: log})
	env := apitest.Withdrawal(t, g.Signer.Genesis())
	post(t, g, "/v1/withdrawals", env)
	admitted(t, g, "/v1/wallets")
	admitted(t, g, "/v1/wallets?token=hunter2hunter2")
	send(t, g, "GET", "/hunter2hunter2", "")
	send(t, g, "HUNTER2HUNTER2", "/v1/wallets", "")
	r := send(t, g, "GET", "/healthz", "")
	for _, leak := range []string{hex.EncodeToString(secret[:]), "hunter2", "HUNTER2", "order 1", "SSH SIGNATURE", "withdrawal/1"} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("the log has %q in\n%s", leak, log)
		}
	}
	id := r.header.Get("X-Request-Id")
	if n := strings.Count(log.String(), id); n != 1 {
		t.Errorf("request %s stands in %d log lines, want 1:\n%s", id, n, log)
	}
}
