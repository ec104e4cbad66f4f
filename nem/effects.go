package nem

import "fmt"

// Effect is what a transaction does if the chain executes it: either exactly a
// list of outflows, or control. Control stands for everything that is not
// exactly a transfer of registry assets, because nobody can bound what it costs
// from the bytes; Why says what it was. Effects never returns the zero value: what
// is not control has at least one outflow, its fee.
type Effect struct {
	Control  bool
	Why      string
	Outflows []Outflow // in the bytes' order; nil if Control
}

// OutflowKind tells why an asset leaves. The zero value is no kind.
type OutflowKind uint8

const (
	OutflowTransfer OutflowKind = iota + 1
	OutflowFee
	OutflowLevy
)

// String returns "transfer", "fee" or "levy".
func (k OutflowKind) String() string {
	switch k {
	case OutflowTransfer:
		return "transfer"
	case OutflowFee:
		return "fee"
	case OutflowLevy:
		return "levy"
	}
	return "none"
}

// Outflow is one asset leaving one account.
type Outflow struct {
	Kind    OutflowKind
	Payer   PublicKey // whose balance it leaves, which need not be the signer
	Asset   AssetID
	Amount  Amount  // smallest units; a Symbol fee is the highest that can be taken
	To      Address // zero for fees
	Message Message // of transfers
}

// Effects returns what the transaction does, given the assets that somebody
// vouched for. It is total: every transaction, at any depth, is either outflows
// that are complete, levies as stated and fees included, or control.
func Effects(tx Transaction, assets Assets) Effect {
	// Room for the usual transfer, its fee and a levy or none.
	e := Effect{Outflows: make([]Outflow, 0, len(tx.transfer.Mosaics)+2)}
	if why := e.add(&tx, assets); why != "" {
		return Effect{Control: true, Why: why}
	}
	return e
}

// add appends what tx does, or says why that is control.
func (e *Effect) add(tx *Transaction, assets Assets) (why string) {
	switch body := tx.body.(type) {
	case nil:
		if !tx.kind.isTransfer() {
			return "no transaction was decoded"
		}
		if tx.signer == (PublicKey{}) {
			return "names no account that pays"
		}
		if why := e.addTransfer(tx, assets); why != "" {
			return why
		}
		if !tx.embedded {
			e.addFee(tx, tx.signer)
		}
	case MultisigBody:
		if why := e.add(&body.Inner, assets); why != "" {
			return "wraps what " + why
		}
		e.addFee(tx, body.Inner.signer) // charged to the account, not to who announces
	case AggregateBody:
		for i := range body.Embedded {
			if why := e.add(&body.Embedded[i], assets); why != "" {
				return fmt.Sprintf("embeds, as number %d, what %s", i+1, why)
			}
		}
		e.addFee(tx, tx.signer)
	case CosignatureBody:
		return "approves another transaction, of which only the hash is known"
	case HashLockBody:
		return "locks a deposit, which is lost if the aggregate does not complete"
	default:
		return "is of type " + tx.kind.String() + ", which is no transfer"
	}
	return ""
}

func (e *Effect) addFee(tx *Transaction, payer PublicKey) {
	e.Outflows = append(e.Outflows, Outflow{Kind: OutflowFee, Payer: payer, Asset: Currency(tx.network), Amount: tx.fee})
}

func (e *Effect) addTransfer(tx *Transaction, assets Assets) (why string) {
	b := &tx.transfer
	if tx.network.Chain() == NIS1 && len(b.Mosaics) == 0 {
		return e.addAsset(tx, AssetAmount{xem, b.Amount}, assets)
	}
	for i := range b.Mosaics {
		a, why := tx.moved(i)
		if why == "" {
			why = e.addAsset(tx, a, assets)
		}
		if why != "" {
			return why
		}
	}
	return ""
}

// moved returns what a transfer moves of its mosaic i. In NIS1 the amount field
// multiplies; the node takes whole factors only.
func (tx *Transaction) moved(i int) (a AssetAmount, why string) {
	a = tx.transfer.Mosaics[i]
	if tx.network.Chain() != NIS1 {
		return a, ""
	}
	factor := tx.transfer.Amount
	if factor%nis1Multiplier != 0 {
		return a, fmt.Sprintf("multiplies its mosaics by %d millionths, which is not a whole number", factor)
	}
	quantity, ok := mulDiv(uint64(a.Amount), uint64(factor), nis1Multiplier)
	if !ok || quantity > nis1MaxQuantity {
		return a, fmt.Sprintf("moves more of %s than can exist", a.ID)
	}
	a.Amount = Amount(quantity)
	return a, ""
}

func (e *Effect) addAsset(tx *Transaction, a AssetAmount, assets Assets) (why string) {
	asset, listed := assets[a.ID]
	if !listed {
		return fmt.Sprintf("moves %s, which is not in the registry", a.ID)
	}
	to := tx.transfer.Recipient
	e.Outflows = append(e.Outflows, Outflow{
		Kind: OutflowTransfer, Payer: tx.signer, Asset: a.ID, Amount: a.Amount, To: to, Message: tx.transfer.Message,
	})
	if asset.Levy == nil {
		return ""
	}
	fee, ok := asset.Levy.on(a.Amount)
	if !ok || tx.network.Chain() != NIS1 || asset.Levy.Asset.chain != NIS1 {
		return fmt.Sprintf("moves %s, whose levy is not one that can be counted", a.ID)
	}
	e.Outflows = append(e.Outflows, Outflow{
		Kind: OutflowLevy, Payer: tx.signer, Asset: asset.Levy.Asset, Amount: fee, To: asset.Levy.Recipient,
	})
	return ""
}
