package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kura/signer/rpc"
)

// A Gateway answers the REST routes with a signer's help. It keeps no state but counters and allowances,
// so any number of gateways may stand before one signer. Safe for concurrent use.
type Gateway struct {
	signer   rpc.Gateway
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	limiter  *limiter
	metrics  *metrics
	large    chan struct{} // places for large bodies
	streams  *places
	document []byte
	handler  http.Handler
	closing  context.Context
	close    context.CancelFunc
}

// fingerprint names a client certificate by its key.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// New returns a gateway before signer. The configuration's limits must pass their Check.
func New(signer rpc.Gateway, cfg Config, log *slog.Logger) (*Gateway, error) {
	if err := cfg.Limits.Check(); err != nil {
		return nil, err
	}
	g := &Gateway{
		signer: signer, cfg: cfg, log: log, now: cfg.Now,
		limiter: newLimiter(cfg.Limits.Rate, cfg.Limits.Burst),
		metrics: newMetrics(),
		large:   make(chan struct{}, cfg.Limits.LargeBodies),
		streams: newPlaces(cfg.Limits.Streams),
	}
	if g.now == nil {
		g.now = time.Now
	}
	g.closing, g.close = context.WithCancel(context.Background())
	var err error
	if g.document, err = Document(); err != nil {
		return nil, err
	}

	router := chi.NewRouter()
	for _, rt := range routes {
		router.Method(rt.method, rt.path, g.serve(rt))
	}
	router.NotFound(g.serve(route{path: "(none)", handle: func(*Gateway, http.ResponseWriter, *http.Request) error {
		return refuse(CodeNoRoute, "", "there is nothing here; /openapi.json lists what there is")
	}}).ServeHTTP)
	router.MethodNotAllowed(g.serve(route{path: "(none)", handle: func(_ *Gateway, w http.ResponseWriter, r *http.Request) error {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if router.Match(chi.NewRouteContext(), method, r.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		return refuse(CodeMethodNotAllowed, "", "this route does not take that method; Allow lists what it takes")
	}}).ServeHTTP)
	g.handler = router
	return g, nil
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Close ends the streams and waits that would otherwise keep a graceful shutdown from ending.
func (g *Gateway) Close() { g.close() }

// serve wraps a route's handler with what all routes share: a request id, headers, the caller's
// allowance, the one place that turns errors into problems, one log line and the counters.
func (g *Gateway) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := g.now()
		g.metrics.begin()
		out := &recorder{ResponseWriter: w}
		id := newRequestID()
		secure(out.Header(), id)
		// Deferred, because an answer that is cut short leaves by a panic.
		defer func() { g.finish(rt, out, r, id, g.now().Sub(began)) }()
		if err := g.answer(rt, out, r); err != nil {
			g.fail(out, r, id, err)
		}
	})
}

// finish counts a request and writes its one log line. The route's pattern is logged, not the address:
// what is in an address is the caller's text.
func (g *Gateway) finish(rt route, out *recorder, r *http.Request, id string, took time.Duration) {
	g.metrics.end(requestLabels{Method: methodLabel(r.Method), Route: rt.path, Status: out.status()}, took)
	level := slog.LevelInfo
	if out.status() >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	g.log.LogAttrs(r.Context(), level, "request",
		slog.String("id", id), slog.String("caller", CallerOf(r.RemoteAddr)),
		slog.String("method", methodLabel(r.Method)), slog.String("route", rt.path),
		slog.Int("status", out.status()), slog.String("code", out.problem),
		slog.Int64("bytes", out.written), slog.Duration("took", took))
}

// answer runs the route's handler for a caller within its allowance. A panic of one request is a problem
// of that request only.
func (g *Gateway) answer(rt route, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if !rt.open {
		if wait, ok := g.limiter.allow(g.caller(r), g.now()); !ok {
			w.Header().Set("Retry-After", retryAfter(wait))
			return refuse(CodeRateLimited, "", "more requests than this gateway takes from one caller; see Retry-After")
		}
	}
	return rt.handle(g, w, r)
}

// caller names whose allowance a request takes: a client certificate's, when there is one, else the
// address's. Headers of proxies are not believed.
func (g *Gateway) caller(r *http.Request) string {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return "cert:" + fingerprint(r.TLS.VerifiedChains[0][0])
	}
	return CallerOf(r.RemoteAddr)
}

// fail writes the problem that an error is. An error that is no problem is a fault
// of the gateway: it is logged whole and answered bare.
func (g *Gateway) fail(w *recorder, r *http.Request, id string, err error) {
	var body Problem
	if ended, ok := errors.AsType[*endedError](err); ok {
		body = ended.problem
	} else if p, ok := problemIn(err); ok {
		body = problemOf(p)
	} else if w.begun && r.Context().Err() != nil {
		body.Code = codeCallerGone
	} else {
		g.log.LogAttrs(r.Context(), slog.LevelError, "fault", slog.String("id", id), slog.String("error", err.Error()))
		body = problemOf(&rpc.Problem{Code: rpc.CodeInternal, Detail: "the gateway failed; its log has request " + id, Effect: rpc.EffectUnknown})
	}
	w.problem = body.Code
	g.metrics.problem(knownCode(body.Code))
	if w.begun {
		// Half an answer is out already: the connection is cut, so that nobody takes it for a whole one.
		panic(http.ErrAbortHandler)
	}
	if body.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="kura"`)
	}
	if body.Status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	writeBody(w, body.Status, ProblemMedia, body)
}

// codeCallerGone stands in the log when a caller left a stream; nobody is there to be answered.
const codeCallerGone = "caller_gone"

// knownCode keeps the label set of the problem counter bounded: the signer's codes are its own business.
func knownCode(code string) string {
	if _, ok := problems[code]; ok {
		return code
	}
	return "of_the_signer"
}

// writeJSON answers with a value as JSON.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	writeBody(w, status, "application/json", value)
	return nil
}

func writeBody(w http.ResponseWriter, status int, media string, value any) {
	// Text of callers may stand in a problem; what of it is not UTF-8 comes out as U+FFFD.
	body, err := json.Marshal(value, jsontext.EscapeForHTML(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		// Only a Go type that has no JSON form gets here, which the golden test of the document excludes.
		panic(fmt.Sprintf("encode an answer: %v", err))
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	// An error here means that the caller has gone; the log line says how far it came.
	_, _ = w.Write(append(body, '\n')) //nolint:gosec // JSON under a JSON media type and nosniff is no page
}

// secure sets the headers that every answer has. There are no pages here and no cookies: browsers are
// told to run, frame, guess and keep nothing, and no CORS header lets another site read an answer.
func secure(h http.Header, requestID string) {
	h.Set("X-Request-Id", requestID)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Strict-Transport-Security", "max-age=63072000")
}

// newRequestID names a request in log and answer. It is made here: an id that callers choose could be
// used to write into the log.
func newRequestID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// methodLabel bounds what a method can put into the log and the metrics.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions:
		return method
	}
	return "other"
}

// retryAfter is a wait in whole seconds, rounded up.
func retryAfter(wait time.Duration) string {
	return fmt.Sprint(int64((wait + time.Second - 1) / time.Second))
}

// A recorder remembers what was answered, for log and metrics.
type recorder struct {
	http.ResponseWriter
	code    int
	problem string // its code
	begun   bool
	written int64
}

func (w *recorder) WriteHeader(status int) {
	w.code, w.begun = status, true
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.begun = true
	n, err := w.ResponseWriter.Write(b)
	w.written += int64(n)
	return n, err
}

func (w *recorder) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}

// Unwrap lets http.ResponseController reach the connection's deadlines and flush.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
