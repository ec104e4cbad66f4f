package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"kura/journal"
	"kura/journal/cosign"
	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// Options say what an export is held to.
type Options struct {
	// Genesis is the genesis line that the auditor pinned. Without it the export's own is taken, and the
	// report says so: then the export may be of any journal.
	Genesis string
	// From is a checkpoint that the auditor kept: the export must extend it.
	From journal.Checkpoint
	// Predecessor is an export of the journal that this one follows after a restore. It is verified, too: to
	// extend the checkpoint that the genesis names, with the policy in force that the successor goes on under.
	Predecessor io.Reader
	// Witnesses are those that the auditor knows, whoever they were in the journal's life: wherever it says that
	// witnesses vouched for the time, each of those it names must be one of them. Without any, the keys are taken
	// from the journal, and the report says so.
	Witnesses []cosign.Key
	// AcceptGaps are the entries of the gaps that the auditor, having asked the directors, takes for the reason why the
	// export does not extend From.
	AcceptGaps []uint64
	// Visit, if not nil, is shown every entry once it is verified, with the state after it. What it saw is
	// only true when Verify succeeds: the head that covers all of it comes last.
	Visit func(e journal.Entry, body ledger.Body, s *ledger.State)
}

// A Report says what was checked, and the first thing that was wrong.
type Report struct {
	OK         bool   `json:"ok"`
	Genesis    string `json:"genesis"`
	Pinned     bool   `json:"pinned"` // the genesis was given by the auditor
	Size       uint64 `json:"size"`   // of the signed head
	Root       string `json:"root"`
	From       uint64 `json:"from"` // size of the earlier checkpoint that it extends; 0: none was given
	Counts     Counts `json:"counts"`
	StateHash  string `json:"stateHash"` // of the ledger after the last entry
	PolicyHash string `json:"policyHash"`
	// Vouchers are the witnesses whose times policy time followed, as key lines, in the order in which the journal
	// names them; VoucherQuorum is the smallest number of them that had to agree, 0 if none ever vouched.
	Vouchers      []string `json:"vouchers"`
	VoucherQuorum int      `json:"voucherQuorum"`
	// Signed: the entries, as they stand, lead to the signed head at the end. With a failure it tells that
	// the journal itself is wrong; without it, that the export was changed, maybe before the entry that the
	// failure names, where what was changed could not be checked against anything but the head.
	Signed bool `json:"signed"`
	// Gaps are the places where the journal itself says that it lost entries, oldest first.
	Gaps []Gap `json:"gaps"`
	// Failure is what was wrong, nil if nothing was.
	Failure *Failure `json:"failure"`
	// Notes say what a verification like this cannot show.
	Notes []string `json:"notes"`
}

// Counts of what was checked, up to the first failure.
type Counts struct {
	Entries      uint64 `json:"entries"`
	Checkpoints  uint64 `json:"checkpoints"`
	Inputs       uint64 `json:"inputs"`       // judged again
	Statements   uint64 `json:"statements"`   // SSH signatures that hold
	Decisions    uint64 `json:"decisions"`    // outcomes with their reasons that came out the same
	Outcomes     uint64 `json:"outcomes"`     // all outcomes that came out the same
	Transactions uint64 `json:"transactions"` // authorisations whose bytes say what their statements say
	Signatures   uint64 `json:"signatures"`   // of transactions, by their chains' rules
	Vouched      uint64 `json:"vouched"`      // how often a quorum of witnesses vouched for the time
}

// Codes of failures.
const (
	FailForm        = "malformed"         // not an export, or not an entry
	FailGenesis     = "genesis_foreign"   // another journal than the pinned one
	FailOrder       = "entry_order"       // an entry is missing, twice, or out of place
	FailStatement   = "statement"         // a statement or its signature does not hold
	FailDecision    = "decided_otherwise" // judging again gives something else
	FailSignature   = "signature"         // a recorded signature is not one
	FailFold        = "does_not_follow"   // the entry cannot follow the ones before it
	FailHead        = "head"              // the entries do not lead to the signed head
	FailConsistency = "not_consistent"    // the export does not extend the earlier checkpoint
	FailFromLost    = "from_lost"         // a gap says that the earlier checkpoint was lost, and the auditor did not accept that gap
	FailWitness     = "witness_unknown"   // a witness vouched for the time that is none of those that were given
	FailPredecessor = "predecessor"       // it does not follow the journal that was given as the one before it
	FailTruncated   = "truncated"         // no checkpoint at the end, or less than one input at the end
)

// A Failure is the first thing that was wrong.
type Failure struct {
	Entry  uint64 `json:"entry"` // the first entry that is concerned
	Last   uint64 `json:"last"`  // the last one: the same, but where only a range can be told
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func (f *Failure) Error() string {
	if f.Entry == f.Last {
		return fmt.Sprintf("entry %d: %s: %s", f.Entry, f.Code, f.Reason)
	}
	return fmt.Sprintf("entries %d to %d: %s: %s", f.Entry, f.Last, f.Code, f.Reason)
}

// Verify reads an export and checks everything in it, to the first thing that is wrong, which the report
// names. The error is for what keeps it from checking: a reader that fails, a bad option, the context.
func Verify(ctx context.Context, r io.Reader, o Options) (Report, error) {
	v := verifier{visit: o.Visit, state: ledger.NewState()}
	v.report.Notes, v.report.Vouchers, v.report.Gaps = []string{}, []string{}, []Gap{}
	if err := v.options(o); err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	err := v.run(ctx, r)
	if f, ok := errors.AsType[*Failure](err); ok {
		v.report.Failure = f
	} else if err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	v.report.OK = v.report.Failure == nil
	v.report.Signed = v.report.Signed || v.report.OK
	v.conclude()
	return v.report, nil
}

// A verifier is one verification under way.
type verifier struct {
	report  Report
	genesis journal.Genesis
	keys    journal.LogKeys // as the entries so far hand them over
	from    journal.Checkpoint
	before  io.Reader // export of the predecessor
	// fromLost says that a gap which the auditor accepted names the earlier checkpoint; "" if none does.
	fromLost string
	accepted []uint64 // entries of the gaps that the auditor accepted
	known    []string // key lines of the witnesses that were given
	visit    func(journal.Entry, ledger.Body, *ledger.State)
	state    *ledger.State
	broken   *Failure // the first failure; what follows is only hashed
	tree     *journal.Tree
	covered  uint64         // entries under the last signed head that was read
	handed   bool           // the last entry hands the log key over: the head over it must come next
	due      []ledger.Draft // what must come next, by judging the last input again
	now      policy.Now     // the times of that input
}

func (v *verifier) options(o Options) error {
	if o.Genesis != "" {
		g, err := journal.ParseGenesis(o.Genesis)
		if err != nil {
			return err
		}
		v.genesis, v.report.Pinned = g, true
	}
	v.from, v.before, v.accepted = o.From, o.Predecessor, o.AcceptGaps
	for _, k := range o.Witnesses {
		v.known = append(v.known, k.String())
	}
	tree, err := journal.NewTree(0, nil)
	v.tree = tree
	return err
}

func (v *verifier) fail(code, format string, args ...any) error {
	at := v.tree.Head().Size
	return &Failure{Entry: at, Last: at, Code: code, Reason: fmt.Sprintf(format, args...)}
}

func (v *verifier) run(ctx context.Context, r io.Reader) error {
	in, g, err := newReader(r)
	if err != nil {
		return v.form(err)
	}
	if v.report.Pinned && g != v.genesis {
		return v.fail(FailGenesis, "the export is of %s, the pinned genesis is %s", g, v.genesis)
	}
	v.genesis, v.keys, v.report.Genesis = g, g.Keys(), g.String()
	from, err := v.openFrom()
	if err != nil {
		return err
	}
	last := false // the newest line was a checkpoint
	for it, err := range readAhead(in) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if v.broken != nil {
			if err != nil {
				break
			}
			v.pass(it)
			continue
		}
		if err != nil {
			return v.form(err)
		}
		if last = it.checkpoint != nil; last {
			err = v.checkpoint(it.checkpoint)
		} else {
			err = v.entry(it)
		}
		if err == nil && !last && from != nil && v.tree.Head().Size == from.Size {
			err = v.extends(*from)
		}
		if err != nil {
			f, ok := errors.AsType[*Failure](err)
			if !ok || last || f.Code == FailConsistency {
				return err
			}
			v.broken = f
			v.pass(it)
		}
	}
	if v.broken != nil {
		return v.broken
	}
	if err := v.end(last, from); err != nil {
		return err
	}
	return v.predecessor(ctx)
}

// pass reads on after a failure, only to learn whether the entries, as they stand, are what was signed.
func (v *verifier) pass(it *prepared) {
	if it.checkpoint == nil {
		v.tree.Append(it.leaf)
		v.report.Signed = false
		if it.err == nil {
			if keys, err := v.keys.After(it.decoded); err == nil {
				v.keys = keys
			}
		}
		return
	}
	head, err := v.keys.Open(it.checkpoint)
	v.report.Signed = err == nil && head == v.tree.Head()
}

// form turns an error about the export's form into a failure; errors of the reader below stay errors.
func (v *verifier) form(err error) error {
	if errors.Is(err, ErrExport) {
		return v.fail(FailForm, "%v", err)
	}
	return err
}

func (v *verifier) openFrom() (*journal.Head, error) {
	if v.from == nil {
		return nil, nil
	}
	// Which key it must be signed by, the entries below it say: extends opens it then.
	head, err := journal.PeekCheckpoint(v.genesis.Origin, v.from)
	if err != nil {
		return nil, v.fail(FailConsistency, "the earlier checkpoint is not one of this journal: %v", err)
	}
	return &head, nil
}

func (v *verifier) extends(from journal.Head) error {
	if v.state.Lost(from) {
		return nil // whether the auditor accepts that is said in the end, when everything else is checked
	}
	if _, err := v.keys.Open(v.from); err != nil {
		return v.fail(FailConsistency, "the earlier checkpoint is not one of this journal: %v", err)
	}
	if v.tree.Head() != from {
		return &Failure{0, from.Size - 1, FailConsistency, fmt.Sprintf("up to size %d the entries give root %s, the earlier checkpoint says %s%s", from.Size, v.tree.Head().Root, from.Root, perhapsLost(v.state.Gaps(), from))}
	}
	v.report.From = from.Size
	return nil
}

// checkpoint holds the entries so far to a signed head.
func (v *verifier) checkpoint(c journal.Checkpoint) error {
	head, err := v.keys.Open(c)
	if err != nil {
		return v.fail(FailHead, "%v", err)
	}
	have := v.tree.Head()
	if head.Size != have.Size {
		return v.fail(FailHead, "a checkpoint of size %d stands after %d entries", head.Size, have.Size)
	}
	if head != have {
		return &Failure{v.covered, max(have.Size, 1) - 1, FailHead, fmt.Sprintf("they give root %s, the signed head of size %d says %s: one of them is not what was signed", have.Root, head.Size, head.Root)}
	}
	v.covered, v.handed = head.Size, false
	v.report.Counts.Checkpoints++
	return nil
}

func (v *verifier) end(last bool, from *journal.Head) error {
	if !last {
		return v.fail(FailTruncated, "no checkpoint stands at the end")
	}
	if len(v.due) > 0 {
		return v.fail(FailTruncated, "the last input wants %d more entries, the next of kind %s", len(v.due), v.due[0].Kind)
	}
	if from != nil && v.report.From != from.Size {
		if v.state.Lost(*from) {
			return v.wasLost(*from)
		}
		return v.fail(FailConsistency, "the export ends at size %d, the earlier checkpoint has size %d: something was cut off%s", v.tree.Head().Size, from.Size, perhapsLost(v.state.Gaps(), *from))
	}
	return nil
}

// entry checks the next entry: its form, its place, and that it is what judging its input again gives.
func (v *verifier) entry(it *prepared) error {
	e, leaf := it.decoded, it.leaf
	if v.handed {
		return v.fail(FailHead, "no signed head stands behind the handover of the log key in entry %d: whose the next key is cannot be told", v.tree.Head().Size-1)
	}
	if it.err != nil {
		return v.fail(FailForm, "%v", it.err)
	}
	if seq := v.tree.Head().Size; e.Seq != seq {
		return v.fail(FailOrder, "the entry says seq %d", e.Seq)
	}
	if e.Seq == 0 && leaf != v.genesis.Hash {
		return v.fail(FailGenesis, "entry 0 has leaf hash %x, the genesis line says %x", leaf, v.genesis.Hash)
	}
	now := policy.Now{Clock: e.Clock, Time: e.Time}
	if len(v.due) == 0 {
		if err := v.judge(it, now); err != nil {
			return err
		}
	}
	if now != v.now {
		return v.fail(FailDecision, "its times are not those of the input that it belongs to")
	}
	want := v.due[0]
	if e.Kind != want.Kind || !bytes.Equal(e.Body, want.Body) {
		return v.fail(FailDecision, "judged again, a %s follows: %s", want.Kind, excerpt(want.Body, e.Body))
	}
	v.due = v.due[1:]
	body, err := ledger.DecodeBody(e.Kind, e.Body)
	if err != nil {
		return v.fail(FailForm, "%v", err)
	}
	// Looked up before the entry is applied: the fold may forget a request with the very entry that
	// brings its signature, when the clock has leapt in between.
	var request *ledger.Request
	if b, ok := body.(*ledger.Signature); ok {
		request, _ = v.state.RequestByStatement(b.About)
	}
	if err := v.state.Apply(e); err != nil {
		return v.fail(FailFold, "%v", err)
	}
	if err := v.count(body, request); err != nil {
		return err
	}
	v.tree.Append(leaf)
	v.keys, v.handed = v.state.LogKeys(), e.Kind == ledger.KindLogKey
	if v.visit != nil {
		v.visit(e, body, v.state)
	}
	return nil
}

// judge asks the ledger anew about the input that begins here.
func (v *verifier) judge(it *prepared, now policy.Now) error {
	if it.inErr != nil {
		if _, ok := errors.AsType[*statement.Error](it.inErr); ok {
			return v.fail(FailStatement, "%v", it.inErr)
		}
		return v.fail(FailDecision, "%v", it.inErr)
	}
	drafts, res, err := ledger.Judge(v.state, it.in, now)
	if err != nil {
		return v.fail(FailDecision, "judged again: %v", err)
	}
	if len(drafts) == 0 {
		return v.fail(FailDecision, "judged again, nothing is written (%s)", res.Code)
	}
	v.due, v.now = drafts, now
	v.report.Counts.Inputs++
	return nil
}

// count notes what an entry stands for, and verifies what only it holds. request is what a signature is of.
func (v *verifier) count(body ledger.Body, request *ledger.Request) error {
	c := &v.report.Counts
	c.Entries++
	switch b := body.(type) {
	case *ledger.Statement:
		c.Statements++
	case *ledger.Founding:
		c.Statements += uint64(len(b.Verdicts))
	case *ledger.Gap:
		c.Statements += uint64(len(b.Verdicts))
		return v.gap()
	case *ledger.Reasons:
		c.Decisions++
	case *ledger.Outcome:
		c.Outcomes++
		if b.Transaction != nil {
			c.Transactions++
		}
	case *ledger.Signature:
		if request == nil || request.Transaction == nil {
			return v.fail(FailSignature, "no authorisation of %s is known", b.About)
		}
		t := request.Transaction
		if err := nem.VerifyTransaction(t.Network, t.Unsigned, t.Signature); err != nil {
			return v.fail(FailSignature, "%v", err)
		}
		c.Signatures++
	case *ledger.Vouched:
		return v.vouched(b)
	}
	return nil
}

// vouched notes who vouched for the time, and holds them to those that the auditor knows.
func (v *verifier) vouched(b *ledger.Vouched) error {
	for _, line := range b.Witnesses {
		if len(v.known) > 0 && !slices.Contains(v.known, line) {
			return v.fail(FailWitness, "%s vouches for the time and is none of the witnesses that were given", statement.Quote(line, 300))
		}
		if !slices.Contains(v.report.Vouchers, line) {
			v.report.Vouchers = append(v.report.Vouchers, line)
		}
	}
	if q := &v.report.VoucherQuorum; *q == 0 || b.Quorum < *q {
		*q = b.Quorum
	}
	v.report.Counts.Vouched++
	return nil
}

func (v *verifier) conclude() {
	head := v.tree.Head()
	v.report.Size, v.report.Root = head.Size, head.Root.String()
	hash := v.state.Hash()
	v.report.StateHash = hash.String()
	if p := v.state.PolicyInForce(); p != nil {
		v.report.PolicyHash = p.Hash().String()
	}
	if !v.report.Pinned {
		v.report.Notes = append(v.report.Notes, NoteUnpinned)
	}
	switch {
	case v.fromLost != "":
		v.report.Notes = append(v.report.Notes, v.fromLost)
	case v.from == nil:
		v.report.Notes = append(v.report.Notes, NoteRollback)
	}
	if len(v.report.Gaps) > 0 {
		v.report.Notes = append(v.report.Notes, NoteGap)
	}
	if len(v.report.Vouchers) > 0 && len(v.known) == 0 {
		v.report.Notes = append(v.report.Notes, NoteWitnesses)
	}
	v.report.Notes = append(v.report.Notes, NoteFacts)
}

// Notes of a report: what verifying an export cannot show.
const (
	NoteUnpinned = "the genesis line was taken from the export itself: this may be any journal; pin the line that you were given when the journal began"
	NoteRollback = "no earlier checkpoint was given: a journal that was rolled back as a whole to a head that was once signed verifies like this one; only a checkpoint kept elsewhere (a witness, the token, your own last one) shows that nothing was cut off its end"
	// NoteWitnesses is about Options.Witnesses.
	NoteWitnesses = "policy time followed witnesses whose keys were taken from the journal itself: hold them to the witnesses that you know (--witness)"
	NoteFacts     = "what the signer only reports (times of its clock, token attributes, who was present, counts of refused requests) is covered by the signed head and checked against nothing else"
)

// excerpt shows where two texts part.
func excerpt(want, have []byte) string {
	at := 0
	for at < min(len(want), len(have)) && want[at] == have[at] {
		at++
	}
	from := max(0, at-20)
	show := func(b []byte) string {
		if from >= len(b) {
			return ""
		}
		return fmt.Sprintf("%q", b[from:min(len(b), at+60)])
	}
	return fmt.Sprintf("at byte %d %s, recorded is %s", at, show(want), show(have))
}
