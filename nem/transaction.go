package nem

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Transaction is a decoded transaction of either chain, as its bytes say it and
// nothing else. [Decode] and [Compose] make it; the zero value is none. It is
// immutable: what it hands out as slices must not be written to.
type Transaction struct {
	network   Network
	kind      Type
	version   uint8
	embedded  bool // inside a Symbol aggregate: no fee, deadline, signature
	signer    PublicKey
	signature Signature // Symbol only, as in the bytes
	timestamp uint64    // NIS1 only
	deadline  uint64
	fee       Amount

	transfer TransferBody // held in place, for speed; then body is nil
	body     Body
}

// Body is what a transaction is about beyond its header: one of [TransferBody],
// [MultisigBody], [CosignatureBody], [ModificationBody], [AggregateBody],
// [HashLockBody] and [ControlBody].
type Body interface {
	appendTo(dst []byte, n Network, version uint8) []byte
}

// TransferBody pays assets to an address.
type TransferBody struct {
	Recipient Address
	// NIS1: micro-XEM if Mosaics is empty; otherwise the factor, in millionths,
	// by which the chain multiplies each of them. Symbol: zero.
	Amount  Amount
	Mosaics []AssetAmount
	Message Message
}

func (b TransferBody) appendTo(dst []byte, n Network, version uint8) []byte {
	if n.Chain() == NIS1 {
		return b.appendNIS1(dst, version)
	}
	return b.appendSymbol(dst)
}

// Network returns the network that the bytes are of.
func (tx *Transaction) Network() Network { return tx.network }

// Type returns the transaction's type.
func (tx *Transaction) Type() Type { return tx.kind }

// Version returns the version of the transaction's layout.
func (tx *Transaction) Version() uint8 { return tx.version }

// Signer returns the key that signs it. For a NIS1 multisig wrapper that is the
// cosignatory that announces it, for what is inside the account that pays.
func (tx *Transaction) Signer() PublicKey { return tx.signer }

// Signature returns the signature in the bytes: Symbol carries one (zero if
// unsigned), NIS1 carries none.
func (tx *Transaction) Signature() Signature { return tx.signature }

// Fee returns the fee in micro-XEM, or the highest fee in micro-XYM.
func (tx *Transaction) Fee() Amount { return tx.fee }

// Timestamp returns NIS1's timestamp in seconds of chain time; 0 in Symbol.
func (tx *Transaction) Timestamp() uint64 { return tx.timestamp }

// Deadline returns the deadline in chain time.
func (tx *Transaction) Deadline() uint64 { return tx.deadline }

// Embedded reports whether it stands inside a Symbol aggregate, where it has
// no fee, deadline or signature of its own.
func (tx *Transaction) Embedded() bool { return tx.embedded }

// Body returns what the transaction is about.
func (tx *Transaction) Body() Body {
	if tx.body == nil {
		return tx.transfer
	}
	return tx.body
}

// TransferBody returns the body of a transfer, embedded or not.
func (tx *Transaction) TransferBody() (TransferBody, bool) {
	return tx.transfer, tx.kind.isTransfer()
}

// Transfer returns the intent that [BuildTransfer] would build these very bytes
// from, but for a Symbol signature: false for everything that Kura never
// builds, such as a NIS1 transfer whose mosaics are multiplied, a transfer
// inside something else, or an encrypted message.
func (tx *Transaction) Transfer() (Transfer, bool) {
	if !tx.kind.isTransfer() || tx.embedded {
		return Transfer{}, false
	}
	t := Transfer{
		Network: tx.network, Signer: tx.signer, Recipient: tx.transfer.Recipient,
		Assets: tx.transfer.Mosaics, Message: tx.transfer.Message, Fee: tx.fee,
		Timestamp: tx.timestamp, Deadline: tx.deadline,
	}
	if tx.network.Chain() == NIS1 && tx.version == 1 {
		t.Assets = []AssetAmount{{xem, tx.transfer.Amount}}
	}
	unsigned := *tx
	unsigned.signature = Signature{}
	b, err := BuildTransfer(t)
	if err != nil || !bytes.Equal(b, unsigned.Encode()) {
		return Transfer{}, false
	}
	return t, true
}

// Encode returns the bytes: NIS1's data, Symbol's whole transaction (or its
// embedded form without padding).
func (tx *Transaction) Encode() []byte { return tx.appendTo(nil) }

func (tx *Transaction) appendTo(dst []byte) []byte {
	switch {
	case tx.network == 0:
		return dst
	case tx.body == nil:
		return tx.appendTransfer(dst)
	case tx.network.Chain() == NIS1:
		return tx.body.appendTo(tx.appendNIS1Header(dst), tx.network, tx.version)
	}
	start := len(dst)
	dst = tx.body.appendTo(tx.appendSymbolHeader(dst), tx.network, tx.version)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// maxTransaction bounds what is decoded at all; the largest transactions of
// either chain, aggregates of 100 payments with messages, stay well below it.
const maxTransaction = 1 << 20

// Decode reads a transaction of the network: NIS1's data (what is signed and
// announced, without signature), Symbol's whole transaction. It accepts exactly
// the bytes that [Transaction.Encode] gives back; everything else is refused
// with a [*DecodeError] that names offset and field. So is what the node would
// put into another form before it checks the signature (unsorted or repeated
// mosaics, an empty message envelope), and a transfer to or of a Symbol
// namespace alias, since nobody can say from the bytes where or what that is.
// b is not kept.
func Decode(n Network, b []byte) (Transaction, error) {
	if err := n.buildable(); err != nil {
		return Transaction{}, fmt.Errorf("decode: %w", err)
	}
	if len(b) > maxTransaction {
		return Transaction{}, fmt.Errorf("decode: %d bytes are more than a transaction has, want at most %d", len(b), maxTransaction)
	}
	// One immutable copy, of which messages and names are parts.
	r := newReader(string(b))
	var tx Transaction
	if n.Chain() == NIS1 {
		tx.readNIS1(&r, n, 0)
	} else {
		tx.readSymbol(&r, n)
	}
	r.finish()
	if r.err != nil {
		return Transaction{}, r.err
	}
	// The reader accepts one form of each field; this holds it to that.
	if at := tx.differsFrom(b); at >= 0 {
		return Transaction{}, &DecodeError{Offset: at, Field: "encoding", Reason: "is not the one form that the chain takes"}
	}
	return tx, nil
}

// differsFrom encodes tx and returns where that differs from b, or -1.
func (tx *Transaction) differsFrom(b []byte) int {
	var again []byte
	if tx.body != nil {
		again = tx.appendTo(nil)
	} else {
		// The hot path: a transfer is encoded on the stack.
		var buf [512]byte
		again = tx.appendTransfer(buf[:0])
	}
	if bytes.Equal(again, b) {
		return -1
	}
	return commonPrefix(again, b)
}

// appendTransfer is appendTo for a transfer: without a call through Body, so
// that dst need not be on the heap.
func (tx *Transaction) appendTransfer(dst []byte) []byte {
	if tx.network.Chain() == NIS1 {
		return tx.transfer.appendNIS1(tx.appendNIS1Header(dst), tx.version)
	}
	start := len(dst)
	dst = tx.transfer.appendSymbol(tx.appendSymbolHeader(dst))
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

func commonPrefix(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
