package client_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kura/api/apitest"
	"kura/signer/rpc"
	"kura/statement"
)

// evil clears a terminal and writes what looks like a line of ours.
const evil = "\x1b[2J\nstate: signed\u202e"

func clean(t *testing.T, what, text string) {
	t.Helper()
	if strings.ContainsAny(text, "\x1b\n\u202e") {
		t.Errorf("%s reaches the caller raw: %q", what, text)
	}
}

func TestForeignTextOfProblems(t *testing.T) {
	for name, problem := range map[string]map[string]any{
		"code":   {"code": evil, "detail": "d"},
		"field":  {"code": "bad_value", "field": evil},
		"detail": {"code": "bad_value", "detail": evil + strings.Repeat("long", 1<<20), "retry": evil, "effect": evil},
	} {
		g := apitest.Start(t, apitest.Options{Wrap: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(problem)
			})
		}})
		_, err := connect(t, g).Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis()))
		if err == nil || len(err.Error()) > 4000 {
			t.Fatalf("%s: %d bytes of error", name, len(err.Error()))
		}
		clean(t, name, err.Error())
	}
}

func TestForeignTextOfAnswers(t *testing.T) {
	wait := rpc.Wait{Kind: "approval", Group: "ops", Have: 1, Need: 2, Who: []string{"bob"}, Until: "2026-01-02T03:04:05.678Z"}
	doctor := func(a *rpc.Answer) {
		a.Type = evil
		a.Decision = &rpc.Decision{Outcome: "hold", Code: "needs_approval", Detail: evil, Waits: []rpc.Wait{
			wait, {Kind: evil}, {Kind: "limit", Group: evil, Until: evil, Who: []string{evil, "bob"}},
		}}
		a.Chain = &rpc.Chain{State: evil}
		a.Transaction = &rpc.Transaction{Hash: evil}
		a.Alive = []rpc.Alive{{ID: evil, Wallet: evil, Until: evil, StatementHash: evil}}
		a.Results = []rpc.Answer{{State: evil}, {State: rpc.StateCounted, StatementHash: a.StatementHash, Type: evil, Decision: &rpc.Decision{Outcome: evil}, Chain: a.Chain}}
	}
	g := apitest.Start(t, apitest.Options{Wrap: func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			honest.ServeHTTP(rec, r)
			var a rpc.Answer
			if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
				t.Error(err)
			}
			doctor(&a)
			w.WriteHeader(rec.Code)
			_ = json.NewEncoder(w).Encode(a)
		})
	}})
	g.Signer.Judge = func(statement.Signed) apitest.Ruling { return apitest.Ruling{State: rpc.StateHeld} }
	o, err := connect(t, g).Submit(t.Context(), apitest.Withdrawal(t, g.Signer.Genesis()))
	if err != nil {
		t.Fatal(err)
	}
	a := o.Answer
	a.Receipt = nil // bytes, and proven
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		t.Fatal(err)
	}
	// The quoted detail is there, escaped by us before JSON escapes it again.
	for _, raw := range []string{`":"\u001b`, "\u202e", `u001b[2J`} {
		if strings.Contains(text.String(), raw) {
			t.Errorf("%q is in %s", raw, &text)
		}
	}
	if a.Type != "withdrawal" || a.Transaction != nil || a.Chain != nil || len(a.Alive) != 0 || len(a.Results) != 1 {
		t.Errorf("%s", &text)
	}
	if w := a.Decision.Waits; len(w) != 2 || w[0].Who[0] != "bob" || w[0].Until == "" || w[1].Group != "" || len(w[1].Who) != 1 {
		t.Errorf("waits %+v", w)
	}
}

// TestForeignTextOfLists puts what a terminal would obey into every text of the lists and of the signer's state.
func TestForeignTextOfLists(t *testing.T) {
	g := apitest.Start(t, apitest.Options{Wrap: func(honest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			honest.ServeHTTP(rec, r)
			switch r.URL.Path {
			case "/v1/wallets":
				var list struct {
					Wallets []rpc.Wallet `json:"wallets"`
				}
				_ = json.Unmarshal(rec.Body.Bytes(), &list)
				for i := range 6 { // each with another member out of form
					bad := list.Wallets[0]
					*[]*string{&bad.ID, &bad.Network, &bad.Address, &bad.PublicKey, &bad.Custody, &bad.State}[i] = evil
					list.Wallets = append(list.Wallets, bad)
				}
				_ = json.NewEncoder(w).Encode(list)
			case "/v1/limits":
				good := rpc.Limit{ID: "day", Max: "10", Key: "each " + evil, Asset: evil}
				_ = json.NewEncoder(w).Encode(map[string]any{"limits": []rpc.Limit{
					good, {ID: evil, Max: "10"}, {ID: "a", Max: evil}, {ID: "a", Max: "1", Used: evil}, {ID: "a", Max: "1", FreesAt: evil},
				}})
			case "/readyz":
				_ = json.NewEncoder(w).Encode(rpc.Ready{
					Role: evil, Root: evil, Policy: evil, Rollback: evil, Clock: evil,
					Reasons:   []rpc.Reason{{Code: evil, Detail: "d"}, {Code: "halted", Detail: evil}},
					Witnesses: []rpc.Witness{{Name: evil, Time: evil, Trouble: evil}},
				})
			default:
				w.WriteHeader(rec.Code)
				_, _ = w.Write(rec.Body.Bytes())
			}
		})
	}})
	c := connect(t, g)
	login(t, g, c)
	wallets, err := c.Wallets(t.Context())
	if err != nil || len(wallets) != 1 || wallets[0].ID != "hot" {
		t.Errorf("wallets %+v, %v", wallets, err)
	}
	limits, err := c.Limits(t.Context())
	if err != nil || len(limits) != 1 {
		t.Fatalf("limits %+v, %v", limits, err)
	}
	clean(t, "a limit", limits[0].Key+limits[0].Asset)
	ready, err := c.Ready(t.Context())
	if err != nil || len(ready.Reasons) != 1 || len(ready.Witnesses) != 1 {
		t.Fatalf("ready %+v, %v", ready, err)
	}
	w := ready.Witnesses[0]
	for _, text := range []string{ready.Role, ready.Root, ready.Policy, ready.Rollback, ready.Clock, ready.Reasons[0].Detail, w.Name, w.Time, w.Trouble} {
		clean(t, "the signer's state", text)
	}
}
