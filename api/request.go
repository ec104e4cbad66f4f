package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kura/signer/rpc"
)

// secretSize is the length of a session's secret in bytes. As a bearer it is written in lower-case hex.
const secretSize = 32

// bearerOf returns the SHA-256 of the request's bearer secret in lower-case hex, which is how the signer
// knows a session. The secret itself goes no further than this function.
func bearerOf(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", refuse(CodeNoSession, "Authorization", "this route needs a session: POST a login to /v1/sessions and send its secret as Authorization: Bearer <64 hex digits>")
	}
	scheme, text, ok := strings.Cut(values[0], " ")
	if len(values) != 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", refuse(CodeNoSession, "Authorization", "the header must be there once and read Bearer <64 hex digits>")
	}
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != secretSize || text != strings.ToLower(text) {
		return "", refuse(CodeNoSession, "Authorization", "the secret must be its 32 bytes in 64 lower-case hex digits")
	}
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:]), nil
}

// bodyOf reads a request's body whole, or refuses it: nothing above most bytes is held. What is longer than
// an ordinary body (a proposal with a whole policy) needs one of a few places, so that many of them cannot
// fill the memory; the caller leaves it when it has looked at the body. Ordinary bodies, an evacuation among
// them, never wait for a place.
func (g *Gateway) bodyOf(w http.ResponseWriter, r *http.Request, most int64) (body []byte, leave func(), err error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, nil, refuse(CodeUnsupportedCoding, "Content-Encoding", fmt.Sprintf("%q is not taken: send the body as it is", bounded(coding)))
	}
	tooLarge := refuse(CodeBodyTooLarge, "body", fmt.Sprintf("the body may have at most %d bytes here", most))
	if r.ContentLength > most {
		return nil, nil, tooLarge
	}
	leave = func() {}
	content := http.MaxBytesReader(w, r.Body, most)
	body, err = io.ReadAll(io.LimitReader(content, min(most, g.cfg.Limits.Body)+1))
	if err == nil && int64(len(body)) > g.cfg.Limits.Body {
		select {
		case g.large <- struct{}{}:
			leave = func() { <-g.large }
		default:
			return nil, nil, refuse(rpc.CodeBusy, "body", "other large bodies are being read; try again")
		}
		var rest []byte
		rest, err = io.ReadAll(content)
		body = append(body, rest...)
	}
	if err == nil {
		return body, leave, nil
	}
	leave()
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, nil, tooLarge
	}
	return nil, nil, refuse(CodeBodyUnread, "body", "the body did not arrive whole")
}

// A query reads the parameters of a request strictly: each at most once, none that the route does not
// name. Its first complaint is kept and returned by done, so that handlers read on without branching.
type query struct {
	values map[string][]string
	err    error
}

func queryOf(r *http.Request, names ...string) *query {
	q := &query{values: map[string][]string{}}
	if len(r.URL.RawQuery) > 1024 {
		q.fail("query", "the query may have at most 1024 bytes")
		return q
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		q.fail("query", "the query is not well formed")
		return q
	}
	for name, given := range values {
		switch {
		case !slices.Contains(names, name) && len(names) == 0:
			q.fail(bounded(name), "this route takes no parameters")
		case !slices.Contains(names, name):
			q.fail(bounded(name), "this route takes only "+strings.Join(names, ", "))
		case len(given) != 1:
			q.fail(name, "may be given once")
		}
	}
	q.values = values
	return q
}

func (q *query) fail(field, detail string) {
	if q.err == nil {
		q.err = refuse(CodeBadParameter, field, detail)
	}
}

// done returns the first complaint.
func (q *query) done() error { return q.err }

// number reads a whole number of at most 53 bits, the widest that JSON readers agree on.
func (q *query) number(name string, missing uint64) uint64 {
	text, ok := q.text(name)
	if !ok {
		return missing
	}
	n, err := strconv.ParseUint(text, 10, 53)
	if err != nil || strconv.FormatUint(n, 10) != text {
		q.fail(name, "must be a whole number in digits, like 1024, and below 2^53")
	}
	return n
}

// required reads a number that must be there.
func (q *query) required(name string) uint64 {
	if _, ok := q.text(name); !ok {
		q.fail(name, "must be given, a whole number in digits")
	}
	return q.number(name, 0)
}

// wait reads a duration like 30s, none given being 0.
func (q *query) wait(name string, most time.Duration) time.Duration {
	text, ok := q.text(name)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most {
		q.fail(name, fmt.Sprintf("must be a duration from 0s to %s, like 30s", most))
		return 0
	}
	return d
}

func (q *query) text(name string) (string, bool) {
	if given := q.values[name]; len(given) == 1 {
		return given[0], true
	}
	return "", false
}

// bounded shortens foreign text that is shown back to whoever sent it.
func bounded(text string) string {
	const most = 64
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
