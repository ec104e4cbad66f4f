package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"kura/signer/rpc"
)

// A Health is the answer of GET /healthz: that this process answers, and nothing about the signer.
type Health struct {
	Status string `json:"status"`
}

func healthz(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, Health{"ok"})
}

// readyz says whether withdrawals are being signed, and if not exactly why: 200 or 503, the same body.
// When the signer cannot be reached the gateway says so in the same shape, so that whoever watches reads
// one thing.
func readyz(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	ready, err := g.signer.Ready(ctx)
	if err != nil {
		ready = rpc.Ready{Reasons: []rpc.Reason{away(err)}}
	}
	status := http.StatusOK
	if !ready.Ready {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, ready)
}

// away is the reason when the signer did not answer.
func away(err error) rpc.Reason {
	if p, ok := problemIn(err); ok {
		return rpc.Reason{Code: p.Code, Detail: p.Detail, Stops: true}
	}
	return rpc.Reason{Code: rpc.CodeUnavailable, Detail: "the signer did not answer", Stops: true}
}

// measure is measured for observers.
func measure(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	if !g.observes(r.RemoteAddr) {
		return refuse(CodeNotObserver, "", "metrics are for the networks that the gateway's configuration names as observers")
	}
	return measured(g, w, r)
}

// Metrics answers GET /metrics to everybody, and nothing else: for a listener of its own, which only those reach who
// may read them.
func (g *Gateway) Metrics() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", g.serve(route{path: "/metrics", open: true, handle: measured}))
	return mux
}

// measured answers with the gateway's counters and the signer's, in the Prometheus text format.
func measured(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	var text strings.Builder
	g.metrics.write(&text)
	up := "1"
	samples, err := g.signer.Metrics(ctx)
	if err != nil {
		up = "0"
	}
	writeGauge(&text, "kura_gateway_signer_up", "Whether the signer answered this scrape.", up)
	writeSamples(&text, samples.Samples)
	return writeBytes(w, "text/plain; version=0.0.4; charset=utf-8", []byte(text.String()))
}

// observes reports whether an address is in one of the observers' networks.
func (g *Gateway) observes(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(g.cfg.Observers, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// writeSamples prints the signer's samples, all of one name together as the format asks.
func writeSamples(w *strings.Builder, samples []rpc.Sample) {
	byName := map[string][]rpc.Sample{}
	for _, s := range samples {
		byName[s.Name] = append(byName[s.Name], s)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		first := byName[name][0]
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, helpText.Replace(first.Help), name, first.Kind)
		for _, s := range byName[name] {
			w.WriteString(name)
			separator := "{"
			for _, label := range slices.Sorted(maps.Keys(s.Labels)) {
				fmt.Fprintf(w, "%s%s=\"%s\"", separator, label, labelText.Replace(s.Labels[label]))
				separator = ","
			}
			if separator == "," {
				w.WriteByte('}')
			}
			fmt.Fprintf(w, " %d\n", s.Value)
		}
	}
}

// The format's escapes, of help texts and of label values.
var (
	helpText  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// document answers with the OpenAPI document.
func document(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	return writeBytes(w, "application/json", g.document)
}
