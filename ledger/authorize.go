package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// CodeSelfCheck is the code of a request whose own transaction did not say what its statement says. It is
// never expected: something is broken, and people are called.
const CodeSelfCheck = "self_check_failed"

// An unfitError says why there is no transaction for what was decided: above all, its bytes would not say
// what the statement says (I5). Other errors say that nothing can be authorised now.
type unfitError struct{ code, why string }

func (e *unfitError) Error() string { return e.why }

func unfit(format string, args ...any) error {
	return &unfitError{CodeSelfCheck, fmt.Sprintf(format, args...)}
}

// An intent is what a transaction must say: what somebody signed that should be paid, read from the
// statement itself, and what was decided beside it.
type intent struct {
	statement.Payment
	wallet policy.WalletID
	maxFee nem.Amount // the sender's cap
	fee    nem.Amount // what the decision counted

	clock, deadline, latest int64 // now, its deadline, the last one that the wallet's life allows: unix milliseconds
}

// authorize builds the transaction that a decision to sign stands for.
func (j *judgement) authorize(w *statement.Withdrawal, fee nem.Amount) (*TransactionRecord, error) {
	transfer, refusal := policy.Transfer(j.s.policy, w)
	if refusal != nil {
		return nil, unfit("the decision was to sign, but there is no transfer: %v", refusal)
	}
	payment, err := w.Resolve(transfer.Network)
	if err != nil {
		return nil, unfit("the statement does not resolve: %v", err)
	}
	return j.build(transfer, intent{Payment: payment, wallet: policy.WalletID(w.Wallet), maxFee: w.MaxFee, fee: fee})
}

// build makes the exact bytes: timestamp not ahead of the clock, deadline within the wallet's life, unlike
// any other authorisation's, and read again.
func (j *judgement) build(transfer nem.Transfer, said intent) (*TransactionRecord, error) {
	wallet, ok := j.s.policy.Wallet(said.wallet)
	if !ok {
		return nil, unfit("the policy has no such wallet")
	}
	unsigned, deadline, err := j.uniqueBytes(transfer, int64(wallet.Life))
	if err != nil {
		return nil, err
	}
	said.clock, said.deadline, said.latest = j.now.Clock, deadline, j.now.Clock+int64(wallet.Life)
	if err := j.s.selfCheck(unsigned, said); err != nil {
		return nil, err
	}
	return &TransactionRecord{
		Network: transfer.Network.String(), Unsigned: hex.EncodeToString(unsigned),
		Fee: transfer.Fee, Deadline: deadline,
	}, nil
}

// uniqueBytes fills in the times and builds the bytes. The deadline moves back by one unit until nothing
// that was authorised before has the same bytes; there are as many places as the life has units.
func (j *judgement) uniqueBytes(t nem.Transfer, life int64) (unsigned []byte, deadline int64, err error) {
	if t.Network.Chain() == nem.NIS1 {
		if t.Timestamp, err = nem.ChainTime(t.Network, j.now.Clock); err != nil {
			return nil, 0, fmt.Errorf("timestamp: %w", err)
		}
	}
	if t.Deadline, err = nem.ChainTime(t.Network, j.now.Clock+life); err != nil {
		return nil, 0, fmt.Errorf("deadline: %w", err)
	}
	for ; ; t.Deadline-- {
		deadline = nem.UnixMillis(t.Network, t.Deadline)
		if deadline <= j.s.recent.floor {
			return nil, 0, ErrClock
		}
		if deadline <= j.now.Clock {
			return nil, 0, ErrEqualPayments
		}
		if unsigned, err = nem.BuildTransfer(t); err != nil {
			return nil, 0, err
		}
		if _, seen := j.s.recent.seen[sha256.Sum256(unsigned)]; !seen {
			return unsigned, deadline, nil
		}
	}
}

// selfCheck reads the bytes as a stranger would and compares what they do with what was signed for, member
// by member and from the statement itself, not from what they were built of. It returns what differs, as
// an unfitError.
func (s *State) selfCheck(unsigned []byte, said intent) error {
	account, ok := s.policy.Account(said.wallet)
	if !ok {
		return unfit("the policy has no such wallet")
	}
	network := account.Network
	tx, err := nem.Decode(network, unsigned)
	if err != nil {
		return unfit("the bytes do not decode: %v", err)
	}
	switch {
	case said.WalletAddress != account.Address || account.Key.Address(network) != account.Address || tx.Signer() != account.Key:
		return unfit("the bytes pay from another account than the statement's wallet")
	case tx.Fee() != said.fee || tx.Fee() > said.maxFee:
		return unfit("the fee is not the one that was counted, or above the client's cap")
	case network.Chain() == nem.NIS1 && !justBefore(nem.UnixMillis(network, tx.Timestamp()), said.clock):
		return unfit("the timestamp is not the clock's second")
	case nem.UnixMillis(network, tx.Deadline()) != said.deadline || said.deadline <= said.clock || said.deadline > said.latest:
		return unfit("the deadline is not the recorded one, or not within the wallet's life")
	case tx.Signature() != nem.Signature{}:
		return unfit("the bytes carry a signature")
	}
	effect := nem.Effects(tx, s.policy.Assets(network))
	if effect.Control {
		return unfit("the transaction %s", effect.Why)
	}
	return comparePayment(effect.Outflows, said.Payment, account.Key, tx.Fee(), network)
}

// justBefore tells whether a time is within the second up to the clock.
func justBefore(time, clock int64) bool { return time <= clock && clock-time < 1000 }

// comparePayment demands that the outflows are the statement's assets, each once and to its destination
// with its message, one fee, and beside them only levies, which the decision counted.
func comparePayment(outflows []nem.Outflow, said statement.Payment, payer nem.PublicKey, fee nem.Amount, n nem.Network) error {
	due := make(map[nem.AssetID]nem.Amount, len(said.Assets))
	for _, a := range said.Assets {
		due[a.ID] = a.Amount
	}
	fees := 0
	for _, o := range outflows {
		if o.Payer != payer {
			return unfit("another account pays")
		}
		switch o.Kind {
		case nem.OutflowTransfer:
			amount, ok := due[o.Asset]
			if !ok || amount != o.Amount {
				return unfit("%s of %s leave, which the statement does not say", o.Amount, o.Asset)
			}
			delete(due, o.Asset)
			if o.To != said.Destination {
				return unfit("it pays another destination")
			}
			if string(o.Message.Payload(n.Chain())) != string(said.Message.Payload(n.Chain())) {
				return unfit("it carries another message")
			}
		case nem.OutflowFee:
			if fees++; fees > 1 || o.Amount != fee || o.Asset != nem.Currency(n) {
				return unfit("it pays another fee")
			}
		case nem.OutflowLevy:
		default:
			return unfit("it moves something for no known reason")
		}
	}
	if len(due) > 0 || fees != 1 {
		return unfit("something that the statement says is missing")
	}
	return nil
}
