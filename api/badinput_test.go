package api_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kura/api"
	"kura/api/apitest"
	"kura/journal"
	"kura/signer/rpc"
	"kura/statement"
)

// TestBadInput is the table of what people and programs get wrong: each gets a problem that names the
// field, and none of it reaches the journal.
func TestBadInput(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Admit(secret)
	good := apitest.Withdrawal(t, g.Signer.Genesis())
	bearer := "Bearer " + hex.EncodeToString(secret[:])
	text := func(statement string) string {
		return string(statementEnvelope(statement, good.Signature))
	}
	size := func() uint64 {
		c, err := g.Signer.Checkpoint(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		head, err := journal.OpenCheckpoint(g.Signer.Genesis(), c.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		return head.Size
	}
	before := size()
	for _, c := range []struct {
		name               string
		method, path, body string
		header             []string
		status             int
		code, field        string
	}{
		{name: "nothing", method: "POST", path: "/v1/withdrawals", status: 400, code: "syntax", field: "body"},
		{name: "no JSON", method: "POST", path: "/v1/withdrawals", body: "wallet=hot", status: 400, code: "syntax", field: "body"},
		{name: "no envelope", method: "POST", path: "/v1/withdrawals", body: good.Statement, status: 400, code: "unknown_member", field: "body"},
		{name: "an array", method: "POST", path: "/v1/withdrawals", body: "[]", status: 400, code: "bad_value", field: "body"},
		{name: "no signature", method: "POST", path: "/v1/withdrawals", body: `{"statement":"{}"}`, status: 400, code: "missing_member", field: "signature"},
		{name: "a member twice", method: "POST", path: "/v1/withdrawals", body: `{"statement":"","statement":"","signature":""}`, status: 400, code: "duplicate_member", field: "statement"},
		{name: "another case", method: "POST", path: "/v1/withdrawals", body: `{"Statement":"","signature":""}`, status: 400, code: "unknown_member", field: "body"},
		{name: "a number", method: "POST", path: "/v1/withdrawals", body: `{"statement":1,"signature":""}`, status: 400, code: "bad_value", field: "statement"},
		{name: "not UTF-8", method: "POST", path: "/v1/withdrawals", body: "{\"statement\":\"\xff\",\"signature\":\"\"}", status: 400, code: "syntax", field: "body"},
		{name: "two envelopes", method: "POST", path: "/v1/withdrawals", body: string(good.Encode()) + string(good.Encode()), status: 400, code: "syntax", field: "body"},
		{name: "too large", method: "POST", path: "/v1/withdrawals", body: strings.Repeat(" ", 64<<10+1), status: 413, code: api.CodeBodyTooLarge, field: "body"},
		{name: "a proposal too large", method: "POST", path: "/v1/proposals", body: strings.Repeat(" ", statement.MaxEnvelope+1), status: 413, code: api.CodeBodyTooLarge, field: "body"},
		{name: "compressed", method: "POST", path: "/v1/withdrawals", body: "x", header: []string{"Content-Encoding", "gzip"}, status: 415, code: api.CodeUnsupportedCoding, field: "Content-Encoding"},
		{name: "a parameter too many", method: "POST", path: "/v1/withdrawals?dry_run=1", body: string(good.Encode()), status: 400, code: api.CodeBadParameter, field: "dry_run"},
		{name: "the statement is no JSON", method: "POST", path: "/v1/withdrawals", body: text("hello"), status: 400, code: "syntax"},
		{name: "the type twice", method: "POST", path: "/v1/withdrawals", body: text(`{"type":"withdrawal/1","type":"freeze/1"}`), status: 400, code: "duplicate_member", field: "type"},
		{name: "no type", method: "POST", path: "/v1/withdrawals", body: text("{}"), status: 400, code: api.CodeWrongType, field: "statement.type"},
		{name: "a type of tomorrow", method: "POST", path: "/v1/withdrawals", body: text(`{"type":"withdrawal/2"}`), status: 400, code: api.CodeWrongType, field: "statement.type"},
		{name: "a doctored amount", method: "POST", path: "/v1/withdrawals", body: text(strings.Replace(good.Statement, `"amount":"1000000"`, `"amount":"9000000"`, 1)), status: 400, code: "signature_invalid", field: "signature"},
		{name: "an amount as a number", method: "POST", path: "/v1/withdrawals", body: text(strings.Replace(good.Statement, `"amount":"1000000"`, `"amount":1000000`, 1)), status: 400, code: "bad_value", field: "assets[0].amount"},

		{name: "no session", method: "GET", path: "/v1/wallets", status: 401, code: api.CodeNoSession, field: "Authorization"},
		{name: "basic authentication", method: "GET", path: "/v1/wallets", header: []string{"Authorization", "Basic eDp5"}, status: 401, code: api.CodeNoSession, field: "Authorization"},
		{name: "two bearers", method: "GET", path: "/v1/wallets", header: []string{"Authorization", bearer, "Authorization", bearer}, status: 401, code: api.CodeNoSession, field: "Authorization"},
		{name: "a short secret", method: "GET", path: "/v1/wallets", header: []string{"Authorization", "Bearer abcd"}, status: 401, code: api.CodeNoSession, field: "Authorization"},
		{name: "an unknown secret", method: "GET", path: "/v1/wallets", header: []string{"Authorization", "Bearer " + strings.Repeat("ab", 32)}, status: 401, code: api.CodeNoSession, field: "Authorization"},
		{name: "an id in upper case", method: "GET", path: "/v1/withdrawals/019B8A2E-2222-7ABC-8DEF-0123456789AB", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "id"},
		{name: "a wait without a unit", method: "GET", path: "/v1/withdrawals/019b8a2e-2222-7abc-8def-0123456789ab?wait=30", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "wait"},
		{name: "a wait of a day", method: "GET", path: "/v1/withdrawals/019b8a2e-2222-7abc-8def-0123456789ab?wait=24h", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "wait"},
		{name: "a negative wait", method: "GET", path: "/v1/withdrawals/019b8a2e-2222-7abc-8def-0123456789ab?wait=-1s", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "wait"},
		{name: "a wait twice", method: "GET", path: "/v1/withdrawals/019b8a2e-2222-7abc-8def-0123456789ab?wait=1s&wait=2s", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "wait"},
		{name: "an unknown id", method: "GET", path: "/v1/withdrawals/019b8a2e-2222-7abc-8def-0123456789ab", header: []string{"Authorization", bearer}, status: 404, code: "not_found", field: "id"},
		{name: "entries from minus one", method: "GET", path: "/v1/log/entries?from=-1", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "from"},
		{name: "entries from 007", method: "GET", path: "/v1/log/entries?from=007", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "from"},
		{name: "entries backwards", method: "GET", path: "/v1/log/entries?from=5&to=4", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "to"},
		{name: "all entries at once", method: "GET", path: "/v1/log/entries?from=0&to=1001", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "to"},
		{name: "a seq beyond 53 bits", method: "GET", path: "/v1/log/entries?from=9007199254740992", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "from"},
		{name: "a broken query", method: "GET", path: "/v1/log/entries?from=%zz", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "query"},
		{name: "a receipt of nothing", method: "GET", path: "/v1/log/receipts/x", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "seq"},
		{name: "consistency without new", method: "GET", path: "/v1/log/consistency?old=1", status: 400, code: api.CodeBadParameter, field: "new"},
		{name: "consistency backwards", method: "GET", path: "/v1/log/consistency?old=2&new=1", status: 400, code: api.CodeBadParameter, field: "old"},
		{name: "events from a word", method: "GET", path: "/v1/events", header: []string{"Authorization", bearer, "Last-Event-ID", "latest"}, status: 400, code: api.CodeBadParameter, field: "Last-Event-ID"},
		{name: "a tile of entries without a session", method: "GET", path: "/tile/entries/000", status: 401, code: api.CodeNoSession, field: "Authorization"},
		{name: "a tile of entries out of form", method: "GET", path: "/tile/entries/0", header: []string{"Authorization", bearer}, status: 400, code: api.CodeBadParameter, field: "tile"},
		{name: "a tile of entries past the end", method: "GET", path: "/tile/entries/x001/000", header: []string{"Authorization", bearer}, status: 404, code: "not_found", field: "tile"},
		{name: "a tile of data, as tlog calls it", method: "GET", path: "/tile/data/000", status: 400, code: api.CodeBadParameter, field: "tile"},
		{name: "a tile out of form", method: "GET", path: "/tile/0/0", status: 400, code: api.CodeBadParameter, field: "tile"},
		{name: "a tile that climbs", method: "GET", path: "/tile/0/../../etc/passwd", status: 400, code: api.CodeBadParameter, field: "tile"},
		{name: "no such tile", method: "GET", path: "/tile/0/x001/000", status: 404, code: "not_found", field: "tile"},
		{name: "no such route", method: "GET", path: "/v1/secrets", status: 404, code: api.CodeNoRoute},
		{name: "reading what is posted", method: "GET", path: "/v1/freezes", status: 405, code: api.CodeMethodNotAllowed},
		{name: "a body cut off at the ordinary bound", method: "POST", path: "/v1/proposals", body: strings.Repeat(" ", 64<<10+1), status: 400, code: "syntax", field: "body"},
		{name: "deleting", method: "DELETE", path: "/v1/wallets", status: 405, code: api.CodeMethodNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := send(t, g, c.method, c.path, c.body, c.header...)
			p := r.problem(t)
			if r.status != c.status || p.Code != c.code || p.Field != c.field || p.Effect != rpc.EffectNone {
				t.Errorf("status %d, code %q, field %q, effect %q; want %d, %q, %q, none: %s", r.status, p.Code, p.Field, p.Effect, c.status, c.code, c.field, p.Detail)
			}
			if r.status == 405 && r.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if r.status == 401 && r.header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
	if after := size(); after != before {
		t.Errorf("the journal grew from %d to %d entries", before, after)
	}
}

func statementEnvelope(text, signature string) []byte {
	return statement.Envelope{Statement: text, Signature: signature}.Encode()
}

// TestLargeBodiesAreBoundedAndSmallOnesAreNot runs in this process, so that what the gateway has read of a
// body is known to the byte.
func TestLargeBodiesAreBoundedAndSmallOnesAreNot(t *testing.T) {
	limits := api.DefaultLimits()
	limits.LargeBodies = 1
	gateway, err := api.New(apitest.NewSigner(), api.Config{Limits: limits}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	propose := func(body io.Reader) reply {
		w := httptest.NewRecorder()
		gateway.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/proposals", body))
		return reply{w.Code, w.Header(), w.Body.Bytes()}
	}
	// A proposal that arrives slowly holds the only place for large bodies: once a byte beyond the first
	// 64 KiB + 1 has been read.
	content, slow := io.Pipe()
	slowly := make(chan reply, 1)
	go func() { slowly <- propose(content) }()
	for _, n := range []int{64<<10 + 1, 1} {
		if _, err := slow.Write(bytes.Repeat([]byte(" "), n)); err != nil {
			t.Fatal(err)
		}
	}
	large := strings.Repeat(" ", 128<<10)
	r := propose(strings.NewReader(large))
	if p := r.problem(t); r.status != 503 || p.Code != rpc.CodeBusy || p.Effect != "none" || p.Retry != "same" {
		t.Errorf("a second large body: status %d: %s", r.status, r.body)
	}
	if r := propose(strings.NewReader("{}")); r.problem(t).Code != "missing_member" {
		t.Errorf("an ordinary body had to wait: %s", r.body)
	}
	slow.Close()
	if r := <-slowly; r.problem(t).Code != "syntax" {
		t.Errorf("the slow one: %s", r.body)
	}
	if r := propose(strings.NewReader(large)); r.problem(t).Code != "syntax" {
		t.Errorf("the place was not left: %s", r.body)
	}
}
