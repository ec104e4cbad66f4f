package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"kura/api"
	"kura/signer/rpc"
)

// witnessedDouble is a signer for the courier: it hands out tasks in their order, and keeps what it is asked and told.
type witnessedDouble struct {
	tasks   []rpc.WitnessTask
	end     context.CancelFunc
	queries []rpc.WitnessQuery
	notes   []string
	refuse  error
}

func (w *witnessedDouble) WitnessNext(_ context.Context, q rpc.WitnessQuery, _ int64) (rpc.WitnessTask, error) {
	w.queries = append(w.queries, q)
	if len(w.tasks) == 0 {
		w.end()
		return rpc.WitnessTask{}, nil
	}
	task := w.tasks[0]
	w.tasks = w.tasks[1:]
	return task, nil
}

func (w *witnessedDouble) WitnessCosigned(_ context.Context, witness string, note []byte, handovers []rpc.Handover) error {
	for _, h := range handovers {
		note = fmt.Appendf(note, "handover in entry %d\n", h.Index)
	}
	w.notes = append(w.notes, witness+": "+string(note))
	return w.refuse
}

// witnessReply is what the witness double answers to one request.
type witnessReply struct {
	status int
	body   string
}

// TestCourier goes through a witness's answers: what the signer is told, and with which size it is asked next.
func TestCourier(t *testing.T) {
	add := rpc.WitnessTask{Ask: rpc.WitnessAdd, Old: 3, Proof: [][]byte{[]byte("\x01\x02"), []byte("\x03")}, Checkpoint: []byte("head\n"), Size: 7, Newest: 7}
	fresh := add
	fresh.Old, fresh.Proof = 0, nil
	handing := add
	handing.Handover = &rpc.Handover{Entry: []byte("e"), Index: 2, Proof: [][]byte{}, Checkpoint: []byte("c")}
	stage := fresh
	stage.Newest = 12
	const theirs = "log\n4\nroot\n\n— w line\n"
	const posted, shown = "POST /w/add-checkpoint old 3|AQI=|Aw==||head", "GET /w/checkpoint"
	const handed, chain = `POST /w/add-handover {"entry":"ZQ==","index":2,"proof":[],"checkpoint":"Yw=="}`, "GET /w/handovers"
	for _, c := range []struct {
		name     string
		task     rpc.WitnessTask
		replies  []witnessReply
		requests []string
		notes    []string
		size     uint64 // of the next query
		trouble  string // part of the next query's
		chain    string // handovers that it shows; "" for a witness that shows none
		refuse   error
	}{
		{name: "cosigned", task: add, replies: []witnessReply{{200, "— w line\n"}}, requests: []string{posted}, notes: []string{"w.test: head\n— w line\n"}, size: 7},
		{name: "cosigned, and refused by the signer", task: add, replies: []witnessReply{{200, "x\n"}}, requests: []string{posted}, notes: []string{"w.test: head\nx\n"}, size: 3, trouble: "not a line", refuse: errors.New("not a line")},
		{name: "begins elsewhere", task: fresh, replies: []witnessReply{{409, "5\n"}}, requests: []string{"POST /w/add-checkpoint old 0||head"}, size: 5},
		{name: "is further than this journal", task: add, replies: []witnessReply{{409, "9\n"}, {200, theirs}}, requests: []string{posted, shown, chain}, notes: []string{"w.test: " + theirs}, size: 4, trouble: "size 9"},
		{name: "has another root", task: add, replies: []witnessReply{{409, "3\n"}, {200, theirs}}, requests: []string{posted, shown, chain}, notes: []string{"w.test: " + theirs}, size: 4, trouble: "size 3"},
		{name: "finds a fork", task: add, replies: []witnessReply{{422, "no proof"}, {200, theirs}}, requests: []string{posted, shown, chain}, notes: []string{"w.test: " + theirs}, size: 4, trouble: "does not extend"},
		{name: "shows nothing", task: add, replies: []witnessReply{{422, "no proof"}, {404, "what?"}}, requests: []string{posted, shown}, size: 0, trouble: "does not extend"},
		{name: "is stopped", task: add, replies: []witnessReply{{403, "frozen by alice: \"why\"\n"}}, requests: []string{posted}, size: 3, trouble: "the witness answers 403: frozen by alice: \"why\""},
		{name: "is stopped in words that are cut within a character", task: add, replies: []witnessReply{{403, "!" + strings.Repeat("凍", 100)}}, requests: []string{posted}, size: 3, trouble: "answers 403: !凍"},
		{name: "talks nonsense", task: add, replies: []witnessReply{{409, "lots"}}, requests: []string{posted}, size: 3, trouble: "without a size"},
		{name: "talks too much", task: add, replies: []witnessReply{{200, strings.Repeat("x", 1<<20)}}, requests: []string{posted}, size: 3, trouble: "more than"},
		{name: "sends elsewhere", task: add, replies: []witnessReply{{302, ""}}, requests: []string{posted}, size: 3, trouble: "302"},
		{name: "is looked at", task: rpc.WitnessTask{Ask: rpc.WitnessShow}, replies: []witnessReply{{200, theirs}}, requests: []string{shown, chain}, notes: []string{"w.test: " + theirs}, size: 4},
		{name: "shows no head", task: rpc.WitnessTask{Ask: rpc.WitnessShow}, replies: []witnessReply{{200, "hello\n"}}, requests: []string{shown, chain}, notes: []string{"w.test: hello\n"}, trouble: "no size"},
		{name: "shows a handover", task: rpc.WitnessTask{Ask: rpc.WitnessShow}, replies: []witnessReply{{200, theirs}}, chain: `[{"entry":"ZQ==","index":2,"proof":[],"checkpoint":"Yw=="}]`, requests: []string{shown, chain}, notes: []string{"w.test: " + theirs + "handover in entry 2\n"}, size: 4},
		{name: "shows nonsense of handovers", task: rpc.WitnessTask{Ask: rpc.WitnessShow}, replies: []witnessReply{{200, theirs}}, chain: `[{"enter":""}]`, requests: []string{shown, chain}, notes: []string{"w.test: " + theirs}, size: 4},
		{name: "is told of a handover", task: handing, replies: []witnessReply{{200, "learned\n"}, {200, "— w line\n"}}, requests: []string{handed, posted}, notes: []string{"w.test: head\n— w line\n"}, size: 7},
		{name: "is not one of Kura's", task: handing, replies: []witnessReply{{404, "what?"}, {200, "— w line\n"}}, requests: []string{handed, posted}, notes: []string{"w.test: head\n— w line\n"}, size: 7},
		{name: "is not one of Kura's, and forbids what it does not know", task: handing, replies: []witnessReply{{403, "no"}, {200, "— w line\n"}}, requests: []string{handed, posted}, notes: []string{"w.test: head\n— w line\n"}, size: 7},
		{name: "refuses a handover", task: handing, replies: []witnessReply{{403, "not signed"}, {403, "unknown key"}}, requests: []string{handed, posted}, size: 3, trouble: "handover of the log key in entry 2: not signed\n"},
		{name: "is between two stages", task: stage, replies: []witnessReply{{409, "9\n"}}, requests: []string{"POST /w/add-checkpoint old 0||head"}, size: 9},
		{name: "is left alone", task: rpc.WitnessTask{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // after a failure the courier rests
			var requests []string
			replies := c.replies
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				requests = append(requests, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, strings.ReplaceAll(strings.TrimSuffix(string(body), "\n"), "\n", "|"))))
				if r.URL.Path == "/w/handovers" {
					if c.chain == "" {
						w.WriteHeader(http.StatusNotFound)
					}
					_, _ = io.WriteString(w, c.chain)
					return
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(replies[0].status)
				_, _ = io.WriteString(w, replies[0].body)
				replies = replies[1:]
			}))
			defer server.Close()
			ctx, end := context.WithCancel(t.Context())
			signer := &witnessedDouble{tasks: []rpc.WitnessTask{c.task}, end: end, refuse: c.refuse}
			client := server.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			courier := &api.Courier{Name: "w.test", URL: server.URL + "/w/", Signer: signer, Client: client, Log: slog.New(slog.DiscardHandler)}
			courier.Run(ctx)
			if diff := cmp.Diff(c.requests, requests); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.notes, signer.notes); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
			if len(signer.queries) != 2 || signer.queries[0] != (rpc.WitnessQuery{Witness: "w.test"}) {
				t.Fatalf("queries %+v", signer.queries)
			}
			next := signer.queries[1]
			if next.Witness != "w.test" || next.Size != c.size || (c.trouble == "") != (next.Trouble == "") || !strings.Contains(next.Trouble, c.trouble) || !utf8.ValidString(next.Trouble) {
				t.Errorf("the next query is %+v, want size %d and trouble %q", next, c.size, c.trouble)
			}
		})
	}
}
