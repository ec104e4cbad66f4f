package nem

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
)

// Outcome is what a node says became of a transaction. The zero value is that
// it did not say; so it must be looked up. No outcome of a node is final: only a
// block that can no longer be rewritten is.
type Outcome uint8

const (
	OutcomeUnknown  Outcome = iota // pushed, or not answered: look it up
	OutcomeAccepted                // valid and on its way, or already in a block
	OutcomeSeen                    // known before, nothing done: look it up
	OutcomeRefused                 // not taken by this node, now
)

// String returns "unknown", "accepted", "seen" or "refused".
func (o Outcome) String() string {
	switch o {
	case OutcomeAccepted:
		return "accepted"
	case OutcomeSeen:
		return "seen"
	case OutcomeRefused:
		return "refused"
	default:
		return "unknown"
	}
}

// Advice is what a caller should do with the very same signed bytes. None of it
// ever is to sign again: a second transaction is a second payment until the
// first's deadline has passed and the chain is known not to have it.
type Advice uint8

const (
	AdviceLookUp    Advice = iota // ask by hash until a block has it or the deadline is well past
	AdviceLater                   // announce the same bytes again later, to any node
	AdviceElsewhere               // announce the same bytes to another node
	AdviceNever                   // these bytes will never be taken: let them expire
	AdviceStop                    // something is wrong with wallet or software: call people
)

// String returns a stable code: look_up, later, elsewhere, never or stop.
func (a Advice) String() string {
	switch a {
	case AdviceLater:
		return "later"
	case AdviceElsewhere:
		return "elsewhere"
	case AdviceNever:
		return "never"
	case AdviceStop:
		return "stop"
	default:
		return "look_up"
	}
}

// NodeAnswer is a node's answer to an announcement, or a status it was asked for.
type NodeAnswer struct {
	Outcome Outcome
	Advice  Advice
	Code    string // the node's own: "5", "Failure_Core_Past_Deadline", "http 503"
	Text    string // what it means, in a sentence of ours
	Said    string // the node's own words, at most 200 bytes: a stranger's text
	Hash    Hash   // the transaction's, if the node named it
	Inner   Hash   // NIS1 multisig: the hash that cosignatures carry
}

// maxAnswer is the longest answer that is read.
const maxAnswer = 64 << 10

// meaning is what is known of a node's code.
type meaning struct {
	outcome Outcome
	advice  Advice
	text    string
}

// ParseNIS1Answer reads the answer to POST /transaction/announce. Refused
// transactions are answered with status 200 as well; the code in the body
// decides. A body that is not the node's is an error, and the outcome unknown.
func ParseNIS1Answer(status int, body []byte) (NodeAnswer, error) {
	if status != 200 {
		return transportAnswer(status, body), nil
	}
	var answer struct {
		Code    *int64 `json:"code"`
		Message string `json:"message"`
		Hash    struct {
			Data string `json:"data"`
		} `json:"transactionHash"`
		Inner struct {
			Data string `json:"data"`
		} `json:"innerTransactionHash"`
	}
	if err := unmarshalAnswer(body, &answer); err != nil {
		return NodeAnswer{}, err
	}
	if answer.Code == nil {
		return NodeAnswer{}, fmt.Errorf("node answer has no code")
	}
	m := nis1Meaning(*answer.Code)
	a := NodeAnswer{Outcome: m.outcome, Advice: m.advice, Code: fmt.Sprint(*answer.Code), Text: m.text, Said: bounded(answer.Message)}
	var err error
	if a.Hash, err = optionalHash(answer.Hash.Data); err != nil {
		return NodeAnswer{}, err
	}
	a.Inner, err = optionalHash(answer.Inner.Data)
	return a, err
}

// ParseSymbolAnswer reads the answer to PUT /transactions and its siblings. It
// is always 202 and proves nothing; what became of the transaction is in its
// status. So the outcome is never better than unknown.
func ParseSymbolAnswer(status int, body []byte) (NodeAnswer, error) {
	if status != 202 && status != 200 {
		return transportAnswer(status, body), nil
	}
	var answer struct {
		Message string `json:"message"`
	}
	if err := unmarshalAnswer(body, &answer); err != nil {
		return NodeAnswer{}, err
	}
	if !strings.Contains(answer.Message, "pushed to the network") {
		return NodeAnswer{}, fmt.Errorf("node answer does not say that it pushed the transaction")
	}
	return NodeAnswer{Code: "pushed", Text: "the node passed it on without looking at it", Said: bounded(answer.Message)}, nil
}

// ParseSymbolStatus reads one transaction status of GET
// /transactionStatus/{hash}. A status "failed" never undoes "confirmed": the
// feed also reports a resubmission of what is confirmed as failed.
func ParseSymbolStatus(status int, body []byte) (NodeAnswer, error) {
	if status == 404 {
		return NodeAnswer{Advice: AdviceLater, Code: "none",
			Text: "the node knows nothing of it: not arrived, or dropped for its form or a low fee"}, nil
	}
	if status != 200 {
		return transportAnswer(status, body), nil
	}
	var answer struct {
		Group string `json:"group"`
		Code  string `json:"code"`
		Hash  string `json:"hash"`
	}
	if err := unmarshalAnswer(body, &answer); err != nil {
		return NodeAnswer{}, err
	}
	hash, err := optionalHash(answer.Hash)
	if err != nil {
		return NodeAnswer{}, err
	}
	a := NodeAnswer{Code: answer.Code, Hash: hash}
	switch answer.Group {
	case "confirmed", "unconfirmed":
		a.Outcome, a.Text = OutcomeAccepted, "it is "+answer.Group
	case "partial":
		a.Outcome, a.Text = OutcomeAccepted, "it waits for cosignatures"
	case "failed":
		m := symbolMeaning(answer.Code)
		a.Outcome, a.Advice, a.Text = m.outcome, m.advice, m.text
	default:
		return NodeAnswer{}, fmt.Errorf("node answer has group %.40q, want confirmed, unconfirmed, partial or failed", answer.Group)
	}
	return a, nil
}

func unmarshalAnswer(body []byte, into any) error {
	if len(body) > maxAnswer {
		return fmt.Errorf("node answer has %d bytes, want at most %d", len(body), maxAnswer)
	}
	// Members unknown here are the node's business; twice the same is not.
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("node answer: %w", err)
	}
	return nil
}

func optionalHash(text string) (Hash, error) {
	if text == "" {
		return Hash{}, nil
	}
	h, err := ParseHash(text)
	if err != nil {
		return Hash{}, fmt.Errorf("node answer: %w", err)
	}
	return h, nil
}

// bounded keeps a stranger's text short.
func bounded(text string) string {
	const most = 200
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// transportAnswer is what an HTTP status alone says. Both nodes' error bodies
// have a message; where there is none, a proxy answered.
func transportAnswer(status int, body []byte) NodeAnswer {
	a := NodeAnswer{Advice: AdviceElsewhere, Code: fmt.Sprintf("http %d", status)}
	var said struct {
		Message string `json:"message"`
	}
	if unmarshalAnswer(body, &said) == nil {
		a.Said = bounded(said.Message)
	}
	switch {
	case status == 400 || status == 404 || status == 409:
		a.Outcome, a.Advice = OutcomeRefused, AdviceStop
		a.Text = "the node cannot read the request: wrong form, address or network"
	case status == 429 || status == 503:
		a.Advice, a.Text = AdviceLater, "the node is busy or starting"
	default:
		a.Text = "the node failed; whether it took the transaction is not known"
	}
	return a
}
