package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/signer/rpc"
	"kura/statement"
)

// maxAnswer bounds an answer that is read into memory, in bytes: a page of entries in base64.
const maxAnswer = 64 << 20

// Config says whom to ask and what to believe.
type Config struct {
	// URL is the gateway's, like https://kura.example:8443. Only https.
	URL string
	// Genesis is the pinned line. It never comes from a server.
	Genesis journal.Genesis
	// Handovers are those of the log key that an earlier client saw (Client.Handovers); nil for none.
	Handovers journal.Chain
	// TLS holds the roots to trust and, with mutual TLS, the client's certificate; nil trusts the
	// system's roots. TLS 1.3 is demanded whatever it says.
	TLS *tls.Config
	// Patience is how long an unknown outcome is asked for again before Unknown is returned, 30 s when
	// 0. The context may end it earlier.
	Patience time.Duration
	// Pause is the first pause between two tries, doubled each time up to 16 times it; 250 ms when 0.
	Pause time.Duration
}

// A Client asks one gateway. Safe for concurrent use.
type Client struct {
	base    string
	genesis journal.Genesis
	http    *http.Client
	cfg     Config

	mu     sync.Mutex
	secret *[32]byte // of the open session
	keys   journal.LogKeys
	chain  journal.Chain // the proofs of keys' handovers
}

// New returns a client. It does not connect yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("gateway URL %q: want https://host:port", cfg.URL)
	}
	if cfg.Genesis == (journal.Genesis{}) {
		return nil, errors.New("no genesis line is pinned: without it nothing that a gateway says can be checked")
	}
	keys, err := cfg.Genesis.Keys().Learn(cfg.Handovers)
	if err != nil {
		return nil, fmt.Errorf("the kept handovers of the log key: %w", err)
	}
	if cfg.Patience == 0 {
		cfg.Patience = 30 * time.Second
	}
	if cfg.Pause == 0 {
		cfg.Pause = 250 * time.Millisecond
	}
	tlsConfig := &tls.Config{}
	if cfg.TLS != nil {
		tlsConfig = cfg.TLS.Clone()
	}
	tlsConfig.MinVersion = tls.VersionTLS13
	return &Client{
		base: strings.TrimSuffix(base.String(), "/"), genesis: cfg.Genesis, cfg: cfg, keys: keys, chain: cfg.Handovers,
		http: &http.Client{
			Transport: &http.Transport{
				TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64,
				IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
				ResponseHeaderTimeout: 3 * time.Minute, MaxResponseHeaderBytes: 64 << 10,
			},
			// An answer comes from the gateway that was asked, or it is none.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close gives up idle connections and forgets the session's secret.
func (c *Client) Close() {
	c.Use(nil)
	c.http.CloseIdleConnections()
}

// Use makes the client show a session's secret, or none: for a caller that kept one from an earlier run.
func (c *Client) Use(secret *[32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secret = secret
}

// newSecret makes the secret of a session.
func newSecret() *[32]byte {
	secret := new([32]byte)
	_, _ = rand.Read(secret[:]) // never fails: it ends the process instead
	return secret
}

// do sends one request and reads the whole answer's head; the caller closes the body.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		content = strings.NewReader(string(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.mu.Lock()
	secret := c.secret
	c.mu.Unlock()
	// A secret goes only with reading: a statement speaks for itself.
	if secret != nil && method == http.MethodGet {
		req.Header.Set("Authorization", "Bearer "+hex.EncodeToString(secret[:]))
	}
	return c.http.Do(req)
}

// read answers a GET: result when the status is one of those given, else the problem that was answered.
func (c *Client) read(ctx context.Context, path string, result any, statuses ...int) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return decode(resp, result, statuses...)
}

// decode reads an answer's body: result when the status is one of those given, else a *rpc.Problem.
func decode(resp *http.Response, result any, statuses ...int) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	for _, status := range statuses {
		if resp.StatusCode != status {
			continue
		}
		if err := json.Unmarshal(body, result); err != nil {
			return fmt.Errorf("the answer %s does not decode: %w", resp.Status, err)
		}
		return nil
	}
	return problemOf(resp, body)
}

// problemOf reads a problem and holds it to its form. What is none (a proxy's page, say) is one of unknown effect.
func problemOf(resp *http.Response, body []byte) error {
	p := new(rpc.Problem)
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if media != "application/problem+json" || json.Unmarshal(body, p) != nil || !holdProblem(p) {
		return &rpc.Problem{
			Code: "no_problem", Detail: "the server answered " + statement.Quote(resp.Status, 80) + " without saying why",
			Retry: rpc.RetrySame, Effect: rpc.EffectUnknown,
		}
	}
	return p
}
