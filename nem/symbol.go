package nem

import "encoding/binary"

// Layout of Symbol transactions.
const (
	symbolHeaderSize   = 128
	embeddedHeaderSize = 48
	signatureOffset    = 8
	signerOffset       = 72
	signedOffset       = 108 // what a signature covers starts here
	symbolTransferSize = 32  // of a transfer's fixed part, after the header
	mosaicSize         = 16
)

// readSymbol reads a whole transaction.
func (tx *Transaction) readSymbol(r *reader, n Network) {
	tx.network = n
	if size := r.u32("size"); r.err == nil && int64(size) != int64(r.end) {
		r.failAt(0, "size", "is %d, but there are %d bytes", size, r.end)
	}
	r.zeros("reserved", 4)
	tx.signature = r.signature()
	tx.signer = r.publicKey("signer")
	r.zeros("reserved", 4)
	tx.readSymbolType(r, n)
	tx.fee = Amount(r.u64("max fee"))
	tx.deadline = r.u64("deadline")
	tx.readSymbolBody(r)
}

// readSymbolType reads version, network and type.
func (tx *Transaction) readSymbolType(r *reader, n Network) {
	versionAt := r.pos
	tx.version = r.u8("version")
	at := r.pos
	if id := r.u8("network"); r.err == nil && id != n.info().id {
		r.failAt(at, "network", "%s, want %s (0x%02X)", describeNetworkByte(Symbol, id), n.Label(), n.info().id)
	}
	at = r.pos
	tx.kind = Type(r.u16("type"))
	if r.err != nil {
		return
	}
	first, last := tx.kind.symbolVersions()
	switch {
	case last == 0:
		r.failAt(at, "type", "0x%04X is not a Symbol transaction type", uint32(tx.kind))
	case tx.version < first || tx.version > last:
		r.failAt(versionAt, "version", "is %d, want %d to %d for %s", tx.version, first, last, tx.kind)
	case tx.embedded && tx.kind.isAggregate():
		r.failAt(at, "type", "an aggregate cannot stand inside an aggregate")
	}
}

func (tx *Transaction) readSymbolBody(r *reader) {
	if r.err != nil {
		return
	}
	if tx.kind == SymbolTransfer {
		tx.transfer.readSymbol(r, tx.network)
		return
	}
	tx.body = readSymbolBody(r, tx)
}

// symbolAddress reads 24 raw bytes.
func (r *reader) symbolAddress(n Network, field string) Address {
	at := r.pos
	var raw [symbolAddressSize]byte
	copy(raw[:], r.bytes(field, symbolAddressSize))
	if r.err != nil {
		return Address{}
	}
	a, err := addressOf(n, Symbol, raw[:])
	if err != nil {
		r.failAt(at, field, "%v", err)
	}
	return a
}

// symbolMosaic reads a mosaic id and an amount.
func (r *reader) symbolMosaic() AssetAmount {
	at := r.pos
	v := r.u64("mosaic id")
	a := AssetAmount{Amount: Amount(r.u64("amount"))}
	if r.err != nil {
		return a
	}
	id, err := symbolAsset(v)
	if err != nil {
		r.failAt(at, "mosaic id", "%v", err)
	}
	a.ID = id
	return a
}

func (b *TransferBody) readSymbol(r *reader, n Network) {
	b.Recipient = r.symbolAddress(n, "recipient")
	at := r.pos
	size := r.u16("message size")
	if size > maxMessage {
		r.failAt(at, "message size", "is %d, want at most %d", size, maxMessage)
	}
	countAt := r.pos
	count := int(r.u8("mosaic count"))
	r.zeros("reserved", 5)
	if r.err == nil && count*mosaicSize > r.left() {
		r.failAt(countAt, "mosaic count", "is %d, but only %d bytes are left", count, r.left())
	}
	if r.err != nil {
		return
	}
	if count > 0 {
		b.Mosaics = make([]AssetAmount, 0, count)
	}
	for i := range count {
		at := r.pos
		a := r.symbolMosaic()
		if r.err != nil {
			return
		}
		if i > 0 && b.Mosaics[i-1].ID.mosaic >= a.ID.mosaic {
			r.failAt(at, "mosaic id", "%s stands after %s; ids must ascend and differ", a.ID, b.Mosaics[i-1].ID)
			return
		}
		b.Mosaics = append(b.Mosaics, a)
	}
	if payload := r.bytes("message", int(size)); payload != "" {
		b.Message = messageOf(Symbol, payload, false)
	}
}

// size is how many bytes a transfer, or a Symbol transaction's fixed parts,
// take: a hint for allocation, exact for transfers.
func (tx *Transaction) size() int {
	b := &tx.transfer
	if tx.network.Chain() == Symbol {
		header := symbolHeaderSize
		if tx.embedded {
			header = embeddedHeaderSize
		}
		return header + symbolTransferSize + mosaicSize*len(b.Mosaics) + b.Message.size(Symbol)
	}
	size := nis1HeaderSize + 4 + nis1AddressText + 8 + 4
	if n := b.Message.size(NIS1); n > 0 {
		size += 8 + n
	}
	if tx.version >= 2 {
		size += 4
	}
	for i := range b.Mosaics {
		size += 4 + 4 + 8 + len(b.Mosaics[i].ID.namespace) + len(b.Mosaics[i].ID.name) + 8
	}
	return size
}

// appendSymbolHeader leaves the size, its first 4 bytes, to be filled in.
func (tx *Transaction) appendSymbolHeader(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	if !tx.embedded {
		dst = append(dst, tx.signature[:]...)
	}
	dst = append(dst, tx.signer[:]...)
	dst = append(dst, 0, 0, 0, 0, tx.version, tx.network.info().id)
	dst = le.AppendUint16(dst, uint16(tx.kind))
	if !tx.embedded {
		dst = le.AppendUint64(dst, uint64(tx.fee))
		dst = le.AppendUint64(dst, tx.deadline)
	}
	return dst
}

func (b *TransferBody) appendSymbol(dst []byte) []byte {
	le := binary.LittleEndian
	dst = append(dst, b.Recipient.raw[:symbolAddressSize]...)
	dst = le.AppendUint16(dst, uint16(b.Message.size(Symbol)))
	dst = append(dst, byte(len(b.Mosaics)), 0, 0, 0, 0, 0)
	for i := range b.Mosaics {
		dst = le.AppendUint64(dst, b.Mosaics[i].ID.mosaic)
		dst = le.AppendUint64(dst, uint64(b.Mosaics[i].Amount))
	}
	return b.Message.appendPayload(dst, Symbol)
}
