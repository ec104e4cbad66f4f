package nem

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// MultisigBody wraps what a NIS1 multisig account is to do. Its signer, a
// cosignatory, thereby counts as having signed; Inner's signer is the multisig
// account, which pays everything, the wrapper's fee included.
type MultisigBody struct {
	Inner Transaction
}

// CosignatureBody approves, in NIS1, the inner transaction that has this hash.
// The hash is all that it says about what it approves.
type CosignatureBody struct {
	InnerHash Hash
	Account   Address // the multisig account
}

// ModificationBody changes who must sign for a NIS1 account.
type ModificationBody struct {
	Changes []CosignatoryChange // in the node's order
	// Version 2: by how much the number of needed signatures changes. Where it
	// is not present it does not change, and a conversion needs them all.
	HasRelativeChange bool
	RelativeChange    int32
}

// CosignatoryChange adds or removes one cosignatory.
type CosignatoryChange struct {
	Kind        ChangeKind
	Cosignatory PublicKey
}

// ChangeKind is NIS1's number for what happens to a cosignatory.
type ChangeKind uint32

const (
	AddCosignatory    ChangeKind = 1
	DeleteCosignatory ChangeKind = 2
)

// String returns "add" or "delete".
func (k ChangeKind) String() string {
	switch k {
	case AddCosignatory:
		return "add"
	case DeleteCosignatory:
		return "delete"
	}
	return "none"
}

const (
	changeSize         = 40 // of a change's structure: kind, length, key
	cosignedHashSize   = 36 // of the hash object: length, hash
	relativeChangeSize = 4
	maxCosignatories   = 32
)

func readNIS1Body(r *reader, tx *Transaction) Body {
	switch tx.kind {
	case NIS1Multisig:
		return readMultisig(r, tx.network)
	case NIS1Cosignature:
		return readCosignature(r, tx.network)
	case NIS1Modification:
		return readModification(r, tx.network, tx.version)
	case NIS1ImportanceTransfer:
		return readControl(r, walkImportanceTransfer)
	case NIS1Namespace:
		return readControl(r, walkNamespace)
	case NIS1MosaicDefinition:
		return readControl(r, walkMosaicDefinition)
	case NIS1SupplyChange:
		return readControl(r, walkSupplyChange)
	default:
		r.failAt(r.pos, "type", "%s has no layout here", tx.kind)
		return nil
	}
}

func readMultisig(r *reader, n Network) Body {
	at := r.pos
	size := r.u32("inner size")
	if r.err == nil && int64(size) != int64(r.left()) {
		r.failAt(at, "inner size", "is %d, but %d bytes are left", size, r.left())
	}
	if r.err != nil {
		return nil
	}
	in := r.sub(int(size), "inner ")
	var b MultisigBody
	b.Inner.readNIS1(&in, n, 1)
	in.finish()
	r.join(&in)
	return b
}

func (b MultisigBody) appendTo(dst []byte, _ Network, _ uint8) []byte {
	start := len(dst)
	dst = b.Inner.appendTo(append(dst, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// InnerHash returns the hash that cosignatures of the wrapper carry.
func (b MultisigBody) InnerHash() Hash { return keccak256(b.Inner.Encode()) }

func readCosignature(r *reader, n Network) Body {
	var b CosignatureBody
	r.fixed32("hash object size", cosignedHashSize)
	r.fixed32("hash length", hashSize)
	b.InnerHash = r.hash("inner transaction hash")
	b.Account = r.nis1Address(n, "multisig account")
	return b
}

func (b CosignatureBody) appendTo(dst []byte, _ Network, _ uint8) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, cosignedHashSize)
	dst = le.AppendUint32(dst, hashSize)
	dst = append(dst, b.InnerHash[:]...)
	return appendNIS1Address(dst, &b.Account)
}

func readModification(r *reader, n Network, version uint8) Body {
	var b ModificationBody
	countAt := r.pos
	count := r.u32("modification count")
	if count > 2*maxCosignatories {
		r.failAt(countAt, "modification count", "is %d, want at most %d", count, 2*maxCosignatories)
	}
	for range count {
		at := r.pos
		c := r.cosignatoryChange()
		if r.err != nil {
			return nil
		}
		if i := len(b.Changes); i > 0 && compareChanges(n, b.Changes[i-1], c) >= 0 {
			r.failAt(at, "modification", "%s stands after %s; the node sorts by kind and then by the text of the address, without duplicates, and then refuses the signature",
				c.Cosignatory.Address(n), b.Changes[i-1].Cosignatory.Address(n))
			return nil
		}
		b.Changes = append(b.Changes, c)
	}
	if version >= 2 {
		at := r.pos
		switch size := r.u32("relative change size"); {
		case r.err != nil:
		case size == relativeChangeSize:
			b.HasRelativeChange = true
			b.RelativeChange = int32(r.u32("relative change"))
		case size != 0:
			r.failAt(at, "relative change size", "is %d, want 4, or 0 for none", size)
		}
	}
	if r.err == nil && count == 0 && !b.HasRelativeChange {
		r.failAt(countAt, "modification count", "is 0, so nothing would change")
	}
	return b
}

func (r *reader) cosignatoryChange() (c CosignatoryChange) {
	r.fixed32("modification size", changeSize)
	at := r.pos
	c.Kind = ChangeKind(r.u32("modification kind"))
	if r.err == nil && c.Kind != AddCosignatory && c.Kind != DeleteCosignatory {
		r.failAt(at, "modification kind", "is %d, want 1 (add) or 2 (delete)", c.Kind)
	}
	r.fixed32("cosignatory key length", keySize)
	c.Cosignatory = r.publicKey("cosignatory key")
	return c
}

// compareChanges orders as the node does: by kind, then by the characters of
// the address. (symbol-sdk compares the addresses' hashes, where letters come
// before digits as values; the node would refuse its signature.)
func compareChanges(n Network, a, b CosignatoryChange) int {
	if a.Kind != b.Kind {
		return cmp.Compare(a.Kind, b.Kind)
	}
	x, y := a.Cosignatory.Address(n), b.Cosignatory.Address(n)
	var xText, yText [nis1AddressText]byte
	return bytes.Compare(x.appendText(xText[:0]), y.appendText(yText[:0]))
}

func (b ModificationBody) appendTo(dst []byte, _ Network, version uint8) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(b.Changes)))
	for i := range b.Changes {
		dst = le.AppendUint32(dst, changeSize)
		dst = le.AppendUint32(dst, uint32(b.Changes[i].Kind))
		dst = le.AppendUint32(dst, keySize)
		dst = append(dst, b.Changes[i].Cosignatory[:]...)
	}
	if version < 2 {
		return dst
	}
	if !b.HasRelativeChange {
		return le.AppendUint32(dst, 0)
	}
	dst = le.AppendUint32(dst, relativeChangeSize)
	return le.AppendUint32(dst, uint32(b.RelativeChange))
}
