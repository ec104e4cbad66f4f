package nem

// Description is a transaction as `kura tx decode` prints it. Amounts are
// strings of digits in the smallest unit, since JavaScript's numbers would lose
// their last ones; times are the chain's own (NIS1 seconds, Symbol milliseconds,
// since the network's epoch).
type Description struct {
	Type       string              `json:"type"`
	Version    uint8               `json:"version"`
	Signer     string              `json:"signer"`
	Recipient  string              `json:"recipient,omitempty"`
	Fee        string              `json:"fee,omitempty"`
	Timestamp  *uint64             `json:"timestamp,omitempty"` // NIS1
	Deadline   *uint64             `json:"deadline,omitempty"`
	Assets     []AssetDescription  `json:"assets,omitzero"`
	Multiplier string              `json:"multiplier,omitempty"` // NIS1 mosaics: the factor, in millionths, that is in assets already
	Message    *MessageDescription `json:"message,omitempty"`
	Control    string              `json:"control,omitempty"` // why it is more than a transfer

	InnerHash      string              `json:"innerHash,omitempty"` // NIS1: what cosignatures of a multisig carry
	Account        string              `json:"account,omitempty"`   // NIS1 cosignature: the multisig account
	Changes        []ChangeDescription `json:"changes,omitempty"`   // NIS1 modification
	RelativeChange *int32              `json:"relativeChange,omitempty"`
	Duration       *uint64             `json:"duration,omitempty"`     // Symbol hash lock: blocks
	LockedHash     string              `json:"lockedHash,omitempty"`   // Symbol hash lock: the aggregate's
	Cosigners      []string            `json:"cosigners,omitempty"`    // Symbol aggregate: who has cosigned
	Transactions   []Description       `json:"transactions,omitempty"` // what it wraps or embeds
	Hash           string              `json:"hash,omitempty"`         // absent inside another transaction
}

// AssetDescription is one asset and how much of it moves.
type AssetDescription struct {
	ID     string `json:"id"`
	Amount string `json:"amount"`
}

// MessageDescription is a message: its kind, and its payload on the chain.
type MessageDescription struct {
	Kind string `json:"kind"`
	Hex  string `json:"hex"`
}

// ChangeDescription is one cosignatory added or deleted.
type ChangeDescription struct {
	Change      string `json:"change"`
	Cosignatory string `json:"cosignatory"`
}

// Describe decodes a transaction (NIS1's data, Symbol's whole transaction) for
// people and scripts to read.
func Describe(n Network, b []byte) (Description, error) {
	tx, err := Decode(n, b)
	if err != nil {
		return Description{}, err
	}
	hash, err := HashOf(n, b, tx.signature)
	if err != nil {
		return Description{}, err
	}
	d := tx.describe()
	d.Hash = hash.String()
	return d, nil
}

func (tx *Transaction) describe() Description {
	d := Description{Type: tx.kind.String(), Version: tx.version, Signer: tx.signer.String()}
	if !tx.embedded {
		d.Fee, d.Deadline = tx.fee.String(), &tx.deadline
	}
	if tx.network.Chain() == NIS1 {
		d.Timestamp = &tx.timestamp
	}
	switch body := tx.body.(type) {
	case nil:
		tx.describeTransfer(&d)
	case MultisigBody:
		d.InnerHash = body.InnerHash().String()
		d.Transactions = []Description{body.Inner.describe()}
	case CosignatureBody:
		d.InnerHash, d.Account = body.InnerHash.String(), body.Account.String()
	case ModificationBody:
		for _, c := range body.Changes {
			d.Changes = append(d.Changes, ChangeDescription{c.Kind.String(), c.Cosignatory.String()})
		}
		if body.HasRelativeChange {
			d.RelativeChange = &body.RelativeChange
		}
	case AggregateBody:
		for i := range body.Embedded {
			d.Transactions = append(d.Transactions, body.Embedded[i].describe())
		}
		for _, c := range body.Cosignatures {
			d.Cosigners = append(d.Cosigners, c.Cosigner.String())
		}
	case HashLockBody:
		d.Assets = []AssetDescription{{body.Deposit.ID.String(), body.Deposit.Amount.String()}}
		d.Duration, d.LockedHash = &body.Duration, body.Hash.String()
	}
	// Judged as if every asset were listed: what remains is control by form.
	if e := Effects(*tx, tx.allAssets(nil)); e.Control {
		d.Control = e.Why
	}
	return d
}

func (tx *Transaction) describeTransfer(d *Description) {
	b, chain := &tx.transfer, tx.network.Chain()
	d.Recipient = b.Recipient.String()
	d.Message = &MessageDescription{b.Message.kind.String(), upperHex(b.Message.Payload(chain))}
	d.Assets = []AssetDescription{}
	if chain == NIS1 && len(b.Mosaics) == 0 {
		d.Assets = append(d.Assets, AssetDescription{xem.String(), b.Amount.String()})
		return
	}
	if chain == NIS1 {
		d.Multiplier = b.Amount.String()
	}
	for i := range b.Mosaics {
		moved, _ := tx.moved(i) // where it cannot be multiplied, Control says so
		d.Assets = append(d.Assets, AssetDescription{moved.ID.String(), moved.Amount.String()})
	}
}

// allAssets adds everything that tx moves to a registry.
func (tx *Transaction) allAssets(assets Assets) Assets {
	if assets == nil {
		assets = Assets{Currency(tx.network): {}}
	}
	for _, a := range tx.transfer.Mosaics {
		assets[a.ID] = Asset{}
	}
	switch body := tx.body.(type) {
	case MultisigBody:
		return body.Inner.allAssets(assets)
	case AggregateBody:
		for i := range body.Embedded {
			assets = body.Embedded[i].allAssets(assets)
		}
	}
	return assets
}
