package client

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/signer/rpc"
	"kura/statement"
)

// An Outcome is what the journal provably says about one statement. State, Code, Results and Alive come
// from the proven entry; Answer is what the gateway told besides (prose, what a held one waits for), and is
// proven only as far as it says the same. Its transaction is proven whole: see recordedTransaction.
type Outcome struct {
	State   string // of rpc's State constants; signed when the authorised transaction came with its signature
	Code    string // stable reason, "" where the state says it all
	Results []Result
	Alive   []Alive
	Answer  rpc.Answer

	Entry journal.Entry // the outcome's, proven
	Head  journal.Head  // the signed head that the proof leads to
}

// A Result is what became of a verdict for one of the hashes it is about.
type Result struct {
	About statement.Hash `json:"about"`
	State string         `json:"state"` // counted or refused
	Code  string         `json:"code"`
}

// An Alive is an authorisation that a freeze came too late for.
type Alive struct {
	About  statement.Hash `json:"about"` // the withdrawal
	Wallet string         `json:"wallet"`
	Signed bool           `json:"signed"`
	Until  int64          `json:"until"` // unix milliseconds: until then it may reach the chain
}

// Final says whether nothing can come after this state.
func (o Outcome) Final() bool {
	switch o.State {
	case rpc.StateHeld, rpc.StateAuthorized, rpc.StateOpen, rpc.StateAdopted:
		return false
	}
	return true
}

// outcomeKind is the kind of entry that a receipt of an outcome proves (docs/journal.md, "Kinds").
const outcomeKind = "outcome/1"

// recorded is what is read of an outcome's entry; other members are for others.
type recorded struct {
	About       statement.Hash       `json:"about"`
	ID          string               `json:"id"`
	Type        statement.Type       `json:"type"`
	State       string               `json:"state"`
	Code        string               `json:"code"`
	Transaction *recordedTransaction `json:"transaction"`
	Results     []Result             `json:"results"`
	Alive       []Alive              `json:"alive"`
}

// errNoReceipt says that an answer came without the proof that it needs.
var errNoReceipt = errors.New("the answer has no receipt")

// errOldKey says that an answer is proven under a head of a log key that was handed over since.
var errOldKey = errors.New("the receipt's head is of a log key that was handed over since: ask again")

// prove is the function below, under the log keys that are known, and learns of those that the answer proves.
func (c *Client) prove(answer rpc.Answer, id string, about *statement.Hash) (Outcome, error) {
	o, err := prove(c.logKeys(), answer, id, about)
	if err != nil || len(answer.Receipt.Handovers) == 0 {
		return o, err
	}
	chain, err := chainOf(answer.Receipt.Handovers)
	if err == nil {
		err = c.learn(chain)
	}
	if err != nil {
		return Outcome{}, err
	}
	return o, nil
}

// prove turns an answer into an outcome, or says why it proves nothing. about is the hash of the statement
// that was sent; nil when only its id is known.
func prove(known journal.LogKeys, answer rpc.Answer, id string, about *statement.Hash) (Outcome, error) {
	if answer.Receipt == nil {
		return Outcome{}, errNoReceipt
	}
	receipt, err := receiptOf(*answer.Receipt)
	if err != nil {
		return Outcome{}, err
	}
	entry, keys, err := receipt.VerifyUnder(known)
	if err != nil {
		return Outcome{}, err
	}
	head, err := keys.Open(receipt.Checkpoint)
	if err != nil {
		return Outcome{}, err
	}
	if keys.At(head.Size) != keys.Newest() {
		// A signer proves anew with every answer. Who kept an old key could prove anything below its handover.
		return Outcome{}, errOldKey
	}
	if entry.Kind != outcomeKind {
		return Outcome{}, fmt.Errorf("the receipt proves an entry of kind %q, not an outcome", entry.Kind)
	}
	var said recorded
	if err := json.Unmarshal(entry.Body, &said); err != nil {
		return Outcome{}, fmt.Errorf("the outcome's entry does not decode: %w", err)
	}
	switch {
	case about != nil && said.About != *about:
		return Outcome{}, fmt.Errorf("the receipt is about another statement, %s", said.About)
	case said.ID != id:
		return Outcome{}, fmt.Errorf("the receipt is about another id, %s", statement.Quote(said.ID, 40))
	case answer.StatementHash != said.About.String() || answer.ID != said.ID || answer.Seq != entry.Seq:
		return Outcome{}, errors.New("the answer names another statement, id or entry than its receipt")
	}
	if said.State == rpc.StateInForce && said.Transaction != nil && answer.State != said.State {
		said.State = rpc.StateAuthorized // an evacuation's entry authorises its transaction as it comes into force
	}
	o := Outcome{State: said.State, Code: said.Code, Results: said.Results, Alive: said.Alive, Entry: entry, Head: head}
	switch {
	case answer.State == rpc.StateSigned && said.State == rpc.StateAuthorized && answer.Transaction == nil:
		// Signed before a freeze that now covers it, says the server: what is proven is the authorisation.
	case answer.State == rpc.StateSigned && said.State == rpc.StateAuthorized:
		if err := said.Transaction.carriedBy(answer.Transaction); err != nil {
			return Outcome{}, err
		}
		o.State = rpc.StateSigned
	case answer.State != said.State:
		return Outcome{}, fmt.Errorf("the answer says %s, its receipt %s", statement.Quote(answer.State, 40), said.State)
	default:
		answer.Transaction = nil // only a signed one has any
	}
	holdAnswer(&answer, said)
	o.Answer = answer
	return o, nil
}

func receiptOf(r rpc.Receipt) (journal.Receipt, error) {
	proof := make([]journal.Hash, len(r.Proof))
	for i, h := range r.Proof {
		if len(h) != len(proof[i]) {
			return journal.Receipt{}, fmt.Errorf("%w: hash %d of the proof has %d bytes", journal.ErrReceipt, i, len(h))
		}
		proof[i] = journal.Hash(h)
	}
	chain, err := chainOf(r.Handovers)
	return journal.Receipt{Index: r.Index, Entry: r.Entry, Proof: proof, Checkpoint: r.Checkpoint, Handovers: chain}, err
}
