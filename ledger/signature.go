package ledger

import (
	"fmt"

	"kura/journal"
	"kura/nem"
)

// signature records a signature over an authorisation's bytes. It is a fact, not a decision: it may already
// have left, so it is recorded under a freeze as well.
func (j *judgement) signature(in SignatureInput) (Result, error) {
	r := j.s.unsigned[in.About]
	if r == nil {
		return Result{}, fmt.Errorf("%w: no authorisation of statement %s waits for a signature", ErrInput, in.About)
	}
	hash, err := nem.HashOf(r.Transaction.Network, r.Transaction.Unsigned, in.Signature)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrInput, err)
	}
	seq := j.write(&Signature{About: in.About, Signature: in.Signature.String(), Transaction: hash.String()})
	return Result{Type: string(r.Type), About: r.Hash, ID: r.ID.String(), By: r.By, State: StateSigned, Seq: seq}, nil
}

func (s *State) applySignature(e journal.Entry, b *Signature) error {
	r := s.unsigned[b.About]
	if r == nil {
		return fmt.Errorf("no authorisation of statement %s waits for a signature", b.About)
	}
	signature, err := nem.ParseSignature(b.Signature)
	if err != nil {
		return err
	}
	hash, err := nem.ParseHash(b.Transaction)
	if err != nil {
		return err
	}
	r.State, r.Code, r.SignatureSeq = StateSigned, "", e.Seq
	r.Transaction.Signature, r.Transaction.Hash = signature, hash
	r.Destination = ""
	delete(s.unsigned, r.Hash)
	return nil
}

// strand ends an authorisation that has no known signature and must not get one.
func (j *judgement) strand(in StrandInput) (Result, error) {
	r := j.s.unsigned[in.About]
	if r == nil {
		return Result{}, fmt.Errorf("%w: no authorisation of statement %s waits for a signature", ErrInput, in.About)
	}
	if r.Transaction.Deadline >= j.now.Clock && !j.s.covered(r) {
		return Result{}, fmt.Errorf("%w: the authorisation of statement %s may still be signed", ErrInput, in.About)
	}
	j.write(&Strand{About: in.About})
	return j.stranded(r), nil
}

// Codes of stranded requests.
const (
	CodeDeadlineOver = "deadline_over" // it could not be signed in time
	CodeStopped      = "stopped"       // a freeze came between authorisation and signature
)

func (j *judgement) stranded(r *Request) Result {
	code := CodeStopped
	if j.s.beforeGap(&r.Record) {
		code = CodeGap
	} else if r.Transaction.Deadline < j.now.Clock {
		code = CodeDeadlineOver
	}
	return j.end(r, StateStranded, code)
}

// end writes the end of a request that no decision of the policy leads to.
func (j *judgement) end(r *Request, state, code string) Result {
	res := Result{Type: string(r.Type), About: r.Hash, ID: r.ID.String(), By: r.By, State: state, Code: code}
	res.Seq = j.write(&Outcome{
		About: r.Hash, ID: res.ID, Type: r.Type, State: state, Code: code,
		Policy: j.s.policy.Hash(), Wallet: string(r.Wallet),
	})
	return res
}
