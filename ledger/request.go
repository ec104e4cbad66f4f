package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"kura/journal"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A Request is a withdrawal and what became of it. State is StateSigned once a signature is recorded.
type Request struct {
	Record
	Wallet       policy.WalletID
	Destination  string // address; "" once it is signed
	Since        int64  // policy time of its first decision, unix milliseconds
	ReasonsSeq   uint64
	SignatureSeq uint64 // 0: no signature recorded
	Transaction  *Transaction
	Replaces     statement.ID // what it stands in for; zero: nothing
	adopted      uint64       // of an evacuation: seq of its adoption; 0: it is a withdrawal

	// Key signed it: while it is held, and from its authorisation to its deadline.
	Key statement.Key

	// While it is held only:
	Withdrawal *statement.Withdrawal
	Waits      []policy.Wait
	Verdicts   []policy.Verdict
	wakeAt     int64 // policy time from which time or room may let it go on; never if it waits for people only
	ready      bool  // something happened since its last decision: it is to be decided again
}

// A Transaction is an authorisation's transaction.
type Transaction struct {
	Network  nem.Network
	Unsigned []byte // the exact bytes, see nem.BuildTransfer
	Fee      nem.Amount
	Deadline int64 // unix milliseconds

	Signature nem.Signature // zero until it is recorded
	Hash      nem.Hash      // zero until there is a signature
}

// settleMargin is how long after its deadline a transaction may still turn up on its chain, in
// milliseconds, so that nothing may stand in for it before: 6 h 30 min, what NIS1 needs.
const settleMargin = (6*60 + 30) * 60 * 1000

// payableUntil returns until when an authorised request may still be paid, in unix milliseconds.
func (r *Request) payableUntil() int64 {
	return r.Transaction.Deadline + settleMargin
}

// paysTo tells whether a request is for a payment to this address. Where its statement is not kept any more, or is an
// evacuation's, its transaction says it.
func (r *Request) paysTo(address string) bool {
	if r.Destination != "" || r.Transaction == nil {
		return r.Destination == address
	}
	tx, err := nem.Decode(r.Transaction.Network, r.Transaction.Unsigned)
	transfer, ok := tx.TransferBody()
	return err != nil || !ok || transfer.Recipient.String() == address // what cannot be read is stopped
}

// dead tells that a request ended without an authorisation.
func (r *Request) dead() bool {
	switch r.State {
	case StateDenied, StateRejected, StateCancelled, StateLapsed:
		return true
	}
	return false
}

// applyOutcome takes what became of a statement.
func (s *State) applyOutcome(e journal.Entry, b *Outcome) error {
	if f := s.freezes[b.About]; f != nil {
		return s.applyStopped(f, e, b)
	}
	r := s.memory.hashes[b.About]
	if r == nil {
		return fmt.Errorf("nothing is known of the statement %s", b.About)
	}
	if p, ok := r.(*Proposal); ok && p.Evacuation != nil {
		r = p.Evacuation
	}
	rec := r.record()
	if rec.ID.String() != b.ID || rec.Type != b.Type {
		return fmt.Errorf("id or type is not the statement's")
	}
	if !mayBecome(rec.Type, rec.State, b.State) {
		return fmt.Errorf("a %s that is %q cannot become %q", rec.Type, rec.State, b.State)
	}
	before := rec.State
	rec.State, rec.Code, rec.Policy, rec.OutcomeSeq = s.shared(b.State), s.shared(b.Code), b.Policy, e.Seq
	if before == "" {
		s.countInVain(rec)
	}
	switch r := r.(type) {
	case *Request:
		return s.applyRequest(r, before, e, b)
	case *Proposal:
		return s.applyProposal(r, e, b)
	case *Freeze:
		return s.applyFreeze(r)
	case *verdict:
		return s.applyVerdict(r, e, b)
	}
	return nil
}

// applyRequest moves a request along.
func (s *State) applyRequest(r *Request, before string, e journal.Entry, b *Outcome) error {
	s.memory.noteHeir(r)
	if before != StateHeld && b.State == StateHeld {
		s.held = append(s.held, r)
		s.client(policy.ClientID(r.By.ID)).pending++
	}
	if before == StateHeld && b.State != StateHeld {
		s.held = slices.DeleteFunc(s.held, func(x *Request) bool { return x == r })
		s.client(policy.ClientID(r.By.ID)).pending--
	}
	delete(s.unsigned, r.Hash)
	switch b.State {
	case StateHeld:
		r.Waits, r.ready = b.Waits, false
		r.wakeAt = wakeTime(b.Waits)
		return nil
	case StateAuthorized:
		t, err := b.Transaction.parse()
		if err != nil {
			return err
		}
		r.Transaction = t
		s.unsigned[r.Hash] = r
		s.recent.add(r)
		s.pending = r
		return nil
	}
	if b.State == StateDenied {
		s.noteRefusal(r, e)
	}
	r.close()
	return nil
}

// close drops what only a held request needs. What was authorised keeps its key until its deadline.
func (r *Request) close() {
	r.Withdrawal, r.Waits, r.Verdicts, r.ready = nil, nil, nil, false
	if r.Transaction == nil {
		r.Key = ""
	}
}

// wakeTime is the earliest policy time at which something other than a person can let a request go on.
func wakeTime(waits []policy.Wait) int64 {
	at := int64(math.MaxInt64)
	for _, w := range waits {
		if w.Until > 0 {
			at = min(at, w.Until)
		}
	}
	return at
}

func (t *TransactionRecord) parse() (*Transaction, error) {
	if t == nil {
		return nil, fmt.Errorf("an authorisation without a transaction")
	}
	network, err := nem.ParseNetwork(t.Network)
	if err != nil {
		return nil, err
	}
	unsigned, err := hex.DecodeString(t.Unsigned)
	if err != nil {
		return nil, fmt.Errorf("unsigned: %w", err)
	}
	return &Transaction{Network: network, Unsigned: unsigned, Fee: t.Fee, Deadline: t.Deadline}, nil
}

// applyReasons counts an authorisation in the limits; the reasons of anything else change nothing.
func (s *State) applyReasons(e journal.Entry, b *Reasons, d *policy.Decision) error {
	known := s.memory.hashes[b.About]
	if known == nil || known.record().OutcomeSeq != b.Outcome {
		return fmt.Errorf("reasons for an outcome that is not the newest of statement %s", b.About)
	}
	r, ok := known.(*Request)
	if !ok {
		return nil
	}
	r.ReasonsSeq = e.Seq
	if s.pending == nil {
		return nil
	}
	if s.pending != r {
		return fmt.Errorf("reasons for another request than the one authorised before them")
	}
	s.pending = nil
	if d == nil {
		var err error
		if d, err = b.decision(); err != nil {
			return err
		}
	}
	w := r.Withdrawal
	r.close()
	return s.countUsage(r, w, d, b.Decision, e)
}

// countUsage takes an authorisation into the limits.
func (s *State) countUsage(r *Request, w *statement.Withdrawal, d *policy.Decision, decision []byte, e journal.Entry) error {
	event, err := d.Event(s.policy, w, clientOf(r), e.Time)
	if err != nil {
		return err
	}
	s.spent = sha256.Sum256(append(s.spent[:], decision...))
	return s.usage.Add(event)
}

// assetID is the chain's name of a registry entry.
func (s *State) assetID(network nem.Network, ref policy.AssetRef) (nem.AssetID, error) {
	asset, ok := s.policy.AssetRef(ref)
	if !ok {
		return nem.AssetID{}, fmt.Errorf("%q is not in the registry", ref)
	}
	return nem.ParseAssetID(network.Chain(), asset.Asset)
}
