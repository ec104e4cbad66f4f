package signer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"kura/ledger"
	"kura/nem"
	"kura/statement"
)

// signTimeout bounds one call of the token.
const signTimeout = 15 * time.Second

// A job is one authorisation to be signed: the bytes that the journal holds.
type job struct {
	about    statement.Hash
	wallet   string
	network  nem.Network
	unsigned []byte
	pause    time.Duration // before the next attempt, if this one fails
}

// A workQueue holds jobs for the workers. It has no bound of its own: a job exists only for an authorisation in the
// journal, and a full queue must not hold up the committer, on whom the workers' own inputs wait.
type workQueue struct {
	mu     sync.Mutex
	some   sync.Cond
	jobs   []*job
	closed bool
}

func newWorkQueue() *workQueue {
	q := new(workQueue)
	q.some.L = &q.mu
	return q
}

func (q *workQueue) push(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, j)
	q.some.Signal()
}

// pop waits for a job; false: the queue is closed.
func (q *workQueue) pop() (*job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.jobs) == 0 && !q.closed {
		q.some.Wait()
	}
	if q.closed {
		return nil, false
	}
	j := q.jobs[0]
	q.jobs[0] = nil
	q.jobs = q.jobs[1:]
	return j, true
}

func (q *workQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Broadcast()
}

func (q *workQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.jobs)
}

func newJob(r *ledger.Request) *job {
	return &job{
		about:    r.Hash,
		wallet:   string(r.Wallet),
		network:  r.Transaction.Network,
		unsigned: r.Transaction.Unsigned,
		pause:    firstPause,
	}
}

// sign is a worker: it signs jobs until the queue closes.
func (s *Signer) sign(ctx context.Context) {
	for {
		j, ok := s.work.pop()
		if !ok {
			return
		}
		s.signOne(ctx, j)
	}
}

func (s *Signer) signOne(ctx context.Context, j *job) {
	if !s.mayRelease() {
		s.later(j)
		return
	}
	if !s.maySign(j) {
		s.strand(j)
		return
	}
	signature, err := s.callToken(ctx, j)
	if err != nil {
		s.failed(j, err)
		return
	}
	s.conditions.clear(j.wallet, walletConditions...)
	if !s.mayRelease() {
		s.later(j)
		return
	}
	// Where the token would make the same signature again after a crash, it may leave before it is journalled.
	early := s.token.Deterministic()
	if early && !s.publish(j, signature) {
		s.strand(j) // which a halt does not let through
		return
	}
	s.send(&request{
		in:   ledger.SignatureInput{About: j.about, Signature: signature},
		late: early,
		done: func(_ ledger.Result, err error) { s.journalled(j, err) },
	})
}

// mayRelease reports whether this signer may sign and let anything out: it leads, and has not halted.
func (s *Signer) mayRelease() bool { return s.leads() && s.halted() == nil }

// maySign asks whether a stop or the deadline came in between.
func (s *Signer) maySign(j *job) bool {
	clock, _ := s.clock.Now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.MaySign(j.about, clock)
}

// strand gives an authorisation up that must not be signed any more, which its client is told. What is wrong with its
// wallet's key may have nothing left to disprove it but a test.
func (s *Signer) strand(j *job) {
	s.prodToken()
	s.send(&request{in: ledger.StrandInput{About: j.about}, done: func(res ledger.Result, err error) {
		if errors.Is(err, ledger.ErrInput) && s.maySign(j) { // a lift was first
			s.later(j)
			return
		}
		s.givenUp(j.about)(res, err)
	}})
}

func (s *Signer) givenUp(about statement.Hash) func(ledger.Result, error) {
	return func(_ ledger.Result, err error) {
		if err != nil && !errors.Is(err, ledger.ErrInput) { // ErrInput: a tick was first
			s.log.Error("an authorisation could not be given up", "statement", about, "error", err)
		}
	}
}

// callToken has the token sign the very bytes of the authorisation and verifies what comes back by the rules of the
// chain's nodes.
func (s *Signer) callToken(ctx context.Context, j *job) (nem.Signature, error) {
	tx, err := nem.Decode(j.network, j.unsigned)
	if err != nil {
		return nem.Signature{}, err
	}
	message, err := nem.SigningBytes(j.network, j.unsigned)
	if err != nil {
		return nem.Signature{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	signature, err := s.token.Sign(ctx, Key{Wallet: j.wallet, Network: j.network, PublicKey: tx.Signer()}, message)
	if err != nil {
		return nem.Signature{}, err
	}
	if err := nem.VerifyTransaction(j.network, j.unsigned, signature); err != nil {
		return nem.Signature{}, wrongSignatureError{err}
	}
	return signature, nil
}

// A wrongSignatureError says that the token made a signature that does not verify. It is withheld: of a faulty Ed25519
// signature and a good one over the same message the key can be computed.
type wrongSignatureError struct{ error }

func (wrongSignatureError) Code() string    { return codeWrongSignature }
func (w wrongSignatureError) Unwrap() error { return w.error }

// failed notes why a job could not be signed and has it tried again later, until its deadline strands it.
func (s *Signer) failed(j *job, err error) {
	code := codeOf(err, codeSigningFailed)
	s.counters.tokenFailed(code)
	if code == conditionToken || code == codeTokenClosed {
		// The token does not answer: that concerns everybody, and watchToken finds out when it is over.
		s.log.Warn("not signed yet", "wallet", j.wallet, "statement", j.about, "error", err)
		s.prodToken()
	} else {
		s.conditions.set(code, j.wallet, fmt.Sprintf("wallet %s: %v", j.wallet, err), code == codeWrongSignature)
	}
	s.later(j)
}

// later has a job tried again after a pause. A lease that may be lost may turn out to be held all the same: the database
// was slow. After a halt nothing is tried: whoever leads then, or the next start, finds the authorisation in the journal.
func (s *Signer) later(j *job) {
	if s.halted() != nil {
		return
	}
	pause := j.pause
	j.pause = min(2*j.pause, longestPause)
	time.AfterFunc(pause, func() { s.work.push(j) })
}

// publish hands a signature to whoever waits for it. It reports false, and hands out nothing, if a stop or a halt came
// while the token signed: nothing leaves after a freeze that the state knows, nor from a state that is not trusted.
func (s *Signer) publish(j *job, signature nem.Signature) bool {
	clock, _ := s.clock.Now()
	s.mu.Lock()
	may := s.halted() == nil && s.state.MaySign(j.about, clock)
	if may {
		s.signatures[j.about] = signature
	}
	s.mu.Unlock()
	if may {
		s.watches.notify(j.about)
	}
	return may
}

// journalled is told that a signature is in the journal, or why it is not.
func (s *Signer) journalled(j *job, err error) {
	switch {
	case errors.Is(err, errStopping): // the next start signs again
	case err != nil:
		s.log.Error("a signature could not be journalled", "statement", j.about, "error", err)
	default:
		s.mu.Lock()
		delete(s.signatures, j.about)
		s.mu.Unlock()
	}
}
