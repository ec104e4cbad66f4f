package signer

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"

	"kura/signer/rpc"
)

// Codes of conditions: why nothing is signed, or what the operator must know. Codes of the token's errors come beside
// them, about a wallet.
const (
	conditionStarting  = "starting"            // what the last run left is not taken up yet
	conditionStopping  = "stopping"            // the process is about to end
	conditionHalted    = "halted"              // the state cannot be trusted any more; only a restart reads it anew
	conditionForked    = "journal_forked"      // somebody else wrote to the journal
	conditionRollback  = "journal_rolled_back" // the journal does not extend an anchor
	conditionTampered  = "journal_altered"     // rows do not lead to the signed head
	conditionDiverged  = "state_diverged"      // a fold of the journal is another state than the one that decides
	conditionUnchecked = "snapshot_unchecked"  // the state began from a snapshot that no fold from zero has confirmed yet
	conditionUnclear   = "journal_unclear"     // nobody knows whether the last group was written
	conditionJournal   = "journal_unavailable" // the journal takes nothing
	conditionAnchor    = "anchor_unavailable"  // an anchor could not be moved
	conditionToken     = "token_unavailable"   //nolint:gosec // the token does not answer: a code, no credential
	conditionClock     = "clock_behind"        // the clock is far behind the journal
	conditionTime      = "time_not_vouched"    // policy time stays behind the clock
	conditionNoWitness = "no_witness"          // a rollback of the whole host would go unnoticed
	conditionStandby   = "standby"             // another signer leads this journal
	conditionLeaseLost = "lease_lost"          // another signer may lead by now
	conditionWitnesses = "witnesses_missing"   // too few witnesses have cosigned what answers wait for
	conditionFrozen    = "frozen"              // a freeze of everything is in force
	conditionStray     = "stray_rows"          // the store holds rows that no signed head covers

	codeWrongSignature = "token_wrong_signature"
	codeTokenClosed    = "token_closed"
	codeSigningFailed  = "signing_failed" // the token's error has no code of its own
)

// walletConditions are those that a good signature of the wallet's key disproves.
var walletConditions = []string{codeWrongSignature, codeSigningFailed, "token_no_key", "token_key_unsafe", "token_wrong_key", "sealed_blob_invalid"}

// unwritableConditions are those under which no entry can be acknowledged: not even a freeze is taken, so that whoever
// sent it hears at once that it does not stand.
var unwritableConditions = []string{
	conditionStarting, conditionStopping, conditionStandby, conditionLeaseLost, conditionUnclear, conditionJournal, conditionAnchor,
}

// conditions are the things that are wrong now, by code and what they are about.
type conditions struct {
	log     *slog.Logger
	changed func(rpc.Reason) // told of each that begins to stop signing; may be nil

	mu       sync.Mutex
	all      map[conditionKey]rpc.Reason
	stopping int // how many of them stop signing
}

type conditionKey struct{ code, about string }

func newConditions(log *slog.Logger, changed func(rpc.Reason)) *conditions {
	return &conditions{log: log, changed: changed, all: map[conditionKey]rpc.Reason{}}
}

// set notes a condition. stops says that nothing is signed while it lasts.
func (c *conditions) set(code, about, detail string, stops bool) {
	reason := rpc.Reason{Code: code, Detail: detail, Stops: stops}
	c.mu.Lock()
	old, known := c.all[conditionKey{code, about}]
	c.all[conditionKey{code, about}] = reason
	c.recount()
	c.mu.Unlock()
	if known && old == reason {
		return
	}
	level := slog.LevelWarn
	switch {
	case code == conditionStarting || code == conditionStopping || code == conditionStandby:
		level = slog.LevelInfo
	case stops:
		level = slog.LevelError
	}
	c.log.Log(context.Background(), level, "condition", "code", code, "about", about, "detail", detail, "stops", stops)
	if stops && !known && c.changed != nil {
		c.changed(reason)
	}
}

// recount counts what stops signing, so that asking whether anything does is cheap. The caller holds mu.
func (c *conditions) recount() {
	c.stopping = 0
	for _, r := range c.all {
		if r.Stops {
			c.stopping++
		}
	}
}

// clear ends conditions with these codes about the same thing.
func (c *conditions) clear(about string, codes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, code := range codes {
		if _, ok := c.all[conditionKey{code, about}]; ok {
			delete(c.all, conditionKey{code, about})
			c.recount()
			c.log.Info("condition over", "code", code, "about", about)
		}
	}
}

// list returns what is wrong, what stops first.
func (c *conditions) list() []rpc.Reason {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]rpc.Reason, 0, len(c.all))
	for _, r := range c.all {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b rpc.Reason) int {
		if a.Stops != b.Stops {
			if a.Stops {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Detail, b.Detail))
	})
	return all
}

// stop returns the first condition that stops signing, if there is any.
func (c *conditions) stop() (rpc.Reason, bool) {
	return c.stopWhere(func(string) bool { return true })
}

// stopBy returns the first condition that stops signing and has one of these codes.
func (c *conditions) stopBy(codes ...string) (rpc.Reason, bool) {
	return c.stopWhere(func(code string) bool { return slices.Contains(codes, code) })
}

func (c *conditions) stopWhere(wanted func(code string) bool) (rpc.Reason, bool) {
	c.mu.Lock()
	stopping := c.stopping
	c.mu.Unlock()
	if stopping == 0 {
		return rpc.Reason{}, false
	}
	all := c.list() // it may have ended by now
	i := slices.IndexFunc(all, func(r rpc.Reason) bool { return r.Stops && wanted(r.Code) })
	if i < 0 {
		return rpc.Reason{}, false
	}
	return all[i], true
}

// about returns what there is a condition with one of these codes about.
func (c *conditions) about(codes ...string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for key := range c.all {
		if slices.Contains(codes, key.code) && !slices.Contains(all, key.about) {
			all = append(all, key.about)
		}
	}
	return all
}
