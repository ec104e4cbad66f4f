package client

import (
	"regexp"
	"slices"
	"strings"

	"kura/signer/rpc"
	"kura/statement"
)

// What a gateway tells without proof ends on terminals and in logs. So it is held to its form as soon as it is
// read: what has one and does not keep it is dropped, and prose is quoted.

// Longest texts that are told, in characters; the rest is cut.
const (
	maxDetail = 1000
	maxField  = 100
)

var (
	codeForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	fieldForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.\[\]-]{0,99}$`)
)

var (
	states = []string{
		rpc.StateAuthorized, rpc.StateSigned, rpc.StateHeld, rpc.StateDenied, rpc.StateRejected, rpc.StateCancelled,
		rpc.StateLapsed, rpc.StateStranded, rpc.StateCounted, rpc.StateRefused, rpc.StateInForce, rpc.StateLifted,
		rpc.StateOpen, rpc.StateAdopted, rpc.StateActive, rpc.StateVetoed,
	}
	decisions = append([]string{"deny", "hold", "sign"}, states...)
	waitKinds = []string{"approval", "time", "limit", "unfreeze", "token"}
	onChain   = []string{"unseen", "unconfirmed", "confirmed", "final", "void"}
	retries   = []string{rpc.RetryNever, rpc.RetrySame, rpc.RetryNewStatement}
	effects   = []string{rpc.EffectNone, rpc.EffectUnknown}
)

// holdProblem holds a problem to its form; false if its code is none. What it does not say about trying again
// and about its effect is taken for the careful answer.
func holdProblem(p *rpc.Problem) bool {
	if !codeForm.MatchString(p.Code) {
		return false
	}
	if p.Field != "" && !fieldForm.MatchString(p.Field) {
		p.Field = statement.Quote(p.Field, maxField)
	}
	p.Detail = statement.Quote(p.Detail, maxDetail)
	if !slices.Contains(retries, p.Retry) {
		p.Retry = rpc.RetrySame
	}
	if !slices.Contains(effects, p.Effect) {
		p.Effect = rpc.EffectUnknown
	}
	return true
}

// holdAnswer holds what an answer tells besides its proof to its form. The caller has compared id, hash, seq
// and state with the proven entry, and the transaction with the authorised one.
func holdAnswer(a *rpc.Answer, said recorded) {
	// An entry names a type with its version, an answer without.
	a.Type, _, _ = strings.Cut(string(said.Type), "/")
	a.Decision = heldDecision(a.Decision)
	if a.Chain != nil && !slices.Contains(onChain, a.Chain.State) {
		a.Chain = nil
	}
	a.Alive = slices.DeleteFunc(slices.Clone(a.Alive), func(one rpc.Alive) bool {
		return (one.ID != "" && !keeps(one.ID, statement.ParseID)) || !keeps(one.StatementHash, statement.ParseHash) ||
			!keeps(one.Wallet, statement.ParseName) || !keeps(one.Until, statement.ParseTime)
	})
	var results []rpc.Answer
	for _, r := range a.Results {
		if (r.ID != "" && !keeps(r.ID, statement.ParseID)) || !keeps(r.StatementHash, statement.ParseHash) || !slices.Contains(states, r.State) {
			continue
		}
		// Nothing below it is proven, and nothing else of it is told.
		results = append(results, rpc.Answer{
			ID: r.ID, Type: a.Type, State: r.State, Seq: r.Seq, StatementHash: r.StatementHash, Decision: heldDecision(r.Decision),
		})
	}
	a.Results = results
}

func heldDecision(told *rpc.Decision) *rpc.Decision {
	if told == nil || !slices.Contains(decisions, told.Outcome) || (told.Code != "" && !codeForm.MatchString(told.Code)) {
		return nil
	}
	d := &rpc.Decision{Outcome: told.Outcome, Code: told.Code}
	if told.Detail != "" {
		d.Detail = statement.Quote(told.Detail, maxDetail)
	}
	for _, w := range told.Waits {
		if !slices.Contains(waitKinds, w.Kind) {
			continue
		}
		if !keeps(w.Group, statement.ParseName) {
			w.Group = ""
		}
		if !keeps(w.Until, statement.ParseTime) {
			w.Until = ""
		}
		w.Who = slices.DeleteFunc(slices.Clone(w.Who), func(who string) bool { return !keeps(who, statement.ParseName) })
		d.Waits = append(d.Waits, w)
	}
	return d
}

// keeps says whether a text has the form that parse reads.
func keeps[T any](text string, parse func(string) (T, error)) bool {
	_, err := parse(text)
	return err == nil
}
