package nem

import (
	"encoding/binary"
	"fmt"
)

// Lengths that NIS1 writes before what they count, always the same.
const (
	nis1HeaderSize = 60
	keySize        = 32
	hashSize       = 32
)

// Kinds of NIS1 message envelopes.
const (
	nis1Plain     = 1
	nis1Encrypted = 2
)

// readNIS1 reads one transaction. depth is 1 inside a multisig wrapper.
func (tx *Transaction) readNIS1(r *reader, n Network, depth int) {
	tx.network = n
	at := r.pos
	tx.kind = Type(r.u32("type"))
	first, last := tx.kind.nis1Versions()
	if r.err == nil && last == 0 {
		r.failAt(at, "type", "0x%08X is not a NIS1 transaction type", uint32(tx.kind))
	}
	if depth > 0 && (tx.kind == NIS1Multisig || tx.kind == NIS1Cosignature) {
		r.failAt(at, "type", "%s cannot stand inside a multisig", tx.kind)
	}
	at = r.pos
	tx.version = r.u8("version")
	if r.err == nil && (tx.version < first || tx.version > last) {
		r.failAt(at, "version", "is %d, want %d to %d for %s", tx.version, first, last, tx.kind)
	}
	r.zeros("version", 2)
	at = r.pos
	if id := r.u8("network"); r.err == nil && id != n.info().id {
		r.failAt(at, "network", "%s, want %s (0x%02X)", describeNetworkByte(NIS1, id), n.Label(), n.info().id)
	}
	tx.timestamp = r.nis1Time("timestamp")
	r.fixed32("public key length", keySize)
	tx.signer = r.publicKey("signer")
	tx.fee = Amount(r.u64("fee"))
	tx.deadline = r.nis1Time("deadline")
	if r.err != nil {
		return
	}
	if tx.kind == NIS1Transfer {
		tx.transfer.readNIS1(r, n, tx.version)
	} else {
		tx.body = readNIS1Body(r, tx)
	}
}

func describeNetworkByte(c Chain, id byte) string {
	if n := networkByID(c, id); n != 0 {
		return fmt.Sprintf("is that of %s (0x%02X)", n.Label(), id)
	}
	return fmt.Sprintf("0x%02X is no %s network's", id, c.title())
}

// nis1Time reads chain time, which the node holds in signed 32 bits.
func (r *reader) nis1Time(field string) uint64 {
	at := r.pos
	v := r.u32(field)
	if v > maxNIS1Time {
		r.failAt(at, field, "is %d, want at most %d: the node reads it as signed", v, maxNIS1Time)
	}
	return uint64(v)
}

// nis1Address reads an address as the node writes it: its length, then 40
// characters of upper-case text without hyphens.
func (r *reader) nis1Address(n Network, field string) Address {
	r.fixed32(field+" length", nis1AddressText)
	at := r.pos
	text := r.bytes(field, nis1AddressText)
	if r.err != nil {
		return Address{}
	}
	var raw [nis1AddressSize]byte
	if !decodeBase32(raw[:], text) {
		r.failAt(at, field, "%.50q is not 40 characters of A to Z and 2 to 7, in upper case without hyphens", text)
		return Address{}
	}
	a, err := addressOf(n, NIS1, raw[:])
	if err != nil {
		r.failAt(at, field, "%v", err)
	}
	return a
}

func (b *TransferBody) readNIS1(r *reader, n Network, version uint8) {
	b.Recipient = r.nis1Address(n, "recipient")
	b.Amount = Amount(r.u64("amount"))
	b.Message = r.nis1Message()
	if version < 2 {
		return
	}
	at := r.pos
	count := r.u32("mosaic count")
	if count > nis1MaxMosaics {
		r.failAt(at, "mosaic count", "is %d, want at most %d", count, nis1MaxMosaics)
	}
	if r.err != nil || count == 0 {
		return
	}
	b.Mosaics = make([]AssetAmount, 0, count)
	for range count {
		at := r.pos
		a := r.nis1Mosaic()
		if r.err != nil {
			return
		}
		if i := len(b.Mosaics); i > 0 {
			switch last := b.Mosaics[i-1]; {
			case last.ID == a.ID:
				r.failAt(at, "mosaic", "%s is listed twice; the node merges duplicates and then refuses the signature", a.ID)
			case compareAssets(last, a) > 0:
				r.failAt(at, "mosaic", "%s stands after %s; the node sorts them and then refuses the signature", a.ID, last.ID)
			}
		}
		b.Mosaics = append(b.Mosaics, a)
	}
}

// nis1Mosaic reads structure size, id and quantity.
func (r *reader) nis1Mosaic() AssetAmount {
	at := r.pos
	size := r.u32("mosaic size")
	body := r.pos
	a := AssetAmount{ID: r.nis1AssetID()}
	a.Amount = Amount(r.u64("mosaic quantity"))
	if r.err == nil && int(size) != r.pos-body {
		r.failAt(at, "mosaic size", "is %d, want %d", size, r.pos-body)
	}
	return a
}

// nis1AssetID reads the size of the id, its namespace and its name.
func (r *reader) nis1AssetID() AssetID {
	at := r.pos
	size := r.u32("mosaic id size")
	body := r.pos
	id := AssetID{chain: NIS1, namespace: r.nis1Text("namespace"), name: r.nis1Text("mosaic name")}
	if r.err != nil {
		return AssetID{}
	}
	if int(size) != r.pos-body {
		r.failAt(at, "mosaic id size", "is %d, want %d", size, r.pos-body)
	}
	if err := id.checkNIS1(); err != nil {
		r.failAt(body, "mosaic id", "%v", err)
	}
	return id
}

// nis1Text reads a length and so many bytes.
func (r *reader) nis1Text(field string) string {
	n := r.u32(field + " length")
	if r.err == nil && n > uint32(r.left()) {
		r.failAt(r.pos-4, field+" length", "is %d, %d bytes are left", n, r.left())
	}
	return r.bytes(field, int(n))
}

// nis1Message reads a message envelope; size 0 is no message.
func (r *reader) nis1Message() Message {
	at := r.pos
	size := r.u32("message envelope size")
	if r.err != nil || size == 0 {
		return Message{}
	}
	kindAt := r.pos
	kind := r.u32("message kind")
	if r.err == nil && kind != nis1Plain && kind != nis1Encrypted {
		r.failAt(kindAt, "message kind", "is %d, want 1 (plain) or 2 (encrypted)", kind)
	}
	lengthAt := r.pos
	length := r.u32("message length")
	switch {
	case r.err != nil:
	case length == 0:
		r.failAt(lengthAt, "message length", "is 0; no message must be written as envelope size 0, or the node drops the envelope and refuses the signature")
	case length > maxMessage:
		r.failAt(lengthAt, "message length", "is %d, want at most %d", length, maxMessage)
	case size != length+8:
		r.failAt(at, "message envelope size", "is %d, want %d for %d bytes", size, length+8, length)
	}
	payload := r.bytes("message", int(length))
	if r.err != nil {
		return Message{}
	}
	return messageOf(NIS1, payload, kind == nis1Encrypted)
}

func (tx *Transaction) appendNIS1Header(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(tx.kind))
	dst = append(dst, tx.version, 0, 0, tx.network.info().id)
	dst = le.AppendUint32(dst, uint32(tx.timestamp))
	dst = le.AppendUint32(dst, keySize)
	dst = append(dst, tx.signer[:]...)
	dst = le.AppendUint64(dst, uint64(tx.fee))
	return le.AppendUint32(dst, uint32(tx.deadline))
}

func (b *TransferBody) appendNIS1(dst []byte, version uint8) []byte {
	le := binary.LittleEndian
	dst = appendNIS1Address(dst, &b.Recipient)
	dst = le.AppendUint64(dst, uint64(b.Amount))
	if size := b.Message.size(NIS1); size == 0 {
		dst = le.AppendUint32(dst, 0)
	} else {
		kind := uint32(nis1Plain)
		if b.Message.kind == MessageEncrypted {
			kind = nis1Encrypted
		}
		dst = le.AppendUint32(dst, uint32(size)+8)
		dst = le.AppendUint32(dst, kind)
		dst = le.AppendUint32(dst, uint32(size))
		dst = b.Message.appendPayload(dst, NIS1)
	}
	if version < 2 {
		return dst
	}
	dst = le.AppendUint32(dst, uint32(len(b.Mosaics)))
	for i := range b.Mosaics {
		a := &b.Mosaics[i]
		id := 8 + len(a.ID.namespace) + len(a.ID.name)
		dst = le.AppendUint32(dst, uint32(4+id+8))
		dst = appendNIS1AssetID(dst, &a.ID)
		dst = le.AppendUint64(dst, uint64(a.Amount))
	}
	return dst
}

func appendNIS1AssetID(dst []byte, id *AssetID) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(8+len(id.namespace)+len(id.name)))
	return appendNIS1Text(appendNIS1Text(dst, id.namespace), id.name)
}

func appendNIS1Text(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendNIS1Address(dst []byte, a *Address) []byte {
	return a.appendText(binary.LittleEndian.AppendUint32(dst, nis1AddressText))
}
