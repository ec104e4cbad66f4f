package api

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// metrics counts what the gateway did. The few series do not earn a client library: they are written in
// the Prometheus text format here. Labels come from the route table and the problem table only, never
// from what was sent, so their number is bounded. Safe for concurrent use.
type metrics struct {
	mu       sync.Mutex
	requests map[requestLabels]*requestSeries
	problems map[string]uint64
	inFlight int64
}

type requestLabels struct {
	Method, Route string
	Status        int
}

type requestSeries struct {
	count   uint64
	sum     time.Duration
	buckets [len(bucketBounds)]uint64
}

// bucketBounds are the upper bounds of the duration histogram, as they are printed (seconds).
var bucketBounds = [...]struct {
	bound time.Duration
	label string
}{
	{time.Millisecond, "0.001"}, {2500 * time.Microsecond, "0.0025"}, {5 * time.Millisecond, "0.005"},
	{10 * time.Millisecond, "0.01"}, {25 * time.Millisecond, "0.025"}, {50 * time.Millisecond, "0.05"},
	{100 * time.Millisecond, "0.1"}, {250 * time.Millisecond, "0.25"}, {time.Second, "1"},
	{5 * time.Second, "5"}, {30 * time.Second, "30"},
}

func newMetrics() *metrics {
	return &metrics{requests: map[requestLabels]*requestSeries{}, problems: map[string]uint64{}}
}

func (m *metrics) begin() {
	m.mu.Lock()
	m.inFlight++
	m.mu.Unlock()
}

func (m *metrics) end(labels requestLabels, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight--
	s := m.requests[labels]
	if s == nil {
		s = &requestSeries{}
		m.requests[labels] = s
	}
	s.count++
	s.sum += took
	for i, b := range bucketBounds {
		if took <= b.bound {
			s.buckets[i]++
		}
	}
}

func (m *metrics) problem(code string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.problems[code]++
}

// write prints the gateway's own series, in a stable order.
func (m *metrics) write(w *strings.Builder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	labels := make([]requestLabels, 0, len(m.requests))
	for l := range m.requests {
		labels = append(labels, l)
	}
	slices.SortFunc(labels, func(a, b requestLabels) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Status, b.Status))
	})
	const duration = "kura_gateway_request_duration_seconds"
	fmt.Fprintf(w, "# HELP %s Time to answer a request, by route and status.\n# TYPE %s histogram\n", duration, duration)
	for _, l := range labels {
		s := m.requests[l]
		name := fmt.Sprintf("method=%q,route=%q,status=\"%d\"", l.Method, l.Route, l.Status)
		for i, b := range bucketBounds {
			fmt.Fprintf(w, "%s_bucket{%s,le=%q} %d\n", duration, name, b.label, s.buckets[i])
		}
		fmt.Fprintf(w, "%s_bucket{%s,le=\"+Inf\"} %d\n", duration, name, s.count)
		fmt.Fprintf(w, "%s_sum{%s} %s\n", duration, name, seconds(s.sum))
		fmt.Fprintf(w, "%s_count{%s} %d\n", duration, name, s.count)
	}
	const problems = "kura_gateway_problems_total"
	fmt.Fprintf(w, "# HELP %s Problems answered, by code.\n# TYPE %s counter\n", problems, problems)
	for _, code := range slices.Sorted(maps.Keys(m.problems)) {
		fmt.Fprintf(w, "%s{code=%q} %d\n", problems, code, m.problems[code])
	}
	writeGauge(w, "kura_gateway_in_flight", "Requests being answered now.", strconv.FormatInt(m.inFlight, 10))
}

func writeGauge(w *strings.Builder, name, help, value string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n%s %s\n", name, help, name, name, value)
}

// seconds prints a duration as decimal seconds.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d.%09d", d/time.Second, d%time.Second)
}
