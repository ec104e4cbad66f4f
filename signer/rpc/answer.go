package rpc

// An Answer says what became of a statement. Its JSON is the body of the REST interface, member by member.
type Answer struct {
	ID            string `json:"id"`            // the statement's id
	Type          string `json:"type"`          // its type: withdrawal, verdict, freeze, proposal
	State         string `json:"state"`         // see the State constants
	Seq           uint64 `json:"seq"`           // entry of the outcome that says so
	StatementHash string `json:"statementHash"` // SHA-256 of the text, 64 lower-case hex digits

	Decision    *Decision    `json:"decision,omitempty"`
	Transaction *Transaction `json:"transaction,omitempty"` // only when signed
	Chain       *Chain       `json:"chain,omitempty"`       // only when signed
	Receipt     *Receipt     `json:"receipt,omitempty"`     // of the outcome's entry, in every state that stands in the journal
	Alive       []Alive      `json:"alive,omitempty"`       // of a freeze: authorisations it came too late for
	Results     []Answer     `json:"results,omitempty"`     // of a verdict over several hashes: one each
}

// States of an Answer.
const (
	StateAuthorized = "authorized"
	StateSigned     = "signed"
	StateHeld       = "held"
	StateDenied     = "denied"
	StateRejected   = "rejected"
	StateCancelled  = "cancelled"
	StateLapsed     = "lapsed"
	StateStranded   = "stranded"

	StateCounted = "counted" // a verdict
	StateRefused = "refused" // a verdict, freeze or proposal
	StateInForce = "in_force"
	StateLifted  = "lifted"
	StateOpen    = "open"    // a proposal
	StateAdopted = "adopted" // its time-lock runs
	StateActive  = "active"  // its change acts
	StateVetoed  = "vetoed"
)

// A Decision is the part of a decision that its client may know.
type Decision struct {
	Outcome string `json:"outcome"` // deny, hold, sign; for other statements the state
	Code    string `json:"code"`    // stable
	Detail  string `json:"detail"`  // prose made from the numbers
	Waits   []Wait `json:"waits,omitempty"`
}

// A Wait is one thing that a held withdrawal waits for.
type Wait struct {
	Kind  string   `json:"kind"`            // approval, time, limit, unfreeze, token
	Group string   `json:"group,omitempty"` // approval: the group that is asked
	Have  int      `json:"have,omitempty"`
	Need  int      `json:"need,omitempty"`
	Who   []string `json:"who,omitempty"`   // who can still give it
	Until string   `json:"until,omitempty"` // RFC 3339 UTC with milliseconds, policy time
}

// A Transaction is signed and ready to announce.
type Transaction struct {
	Network  string   `json:"network"`
	Hash     string   `json:"hash"`     // 64 upper-case hex digits
	Fee      string   `json:"fee"`      // smallest units, decimal digits
	Deadline string   `json:"deadline"` // RFC 3339 UTC with milliseconds
	Announce Announce `json:"announce"`
}

// An Announce is the HTTP request that a node of the chain takes.
type Announce struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   string `json:"body"`
}

// A Chain says what the chain says, which is never part of the state: unseen, unconfirmed, confirmed, final, void.
type Chain struct {
	State string `json:"state"`
}

// A Receipt proves that an entry stands in the journal. In JSON its bytes are base64.
type Receipt struct {
	Entry      []byte   `json:"entry"` // exact bytes
	Index      uint64   `json:"index"`
	Proof      [][]byte `json:"proof"`      // hashes of 32 bytes, RFC 9162 order
	Checkpoint []byte   `json:"checkpoint"` // signed note
	// Handovers prove which log keys followed the genesis line's, up to the one that signed the checkpoint; left
	// out if none did.
	Handovers []Handover `json:"handovers,omitempty"`
}

// A Handover proves the entry by which one log key hands over to the next, under the last head of the old key.
type Handover struct {
	Entry      []byte   `json:"entry"`
	Index      uint64   `json:"index"`
	Proof      [][]byte `json:"proof"`
	Checkpoint []byte   `json:"checkpoint"` // its size is the index and 1
}

// An Alive is an authorisation that a freeze came too late for: its transaction may still be announced.
type Alive struct {
	ID            string `json:"id"` // "" if it is not remembered any more
	StatementHash string `json:"statementHash"`
	Wallet        string `json:"wallet"`
	Signed        bool   `json:"signed"` // false: it was not signed yet, and will not be
	Until         string `json:"until"`  // the transaction's deadline, RFC 3339 UTC with milliseconds
}
