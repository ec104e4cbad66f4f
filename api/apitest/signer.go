// Package apitest is test support for the gateway and its clients: a double of the signer, and a gateway
// before it on real sockets. Nothing outside tests may import it.
//
// The double keeps a real journal (entries, tree, signed heads) and opens statements for real, so receipts
// and proofs are genuine; but it judges by a script, knows no policy, asks no token and forgets everything.
package apitest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"

	"kura/journal"
	"kura/nem"
	"kura/signer/rpc"
	"kura/statement"
)

// A Signer is the double. Its fields are set before it is used.
type Signer struct {
	// Judge scripts what becomes of a statement that the double opened; nil signs withdrawals, counts
	// verdicts and puts freezes in force.
	Judge func(statement.Signed) Ruling
	// Gate, when not nil, is called before each method with its name: an error is the answer, and a test
	// can let a call hang in it.
	Gate func(ctx context.Context, method string) error
	// Stop, when not nil, is why the signer is not signing, as Ready tells it.
	Stop *rpc.Reason
	// Now is unix milliseconds for entries.
	Now int64

	genesis journal.Genesis

	mu         sync.Mutex
	keys       journal.LogKeys
	chain      journal.Chain
	grown      chan struct{} // closed and replaced when the journal grows
	entries    [][]byte
	heads      [][]byte // after each entry: a group is one entry here
	tree       *journal.Tree
	checkpoint journal.Checkpoint
	answers    map[string]rpc.Answer // by statement id
	sessions   map[string]rpc.Session
	submitted  [][]byte // envelopes as they came
}

var _ rpc.Gateway = (*Signer)(nil)

// A Ruling is what the script says about a statement.
type Ruling struct {
	State  string
	Code   string
	Detail string
	Waits  []rpc.Wait
	// Results are those of a verdict; they are told and not journalled.
	Results []rpc.Answer
	// Withheld keeps a signed transaction back, as a freeze does.
	Withheld bool
}

// NewSigner returns a double with a journal of one entry.
func NewSigner() *Signer {
	s := &Signer{
		Now: 1767225600000, grown: make(chan struct{}),
		answers: map[string]rpc.Answer{}, sessions: map[string]rpc.Session{},
	}
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		panic(err)
	}
	s.tree = tree
	s.genesis = journal.Genesis{Origin: "kura.example/apitest", LogKey: publicLogKey(0)}
	s.keys = s.genesis.Keys()
	entry := s.append("genesis/1", map[string]any{"origin": s.genesis.Origin})
	s.genesis.Hash = journal.LeafHash(s.entries[entry])
	s.keys = s.genesis.Keys()
	return s
}

// Genesis is the line to pin.
func (s *Signer) Genesis() journal.Genesis { return s.genesis }

// Submitted returns the envelopes that arrived, byte for byte.
func (s *Signer) Submitted() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.submitted...)
}

func (s *Signer) gate(ctx context.Context, method string) error {
	if s.Gate == nil {
		return nil
	}
	return s.Gate(ctx, method)
}

// Submit implements rpc.Gateway.
func (s *Signer) Submit(ctx context.Context, envelope []byte, waitMillis int64) (rpc.Answer, error) {
	s.mu.Lock()
	s.submitted = append(s.submitted, append([]byte(nil), envelope...))
	s.mu.Unlock()
	if err := s.gate(ctx, "submit"); err != nil {
		return rpc.Answer{}, err
	}
	signed, err := open(envelope)
	if err != nil {
		return rpc.Answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := signed.Body.Common().ID.String()
	if known, ok := s.answers[id]; ok {
		if known.StatementHash != signed.Hash.String() {
			return rpc.Answer{}, &rpc.Problem{Code: "id_conflict", Field: "id", Detail: "another text has this id", Retry: rpc.RetryNewStatement, Effect: rpc.EffectNone, Answer: &known}
		}
		return known, nil
	}
	answer := s.answer(signed, s.rule(signed))
	s.answers[id] = answer
	return answer, nil
}

// Settle changes what becomes of a statement that was judged, as verdicts would.
func (s *Signer) Settle(env statement.Envelope, r Ruling) {
	signed, err := statement.Open(env)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[signed.Body.Common().ID.String()] = s.answer(signed, r)
}

func open(envelope []byte) (statement.Signed, error) {
	env, err := statement.DecodeEnvelope(envelope)
	if err == nil {
		var signed statement.Signed
		if signed, err = statement.Open(env); err == nil {
			return signed, nil
		}
	}
	var refused *statement.Error
	if !errors.As(err, &refused) {
		return statement.Signed{}, err
	}
	return statement.Signed{}, &rpc.Problem{Code: string(refused.Code), Field: refused.Field, Detail: refused.Msg, Retry: rpc.RetryNewStatement, Effect: rpc.EffectNone}
}

func (s *Signer) rule(signed statement.Signed) Ruling {
	if s.Judge != nil {
		return s.Judge(signed)
	}
	switch signed.Body.Type() {
	case statement.TypeVerdict:
		return Ruling{State: rpc.StateCounted}
	case statement.TypeFreeze:
		return Ruling{State: rpc.StateInForce}
	case statement.TypeProposal:
		return Ruling{State: rpc.StateOpen}
	default:
		return Ruling{State: rpc.StateSigned}
	}
}

// answer journals an outcome and makes its answer. The caller holds the lock.
func (s *Signer) answer(signed statement.Signed, r Ruling) rpc.Answer {
	common := signed.Body.Common()
	recorded, outcome := r.State, map[string]any{
		"about": signed.Hash.String(), "id": common.ID.String(), "type": string(signed.Body.Type()), "code": r.Code,
		"policy": statement.Hash{}.String(), "wallet": "", "transaction": nil, "waits": []any{}, "results": []any{}, "alive": []any{},
	}
	if r.State == rpc.StateSigned || r.State == rpc.StateAuthorized {
		recorded = rpc.StateAuthorized
		outcome["transaction"] = map[string]any{"network": network.String(), "unsigned": Unsigned, "fee": "50000", "deadline": nem.UnixMillis(network, deadline)}
	}
	outcome["state"] = recorded
	seq := s.append("outcome/1", outcome)
	answer := rpc.Answer{
		ID: common.ID.String(), Type: string(signed.Body.Type()), State: r.State, Seq: seq, StatementHash: signed.Hash.String(),
		Decision: &rpc.Decision{Outcome: r.State, Code: r.Code, Detail: r.Detail, Waits: r.Waits},
		Receipt:  s.receipt(seq),
		Results:  r.Results,
	}
	if r.State == rpc.StateSigned && !r.Withheld {
		answer.Transaction = signedTransaction()
		answer.Chain = &rpc.Chain{State: "unseen"}
	}
	return answer
}

// OpenSession implements rpc.Gateway.
func (s *Signer) OpenSession(ctx context.Context, envelope []byte) (rpc.Session, error) {
	if err := s.gate(ctx, "session"); err != nil {
		return rpc.Session{}, err
	}
	signed, err := open(envelope)
	if err != nil {
		return rpc.Session{}, err
	}
	login := signed.Body.(*statement.Login)
	session := rpc.Session{Actor: rpc.Actor{Kind: "person", ID: "alice"}, Until: statement.FormatTime(s.Now + 900000)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[login.SecretHash.String()] = session
	return session, nil
}

// Admit opens a session of alice's without a login, for tests that are about something else.
func (s *Signer) Admit(secret [32]byte) { s.AdmitAs("alice", secret) }

// AdmitAs opens a session of any person's.
func (s *Signer) AdmitAs(person string, secret [32]byte) {
	hash := sha256.Sum256(secret[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[hex.EncodeToString(hash[:])] = rpc.Session{Actor: rpc.Actor{Kind: "person", ID: person}}
}

// admitted returns the lock's release when the bearer has a session.
func (s *Signer) admitted(ctx context.Context, method, bearer string) (func(), error) {
	if err := s.gate(ctx, method); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if _, ok := s.sessions[bearer]; !ok {
		s.mu.Unlock()
		return nil, &rpc.Problem{Code: "no_session", Field: "Authorization", Detail: "no such session is open", Retry: rpc.RetryNever, Effect: rpc.EffectNone}
	}
	return s.mu.Unlock, nil
}

// Withdrawal implements rpc.Gateway.
func (s *Signer) Withdrawal(ctx context.Context, bearer, id string, waitMillis int64) (rpc.Answer, error) {
	release, err := s.admitted(ctx, "withdrawal", bearer)
	if err != nil {
		return rpc.Answer{}, err
	}
	defer release()
	answer, ok := s.answers[id]
	if !ok {
		return rpc.Answer{}, notFound("id", "no such withdrawal")
	}
	return answer, nil
}

func notFound(field, detail string) *rpc.Problem {
	return &rpc.Problem{Code: "not_found", Field: field, Detail: detail, Retry: rpc.RetryNever, Effect: rpc.EffectNone}
}

// Wallets implements rpc.Gateway.
func (s *Signer) Wallets(ctx context.Context, bearer string) ([]rpc.Wallet, error) {
	release, err := s.admitted(ctx, "wallets", bearer)
	if err != nil {
		return nil, err
	}
	defer release()
	key := nem.PublicKey(publicLogKey(0))
	return []rpc.Wallet{{
		ID: "hot", Network: network.String(), Address: key.Address(network).String(), PublicKey: key.String(), Custody: "sealed", State: "active",
	}}, nil
}

// Limits implements rpc.Gateway.
func (s *Signer) Limits(ctx context.Context, bearer string) ([]rpc.Limit, error) {
	release, err := s.admitted(ctx, "limits", bearer)
	if err != nil {
		return nil, err
	}
	defer release()
	return []rpc.Limit{{ID: "day", Used: "0", Max: "10", Window: 86400000}}, nil
}

// Ready implements rpc.Gateway.
func (s *Signer) Ready(ctx context.Context) (rpc.Ready, error) {
	if err := s.gate(ctx, "ready"); err != nil {
		return rpc.Ready{}, err
	}
	reasons := []rpc.Reason{{Code: "no_witness", Detail: "rollback of this host: unbounded"}}
	if s.Stop != nil {
		reasons = append(reasons, *s.Stop)
	}
	return rpc.Ready{Ready: s.Stop == nil, Role: "signer", Reasons: reasons}, nil
}

// Metrics implements rpc.Gateway.
func (s *Signer) Metrics(ctx context.Context) (rpc.Metrics, error) {
	if err := s.gate(ctx, "metrics"); err != nil {
		return rpc.Metrics{}, err
	}
	return rpc.Metrics{Samples: []rpc.Sample{
		{Name: "kura_entries_total", Help: "Entries.", Kind: "counter", Value: 3},
		{Name: "kura_frozen", Help: "A \\ and\na line.", Kind: "gauge", Labels: map[string]string{"wallet": "a\"b\\c\nd"}, Value: 1},
	}}, nil
}
