package signer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

// A standing is where a withdrawal stands, as far as it is durable: what an answer is made of.
type standing struct {
	record    ledger.Record
	state     string // as clients see it: authorized or signed by what may be shown, not by what is recorded
	waits     []policy.Wait
	network   nem.Network
	unsigned  []byte
	fee       nem.Amount
	deadline  int64
	signature nem.Signature // only with state signed
	withheld  string        // why its transaction is not handed out; "" if it is, once it is signed
}

// standing copies a withdrawal out of the state.
func (s *Signer) standing(about statement.Hash) (standing, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.state.RequestByStatement(about)
	if !ok {
		return standing{}, false
	}
	st := standing{record: r.Record, state: r.State, waits: r.Waits}
	if t := r.Transaction; t != nil {
		st.network, st.unsigned, st.fee, st.deadline = t.Network, t.Unsigned, t.Fee, t.Deadline
		early, made := s.signatures[about]
		switch {
		case made:
			st.state, st.signature = ledger.StateSigned, early
		case r.State == ledger.StateSigned && r.SignatureSeq < s.durable.Load():
			st.signature = t.Signature
		case r.State == ledger.StateSigned: // made by a token that never makes it again: not before it is durable
			st.state = ledger.StateAuthorized
		}
		switch err := s.halted(); {
		case st.state != ledger.StateAuthorized && st.state != ledger.StateSigned:
		case err != nil:
			st.withheld = "this signer has stopped and hands no transaction out: " + err.Error()
		case s.state.Withheld(r):
			st.withheld = "a stop covers it: the transaction is not handed out"
		}
	}
	return st, true
}

// answer says where the statement of a result stands now, with the receipt of its outcome.
func (s *Signer) answer(ctx context.Context, res ledger.Result) (rpc.Answer, error) {
	if st, ok := s.standing(res.About); ok {
		return s.answerWithdrawal(ctx, st)
	}
	return s.answerRecorded(ctx, res.Seq)
}

func (s *Signer) answerWithdrawal(ctx context.Context, st standing) (rpc.Answer, error) {
	receipt, err := s.receipt(ctx, st.record.OutcomeSeq)
	if err != nil {
		return rpc.Answer{}, err
	}
	a := rpc.Answer{
		ID: st.record.ID.String(), Type: typeName(st.record.Type), State: st.state, Seq: st.record.OutcomeSeq,
		StatementHash: st.record.Hash.String(), Receipt: receipt,
		Decision: decision(st.state, st.record.Code, st.waits),
	}
	if st.withheld != "" {
		a.Decision.Detail = st.withheld
	}
	if st.state != ledger.StateSigned {
		return a, nil
	}
	a.Chain = &rpc.Chain{State: "unseen"}
	if st.withheld != "" {
		return a, nil
	}
	a.Transaction, err = transaction(st)
	return a, err
}

func transaction(st standing) (*rpc.Transaction, error) {
	hash, err := nem.HashOf(st.network, st.unsigned, st.signature)
	if err != nil {
		return nil, fmt.Errorf("the transaction's hash: %w", err)
	}
	announce, err := nem.Announce(st.network, st.unsigned, st.signature)
	if err != nil {
		return nil, fmt.Errorf("the transaction's announcement: %w", err)
	}
	return &rpc.Transaction{
		Network: st.network.String(), Hash: hash.String(), Fee: st.fee.String(), Deadline: statement.FormatTime(st.deadline),
		Announce: rpc.Announce{Method: announce.Method, Path: announce.Path, Body: announce.Body},
	}, nil
}

// answerRecorded says what an outcome entry records, from its own bytes.
func (s *Signer) answerRecorded(ctx context.Context, seq uint64) (rpc.Answer, error) {
	receipt, err := s.receipt(ctx, seq)
	if err != nil {
		return rpc.Answer{}, err
	}
	e, err := journal.DecodeEntry(receipt.Entry)
	if err != nil {
		return rpc.Answer{}, err
	}
	body, err := ledger.DecodeBody(e.Kind, e.Body)
	if err != nil {
		return rpc.Answer{}, err
	}
	outcome, ok := body.(*ledger.Outcome)
	if !ok {
		return rpc.Answer{}, fmt.Errorf("entry %d is a %s, not an outcome", seq, e.Kind)
	}
	a := rpc.Answer{
		ID: outcome.ID, Type: typeName(outcome.Type), State: outcome.State, Seq: seq,
		StatementHash: outcome.About.String(), Receipt: receipt,
		Decision: decision(outcome.State, outcome.Code, outcome.Waits),
	}
	for _, r := range outcome.Results {
		a.Results = append(a.Results, rpc.Answer{
			Type: a.Type, State: r.State, StatementHash: r.About.String(), Seq: seq, Decision: decision(r.State, r.Code, nil),
		})
	}
	a.Alive = s.alive(outcome.Alive)
	return a, nil
}

// alive names the authorisations that a freeze came too late for.
func (s *Signer) alive(all []ledger.AliveTransaction) []rpc.Alive {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []rpc.Alive
	for _, t := range all {
		one := rpc.Alive{StatementHash: t.About.String(), Wallet: t.Wallet, Signed: t.Signed, Until: statement.FormatTime(t.Until)}
		if r, ok := s.state.RequestByStatement(t.About); ok {
			one.ID = r.ID.String()
		}
		out = append(out, one)
	}
	return out
}

// decision is the part of a decision that a client may know.
func decision(state, code string, waits []policy.Wait) *rpc.Decision {
	d := &rpc.Decision{Outcome: outcomeOf(state), Code: code, Detail: explain(state, code)}
	for _, w := range waits {
		one := rpc.Wait{Kind: string(w.Kind), Group: w.Group, Have: w.Have, Need: w.Need, Who: w.Who}
		if w.Until != 0 {
			one.Until = statement.FormatTime(w.Until)
		}
		d.Waits = append(d.Waits, one)
	}
	return d
}

func outcomeOf(state string) string {
	switch state {
	case ledger.StateAuthorized, ledger.StateSigned, ledger.StateStranded:
		return policy.Sign.String()
	case ledger.StateHeld:
		return policy.Hold.String()
	case ledger.StateDenied:
		return policy.Deny.String()
	}
	return state
}

// receipt proves an entry, once it is durable.
func (s *Signer) receipt(ctx context.Context, seq uint64) (*rpc.Receipt, error) {
	if err := s.untilDurable(ctx, seq); err != nil {
		return nil, err
	}
	r, err := s.prove(ctx, seq)
	if err != nil {
		return nil, err
	}
	if !s.leads() {
		return nil, s.deposed()
	}
	return newReceipt(r), nil
}

// readFailed judges an error of the store. Rows that do not lead to the signed root end signing at once.
func (s *Signer) readFailed(err error) error {
	if _, ok := errors.AsType[*journal.TamperError](err); ok {
		s.halt(conditionTampered, err.Error())
	}
	return s.problem(err)
}

func newReceipt(r journal.Receipt) *rpc.Receipt {
	return &rpc.Receipt{Entry: r.Entry, Index: r.Index, Proof: hashes(r.Proof), Checkpoint: r.Checkpoint, Handovers: handovers(r.Handovers)}
}

// handovers is a chain as it travels, nil if it is empty.
func handovers(c journal.Chain) (all []rpc.Handover) {
	for _, r := range c {
		all = append(all, rpc.Handover{Entry: r.Entry, Index: r.Index, Proof: hashes(r.Proof), Checkpoint: r.Checkpoint})
	}
	return all
}

func hashes(proof []journal.Hash) [][]byte {
	all := make([][]byte, len(proof))
	for i := range proof {
		all[i] = proof[i][:]
	}
	return all
}

// untilDurable waits until an entry that the state knows is durable.
func (s *Signer) untilDurable(ctx context.Context, seq uint64) error {
	for {
		grown := s.grown.wait()
		if seq < s.durable.Load() {
			return nil
		}
		if err := s.halted(); err != nil {
			return s.problem(unsettledError{err})
		}
		select {
		case <-grown:
		case <-s.down:
		case <-ctx.Done():
			return s.problem(unsettledError{ctx.Err()})
		}
	}
}

// typeName is a statement's type without its version.
func typeName(t statement.Type) string {
	name, _, _ := strings.Cut(string(t), "/")
	return name
}
