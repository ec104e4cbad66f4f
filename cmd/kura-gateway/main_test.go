package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"kura/api/apitest"
	"kura/api/client"
	"kura/signer/process"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// makeCertificate writes a certificate for 127.0.0.1 and 127.0.0.3, self-signed or by a parent, and its key.
func makeCertificate(t *testing.T, dir, name string, serial int64) (pair tls.Certificate, leaf *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 3)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(suffix, kind string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(".crt", "CERTIFICATE", der)
	write(".key", "PRIVATE KEY", private)
	if leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, leaf
}

// A running daemon of a test.
type running struct {
	url    string
	log    *logBuffer
	reload chan os.Signal
	stop   context.CancelFunc
	code   <-chan int
}

// logBuffer collects the log and hands over its records as they come.
type logBuffer struct {
	mu      sync.Mutex
	all     bytes.Buffer
	read    int // bytes of it that were handed over
	records chan map[string]any
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(b) // never fails
	for {          // a process's pipe hands over several lines at once, and parts of them
		line, rest, whole := bytes.Cut(l.all.Bytes()[l.read:], []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.read = l.all.Len() - len(rest)
		var record map[string]any
		if json.Unmarshal(line, &record) == nil {
			select {
			case l.records <- record:
			default:
			}
		}
	}
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// until waits for a log record with this message.
func (l *logBuffer) until(t *testing.T, message string) map[string]any {
	t.Helper()
	for {
		select {
		case record := <-l.records:
			if record["msg"] == message {
				return record
			}
		case <-time.After(time.Minute):
			t.Fatalf("no %q in the log:\n%s", message, l)
		}
	}
}

// start runs a daemon in this process, as some user that is not root.
func start(t *testing.T, configFile string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{log: &logBuffer{records: make(chan map[string]any, 1024)}, reload: make(chan os.Signal), stop: stop}
	code := make(chan int, 1)
	r.code = code
	d := daemon{restrict: func(process.Paths) error { return nil }, confine: func() error { return nil }, euid: 1000, reload: r.reload}
	go func() {
		code <- d.run(ctx, []string{"--config", configFile}, nil, io.Discard, r.log)
		close(code) // a test may have read it before the cleanup does
	}()
	t.Cleanup(func() {
		stop()
		<-code
	})
	r.url = "https://" + r.log.until(t, "serving")["address"].(string)
	return r
}

// configure writes a configuration before a double of the signer.
func configure(t *testing.T, dir, socket, more string) string {
	t.Helper()
	text := fmt.Sprintf("listen = \"127.0.0.1:0\"\nsigner = %q\n%s", socket, more)
	if !strings.Contains(text, "[tls]") {
		text += "\n[tls]\ncertificate = \"server.crt\"\nkey = \"server.key\"\n"
	}
	file := filepath.Join(dir, "gateway.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func trust(leaf *x509.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{RootCAs: roots}
}

func get(t *testing.T, config *tls.Config, url string) (int, *x509.Certificate, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.TLS.PeerCertificates[0], nil
}

func TestServesAndEnds(t *testing.T) {
	dir := t.TempDir()
	_, leaf := makeCertificate(t, dir, "server", 1)
	signer := apitest.NewSigner()
	socket, _ := apitest.ServeSigner(t, signer)
	r := start(t, configure(t, dir, socket, ""))
	c, err := client.New(client.Config{URL: r.url, Genesis: signer.Genesis(), TLS: trust(leaf)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if o, err := c.Submit(t.Context(), apitest.Withdrawal(t, signer.Genesis())); err != nil || o.State != rpc.StateSigned {
		t.Fatalf("outcome %q, error %v", o.State, err)
	}
	// A request under way when the daemon is told to end is answered; a new connection is not.
	inside, release := make(chan struct{}), make(chan struct{})
	signer.Gate = func(context.Context, string) error {
		close(inside)
		<-release
		return nil
	}
	answered := make(chan error, 1)
	go func() {
		_, err := c.Submit(context.WithoutCancel(t.Context()), apitest.Withdrawal(t, signer.Genesis()))
		answered <- err
	}()
	<-inside
	r.stop()
	r.log.until(t, "ending")
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if code := <-r.code; code != exitOK {
		t.Errorf("exit %d\n%s", code, r.log)
	}
	if _, _, err := get(t, trust(leaf), r.url+"/healthz"); err == nil {
		t.Error("it still serves")
	}
}

func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	_, leaf := makeCertificate(t, dir, "server", 1)
	known, _ := makeCertificate(t, dir, "backend", 2)
	stranger, _ := makeCertificate(t, t.TempDir(), "stranger", 3)
	socket, _ := apitest.ServeSigner(t, apitest.NewSigner())
	r := start(t, configure(t, dir, socket, "\n[tls]\ncertificate = \"server.crt\"\nkey = \"server.key\"\nclient_ca = \"backend.crt\"\n"))
	with := func(certs ...tls.Certificate) *tls.Config {
		config := trust(leaf)
		config.Certificates = certs
		return config
	}
	if status, _, err := get(t, with(known), r.url+"/healthz"); err != nil || status != 200 {
		t.Errorf("known: status %d, %v", status, err)
	}
	if _, _, err := get(t, with(stranger), r.url+"/healthz"); err == nil {
		t.Error("a stranger's certificate was taken")
	}
	if _, _, err := get(t, with(), r.url+"/healthz"); err == nil {
		t.Error("nobody's certificate was taken")
	}
}

func TestOnlyTLS13(t *testing.T) {
	dir := t.TempDir()
	_, leaf := makeCertificate(t, dir, "server", 1)
	r := start(t, configure(t, dir, filepath.Join(dir, "none.sock"), ""))
	config := trust(leaf)
	config.MaxVersion = tls.VersionTLS12
	if _, _, err := get(t, config, r.url+"/healthz"); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	_, first := makeCertificate(t, dir, "server", 1)
	r := start(t, configure(t, dir, filepath.Join(dir, "none.sock"), ""))
	served := func(leaf *x509.Certificate) {
		t.Helper()
		if status, got, err := get(t, trust(leaf), r.url+"/healthz"); err != nil || status != 200 || !got.Equal(leaf) {
			t.Errorf("status %d with another certificate, or %v", status, err)
		}
	}
	served(first)
	_, second := makeCertificate(t, dir, "server", 2)
	served(first)
	r.reload <- os.Interrupt
	r.log.until(t, "certificate reloaded")
	served(second)
	if err := os.WriteFile(filepath.Join(dir, "server.crt"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reload <- os.Interrupt
	r.log.until(t, "certificate not reloaded")
	served(second)
}

// hold opens a connection and asks for something on it, so that it may stay: one that never asked is hung up on soon.
func hold(t *testing.T, r *running, leaf *x509.Certificate) net.Conn {
	t.Helper()
	config := trust(leaf)
	config.ServerName = "127.0.0.1"
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // it may be closed already
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: kura\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return conn
}

func TestConnectionsAreBounded(t *testing.T) {
	dir := t.TempDir()
	_, leaf := makeCertificate(t, dir, "server", 1)
	r := start(t, configure(t, dir, filepath.Join(dir, "none.sock"), "\n[limits]\nconnections = 1\nconnections_per_caller = 1\n"))
	// One connection that holds the only place; another is not served until it goes.
	holder := hold(t, r, leaf)
	done := make(chan error, 1)
	go func() {
		status, _, err := get(t, trust(leaf), r.url+"/healthz")
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		done <- err
	}()
	waiting, err := net.Dial("tcp", strings.TrimPrefix(r.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	select {
	case err := <-done:
		t.Fatalf("served beyond the bound: %v", err)
	default:
	}
	holder.Close()
	waiting.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestOneCallerDoesNotTakeAllPlaces: whoever has as many connections as one may is hung up on, and has one again when
// one of them has ended.
func TestOneCallerDoesNotTakeAllPlaces(t *testing.T) {
	dir := t.TempDir()
	_, leaf := makeCertificate(t, dir, "server", 1)
	r := start(t, configure(t, dir, filepath.Join(dir, "none.sock"), "\n[limits]\nconnections = 3\nconnections_per_caller = 2\n"))
	held := []net.Conn{hold(t, r, leaf), hold(t, r, leaf)}
	if status, _, err := get(t, trust(leaf), r.url+"/healthz"); err == nil {
		t.Errorf("a third connection is served: %d", status)
	}
	held[0].Close()
	var status int
	var err error
	if !signertest.Await(time.Millisecond, func() bool { // the end of a connection arrives in its own time
		status, _, err = get(t, trust(leaf), r.url+"/healthz")
		return err == nil && status == 200
	}) {
		t.Errorf("no connection after one has ended: %d, %v", status, err)
	}
}

// TestMetricsHaveAListenerOfTheirOwn: with one configured, /metrics is served there and nothing else is; where
// everything is served it is closed, to this machine, too, behind a proxy on which everybody comes from here.
func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	_, leaf := makeCertificate(t, dir, "server", 1)
	socket, _ := apitest.ServeSigner(t, apitest.NewSigner())
	r := start(t, configure(t, dir, socket, "\n[metrics]\nlisten = \"127.0.0.1:0\"\n"))
	if status, _, err := get(t, trust(leaf), r.url+"/metrics"); err != nil || status != http.StatusForbidden {
		t.Errorf("where everything is served: %d, %v", status, err)
	}
	_, rest, _ := strings.Cut(r.log.String(), `"msg":"serving metrics","address":"`)
	address, _, _ := strings.Cut(rest, `"`)
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 404, "/v1/log/checkpoint": 404} {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want || strings.Contains(string(body), "kura_gateway_signer_up 1") != (want == 200) {
			t.Errorf("%s: %d, %v, %s", path, resp.StatusCode, err, body)
		}
	}
	r.stop()
	<-r.code
	if _, err := http.Get("http://" + address + "/metrics"); err == nil {
		t.Error("metrics are still served")
	}
}

func TestRefusesToRun(t *testing.T) {
	dir := t.TempDir()
	makeCertificate(t, dir, "server", 1)
	good := configure(t, dir, "/run/kura/gateway.sock", "")
	run := func(euid int, args ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		d := daemon{confine: func() error { return nil }, euid: euid}
		code := d.run(t.Context(), args, nil, &stdout, &stderr)
		return code, stdout.String() + stderr.String()
	}
	if code, out := run(0, "--config", good); code != exitFailed || !strings.Contains(out, "runs as root") {
		t.Errorf("as root: exit %d, %s", code, out)
	}
	if code, out := run(0, "--config", good, "--check"); code != exitOK || !strings.Contains(out, "ok") {
		t.Errorf("--check: exit %d, %s", code, out)
	}
	if code, _ := run(1000); code != exitUsage {
		t.Errorf("no configuration: exit %d", code)
	}
	if code, _ := run(1000, "--config", good, "more"); code != exitUsage {
		t.Errorf("more arguments: exit %d", code)
	}
	if code, out := run(1000, "--config", filepath.Join(dir, "none")); code != exitFailed || !strings.Contains(out, "no such file") {
		t.Errorf("no such file: exit %d, %s", code, out)
	}
	if err := os.Chmod(filepath.Join(dir, "server.key"), 0o604); err != nil {
		t.Fatal(err)
	}
	if code, out := run(1000, "--config", good); code != exitFailed || !strings.Contains(out, "tls.key") {
		t.Errorf("a key for everybody: exit %d, %s", code, out)
	}
}

func TestBadConfig(t *testing.T) {
	const head = "listen = \"127.0.0.1:0\"\nsigner = \"s\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\n"
	if _, err := parseConfig(head, "/etc/kura"); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                             "listen",
		"listen = \"8443\"":                            "listen",
		"listen = \"127.0.0.1:0\"":                     "signer: is missing",
		head + "cert = \"x\"":                          "tls.cert",
		head + "Client_CA = \"x\"":                     "lower case",
		head + "[limits]\nrate = 0":                    "rate",
		head + "[limits]\nrate = \"10\"":               "rate",
		head + "[limits]\nbody = 100":                  "body",
		head + "[limits]\nconnections = 0":             "limits.connections",
		head + "[limits]\nconnections_per_caller = 0":  "limits.connections_per_caller",
		head + "[limits]\nconnections = 100":           "limits.connections_per_caller",
		head + "[metrics]\nlisten = \"0.0.0.0:9464\"":  "metrics.listen",
		head + "[metrics]\nlisten = \"127.0.0.1\"":     "metrics.listen",
		head + "[limits]\nwait = \"30\"":               "30",
		head + "[limits]\nwait = \"-1s\"":              "wait",
		head + "[metrics]\nobservers = [\"10.0.0.0\"]": "10.0.0.0",
		head + "[log]\nlevel = \"loud\"":               "loud",
		head + "[log]\nformat = \"xml\"":               "log.format",
		head + "[signer]\nx = 1":                       "signer",
		head + "pin = \"1234\"":                        "tls.pin",
	} {
		if _, err := parseConfig(text, "/etc/kura"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}

func TestConfigPathsAndDefaults(t *testing.T) {
	cfg, err := parseConfig("listen = \"127.0.0.1:0\"\nsigner = \"s\"\n[tls]\ncertificate = \"c\"\nkey = \"/k\"\n", "/etc/kura")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Signer != "/etc/kura/s" || cfg.TLS.Certificate != "/etc/kura/c" || cfg.TLS.Key != "/k" || cfg.TLS.ClientCA != "" {
		t.Errorf("paths %+v", cfg)
	}
	if a := cfg.api(); len(a.Observers) != 0 || a.Limits.Rate != 200 {
		t.Errorf("defaults %+v", a)
	}
}

// TestDocumentedConfig holds docs/rest.md to the keys and defaults that there are.
func TestDocumentedConfig(t *testing.T) {
	text, err := os.ReadFile("../../docs/rest.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```toml\n")
	example, _, ended := strings.Cut(rest, "```")
	if !ok || !ended {
		t.Fatal("docs/rest.md has no configuration")
	}
	documented, err := parseConfig(example, "/etc/kura")
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := parseConfig("listen = \"0.0.0.0:8443\"\nsigner = \"/run/kura/gateway.sock\"\n[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n", "/etc/kura")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", *documented), fmt.Sprintf("%+v", *defaults); got != want {
		t.Errorf("docs/rest.md says\n%s\nthe defaults are\n%s", got, want)
	}
}
