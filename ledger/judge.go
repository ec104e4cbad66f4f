package ledger

import (
	"errors"
	"fmt"

	"kura/journal"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// Engine numbers the rules of this package. It goes up with every change after which Judge could decide
// an old input differently, or a fold lead to another state. It is 1 until the first release: a snapshot that an
// unreleased build left behind fails its checks, or the fold from zero tells it apart.
const Engine = 1

// An Input is one thing to judge.
type Input interface {
	judge(*judgement) (Result, error)
}

type (
	// GenesisInput opens a journal: entry 0.
	GenesisInput struct{ Genesis Genesis }

	// FoundingInput is policy 1 with its directors' verdicts: entry 1.
	FoundingInput struct {
		Policy   string
		Verdicts []statement.Envelope
	}

	// StatementInput is a statement whose signature holds (statement.Open made it).
	StatementInput struct{ Signed statement.Signed }

	// TickInput asks for the next thing that is due: a time-lock that ended, a proposal or request that
	// expired, a request that an earlier input made ready to be decided again, or one that waited for
	// time or for room. It does one of them; the caller goes on until nothing comes back. See Due.
	// In doubt nothing is authorised: what would be goes on waiting, and everything else is done.
	TickInput struct{ InDoubt bool }

	// SignatureInput is a signature that the token made. The caller has verified it.
	SignatureInput struct {
		About     statement.Hash
		Signature nem.Signature
	}

	// StrandInput gives up an authorisation that has no known signature and must not be signed any more:
	// its deadline is over, or a freeze covers its wallet.
	StrandInput struct{ About statement.Hash }

	// StopInput is a freeze or suspension by the administrator of the signer's host.
	StopInput struct {
		By     string // who, as the host knows them
		Action statement.FreezeAction
		Target Target
		Reason string
	}

	// WalletInput is the record of a key ceremony.
	WalletInput struct{ Wallet Wallet }

	// WalletStateInput changes the state of a wallet's key.
	WalletStateInput struct{ WalletState WalletState }

	// SealingInput is the record of a change of the sealing key.
	SealingInput struct{ Sealing Sealing }

	// HandoverInput hands the log key over to a key that an adopted proposal permits and the token holds. What is
	// drafted for it ends its group; see journal.Handover.
	HandoverInput struct{ New [32]byte }

	// StartInput is what a signer knows about the time when it starts. Its policy time is StartTime's.
	StartInput struct {
		Version string
		BootID  string
		Boot    int64 // milliseconds of CLOCK_BOOTTIME
	}

	// GapInput goes on after a lost tail. It is judged before the start that gives the signer its time, at the
	// policy time of the last entry that was kept.
	GapInput struct{ Gap Gap }

	// VouchedInput is a head of this journal that witnesses cosigned, each with its own time.
	VouchedInput struct {
		Checkpoint journal.Checkpoint
		Witnesses  []string // key lines of all who are asked
		Quorum     int      // how many of them must agree; more than half
	}

	// AlarmInput is an alarm of the signer itself.
	AlarmInput struct{ Alarm Alarm }

	// RefusedInput counts requests that got no entry of their own.
	RefusedInput struct{ Refused Refused }
)

// A Draft is an entry without its place and times. All drafts of one input belong into one group, in
// their order, under the times that Judge was given.
type Draft struct {
	Kind string
	Body []byte
}

// A Result is what the sender of an input is told. The state that it names is in the drafts or, for what
// was known already, in the journal.
type Result struct {
	Type  string         // of the statement; "" for other inputs
	About statement.Hash // the statement
	ID    string
	By    policy.Actor // whose statement it is; zero if nobody's
	State string       // as in outcomes; "" if nothing was journalled
	Code  string
	Seq   uint64 // of the outcome entry that says so

	Known    bool // the same text had been judged before: its current state, nothing was written
	Conflict bool // the sender gave another text this id before: About, State and Seq are that one's
	Refused  bool // it is not journalled (nobody's, too old, over its budget, somebody else's id): counted by Code
	Results  []VerdictResult
	Alive    []AliveTransaction
}

// Codes of statements that are not journalled.
const (
	CodeUnknownKey   = "unknown_key"   // the policy in force names no such key
	CodeWrongJournal = "wrong_journal" // meant for another deployment
	CodeOverBudget   = "over_budget"   // its sender has used up its budget of entries
	CodeConflict     = "id_conflict"   // another text has this id
)

// CodeNoUserCheck is the code of a statement whose security key did not verify its user, although the
// policy demands that of its person.
const CodeNoUserCheck = "user_verification_missing"

// Errors of Judge. The input was not judged, nothing may be appended for it.
var (
	// ErrTickDue says that a change of policy or addresses should be in force by now: a TickInput must be
	// judged first.
	ErrTickDue = errors.New("a change that was adopted is due: judge a tick first")
	// ErrClock says that the clock is so far behind what the journal has seen that a new transaction could
	// repeat the bytes of an old one.
	ErrClock = errors.New("the clock is behind the journal")
	// ErrEqualPayments says that so many equal payments were asked for at one moment that no deadline is
	// left to tell another one's bytes from theirs. A moment later there is.
	ErrEqualPayments = errors.New("too many equal payments at one moment")
	// ErrInput says that the input does not fit the state; the text says why.
	ErrInput = errors.New("input refused")
)

// Judge decides one input against the state. It is pure: the same state, input and times give the same
// drafts, on the signer and at an auditor's, and s is not changed.
//
// With a nil error the drafts are to be appended, all of them in one group, and applied to the state
// before the next input is judged; there may be none (nothing due, a text that is known, a statement that
// is only counted). An error means that nothing was decided.
func Judge(s *State, in Input, now policy.Now) ([]Draft, Result, error) {
	if _, starts := in.(StartInput); !starts {
		if err := s.checkTime(now.Clock, now.Time); err != nil {
			return nil, Result{}, fmt.Errorf("judge: %w", err)
		}
	}
	if err := s.checkPlace(in, now); err != nil {
		return nil, Result{}, fmt.Errorf("judge: %w", err)
	}
	j := judgement{s: s, now: now}
	res, err := in.judge(&j)
	if err == nil {
		err = j.err
	}
	if err != nil {
		return nil, Result{}, fmt.Errorf("judge: %w", err)
	}
	return j.drafts, res, nil
}

// checkPlace holds the first two entries to their order, and everything after an adopted change to that
// change: nobody can go on under the old policy by not looking at the time.
func (s *State) checkPlace(in Input, now policy.Now) error {
	switch in := in.(type) {
	case GenesisInput:
		if s.next != 0 {
			return fmt.Errorf("%w: the journal has a genesis", ErrInput)
		}
		return nil
	case FoundingInput:
		if s.next != 1 {
			return fmt.Errorf("%w: policy 1 is entry 1", ErrInput)
		}
		return nil
	case StatementInput:
		// Stopping something never waits, not even for new rules.
		if _, stops := in.Signed.Body.(*statement.Freeze); !stops && s.policy != nil && s.ruleChangeDue(now) {
			return ErrTickDue
		}
	}
	if s.policy == nil {
		return fmt.Errorf("%w: the journal has no policy yet", ErrInput)
	}
	return nil
}

// A judgement gathers the drafts of one input.
type judgement struct {
	s      *State
	now    policy.Now
	drafts []Draft
	err    error

	inDoubt bool // nothing is to be authorised
}

// write adds a draft and returns the seq that it will get.
func (j *judgement) write(b Body) uint64 {
	text, err := EncodeBody(b)
	if err != nil && j.err == nil {
		j.err = err
	}
	j.drafts = append(j.drafts, Draft{Kind: b.Kind(), Body: text})
	return j.s.next + uint64(len(j.drafts)) - 1
}

func (in GenesisInput) judge(j *judgement) (Result, error)     { return j.genesis(in) }
func (in FoundingInput) judge(j *judgement) (Result, error)    { return j.founding(in) }
func (in StatementInput) judge(j *judgement) (Result, error)   { return j.statement(in.Signed) }
func (in TickInput) judge(j *judgement) (Result, error)        { return j.tick(in) }
func (in SignatureInput) judge(j *judgement) (Result, error)   { return j.signature(in) }
func (in StrandInput) judge(j *judgement) (Result, error)      { return j.strand(in) }
func (in StopInput) judge(j *judgement) (Result, error)        { return j.stop(in) }
func (in WalletInput) judge(j *judgement) (Result, error)      { return j.wallet(in.Wallet) }
func (in WalletStateInput) judge(j *judgement) (Result, error) { return j.walletState(in.WalletState) }
func (in SealingInput) judge(j *judgement) (Result, error)     { return j.sealing(in.Sealing) }
func (in GapInput) judge(j *judgement) (Result, error)         { return j.gap(in.Gap) }
func (in HandoverInput) judge(j *judgement) (Result, error)    { return j.handOver(in) }
func (in StartInput) judge(j *judgement) (Result, error)       { return j.start(in) }
func (in VouchedInput) judge(j *judgement) (Result, error)     { return j.vouched(in) }
func (in AlarmInput) judge(j *judgement) (Result, error)       { return j.alarmInput(in.Alarm) }
func (in RefusedInput) judge(j *judgement) (Result, error)     { return j.refused(in.Refused) }
