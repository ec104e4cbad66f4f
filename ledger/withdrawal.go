package ledger

import (
	"errors"

	"github.com/go-json-experiment/json"

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
	CodePredecessorAlive = "predecessor_alive"      // what the journal before this one authorised may still be paid
	CodeExpired          = string(statement.CodeExpired)
	CodePendingExceeded  = "too_many_pending" // not journalled: as many requests wait as the budget allows
)

// Settles tells whether a denied withdrawal's code is one that no policy decides: under any other one it would
// have been denied, too.
func Settles(code string) bool {
	switch code {
	case CodeNotAClient, CodeWalletNotReady, CodeReplacesUnknown, CodeReplacesPayable, CodeReplacesReplaced,
		CodePredecessorAlive, CodeTailAlive, CodeSelfCheck:
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
	if until := j.s.OpensAt(); j.now.Time < until {
		d := policy.Decision{Outcome: policy.Deny, Code: j.s.WaitsFor(), Waits: []policy.Wait{{Kind: policy.WaitTime, Until: until}}}
		return j.outcome(res, w, d, StateDenied, nil), nil
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
	if _, named := s.policy.Wallet(id); !named {
		return ""
	}
	if w := s.wallets[string(id)]; !s.hasKey(id) || w.State != WalletActive {
		return CodeWalletNotReady
	}
	return ""
}

// hasKey tells whether a wallet of the policy had a ceremony with the policy's public key, whatever became of
// the key since.
func (s *State) hasKey(id policy.WalletID) bool {
	account, named := s.policy.Account(id)
	w := s.wallets[string(id)]
	return named && w != nil && w.PublicKey == account.Key.String() && w.Network == account.Network.String()
}

// replaces judges the rule for a request that stands in for an earlier one (I3): the earlier one must be
// the same client's, must have no stand-in that lives, and must be beyond being paid by every clock there
// is. An id that was never seen may still arrive, so it cannot be replaced before it is too old. What is
// forgotten has one stand-in at a time as well: those that live are remembered by what they stand in for.
func (j *judgement) replaces(id statement.ID, actor policy.Actor) string {
	if j.s.memory.heirs[original{actor, id}] != nil {
		return CodeReplacesReplaced
	}
	old, ok := j.s.memory.ids[id].(*Request)
	if !ok {
		switch {
		case j.s.memory.ids[id] != nil:
			return CodeReplacesUnknown
		case j.lostMayBePaid(id):
			return CodeReplacesPayable
		case id.Born() <= j.s.memory.floor[statement.TypeWithdrawal] || j.s.bornBeforeGap(id, statement.TypeWithdrawal):
			return ""
		}
		return CodeReplacesUnknown
	}
	if old.By != actor {
		return CodeReplacesUnknown
	}
	if old.dead() {
		return ""
	}
	if old.State == StateStranded && old.Transaction == nil {
		if j.lostMayBePaid(id) {
			return CodeReplacesPayable
		}
		return "" // the gap that ended it has been waited out
	}
	if old.Transaction == nil || min(j.now.Clock, j.now.Time) <= old.payableUntil() {
		return CodeReplacesPayable
	}
	return ""
}

// lostMayBePaid tells whether entries that were lost may have authorised a withdrawal that can still be paid, by either
// clock. It asks for no more than that there is a gap, and counts from the id's birth: what the directors say of the
// lost clock may be wrong, but whatever that clock was, it authorised nothing that was too old by it.
func (j *judgement) lostMayBePaid(id statement.ID) bool {
	until := id.Born() + int64(policy.MaxWithdrawalLife) + j.s.longestTransaction()
	return len(j.s.gaps) > 0 && min(j.now.Clock, j.now.Time) <= until
}

// decide asks the policy and writes what follows. held is the request's record if it was held before.
// quietly leaves out a decision that goes on holding it.
func (j *judgement) decide(res Result, request policy.Request, held *Request, quietly bool) (Result, error) {
	var verdicts []policy.Verdict
	if held != nil {
		verdicts = held.Verdicts
	}
	d := policy.Decide(j.input(request, verdicts))
	state := endState(d, held != nil)
	var t *TransactionRecord
	var broken *unfitError
	switch d.Outcome {
	case policy.Sign:
		if j.inDoubt {
			return res, nil // a tick's: it goes on being held
		}
		var err error
		t, err = j.authorize(request.Withdrawal, nem.Amount(d.Fee))
		state = StateAuthorized
		if errors.As(err, &broken) {
			state, d = StateDenied, policy.Decision{Outcome: policy.Deny, Code: CodeSelfCheck}
		} else if err != nil {
			return res, err
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
	default: // it is denied
	}
	res = j.outcome(res, request.Withdrawal, d, state, t)
	if broken != nil {
		j.alarm(CodeSelfCheck, &request.Hash, Fact{"why", broken.why})
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

// outcome writes what became of a request, and why.
func (j *judgement) outcome(res Result, w *statement.Withdrawal, d policy.Decision, state string, t *TransactionRecord) Result {
	reasons, err := json.Marshal(&d, json.Deterministic(true))
	if err != nil && j.err == nil {
		j.err = err
	}
	res.State, res.Code = state, d.Code
	res.Seq = j.write(&Outcome{
		About: res.About, ID: res.ID, Type: statement.Type(res.Type), State: state, Code: d.Code,
		Policy: j.s.policy.Hash(), Wallet: w.Wallet, Transaction: t, Waits: d.Waits,
	})
	j.write(&Reasons{About: res.About, Outcome: res.Seq, Decision: reasons})
	return res
}
