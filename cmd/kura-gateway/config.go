package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"kura/api"
)

// config is the configuration file. Every key is checked before anything starts; a key that is not here is
// refused. Paths are relative to the file.
type config struct {
	Listen string `toml:"listen"` // address and port, like "0.0.0.0:8443"
	Signer string `toml:"signer"` // path of the signer's socket for the gateway
	// AcceptRoot says why it may run as root, which is refused without it: a development directory below one
	// that is closed to every other user, for instance.
	AcceptRoot string `toml:"accept_root"`

	TLS     tlsConfig     `toml:"tls"`
	Limits  limitsConfig  `toml:"limits"`
	Metrics metricsConfig `toml:"metrics"`
	Log     logConfig     `toml:"log"`

	Witnesses []witnessConfig `toml:"witness"` // that the signer's heads are carried to
}

// witnessConfig says where one witness is. Its key stands in the signer's configuration, which alone judges it.
type witnessConfig struct {
	Name string `toml:"name"` // as it signs, the first part of its key line
	URL  string `toml:"url"`  // of its tlog-witness interface
	CA   string `toml:"ca"`   // PEM; when given, the only certificates that its server is believed by
}

type tlsConfig struct {
	Certificate string `toml:"certificate"` // PEM, leaf first
	Key         string `toml:"key"`         // PEM, readable by nobody else
	ClientCA    string `toml:"client_ca"`   // PEM; when given, clients without a certificate of it are turned away
}

type limitsConfig struct {
	Connections  int      `toml:"connections"`            // at once
	PerCaller    int      `toml:"connections_per_caller"` // of one of them
	Rate         int      `toml:"rate"`                   // requests a second and caller
	Burst        int      `toml:"burst"`                  // requests at once and caller
	Body         int64    `toml:"body"`                   // bytes
	ProposalBody int64    `toml:"proposal_body"`          // bytes
	LargeBodies  int      `toml:"large_bodies"`           // bodies above body being read at once
	Streams      int      `toml:"streams"`                // exports and event streams at once; of one party, a quarter
	Wait         duration `toml:"wait"`                   // longest ?wait=
	Call         duration `toml:"call"`                   // longest call to the signer
}

type metricsConfig struct {
	Observers []prefix `toml:"observers"` // networks that may read /metrics where everything is served
	Listen    string   `toml:"listen"`    // address of this machine that serves /metrics alone, without TLS; "" for none
}

type logConfig struct {
	Level  slog.Level `toml:"level"`  // debug, info, warn, error
	Format string     `toml:"format"` // json, text
}

// duration is a time like "30s".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration like \"30s\"", text)
	}
	*d = duration(parsed)
	return nil
}

// prefix is a network like "10.0.0.0/8".
type prefix netip.Prefix

func (p *prefix) UnmarshalText(text []byte) error {
	parsed, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a network like \"10.0.0.0/8\"", text)
	}
	*p = prefix(parsed.Masked())
	return nil
}

// maxConfig bounds the configuration file, in bytes.
const maxConfig = 64 << 10

// loadConfig reads and checks a configuration file.
func loadConfig(path string) (*config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err) // the caller names the file
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return nil, fmt.Errorf("more than %d bytes", maxConfig)
	}
	return parseConfig(string(text), filepath.Dir(path))
}

// parseConfig reads a configuration whose paths are relative to dir.
func parseConfig(text, dir string) (*config, error) {
	limits := api.DefaultLimits()
	cfg := &config{
		Limits: limitsConfig{
			Connections: 1024, PerCaller: 256, Rate: limits.Rate, Burst: limits.Burst,
			Body: limits.Body, ProposalBody: limits.ProposalBody, LargeBodies: limits.LargeBodies,
			Streams: limits.Streams, Wait: duration(limits.Wait), Call: duration(limits.Call),
		},
		Log: logConfig{Format: "json"},
	}
	meta, err := toml.Decode(text, cfg)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: no such key", unknown[0])
	}
	// TOML keys are matched without regard to case; a file that is read by people should say it one way.
	for _, key := range meta.Keys() {
		if name := key.String(); name != strings.ToLower(name) {
			return nil, fmt.Errorf("%s: keys are written in lower case", name)
		}
	}
	return cfg, cfg.check(dir)
}

// check refuses what could not work, naming the key, and makes the paths absolute.
func (c *config) check(dir string) error {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		return fmt.Errorf("listen: %q is not an address and a port like \"0.0.0.0:8443\"", c.Listen)
	}
	for _, p := range []struct {
		key      string
		path     *string
		required bool
	}{
		{"signer", &c.Signer, true}, {"tls.certificate", &c.TLS.Certificate, true},
		{"tls.key", &c.TLS.Key, true}, {"tls.client_ca", &c.TLS.ClientCA, false},
	} {
		if *p.path == "" && p.required {
			return fmt.Errorf("%s: is missing, want a path", p.key)
		}
		if *p.path != "" && !filepath.IsAbs(*p.path) {
			*p.path = filepath.Join(dir, *p.path)
		}
	}
	if c.Limits.Connections < 1 || c.Limits.Connections > 1<<16 {
		return fmt.Errorf("limits.connections: is %d, it must be from 1 to %d", c.Limits.Connections, 1<<16)
	}
	if c.Limits.PerCaller < 1 || c.Limits.PerCaller > c.Limits.Connections {
		return fmt.Errorf("limits.connections_per_caller: is %d, it must be from 1 to limits.connections, %d", c.Limits.PerCaller, c.Limits.Connections)
	}
	if c.Metrics.Listen != "" {
		if at, err := netip.ParseAddrPort(c.Metrics.Listen); err != nil || !at.Addr().IsLoopback() {
			return fmt.Errorf("metrics.listen: %q is not an address of this machine alone, with a port, like \"127.0.0.1:9464\"", c.Metrics.Listen)
		}
	}
	if err := c.api().Limits.Check(); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	for i := range c.Witnesses {
		w := &c.Witnesses[i]
		u, err := url.Parse(w.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("witness[%d].url: %q is not an address like \"https://witness.example/kura\"", i, w.URL)
		}
		if w.Name == "" {
			return fmt.Errorf("witness[%d].name: is missing, want the name as it stands in the witness's key line", i)
		}
		for _, other := range c.Witnesses[:i] {
			if other.Name == w.Name {
				return fmt.Errorf("witness[%d].name: %q stands there twice", i, w.Name)
			}
		}
		if w.CA != "" && !filepath.IsAbs(w.CA) {
			w.CA = filepath.Join(dir, w.CA)
		}
	}
	if c.Log.Format != "json" && c.Log.Format != "text" {
		return fmt.Errorf("log.format: is %q, it must be \"json\" or \"text\"", c.Log.Format)
	}
	return nil
}

// api is the part that the gateway takes.
func (c *config) api() api.Config {
	out := api.Config{Limits: api.Limits{
		Body: c.Limits.Body, ProposalBody: c.Limits.ProposalBody, LargeBodies: c.Limits.LargeBodies,
		Rate: c.Limits.Rate, Burst: c.Limits.Burst, Streams: c.Limits.Streams,
		Wait: time.Duration(c.Limits.Wait), Call: time.Duration(c.Limits.Call),
	}}
	for _, p := range c.Metrics.Observers {
		out.Observers = append(out.Observers, netip.Prefix(p))
	}
	return out
}

// handler writes the log to w.
func (c logConfig) handler(w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "text" {
		return slog.NewTextHandler(w, options)
	}
	return slog.NewJSONHandler(w, options)
}
