package api_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/api"
	"kura/api/apitest"
	"kura/signer/rpc"
)

// FuzzRequest throws requests at a gateway before a double in this process: whatever comes, the answer is
// whole, nothing is a fault of the gateway, and a refusal by the gateway reached nobody.
func FuzzRequest(f *testing.F) {
	genesis := apitest.NewSigner().Genesis()
	env := string(apitest.Withdrawal(f, genesis).Encode())
	f.Add("POST", "/v1/withdrawals", "", "", env)
	f.Add("POST", "/v1/freezes", "", "", string(apitest.Freeze(f, genesis).Encode()))
	f.Add("POST", "/v1/verdicts", "", "", env)
	f.Add("POST", "/v1/proposals", "x=1", "", `{"statement":"{\"type\":\"proposal/1\"}","signature":""}`)
	f.Add("POST", "/v1/sessions", "", "", `{"statement":"","signature":"","statement":""}`)
	f.Add("GET", "/v1/withdrawals/019b8a2e-2222-7abc-8def-0123456789ab", "wait=0s", "Bearer 0102030000000000000000000000000000000000000000000000000000000000", "")
	f.Add("GET", "/v1/log/entries", "from=0&to=1", "Bearer 0102030000000000000000000000000000000000000000000000000000000000", "")
	f.Add("GET", "/v1/log/consistency", "old=0&new=1", "", "")
	f.Add("GET", "/v1/log/receipts/0", "", "bearer 0102030000000000000000000000000000000000000000000000000000000000", "")
	f.Add("GET", "/tile/0/000.p/1", "", "", "")
	f.Add("GET", "/tile/entries/000.p/1", "", "Bearer 0102030000000000000000000000000000000000000000000000000000000000", "")
	f.Add("GET", "/tile/0/x999/x999/999", "", "", "")
	f.Add("GET", "/v1/export", "", "Bearer 0102030000000000000000000000000000000000000000000000000000000000", "")
	f.Add("PATCH", "/v1//wallets/..", "%zz", "Basic \x00", "\xff")
	f.Fuzz(func(t *testing.T, method, path, query, authorization, body string) {
		if path == "/v1/events" {
			t.Skip("it does not end")
		}
		signer := apitest.NewSigner()
		signer.Admit(secret)
		limits := api.DefaultLimits()
		limits.Wait = 0
		gateway, err := api.New(signer, api.Config{Limits: limits, Observers: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", bytes.NewReader([]byte(body)))
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: query}
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		gateway.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("a fault: %s", w.Body)
		}
		if w.Code < 400 {
			return
		}
		var p api.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("status %d is no problem: %v: %s", w.Code, err, w.Body)
		}
		if p.Code == "" || p.Status != w.Code || p.Effect != rpc.EffectNone {
			t.Errorf("problem %s", w.Body)
		}
		if p.Code == api.CodeWrongType && len(signer.Submitted()) != 0 {
			t.Errorf("refused, and sent all the same")
		}
	})
}
