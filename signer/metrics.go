package signer

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"kura/ledger"
	"kura/signer/rpc"
)

// counters count what happened since the start. Labels come from closed sets: states, codes, kinds.
type counters struct {
	outcomes labelled // by type and state
	refused  labelled // by code: what left no trace of its own
	token    labelled // by code: failures
	entries  atomic.Int64
	groups   atomic.Int64
	alarms   atomic.Int64
}

func newCounters() *counters { return &counters{} }

func (c *counters) judged(res ledger.Result, entries int) {
	c.entries.Add(int64(entries))
	switch {
	case res.Refused:
		c.refused.add(res.Code)
	case entries > 0 && res.State != "":
		c.outcomes.add(res.State)
	}
}

func (c *counters) tokenFailed(code string) { c.token.add(code) }

// A labelled is a counter for each value of one label.
type labelled struct {
	mu  sync.Mutex
	all map[string]int64
}

func (l *labelled) add(label string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[string]int64{}
	}
	l.all[label]++
}

func (l *labelled) samples(name, help, label string) []rpc.Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []rpc.Sample
	for _, value := range slices.Sorted(maps.Keys(l.all)) {
		out = append(out, rpc.Sample{Name: name, Help: help, Kind: "counter", Labels: map[string]string{label: value}, Value: l.all[value]})
	}
	return out
}

// Metrics implements rpc.Gateway.
func (s *Signer) Metrics(context.Context) (rpc.Metrics, error) {
	s.mu.RLock()
	held, unjournalled := len(s.state.Pending()), len(s.signatures)
	s.mu.RUnlock()
	_, stops := s.conditions.stop()
	ready := int64(1)
	if stops {
		ready = 0
	}
	gauge := func(name, help string, value int64) rpc.Sample {
		return rpc.Sample{Name: name, Help: help, Kind: "gauge", Value: value}
	}
	counter := func(name, help string, value int64) rpc.Sample {
		return rpc.Sample{Name: name, Help: help, Kind: "counter", Value: value}
	}
	all := []rpc.Sample{
		gauge("kura_signer_ready", "1 while statements are judged and authorisations signed.", ready),
		gauge("kura_signer_journal_size", "Entries under the newest signed head.", int64(s.durable.Load())),
		gauge("kura_signer_held", "Withdrawals that wait.", int64(held)),
		gauge("kura_signer_signing_queue", "Authorisations that wait for a worker.", int64(s.work.len())),
		gauge("kura_signer_signatures_unjournalled", "Signatures made and not journalled yet.", int64(unjournalled)),
		counter("kura_signer_entries_total", "Entries written since the start.", s.counters.entries.Load()),
		counter("kura_signer_groups_total", "Groups written since the start.", s.counters.groups.Load()),
		counter("kura_signer_alarms_total", "Alarms raised since the start.", s.counters.alarms.Load()),
	}
	all = append(all, s.counters.outcomes.samples("kura_signer_outcomes_total", "Statements and requests by the state they came to.", "state")...)
	all = append(all, s.counters.refused.samples("kura_signer_refused_total", "Statements that left no trace of their own, by code.", "code")...)
	all = append(all, s.counters.token.samples("kura_signer_token_failures_total", "Calls of the token that failed, by code.", "code")...)
	for _, r := range s.conditions.list() {
		all = append(all, rpc.Sample{
			Name: "kura_signer_condition", Help: "What is wrong now, by code.", Kind: "gauge",
			Labels: map[string]string{"code": r.Code}, Value: 1,
		})
	}
	slices.SortStableFunc(all, func(a, b rpc.Sample) int { return cmp.Compare(a.Name, b.Name) })
	return rpc.Metrics{Samples: all}, nil
}
