package ledger

import (
	"kura/journal"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// evacuation builds the transaction that sweeps a wallet to its rescue address. No limit counts it and no
// stop that was in force when it was approved holds it back; nor does the state of the wallet's key, since a
// key that is given up is why wallets are swept.
func (j *judgement) evacuation(p *Proposal) (*TransactionRecord, error) {
	e, err := policy.ParseEvacuation([]byte(p.Body.Document))
	if err != nil {
		return nil, unfit("%v", err)
	}
	if !j.s.hasKey(e.Wallet) {
		return nil, &unfitError{CodeWalletNotReady, "no key of the wallet with the policy's public key had a ceremony"}
	}
	transfer, err := e.Transfer(j.s.policy)
	if err != nil {
		return nil, unfit("%v", err)
	}
	said, err := j.s.evacuated(e)
	if err != nil {
		return nil, unfit("%v", err)
	}
	said.fee = transfer.Fee // no limit counts it, the document's cap bounds it
	return j.build(transfer, said)
}

// evacuated is what an evacuation's document says, read apart from how its transfer was made.
func (s *State) evacuated(e *policy.Evacuation) (intent, error) {
	account, _ := s.policy.Account(e.Wallet)
	said := intent{wallet: e.Wallet, maxFee: nem.Amount(e.MaxFee)}
	said.WalletAddress, said.Destination, said.Message = account.Address, account.Rescue, nem.NoMessage()
	for _, value := range e.Assets {
		id, err := s.assetID(account.Network, value.Asset)
		if err != nil {
			return intent{}, err
		}
		said.Assets = append(said.Assets, nem.AssetAmount{ID: id, Amount: nem.Amount(value.Amount)})
	}
	return said, nil
}

// applyEvacuation makes the evacuation's transaction one that waits for its signature.
func (s *State) applyEvacuation(p *Proposal, e journal.Entry, b *Outcome) error {
	t, err := b.Transaction.parse()
	if err != nil {
		return err
	}
	doc, err := policy.ParseEvacuation([]byte(p.Body.Document))
	if err != nil {
		return err
	}
	r := &Request{Record: p.Record, Wallet: doc.Wallet, Since: e.Time, Transaction: t, adopted: p.adopted}
	r.State = StateAuthorized
	p.Evacuation = r
	s.unsigned[p.Hash] = r
	s.recent.add(r)
	return nil
}

// covered tells whether a stop in force, or the state of the wallet's key, keeps an authorisation from being
// signed: for an evacuation only a stop that came after it, since it is how a key that is given up is swept. What
// waited for its signature when a tail was lost is not signed either: it may have been, in the lost entries.
func (s *State) covered(r *Request) bool {
	if r.SignatureSeq == 0 && s.beforeGap(&r.Record) {
		return true
	}
	if w := s.wallets[string(r.Wallet)]; r.adopted == 0 && w != nil && w.State != WalletActive {
		return true
	}
	for _, stop := range s.overlay.Stops() {
		if f := s.freezes[stop.Hash]; r.adopted != 0 && f != nil && f.StatementSeq < r.adopted {
			continue
		}
		if covers(stop, r) && (stop.Until == 0 || s.time < stop.Until) {
			return true
		}
	}
	return false
}

func covers(stop policy.Stop, r *Request) bool {
	switch stop.Kind {
	case statement.TargetAll:
		return true
	case statement.TargetWallet:
		return stop.Name == string(r.Wallet)
	case statement.TargetClient:
		return r.By.Kind == policy.ClientActor && stop.Name == r.By.ID
	case statement.TargetKey:
		return r.Key != "" && r.Key.Fingerprint() == stop.Name
	case statement.TargetAddress:
		return r.paysTo(stop.Name)
	default: // people and numbers: they stop no authorisation
		return false
	}
}
