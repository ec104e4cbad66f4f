package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

// An ask is one request of the intruder's.
type ask struct {
	at       int64 // unix milliseconds
	announce int64 // when its transaction is handed to a node: not before at
	wallet   policy.WalletID
	asset    policy.AssetRef
	amount   policy.Units
	to       nem.Address
	listed   bool // to stands in an address book; otherwise it is the intruder's own
	message  statement.MessageKind
	customer string // what the intruder writes there, and as message if there is one: new each time
}

// An answer is an ask and what became of it.
type answer struct {
	ask
	state string        // as the signer answers; stateRefused for what it did not even journal
	code  string        // of the decision
	moved []nem.Outflow // what the signed transaction takes, if there is one
}

const stateRefused = "refused"

// uncounted are the codes of refusals that leave no entry. Any other problem is the signer's, and ends the run.
var uncounted = []string{ledger.CodeOverBudget, ledger.CodePendingExceeded, ledger.CodeNotActive}

// requestLife is how long the intruder's requests may wait for anybody.
const requestLife = 12 * hour

// withdrawal writes an ask as a statement, for a journal and an id.
func (a *ask) withdrawal(p *policy.Policy, journal statement.Hash, id statement.ID) (*statement.Withdrawal, error) {
	account, ok := p.Account(a.wallet)
	asset, registered := p.AssetRef(a.asset)
	if !ok || !registered {
		return nil, fmt.Errorf("the policy has no wallet %s or no asset %s", a.wallet, a.asset)
	}
	w, _ := p.Wallet(a.wallet)
	out := &statement.Withdrawal{
		Journal: journal, ID: id, Expires: a.at + min(requestLife, int64(p.Document().WithdrawalLife)),
		Wallet: string(a.wallet), WalletAddress: account.Address.String(), Destination: a.to.String(),
		Assets:  []statement.AssetAmount{{Asset: asset.Asset, Amount: nem.Amount(a.amount)}},
		Message: statement.Message{Kind: a.message}, MaxFee: nem.Amount(w.MaxFee),
		Reference: "withdrawal", Customer: a.customer,
	}
	if a.message == statement.MessageText {
		out.Message.Value = a.customer
	}
	return out, nil
}

// withdraw signs an ask with the client's key, puts it to the signer at the clock's time, and reads from the signed
// transaction what it would take.
func (d *deployment) withdraw(ctx context.Context, client policy.ClientID, a ask) (answer, error) {
	w, err := a.withdrawal(d.policy, statement.Hash(d.genesis.Hash), d.newID())
	if err != nil {
		return answer{}, err
	}
	e, err := statement.Sign(d.cast.keys[policy.Actor{Kind: policy.ClientActor, ID: string(client)}], rand.Reader, w)
	if err != nil {
		return answer{}, err
	}
	got, err := d.signer.Submit(ctx, e.Encode(), minute)
	if problem, ok := errors.AsType[*rpc.Problem](err); ok && slices.Contains(uncounted, problem.Code) {
		return answer{ask: a, state: stateRefused, code: problem.Code}, nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("a withdrawal of %s: %w", a.amount, err)
	}
	out := answer{ask: a, state: got.State}
	if got.Decision != nil {
		out.code = got.Decision.Code
	}
	switch {
	case got.Transaction != nil:
		d.handedOut.Add(1)
		out.moved, err = d.takes(a, got.Transaction)
	case got.State == rpc.StateAuthorized:
		err = errors.New("authorised, and the token did not sign it in time")
	}
	return out, err
}

// takes verifies a signed transaction by the rules of its chain and says what leaves the wallet when it is announced.
// One whose deadline is over by then takes nothing.
func (d *deployment) takes(a ask, t *rpc.Transaction) ([]nem.Outflow, error) {
	account, _ := d.policy.Account(a.wallet)
	body := []byte(t.Announce.Body)
	if v := nem.VerifyLine(account.Network, body); !v.Valid {
		return nil, fmt.Errorf("the signed transaction does not verify: %s", v.Reason)
	}
	var signed struct {
		Data    string `json:"data"`
		Payload string `json:"payload"`
	}
	if err := json.Unmarshal(body, &signed); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(signed.Data + signed.Payload)
	if err != nil {
		return nil, err
	}
	tx, err := nem.Decode(account.Network, raw)
	if err != nil {
		return nil, err
	}
	effect := nem.Effects(tx, d.policy.Assets(account.Network))
	if effect.Control {
		return nil, fmt.Errorf("a transaction was signed that is no transfer: %s", effect.Why)
	}
	if nem.UnixMillis(account.Network, tx.Deadline()) < a.announce {
		return nil, nil
	}
	for _, o := range effect.Outflows {
		if o.Payer != account.Key {
			return nil, fmt.Errorf("a transaction was signed that takes %s from another account", o.Asset)
		}
	}
	return effect.Outflows, nil
}

// shortWords fit beside an amount; what is missing here has package policy's sentence.
var shortWords = map[string]string{
	policy.CodeDestinationUnlisted: "no rule pays it",
	policy.CodeNoRule:              "no rule pays it",
	policy.CodeDeniedByRule:        "a rule forbids it",
	policy.CodeLimit:               "over a limit",
	policy.CodeLimitNever:          "over a limit",
	policy.CodeClientStopped:       "client is suspended",
	policy.CodeFrozen:              "wallet is frozen",
	ledger.CodeOverBudget:          "too many requests",
	ledger.CodePendingExceeded:     "too many are waiting",
	ledger.CodeNotActive:           "client's last day is over",
}

// words says what became of an ask, for a treasurer.
func (a *answer) words() string {
	switch a.state {
	case rpc.StateSigned:
		return "SIGNED"
	case rpc.StateHeld:
		return "held for people; none approved"
	}
	words, ok := shortWords[a.code]
	if !ok {
		words = policy.Words(a.code)
	}
	return "refused: " + words
}
