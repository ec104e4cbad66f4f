package ledger

import (
	"cmp"
	"slices"

	"kura/policy"
	"kura/statement"
)

// A Record is what the ledger remembers of any statement while its id may still come again.
type Record struct {
	ID      statement.ID
	Hash    statement.Hash
	Type    statement.Type
	By      policy.Actor
	Expires int64 // clock, unix milliseconds
	State   string
	Code    string
	Policy  policy.Hash // in force when it was last judged

	StatementSeq uint64
	OutcomeSeq   uint64 // the newest outcome
}

func (r *Record) record() *Record { return r }

// A remembered is any of *Request, *Proposal, *Freeze and *verdict.
type remembered interface{ record() *Record }

// A Proposal is a proposal and what became of it.
type Proposal struct {
	Record
	Body      *statement.Proposal
	Since     int64 // policy time
	Verdicts  []policy.Verdict
	AdoptedAt int64 // policy time of the adoption; 0 before it
	Effective int64 // policy time at which its time-lock ends
	// Evacuation is the transaction that came of it, of an evacuation in force.
	Evacuation *Request
	adopted    uint64 // seq of its adoption
	ready      bool
}

// A Freeze is a stop in force (a freeze, a suspension or a lowered number) as far as the ledger keeps it
// beside the overlay: its record, and who wants it lifted. Those of the host and of tripwires have no
// statement; their hash is the leaf hash of their entry, and they have no id.
type Freeze struct {
	Record
	Body *statement.Freeze // nil without a statement
	// Wallet is whose key the host took out of service for a time; "" for a stop of the overlay.
	Wallet policy.WalletID
	Lifts  []policy.Verdict
	ready  bool
}

// A verdict is kept so that its id cannot come again. What it says is with what it is about.
type verdict struct {
	Record
	body *statement.Verdict // until its outcome is known
	key  statement.Key
}

// inOrder returns a map's values in the order in which they were journalled.
func inOrder[R remembered](m map[statement.Hash]R) []R {
	all := make([]R, 0, len(m))
	for _, r := range m {
		all = append(all, r)
	}
	slices.SortFunc(all, bySeq)
	return all
}

func bySeq[R remembered](a, b R) int {
	return cmp.Compare(a.record().StatementSeq, b.record().StatementSeq)
}
