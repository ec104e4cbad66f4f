package ledger

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// A reading is an entry with what its bytes say: the larger part of the work of Apply, and the part that needs neither
// a state nor the entries before it.
type reading struct {
	journal.Entry
	body      Body
	statement statement.Body   // whose text a statement entry holds
	decision  *policy.Decision // that a reasons entry holds; nil if it was not looked at
	err       error            // why the bytes say nothing
}

func read(e journal.Entry) reading {
	r := reading{Entry: e}
	if r.body, r.err = DecodeBody(e.Kind, e.Body); r.err != nil {
		return r
	}
	if b, ok := r.body.(*Statement); ok {
		r.statement, r.err = statement.Decode(b.Statement)
	}
	return r
}

// Ahead reads an entry and returns the rest of Apply, which is to be called when the entry's turn has come. Entries can
// be read on several goroutines at once, ahead of their turn and before they are verified: it is a
// journal.Verification's Ahead.
func (s *State) Ahead(e journal.Entry) (apply func() error) {
	r := read(e)
	if b, ok := r.body.(*Reasons); ok && r.err == nil {
		// Most reasons are an authorisation's, which counts them. Those that cannot be read are looked at in their turn.
		r.decision, _ = b.decision()
	}
	return func() error { return s.take(r) }
}

// decision reads what the reasons are.
func (b *Reasons) decision() (*policy.Decision, error) {
	d := new(policy.Decision)
	if err := json.Unmarshal(b.Decision, d, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("decision: %w", err)
	}
	return d, nil
}
