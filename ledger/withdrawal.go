package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// Codes of denied withdrawals that are decided here; all others are package policy's.
const (
	CodeNotAClient       = "not_a_client"           // only a client asks for withdrawals
	CodeWalletNotReady   = "wallet_not_ready"       // no key of that wallet with the policy's public key is active
	CodeReplacesUnknown  = "replaces_unknown"       // the id that it replaces is not one of this client's
	CodeReplacesPayable  = "replaces_still_payable" // the one that it replaces may still be paid
	CodeReplacesReplaced = "replaces_replaced"      // another request stands in for that one already
	CodeExpired          = string(statement.CodeExpired)
	CodePendingExceeded  = "too_many_pending" // not journalled: as many requests wait as the budget allows
)

// settleMargin is how long after its deadline a transaction may still turn up on the chain, in
// milliseconds, so that nothing may stand in for it before.
func settleMargin(n nem.Network) int64 {
	return 6*60*60*1000 + 30*60*1000
}

// payableUntil returns until when an authorised request may still be paid, in unix milliseconds.
func (r *Request) payableUntil() int64 {
	return r.Transaction.Deadline + settleMargin(r.Transaction.Network)
}

// dead tells that a request ended without an authorisation.
func (r *Request) dead() bool {
	switch r.State {
	case StateDenied, StateRejected, StateCancelled, StateLapsed:
		return true
	}
	return false
}

// withdrawal judges a new request for payment.
func (j *judgement) withdrawal(in statement.Signed, w *statement.Withdrawal, actor policy.Actor, code string, res Result) (Result, error) {
	if code == "" {
		code = j.precheck(w, actor)
	}
	if code != "" {
		return j.outcome(res, w, policy.Decision{Outcome: policy.Deny, Code: code}, StateDenied, nil), nil
	}
	request := policy.Request{
		Hash: in.Hash, Client: policy.ClientID(actor.ID), Key: in.Key, Withdrawal: w, Since: j.now.Time,
	}
	return j.decide(res, request, nil, false)
}

// precheck holds a request to what no rule can allow.
func (j *judgement) precheck(w *statement.Withdrawal, actor policy.Actor) string {
	if actor.Kind != policy.ClientActor {
		return CodeNotAClient
	}
	if code := j.s.walletReady(policy.WalletID(w.Wallet)); code != "" {
		return code
	}
	if w.Replaces.IsZero() {
		return ""
	}
	return j.replaces(w.Replaces, actor)
}

// walletReady tells why a wallet that the policy names has no key to sign with; what the policy does not
// name is for Decide to refuse.
func (s *State) walletReady(id policy.WalletID) string {
	network, key, _, _, named := s.policy.WalletAccount(id)
	if !named {
		return ""
	}
	w := s.wallets[string(id)]
	if w == nil || w.State != WalletActive || w.PublicKey != key.String() || w.Network != network.String() {
		return CodeWalletNotReady
	}
	return ""
}

// replaces judges the rule for a request that stands in for an earlier one (I3): the earlier one must be
// the same client's, must have no stand-in that lives, and must be beyond being paid by every clock there
// is. An id that was never seen may still arrive, so it cannot be replaced before it is too old.
func (j *judgement) replaces(id statement.ID, actor policy.Actor) string {
	old, ok := j.s.memory.ids[id].(*Request)
	if !ok {
		if j.s.memory.ids[id] == nil && id.Born() <= j.s.memory.floor[statement.TypeWithdrawal] {
			return ""
		}
		return CodeReplacesUnknown
	}
	if old.By != actor {
		return CodeReplacesUnknown
	}
	if heir, ok := j.s.memory.ids[old.ReplacedBy].(*Request); ok && !heir.dead() {
		return CodeReplacesReplaced
	}
	if old.dead() {
		return ""
	}
	if old.Transaction == nil || min(j.now.Clock, j.now.Time) <= old.payableUntil() {
		return CodeReplacesPayable
	}
	return ""
}

// decide asks the policy and writes what follows. held is the request's record if it was held before.
// quietly leaves out a decision that goes on holding it.
func (j *judgement) decide(res Result, request policy.Request, held *Request, quietly bool) (Result, error) {
	var verdicts []policy.Verdict
	if held != nil {
		verdicts = held.Verdicts
	}
	d := policy.Decide(j.input(request, verdicts))
	state, why := endState(d, held != nil), ""
	var t *TransactionRecord
	switch d.Outcome {
	case policy.Sign:
		var err error
		if t, why, err = j.authorize(request.Withdrawal, nem.Amount(d.Fee)); err != nil {
			return res, err
		}
		state = StateAuthorized
		if why != "" {
			state, d = StateDenied, policy.Decision{Outcome: policy.Deny, Code: CodeSelfCheck}
		}
	case policy.Hold:
		if quietly {
			return res, nil
		}
		if held == nil && j.s.fullOfPending(request.Client) {
			j.drafts = nil
			return res.refused(CodePendingExceeded), nil
		}
		state = StateHeld
	}
	res = j.outcome(res, request.Withdrawal, d, state, t)
	if why != "" {
		j.alarm(CodeSelfCheck, &request.Hash, Fact{"why", why})
	}
	j.tripwires(request, d)
	return res, nil
}

// input is everything that a decision about a request depends on.
func (j *judgement) input(request policy.Request, verdicts []policy.Verdict) policy.Input {
	return policy.Input{
		Policy: j.s.policy, Overlay: j.s.overlay, Book: j.s.book, Usage: j.s.usage,
		Request: request, Verdicts: verdicts, Now: j.now,
	}
}

// request is a held request as the policy judges it.
func (r *Request) request() policy.Request {
	return policy.Request{Hash: r.Hash, Client: clientOf(r), Key: r.Key, Withdrawal: r.Withdrawal, Since: r.Since}
}

// endState names the end of a request that is not signed: what was held ends in the word for how.
func endState(d policy.Decision, held bool) string {
	switch {
	case held && d.Code == policy.CodeRejected:
		return StateRejected
	case held && (d.Code == policy.CodeExpired || d.Code == policy.CodeApprovalExpired):
		return StateLapsed
	}
	return StateDenied
}

// outcome writes what became of a request, its reasons, and what its tripwires do.
func (j *judgement) outcome(res Result, w *statement.Withdrawal, d policy.Decision, state string, t *TransactionRecord) Result {
	reasons, err := json.Marshal(&d, json.Deterministic(true))
	if err != nil && j.err == nil {
		j.err = err
	}
	res.State, res.Code = state, d.Code
	res.Seq = j.write(&Outcome{
		About: res.About, ID: res.ID, Type: statement.Type(res.Type), State: state, Code: d.Code,
		Policy: j.s.policy.Hash(), Wallet: w.Wallet, Transaction: t,
		Waits: d.Waits,
	})
	j.write(&Reasons{About: res.About, Outcome: res.Seq, Decision: reasons})
	return res
}

// applyOutcome takes what became of a statement.
func (s *State) applyOutcome(e journal.Entry, b *Outcome) error {
	if f := s.freezes[b.About]; f != nil {
		return s.applyStopped(f, e, b)
	}
	r := s.memory.hashes[b.About]
	if r == nil {
		return fmt.Errorf("nothing is known of the statement %s", b.About)
	}
	if p, ok := r.(*Proposal); ok && p.Evacuation != nil {
		r = p.Evacuation
	}
	rec := r.record()
	if rec.ID.String() != b.ID || rec.Type != b.Type {
		return fmt.Errorf("id or type is not the statement's")
	}
	if !mayBecome(rec.Type, rec.State, b.State) {
		return fmt.Errorf("a %s that is %q cannot become %q", rec.Type, rec.State, b.State)
	}
	before := rec.State
	rec.State, rec.Code, rec.Policy, rec.OutcomeSeq = s.shared(b.State), s.shared(b.Code), b.Policy, e.Seq
	switch r := r.(type) {
	case *Request:
		return s.applyRequest(r, before, e, b)
	case *Proposal:
		return s.applyProposal(r, e, b)
	case *Freeze:
		return s.applyFreeze(r)
	case *verdict:
		return s.applyVerdict(r, e, b)
	}
	return nil
}

// applyRequest moves a request along.
func (s *State) applyRequest(r *Request, before string, e journal.Entry, b *Outcome) error {
	if before == "" {
		s.markReplaced(r)
	}
	if before != StateHeld && b.State == StateHeld {
		s.held = append(s.held, r)
		s.client(policy.ClientID(r.By.ID)).pending++
	}
	if before == StateHeld && b.State != StateHeld {
		s.held = slices.DeleteFunc(s.held, func(x *Request) bool { return x == r })
		s.client(policy.ClientID(r.By.ID)).pending--
	}
	delete(s.unsigned, r.Hash)
	switch b.State {
	case StateHeld:
		r.Waits, r.ready = b.Waits, false
		r.wakeAt = wakeTime(b.Waits)
		return nil
	case StateAuthorized:
		t, err := b.Transaction.parse()
		if err != nil {
			return err
		}
		r.Transaction = t
		s.unsigned[r.Hash] = r
		s.recent.add(r)
		s.pending = r
		return nil
	}
	if b.State == StateDenied {
		s.noteRefusal(r, e)
	}
	r.close()
	return nil
}

// close drops what only a held request needs.
func (r *Request) close() {
	r.Key, r.Withdrawal, r.Waits, r.Verdicts, r.ready = "", nil, nil, nil, false
}

func (s *State) markReplaced(r *Request) {
	if old, ok := s.memory.ids[r.Withdrawal.Replaces].(*Request); ok && old.By == r.By && r.State != StateDenied {
		old.ReplacedBy = r.ID
	}
}

// wakeTime is the earliest policy time at which something other than a person can let a request go on.
func wakeTime(waits []policy.Wait) int64 {
	at := int64(math.MaxInt64)
	for _, w := range waits {
		if w.Until > 0 {
			at = min(at, w.Until)
		}
	}
	return at
}

func (t *TransactionRecord) parse() (*Transaction, error) {
	if t == nil {
		return nil, fmt.Errorf("an authorisation without a transaction")
	}
	network, err := nem.ParseNetwork(t.Network)
	if err != nil {
		return nil, err
	}
	unsigned, err := hex.DecodeString(t.Unsigned)
	if err != nil {
		return nil, fmt.Errorf("unsigned: %w", err)
	}
	return &Transaction{Network: network, Unsigned: unsigned, Fee: t.Fee, Deadline: t.Deadline}, nil
}

// applyReasons counts an authorisation in the limits; the reasons of anything else change nothing.
func (s *State) applyReasons(e journal.Entry, b *Reasons) error {
	known := s.memory.hashes[b.About]
	if known == nil || known.record().OutcomeSeq != b.Outcome {
		return fmt.Errorf("reasons for an outcome that is not the newest of statement %s", b.About)
	}
	r, ok := known.(*Request)
	if !ok {
		return nil
	}
	r.ReasonsSeq = e.Seq
	if s.pending == nil {
		return nil
	}
	if s.pending != r {
		return fmt.Errorf("reasons for another request than the one authorised before them")
	}
	s.pending = nil
	var d policy.Decision
	if err := json.Unmarshal(b.Decision, &d, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("decision: %w", err)
	}
	w := r.Withdrawal
	r.close()
	return s.countUsage(r, w, d, b.Decision, e)
}

// countUsage takes an authorisation into the limits.
func (s *State) countUsage(r *Request, w *statement.Withdrawal, d policy.Decision, decision []byte, e journal.Entry) error {
	event, err := d.Event(s.policy, w, clientOf(r), e.Time)
	if err != nil {
		return err
	}
	s.spent = sha256.Sum256(append(s.spent[:], decision...))
	return s.usage.Add(event)
}

// assetID is the chain's name of a registry entry.
func (s *State) assetID(network nem.Network, ref policy.AssetRef) (nem.AssetID, error) {
	asset, ok := s.policy.AssetRef(ref)
	if !ok {
		return nem.AssetID{}, fmt.Errorf("%q is not in the registry", ref)
	}
	return nem.ParseAssetID(network.Chain(), asset.Asset)
}
