package nem

import (
	"bytes"
	"fmt"
	"slices"
)

// Transfer is a payment with everything filled in: the only thing that Kura
// ever builds.
type Transfer struct {
	Network   Network
	Signer    PublicKey // the account that pays
	Recipient Address
	Assets    []AssetAmount // at least one, all different, in any order
	Message   Message
	Fee       Amount // micro-XEM, or the highest fee in micro-XYM
	Timestamp uint64 // NIS1: seconds of chain time; Symbol: 0
	Deadline  uint64 // NIS1: seconds of chain time; Symbol: milliseconds
}

const (
	nis1MaxMosaics   = 10
	symbolMaxMosaics = 255 // what the byte that counts them can hold
	nis1Multiplier   = 1_000_000
	nis1MaxLife      = 86_400 // seconds from timestamp to deadline
	nis1MaxQuantity  = 9_000_000_000_000_000
)

// BuildTransfer returns the exact unsigned bytes of a transfer: NIS1's data, or
// Symbol's whole transaction with a zero signature. nem:xem alone builds NIS1's
// version 1; anything else builds version 2, with the amount field 1,000,000
// (times one) and nem:xem listed as a mosaic. Assets are sorted as the node
// sorts them. The result has been decoded again, so that no bytes leave that the
// strict decoder would refuse.
func BuildTransfer(t Transfer) ([]byte, error) {
	tx, err := t.compose()
	if err == nil {
		err = t.checkTimes()
	}
	if err != nil {
		return nil, fmt.Errorf("build transfer: %w", err)
	}
	b := tx.appendTo(make([]byte, 0, tx.size()))
	if _, err := Decode(t.Network, b); err != nil {
		return nil, fmt.Errorf("build transfer: what was built does not decode: %w", err)
	}
	return b, nil
}

// Fill returns t with timestamp, deadline and fee filled in: made now, to live
// for so long (both in milliseconds, rounded down to chain time, so that neither
// is ever ahead), at [FeeFor]'s fee. t's own of these are not looked at.
func (t Transfer) Fill(now, life int64, assets Assets, multiplier uint32) (Transfer, error) {
	if life <= 0 || life > MaxLife(t.Network) {
		return Transfer{}, fmt.Errorf("fill transfer: life is %d ms, want 1 to %d", life, MaxLife(t.Network))
	}
	made, err := ChainTime(t.Network, now)
	if err != nil {
		return Transfer{}, fmt.Errorf("fill transfer: timestamp: %w", err)
	}
	if t.Deadline, err = ChainTime(t.Network, now+life); err != nil {
		return Transfer{}, fmt.Errorf("fill transfer: deadline: %w", err)
	}
	t.Timestamp = 0
	if t.Network.Chain() == NIS1 {
		t.Timestamp = made
	}
	if t.Fee, err = FeeFor(t, assets, multiplier); err != nil {
		return Transfer{}, fmt.Errorf("fill transfer: %w", err)
	}
	return t, t.checkTimes()
}

// compose checks the intent, but for its times, and lays it out as a transaction.
func (t *Transfer) compose() (Transaction, error) {
	var none Transaction
	if err := t.check(); err != nil {
		return none, err
	}
	tx := Transaction{
		network: t.Network, kind: SymbolTransfer, version: 1, signer: t.Signer,
		timestamp: t.Timestamp, deadline: t.Deadline, fee: t.Fee,
		transfer: TransferBody{Recipient: t.Recipient, Message: t.Message},
	}
	if t.Network.Chain() == NIS1 {
		tx.kind = NIS1Transfer
		if len(t.Assets) == 1 && t.Assets[0].ID == xem {
			tx.transfer.Amount = t.Assets[0].Amount
			return tx, nil
		}
		tx.version = 2
		tx.transfer.Amount = nis1Multiplier
	}
	tx.transfer.Mosaics = slices.Clone(t.Assets)
	slices.SortFunc(tx.transfer.Mosaics, compareAssets)
	for i := 1; i < len(tx.transfer.Mosaics); i++ {
		if tx.transfer.Mosaics[i].ID == tx.transfer.Mosaics[i-1].ID {
			return none, fmt.Errorf("asset %s is listed twice", tx.transfer.Mosaics[i].ID)
		}
	}
	return tx, nil
}

// check holds the intent, but for its times, to what the node accepts and Kura builds.
func (t *Transfer) check() error {
	if err := t.Network.buildable(); err != nil {
		return err
	}
	chain := t.Network.Chain()
	switch {
	case t.Signer == (PublicKey{}):
		return fmt.Errorf("signer is all zero, want the wallet's public key")
	case t.Recipient.IsZero():
		return fmt.Errorf("no recipient is given")
	case t.Recipient.network != t.Network:
		return fmt.Errorf("recipient: this is a %s address; the wallet is %s", t.Recipient.network.Label(), t.Network.Label())
	case len(t.Assets) == 0:
		return fmt.Errorf("no asset is given, want at least one")
	case chain == NIS1 && len(t.Assets) > nis1MaxMosaics:
		return fmt.Errorf("%d assets are given, want at most %d", len(t.Assets), nis1MaxMosaics)
	case chain == Symbol && len(t.Assets) > symbolMaxMosaics:
		return fmt.Errorf("%d assets are given, want at most %d", len(t.Assets), symbolMaxMosaics)
	case t.Message.kind == MessageEncrypted:
		return fmt.Errorf("message is encrypted: nobody could judge what it says, so none is built")
	case chain == Symbol && t.Message.kind == MessageHex && t.Message.content[0] == symbolEncrypted:
		return fmt.Errorf("message begins with 01, which Symbol's wallets read as encrypted: nobody could judge what it says, so none is built")
	case t.Message.size(chain) > maxMessage:
		return fmt.Errorf("message has %d bytes on the chain, want at most %d", t.Message.size(chain), maxMessage)
	}
	for _, a := range t.Assets {
		switch {
		case a.ID.chain != chain:
			return fmt.Errorf("asset %q is not one of %s", a.ID, t.Network.Label())
		case a.Amount == 0:
			return fmt.Errorf("amount of %s is zero, want at least 1", a.ID)
		case chain == NIS1 && a.Amount > nis1MaxQuantity:
			return fmt.Errorf("amount of %s is %d, want at most %d", a.ID, a.Amount, uint64(nis1MaxQuantity))
		}
	}
	return nil
}

// checkTimes holds the times to what the node accepts: apart, because a fee can
// be told before they are chosen.
func (t *Transfer) checkTimes() error {
	chain := t.Network.Chain()
	switch {
	case chain == Symbol && t.Timestamp != 0:
		return fmt.Errorf("timestamp is %d, want 0: Symbol has none", t.Timestamp)
	case chain == Symbol && t.Deadline == 0:
		return fmt.Errorf("deadline is 0, want milliseconds of chain time")
	case chain == NIS1 && t.Deadline > maxNIS1Time:
		return fmt.Errorf("deadline is %d, want at most %d: the node reads it as signed 32 bits", t.Deadline, maxNIS1Time)
	case chain == NIS1 && t.Deadline <= t.Timestamp:
		return fmt.Errorf("deadline %d is not after the timestamp %d", t.Deadline, t.Timestamp)
	case chain == NIS1 && t.Deadline-t.Timestamp > nis1MaxLife:
		return fmt.Errorf("deadline is %d s after the timestamp, want at most %d", t.Deadline-t.Timestamp, nis1MaxLife)
	}
	return nil
}

// compareAssets orders assets as the chain's node does: NIS1 by the whole text
// "namespace:name : quantity", Symbol by id as a number.
func compareAssets(a, b AssetAmount) int {
	if a.ID.chain == Symbol {
		switch {
		case a.ID.mosaic < b.ID.mosaic:
			return -1
		case a.ID.mosaic > b.ID.mosaic:
			return 1
		}
		return 0
	}
	// The node sorts the texts "namespace:name : quantity". Ids are all different
	// here, so the quantity never decides.
	var x, y [256]byte
	return bytes.Compare(a.ID.appendSortKey(x[:0]), b.ID.appendSortKey(y[:0]))
}

func (id *AssetID) appendSortKey(dst []byte) []byte {
	dst = append(append(dst, id.namespace...), ':')
	return append(append(dst, id.name...), " : "...)
}
