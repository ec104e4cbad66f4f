package api_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"kura/api"
	"kura/api/apitest"
	"kura/journal"
	"kura/signer/rpc"
)

// follow opens an event stream and returns its events, one string of id and kind each.
func follow(t *testing.T, g *apitest.Gateway, path string, header ...string) (<-chan string, context.CancelFunc) {
	t.Helper()
	g.Signer.Admit(secret)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+hex.EncodeToString(secret[:]))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := clientOf(t, g).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %s, media type %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	events := make(chan string)
	go func() {
		defer resp.Body.Close()
		defer close(events)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, journal.MaxEntrySize)
		var id, kind string
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				e, err := journal.DecodeEntry([]byte(value))
				if err != nil || fmt.Sprint(e.Seq) != id || e.Kind != kind {
					kind = "broken"
				}
			case "":
				if id != "" {
					events <- id + " " + kind
				}
				id = ""
			}
		}
	}()
	return events, cancel
}

func expect(t *testing.T, events <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := <-events; got != w {
			t.Fatalf("event %q, want %q", got, w)
		}
	}
}

func TestEvents(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(9)
	whole, leave := follow(t, g, "/v1/events?from=0")
	expect(t, whole, "0 genesis/1", "1 tick/1", "2 tick/1")
	resumed, _ := follow(t, g, "/v1/events?from=0", "Last-Event-ID", "7")
	expect(t, resumed, "8 tick/1", "9 tick/1")
	fresh, _ := follow(t, g, "/v1/events")
	post(t, g, "/v1/withdrawals", apitest.Withdrawal(t, g.Signer.Genesis()))
	expect(t, fresh, "10 outcome/1")
	expect(t, resumed, "10 outcome/1")
	expect(t, whole, "3 tick/1", "4 tick/1", "5 tick/1", "6 tick/1", "7 tick/1", "8 tick/1", "9 tick/1", "10 outcome/1")
	leave()
	for range whole {
	}
}

// newSession admits a person with one more session.
func newSession(g *apitest.Gateway, person string, number int) (header []string) {
	own := sha256.Sum256(fmt.Append(nil, person, number))
	g.Signer.AdmitAs(person, own)
	return []string{"Authorization", "Bearer " + hex.EncodeToString(own[:])}
}

// TestStreamsAreBounded: nobody holds so many streams that others get none, whatever sessions they open, and there is a
// bound for all together.
func TestStreamsAreBounded(t *testing.T) {
	limits := api.DefaultLimits()
	limits.Streams = 8
	g := apitest.Start(t, apitest.Options{Config: api.Config{Limits: limits}})
	for _, person := range []string{"alice", "bob", "carol", "dan"} {
		r := send(t, g, http.MethodGet, "/v1/export", "", newSession(g, person, 9)...)
		if r.status != http.StatusOK {
			t.Fatalf("%s has no place: status %d: %s", person, r.status, r.body)
		}
		for i := range limits.Streams / 4 {
			events, _ := follow(t, g, "/v1/events?from=0", newSession(g, person, i)...)
			expect(t, events, "0 genesis/1")
		}
		r = send(t, g, http.MethodGet, "/v1/export", "", newSession(g, person, 9)...)
		if p := r.problem(t); r.status != http.StatusTooManyRequests || p.Code != api.CodeRateLimited || p.Effect != "none" {
			t.Errorf("%s has more than a quarter: status %d: %s", person, r.status, r.body)
		}
	}
	r := send(t, g, http.MethodGet, "/v1/export", "", newSession(g, "erin", 0)...)
	if p := r.problem(t); r.status != http.StatusServiceUnavailable || p.Code != rpc.CodeBusy || p.Effect != "none" {
		t.Errorf("more than all: status %d: %s", r.status, r.body)
	}
}

func TestExportEndsWhereItBegan(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(20)
	// The journal grows while the export pages through it.
	g.Signer.Gate = func(_ context.Context, method string) error {
		if method == "entries" {
			g.Signer.Grow(1)
		}
		return nil
	}
	r := admitted(t, g, "/v1/export")
	lines := strings.Split(strings.TrimSuffix(string(r.body), "\n"), "\n")
	// The first page's checkpoint has 22 entries: 21, and the one that came with the page. After each stands its head.
	if len(lines) != 1+2*22 || !strings.HasPrefix(lines[0], `{"kura_export":1,"genesis":"`) {
		t.Fatalf("%d lines, the first %.40s, the last %.40s", len(lines), lines[0], lines[len(lines)-1])
	}
	for i := range 22 {
		if e, err := journal.DecodeEntry([]byte(lines[1+2*i])); err != nil || e.Seq != uint64(i) {
			t.Errorf("entry %d: %v", i, err)
		}
		if head := fmt.Sprintf(`{"checkpoint":"%s\n%d\n`, g.Signer.Genesis().Origin, i+1); !strings.HasPrefix(lines[2+2*i], head) {
			t.Errorf("after entry %d: %.60s", i, lines[2+2*i])
		}
	}
}

func TestExportIsCutWhenTheSignerDies(t *testing.T) {
	g := apitest.Start(t, apitest.Options{})
	g.Signer.Grow(20)
	calls := 0
	g.Signer.Gate = func(_ context.Context, method string) error {
		if calls++; calls > 3 {
			return &rpc.Problem{Code: "token_unavailable", Retry: rpc.RetrySame, Effect: rpc.EffectNone}
		}
		return nil
	}
	g.Signer.Admit(secret)
	req, err := http.NewRequest(http.MethodGet, g.URL+"/v1/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+hex.EncodeToString(secret[:]))
	resp, err := clientOf(t, g).Do(req)
	if err != nil {
		return // cut before the headers were read
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("a cut export ends as if it were whole")
	}
}
