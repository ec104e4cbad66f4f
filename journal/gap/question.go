package gap

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/statement"
)

// MaxQuestion bounds the JSON form of a question, in bytes: its checkpoints and a little more.
const MaxQuestion = (3 + maxBetween) * journal.MaxCheckpoint

// A Question is what the directors are asked after a lost tail, as the signer's host hands it to them:
//
//	{"kura_gap":1,"genesis":"…","kept":"…","lost":"…","between":["…"],"until":1735689600000,"policy":"…"}
type Question struct {
	Genesis journal.Genesis
	Kept    journal.Checkpoint   // the head that the journal would go on after
	Lost    journal.Checkpoint   // the newest one that it does not extend
	Between []journal.Checkpoint // smaller ones that it does not extend either
	Until   int64                // the clock under which the lost entries were written stood no later, unix milliseconds
	Policy  statement.Hash       // the policy in force at the kept head
}

type questionJSON struct {
	Version int            `json:"kura_gap"`
	Genesis string         `json:"genesis"`
	Kept    string         `json:"kept"`
	Lost    string         `json:"lost"`
	Between []string       `json:"between"`
	Until   int64          `json:"until"`
	Policy  statement.Hash `json:"policy"`
}

const questionVersion = 1

// Encode returns the JSON form, with a newline.
func (q Question) Encode() ([]byte, error) {
	between := []string{}
	for _, c := range q.Between {
		between = append(between, string(c))
	}
	text, err := json.Marshal(questionJSON{questionVersion, q.Genesis.String(), string(q.Kept), string(q.Lost), between, q.Until, q.Policy})
	return append(text, '\n'), err
}

// LostIn returns the lost heads that a question names, unverified: another signer's host may have asked it. There are
// none if the text is no question.
func LostIn(text []byte) []journal.Checkpoint {
	var in questionJSON
	if len(text) > MaxQuestion || json.Unmarshal(bytes.TrimSpace(text), &in, json.RejectUnknownMembers(true)) != nil || in.Version != questionVersion {
		return nil
	}
	all := []journal.Checkpoint{journal.Checkpoint(in.Lost)}
	for _, c := range in.Between {
		all = append(all, journal.Checkpoint(c))
	}
	return all
}

// ParseQuestion reads the JSON form strictly and holds its heads to the genesis that the reader pinned, and the log keys
// that followed from it. The gap is the one that the question asks for, without approvals.
func ParseQuestion(keys journal.LogKeys, text []byte) (Question, Gap, error) {
	bad := func(err error) (Question, Gap, error) {
		return Question{}, Gap{}, fmt.Errorf("%w: the question: %w", ErrGap, err)
	}
	if len(text) > MaxQuestion {
		return bad(fmt.Errorf("%d bytes, at most %d are allowed", len(text), MaxQuestion))
	}
	var in questionJSON
	if err := json.Unmarshal(bytes.TrimSpace(text), &in, json.RejectUnknownMembers(true)); err != nil {
		return bad(err)
	}
	if in.Version != questionVersion {
		return bad(fmt.Errorf("kura_gap is %d, want %d", in.Version, questionVersion))
	}
	pinned := keys.Genesis()
	if in.Genesis != pinned.String() {
		return bad(fmt.Errorf("it is about the journal %s, pinned is %s", statement.Quote(in.Genesis, 200), pinned))
	}
	g, err := openHeads(keys, in.Kept, in.Lost, in.Between, in.Until)
	if err != nil {
		return bad(err)
	}
	q := Question{Genesis: pinned, Kept: journal.Checkpoint(in.Kept), Lost: journal.Checkpoint(in.Lost), Until: in.Until, Policy: in.Policy}
	for _, c := range in.Between {
		q.Between = append(q.Between, journal.Checkpoint(c))
	}
	return q, g, nil
}
