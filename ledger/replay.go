package ledger

import (
	"fmt"

	"kura/journal"
	"kura/nem"
	"kura/statement"
)

// InputOf takes the input back out of the entry that begins its drafts. Every input writes one first that
// holds all of it, so an auditor can judge it again from the journal alone. An entry of a kind that no
// input begins with is an error. A statement's signature is verified on the way.
func InputOf(e journal.Entry) (Input, error) {
	body, err := DecodeBody(e.Kind, e.Body)
	if err != nil {
		return nil, err
	}
	switch b := body.(type) {
	case *Genesis:
		return GenesisInput{*b}, nil
	case *Founding:
		verdicts := make([]statement.Envelope, len(b.Verdicts))
		for i, v := range b.Verdicts {
			verdicts[i] = statement.Envelope(v)
		}
		return FoundingInput{b.Policy, verdicts}, nil
	case *Statement:
		signed, err := statement.Open(statement.Envelope{Statement: b.Statement, Signature: b.Signature})
		if err != nil {
			return nil, err
		}
		return StatementInput{signed}, nil
	case *Tick:
		return TickInput{InDoubt: b.InDoubt}, nil
	case *Look:
		return TickInput{}, nil
	case *Signature:
		signature, err := nem.ParseSignature(b.Signature)
		if err != nil {
			return nil, err
		}
		return SignatureInput{b.About, signature}, nil
	case *Strand:
		return StrandInput{b.About}, nil
	case *Stop:
		return StopInput{By: b.By.ID, Action: b.Action, Target: b.Target, Reason: b.Reason}, nil
	case *Wallet:
		return WalletInput{*b}, nil
	case *WalletState:
		return WalletStateInput{*b}, nil
	case *Sealing:
		return SealingInput{*b}, nil
	case *LogKey:
		next, err := journal.ParseLogKey(b.New)
		if err != nil {
			return nil, err
		}
		return HandoverInput{next}, nil
	case *Start:
		return StartInput{b.Version, b.BootID, b.Boot}, nil
	case *Gap:
		return GapInput{*b}, nil
	case *Vouched:
		return VouchedInput{journal.Checkpoint(b.Checkpoint), b.Witnesses, b.Quorum}, nil
	case *Alarm:
		return AlarmInput{*b}, nil
	case *Refused:
		return RefusedInput{*b}, nil
	}
	return nil, fmt.Errorf("%w: nothing that comes in begins with an entry of kind %s", ErrInput, e.Kind)
}
