package ledger

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// maxProposals is how many proposals one person can have open or adopted, so that a stolen key cannot fill
// the memory; a document may be a megabyte.
const maxProposals = 20

// CodeTooManyProposals is the code of a proposal whose sender has as many of them under way as may be.
const CodeTooManyProposals = "too_many_proposals"

// underWay counts a party's proposals that have not ended.
func (s *State) underWay(by policy.Actor) int {
	n := 0
	for _, p := range s.proposals {
		if p.By == by {
			n++
		}
	}
	return n
}

// proposal opens a proposal, or refuses it. It becomes effective by the verdicts that follow.
func (j *judgement) proposal(p *statement.Proposal, actor policy.Actor, code string, res Result) (Result, error) {
	if code == "" && j.s.underWay(actor) >= maxProposals {
		code = CodeTooManyProposals
	}
	if code != "" {
		return j.proposalOutcome(res, policy.ProposalDecision{State: policy.ProposalRefused, Code: code}, nil), nil
	}
	d := policy.JudgeProposal(policy.ProposalInput{
		Policy: j.s.policy, Overlay: j.s.overlay, Book: j.s.book, Proposal: p, By: actor,
		Since: j.now.Time, Retired: j.s.retired, LogKey: j.s.keys.Used, OtherAccount: j.s.otherAccount,
		Knew: func(statement.Hash) bool { return true }, Now: j.now,
	})
	if d.State != policy.ProposalOpen && d.State != policy.ProposalRefused {
		d = policy.ProposalDecision{State: policy.ProposalRefused, Code: d.Code} // nothing is adopted without a verdict
	}
	res = j.proposalOutcome(res, d, nil)
	if res.State == StateOpen {
		alarm := AlarmProposed
		if p.Proposes == statement.ProposeRecovery {
			alarm = AlarmRecovery
		}
		j.alarm(alarm, &res.About, Fact{"proposes", string(p.Proposes)}, Fact{"by", actor.String()})
	}
	return res, nil
}

// CheckProposal tells what would be refused about a proposal's document in this
// state, in a sentence for whoever is about to sign it.
func (s *State) CheckProposal(p *statement.Proposal) error {
	return policy.CheckProposal(policy.ProposalInput{
		Policy: s.policy, Overlay: s.overlay, Book: s.book, Proposal: p, Retired: s.retired, LogKey: s.keys.Used, OtherAccount: s.otherAccount,
		Knew: func(statement.Hash) bool { return true },
	})
}

// proposalInput is everything that the state of a proposal depends on.
func (j *judgement) proposalInput(p *Proposal) policy.ProposalInput {
	return policy.ProposalInput{
		Policy: j.s.policy, Overlay: j.s.overlay, Book: j.s.book, Proposal: p.Body, By: p.By,
		Since: p.Since, Adopted: p.State == StateAdopted, AdoptedAt: p.AdoptedAt,
		Verdicts: p.Verdicts, Retired: j.s.retired, LogKey: j.s.keys.Used, OtherAccount: j.s.otherAccount, Replaced: j.s.replaced(p),
		Knew: func(stop statement.Hash) bool {
			f := j.s.freezes[stop]
			return f != nil && f.StatementSeq < p.StatementSeq
		},
		Now: j.now,
	}
}

// retired tells whether a key stood in a policy that is no longer in force.
func (s *State) retired(key statement.Key) bool { return s.former[key] }

// otherAccount is the network and public key of a wallet's ceremony where a policy gives the wallet others.
func (s *State) otherAccount(w *policy.Wallet) string {
	made := s.wallets[string(w.ID)]
	if made == nil || made.Network == w.Network && made.PublicKey == w.PublicKey {
		return ""
	}
	return made.Network + " " + made.PublicKey
}

// proposalOutcome writes where a proposal stands, and why.
func (j *judgement) proposalOutcome(res Result, d policy.ProposalDecision, t *TransactionRecord) Result {
	reasons, err := json.Marshal(&d, json.Deterministic(true))
	if err != nil && j.err == nil {
		j.err = err
	}
	res.State, res.Code = d.State.String(), d.Code
	res.Seq = j.write(&Outcome{
		About: res.About, ID: res.ID, Type: statement.TypeProposal, State: res.State, Code: d.Code,
		Policy: j.s.policy.Hash(), Transaction: t, Waits: d.Waits,
	})
	j.write(&Reasons{About: res.About, Outcome: res.Seq, Decision: reasons})
	return res
}

// tickProposals looks at the first proposal that somebody judged or that expired.
func (j *judgement) tickProposals() (Result, error) {
	for _, p := range inOrder(j.s.proposals) {
		if !p.ready && !p.expired(j.now) {
			continue
		}
		d := policy.JudgeProposal(j.proposalInput(p))
		if d.State == policy.ProposalInForce {
			continue // tickChange is for that
		}
		res := p.result()
		if p.State == StateOpen && d.State == policy.ProposalAdopted {
			j.write(&Adoption{Proposal: p.Hash, Proposes: p.Body.Proposes, Effective: d.Effective})
			res = j.proposalOutcome(res, d, nil)
			j.alarm(AlarmAdopted, &p.Hash, Fact{"proposes", string(p.Body.Proposes)}, Fact{"effective", statement.FormatTime(d.Effective)})
			return res, nil
		}
		return j.proposalOutcome(res, d, nil), nil
	}
	return Result{}, nil
}

func (p *Proposal) result() Result {
	return Result{Type: string(statement.TypeProposal), About: p.Hash, ID: p.ID.String(), By: p.By}
}

// ruleChangeDue tells whether an adopted change of the rules should have come into force by now, or have
// failed to. An evacuation changes no rules.
func (s *State) ruleChangeDue(now policy.Now) bool {
	j := judgement{s: s, now: now}
	for _, p := range s.proposals {
		if p.Body.Proposes != statement.ProposeEvacuation && j.dueChange(p) != policy.ProposalAdopted {
			return true
		}
	}
	return false
}

// dueChange tells where an adopted proposal stands whose time-lock, as its adoption entry says, has ended;
// adopted for all others, and where a change since then made the time-lock longer.
func (j *judgement) dueChange(p *Proposal) policy.ProposalState {
	if p.State != StateAdopted || p.Effective > j.now.Time {
		return policy.ProposalAdopted
	}
	return policy.JudgeProposal(j.proposalInput(p)).State
}

// tickChange brings the first adopted change whose time has come into force.
func (j *judgement) tickChange() (Result, error) {
	var behind error
	for _, p := range inOrder(j.s.proposals) {
		switch j.dueChange(p) {
		case policy.ProposalAdopted:
		case policy.ProposalInForce:
			if j.inDoubt && p.Body.Proposes == statement.ProposeEvacuation {
				continue
			}
			res, err := j.enforce(p)
			if !errors.Is(err, ErrClock) {
				return res, err
			}
			behind = err
		default:
			return j.proposalOutcome(p.result(), policy.JudgeProposal(j.proposalInput(p)), nil), nil
		}
	}
	return Result{}, behind
}

// enforce writes that a change acts from here on. An evacuation's is its transaction.
func (j *judgement) enforce(p *Proposal) (Result, error) {
	res := p.result()
	d := policy.ProposalDecision{State: policy.ProposalInForce, Code: policy.CodeInForce, Effective: p.Effective}
	var t *TransactionRecord
	if p.Body.Proposes == statement.ProposeEvacuation {
		var err error
		var broken *unfitError
		if t, err = j.evacuation(p); errors.As(err, &broken) {
			res = j.proposalOutcome(res, policy.ProposalDecision{State: policy.ProposalLapsed, Code: broken.code}, nil)
			j.alarm(broken.code, &p.Hash, Fact{"why", broken.why})
			return res, nil
		} else if err != nil {
			return res, err
		}
	}
	next, book, err := j.s.successors(p)
	if err != nil {
		return res, err
	}
	j.write(&InForce{Proposal: p.Hash, Proposes: p.Body.Proposes, Policy: next.Hash(), Book: book.Hash()})
	res = j.proposalOutcome(res, d, t)
	if t != nil {
		res.State = StateAuthorized
	}
	j.alarm(AlarmInForce, &p.Hash, Fact{"proposes", string(p.Body.Proposes)}, Fact{"policy", next.Hash().String()}, Fact{"book", book.Hash().String()})
	return res, nil
}

// successors returns the policy and the book that hold once the proposal acts.
func (s *State) successors(p *Proposal) (*policy.Policy, *policy.Book, error) {
	next, book, change := s.policy, s.book, ""
	switch p.Body.Proposes {
	case statement.ProposePolicy, statement.ProposeRecovery:
		var err error
		if next, err = policy.Parse([]byte(p.Body.Document)); err != nil {
			return nil, nil, fmt.Errorf("the adopted policy: %w", err)
		}
		change = p.Body.Addresses
	case statement.ProposeAddresses:
		change = p.Body.Document
	default: // it changes no rules
	}
	if change != "" {
		c, err := policy.ParseBookChange([]byte(change))
		if err != nil {
			return nil, nil, fmt.Errorf("the adopted address change: %w", err)
		}
		if book, err = book.Apply(c); err != nil {
			return nil, nil, fmt.Errorf("the adopted address change: %w", err)
		}
	}
	return next, book, nil
}

func (s *State) applyProposal(p *Proposal, e journal.Entry, b *Outcome) error {
	p.ready = false
	switch p.State {
	case StateOpen, StateAdopted:
		s.proposals[p.Hash] = p
		return nil
	}
	delete(s.proposals, p.Hash)
	if b.Transaction != nil {
		if err := s.applyEvacuation(p, e, b); err != nil {
			return err
		}
	}
	p.Body, p.Verdicts = nil, nil
	return nil
}

func (s *State) applyAdoption(e journal.Entry, b *Adoption) error {
	p := s.proposals[b.Proposal]
	if p == nil || p.State != StateOpen {
		return fmt.Errorf("proposal %s is not open", b.Proposal)
	}
	p.AdoptedAt, p.Effective, p.adopted = e.Time, b.Effective, e.Seq
	if p.Body.Proposes == statement.ProposeLogKey {
		for _, other := range s.proposals {
			other.ready = other.ready || other.permits() // its place is taken at once: a veto of this one does not bring it back
		}
	}
	return nil
}

// applyInForce changes the rules: what everything after this entry is judged by.
func (s *State) applyInForce(e journal.Entry, b *InForce) error {
	p := s.proposals[b.Proposal]
	if p == nil || p.State != StateAdopted {
		return fmt.Errorf("proposal %s was not adopted", b.Proposal)
	}
	next, book, err := s.successors(p)
	if err != nil {
		return err
	}
	if next.Hash() != b.Policy || book.Hash() != b.Book {
		return fmt.Errorf("policy or address book are not those of the proposal")
	}
	s.book = book
	if p.Body.Proposes == statement.ProposeResume {
		resume, err := policy.ParseResume([]byte(p.Body.Document))
		if err != nil {
			return err
		}
		s.vouch(min(e.Clock, resume.Time))
	}
	if next != s.policy {
		s.succeed(next, p.Since)
	}
	for _, r := range s.held {
		r.ready = true // rules or destinations have changed
	}
	return nil
}

// succeed puts another policy in force. Approvals given under the old one do not count any more, and what
// was proposed to follow it is looked at again.
func (s *State) succeed(next *policy.Policy, proposed int64) {
	for _, key := range s.policy.Keys() {
		s.former[key] = true
	}
	s.policy = next
	s.usage.Bind(next)
	s.overlay = s.overlay.Next(next, proposed)
	s.dropStops()
	for _, p := range s.proposals {
		p.ready = true
	}
}
