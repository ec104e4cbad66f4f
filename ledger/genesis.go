package ledger

import (
	"fmt"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// genesis opens a journal.
func (j *judgement) genesis(in GenesisInput) (Result, error) {
	if err := in.Genesis.check(); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return Result{Seq: j.write(&in.Genesis)}, nil
}

func (g *Genesis) check() error {
	if _, err := g.logKey(); err != nil {
		return err
	}
	if g.Origin == "" {
		return fmt.Errorf("origin is missing")
	}
	if g.Clock != ClockReal && g.Clock != ClockSimulated {
		return fmt.Errorf("clock is %q, want %s or %s", g.Clock, ClockReal, ClockSimulated)
	}
	if g.Policy == (statement.Hash{}) {
		return fmt.Errorf("policy is all zero, want the hash of the first policy")
	}
	if g.Predecessor != nil {
		if err := g.Predecessor.Check(); err != nil {
			return fmt.Errorf("predecessor: %w", err)
		}
	}
	return nil
}

func (g *Genesis) logKey() ([32]byte, error) {
	return journal.ParseLogKey(g.LogKey)
}

// Line returns the genesis that everybody pins, given the leaf hash of entry 0.
func (g *Genesis) Line(leaf journal.Hash) (journal.Genesis, error) {
	key, err := g.logKey()
	if err != nil {
		return journal.Genesis{}, err
	}
	return journal.Genesis{Origin: g.Origin, Hash: leaf, LogKey: key}, nil
}

func (s *State) applyGenesis(e journal.Entry, b *Genesis) error {
	if err := b.check(); err != nil {
		return err
	}
	line, err := e.Encode()
	if err != nil {
		return err
	}
	pinned, err := b.Line(journal.LeafHash(line))
	if err != nil {
		return err
	}
	s.genesis, s.journal, s.keys = b, Leaf(pinned.Hash), pinned.Keys()
	s.line.credit = startCredit
	return nil
}

// founding puts the first policy in force: it must be the one that the genesis names, and its own directors
// must have signed it, as its own rule for policies asks. In a successor it is the policy that was in force.
func (j *judgement) founding(in FoundingInput) (Result, error) {
	b := Founding{Policy: in.Policy}
	var verdicts []policy.Verdict
	p, err := j.s.foundingPolicy(in.Policy)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	for i, e := range in.Verdicts {
		v, err := j.foundingVerdict(e, p)
		if err != nil {
			return Result{}, fmt.Errorf("%w: verdict %d: %w", ErrInput, i, err)
		}
		v.At = j.now.Time
		verdicts = append(verdicts, v)
		b.Verdicts = append(b.Verdicts, Envelope(e))
	}
	judge := policy.JudgeGenesis
	if j.s.succeeds() {
		judge = policy.JudgeSuccession
	}
	if refusal := judge(p, verdicts, j.now); refusal != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrInput, refusal)
	}
	return Result{Seq: j.write(&b)}, nil
}

// foundingPolicy reads the first policy and holds it to the genesis.
func (s *State) foundingPolicy(text string) (*policy.Policy, error) {
	p, err := policy.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the first policy: %w", err)
	}
	if p.Hash() != s.genesis.Policy {
		return nil, fmt.Errorf("the policy's hash is %s, the genesis names %s", p.Hash(), s.genesis.Policy)
	}
	if s.succeeds() {
		return p, nil
	}
	if d := p.Document(); d.Version != 1 || d.Previous != "" || len(d.Wallets) != 0 {
		return nil, fmt.Errorf("policy 1 has version 1, no predecessor and no wallets")
	}
	return p, nil
}

// foundingVerdict opens a director's verdict about the first policy.
func (j *judgement) foundingVerdict(e statement.Envelope, p *policy.Policy) (policy.Verdict, error) {
	signed, err := statement.Open(e)
	if err != nil {
		return policy.Verdict{}, err
	}
	v, ok := signed.Body.(*statement.Verdict)
	if !ok {
		return policy.Verdict{}, fmt.Errorf("is no verdict")
	}
	if err := j.s.checkFoundingVerdict(v, p, j.now); err != nil {
		return policy.Verdict{}, err
	}
	actor, ok := p.Attribute(signed.Key)
	if !ok {
		return policy.Verdict{}, fmt.Errorf("the policy does not name the key %s", signed.Key.Fingerprint())
	}
	return policy.Verdict{By: actor, Key: signed.Key, Kind: v.Verdict, Policy: p.Hash(), Hash: signed.Hash}, nil
}

// checkFoundingVerdict holds a verdict to what it has to say. It was signed before the journal had a name, so
// it names 64 zeros; in a successor the journal before it, and beside the policy the head that it ended with.
func (s *State) checkFoundingVerdict(v *statement.Verdict, p *policy.Policy, now policy.Now) error {
	if s.succeeds() {
		return s.genesis.Predecessor.checkVerdict(v, p, now)
	}
	if v.Verdict != statement.Approve || !v.Journal.IsZero() || len(v.About) != 1 || v.About[0] != p.Hash() || v.Policy != p.Hash() {
		return fmt.Errorf("is not an approval of policy 1, by its hash, for journal 0")
	}
	return nil
}

func (s *State) applyFounding(e journal.Entry, b *Founding) error {
	p, err := s.foundingPolicy(b.Policy)
	if err != nil {
		return err
	}
	s.policy = p
	s.usage = policy.NewUsage(p)
	if s.succeeds() {
		s.usage.Fill(e.Time)
	}
	for _, t := range []statement.Type{statement.TypeWithdrawal, statement.TypeVerdict, statement.TypeFreeze, statement.TypeProposal} {
		s.memory.floor[t] = 0
	}
	return nil
}
