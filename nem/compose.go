package nem

import (
	"fmt"
	"slices"
)

// Header is what every transaction says beside its body.
type Header struct {
	Network   Network
	Version   uint8 // 0: the lowest that can say the body; aggregates: the network's
	Signer    PublicKey
	Timestamp uint64 // NIS1 only
	Fee       Amount
	Deadline  uint64
	Embedded  bool // Symbol: to go inside an aggregate, without fee and deadline
}

// AggregateVersion is the layout of aggregates that a network's nodes take. The
// public networks take 2, as of 2025; SDKs can already write 3. Whoever runs
// against a network that has moved on states the version in [Header].
func (n Network) AggregateVersion() uint8 {
	if n.Chain() == Symbol {
		return 2
	}
	return 0
}

// Compose lays out a transaction of any type but [ControlBody]'s, in the one
// form that the node takes: NIS1 mosaics merged and sorted, cosignatory changes
// sorted, an aggregate's transactions hash computed. What was composed has been
// decoded again. Kura signs transfers only, by [BuildTransfer]; this is for
// tools that speak to the chains and for tests.
func Compose(h Header, body Body) (Transaction, error) {
	tx := Transaction{
		network: h.Network, version: h.Version, embedded: h.Embedded, signer: h.Signer,
		timestamp: h.Timestamp, fee: h.Fee, deadline: h.Deadline,
	}
	if err := tx.setBody(body); err != nil {
		return Transaction{}, fmt.Errorf("compose: %w", err)
	}
	switch {
	case h.Network.Chain() == NIS1 && (h.Embedded || h.Deadline > maxNIS1Time || h.Timestamp > maxNIS1Time):
		return Transaction{}, fmt.Errorf("compose: NIS1 embeds nothing and has signed 32-bit times")
	case h.Network.Chain() == Symbol && h.Timestamp != 0, h.Embedded && (h.Fee != 0 || h.Deadline != 0):
		return Transaction{}, fmt.Errorf("compose: Symbol has no timestamp, and what is embedded no fee or deadline")
	}
	if h.Embedded {
		return tx, tx.checkEmbedded()
	}
	return Decode(h.Network, tx.Encode())
}

// checkEmbedded decodes an embedded transaction by itself.
func (tx *Transaction) checkEmbedded() error {
	b := tx.Encode()
	r := newReader(string(b) + string(make([]byte, padding(len(b)))))
	r.embedded(tx.network, 1)
	if r.err != nil {
		return fmt.Errorf("compose: %w", r.err)
	}
	return nil
}

// setBody normalises the body and chooses type and version by it.
func (tx *Transaction) setBody(body Body) error {
	chain := tx.network.Chain()
	version := uint8(1)
	switch b := body.(type) {
	case TransferBody:
		tx.kind = SymbolTransfer
		if chain == NIS1 {
			tx.kind = NIS1Transfer
			if len(b.Mosaics) > 0 {
				version = 2
			}
		}
		if b.Recipient.network != tx.network {
			return fmt.Errorf("recipient is one of %s, want %s", b.Recipient.network.Label(), tx.network.Label())
		}
		merged, err := mergeAssets(chain, b.Mosaics)
		if err != nil {
			return err
		}
		b.Mosaics = merged
		tx.transfer = b
	case MultisigBody:
		tx.kind, tx.body = NIS1Multisig, b
	case CosignatureBody:
		tx.kind, tx.body = NIS1Cosignature, b
	case ModificationBody:
		b.Changes = slices.Clone(b.Changes)
		slices.SortFunc(b.Changes, func(x, y CosignatoryChange) int { return compareChanges(tx.network, x, y) })
		if b.HasRelativeChange {
			version = 2
		}
		tx.kind, tx.body = NIS1Modification, b
	case AggregateBody:
		b.TransactionsHash = transactionsHash(b.Embedded)
		tx.kind, tx.body = SymbolAggregateComplete, b
		if b.Bonded {
			tx.kind = SymbolAggregateBonded
		}
		version = tx.network.AggregateVersion()
	case HashLockBody:
		tx.kind, tx.body = SymbolHashLock, b
	default:
		return fmt.Errorf("a body of %T cannot be composed", body)
	}
	if tx.version == 0 {
		tx.version = version
	}
	return nil
}

// mergeAssets adds up what is listed twice and sorts, as the node does.
func mergeAssets(c Chain, list []AssetAmount) ([]AssetAmount, error) {
	if len(list) == 0 {
		return nil, nil
	}
	sorted := slices.Clone(list)
	for _, a := range sorted {
		if a.ID.chain != c {
			return nil, fmt.Errorf("asset %q is not one of %s", a.ID, c)
		}
	}
	slices.SortStableFunc(sorted, compareAssets)
	merged := sorted[:1]
	for _, a := range sorted[1:] {
		last := &merged[len(merged)-1]
		if last.ID != a.ID {
			merged = append(merged, a)
			continue
		}
		sum, ok := last.Amount.Add(a.Amount)
		if !ok {
			return nil, fmt.Errorf("amounts of %s overflow", a.ID)
		}
		last.Amount = sum
	}
	return merged, nil
}
