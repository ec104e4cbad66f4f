package signer

import (
	"cmp"
	"slices"
	"sync"

	"kura/ledger"
	"kura/policy"
)

// refusalsEvery is how often, in milliseconds of CLOCK_BOOTTIME, what was refused without an entry of its own is
// journalled as a number.
const refusalsEvery = 60 * 1000

// refusals count what parties that the policy names had refused without an entry: a client over its budget must not
// fill the journal, but that it tried stands there.
type refusals struct {
	mu    sync.Mutex
	all   map[refusal]*tally
	since int64
}

type refusal struct {
	by   policy.Actor
	code string
}

type tally struct {
	from  int64 // clock of the first, unix milliseconds
	count uint64
}

func (r *refusals) add(by policy.Actor, code string, clock int64) {
	if by.Kind == policy.Nobody {
		return // counted in the metrics only: who can be anybody can be endless
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[refusal]*tally{}
	}
	t := r.all[refusal{by, code}]
	if t == nil {
		t = &tally{from: clock}
		r.all[refusal{by, code}] = t
	}
	t.count++
}

// due returns what is to be journalled now, once in refusalsEvery.
func (r *refusals) due(boot int64) []ledger.Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	if boot-r.since < refusalsEvery || len(r.all) == 0 {
		return nil
	}
	r.since = boot
	out := make([]ledger.Refused, 0, len(r.all))
	for key, t := range r.all {
		out = append(out, ledger.Refused{
			By: ledger.By{Kind: key.by.Kind.String(), ID: key.by.ID}, Code: key.code, From: t.from, Count: t.count,
		})
	}
	clear(r.all)
	slices.SortFunc(out, func(a, b ledger.Refused) int {
		return cmp.Or(cmp.Compare(a.By.Kind, b.By.Kind), cmp.Compare(a.By.ID, b.By.ID), cmp.Compare(a.Code, b.Code))
	})
	return out
}
