package nem

import (
	"crypto/sha3"
	"encoding/binary"
	"strconv"
)

// AggregateBody holds what several Symbol accounts do at once. A complete one
// carries every cosignature; a bonded one gathers them on the chain.
type AggregateBody struct {
	Bonded bool
	// TransactionsHash is the root over Embedded. It is all of them that the
	// signature covers; [Decode] has recomputed it.
	TransactionsHash Hash
	Embedded         []Transaction
	Cosignatures     []AggregateCosignature
}

// AggregateCosignature is another account's signature of the aggregate's hash.
type AggregateCosignature struct {
	Cosigner  PublicKey
	Signature Signature
}

// HashLockBody locks a deposit of the currency until the bonded aggregate that
// has this hash completes; if it does not, the deposit is lost.
type HashLockBody struct {
	Deposit  AssetAmount
	Duration uint64 // blocks
	Hash     Hash
}

const (
	cosignatureSize   = 104 // version, key, signature
	embeddedAlignment = 8
)

func readSymbolBody(r *reader, tx *Transaction) Body {
	switch {
	case tx.kind.isAggregate():
		return readAggregate(r, tx.network, tx.kind == SymbolAggregateBonded)
	case tx.kind == SymbolHashLock:
		return readHashLock(r)
	}
	return readControl(r, func(r *reader) { walkLayout(r, controlLayouts[tx.kind]) })
}

func readAggregate(r *reader, n Network, bonded bool) Body {
	b := AggregateBody{Bonded: bonded}
	hashAt := r.pos
	b.TransactionsHash = r.hash("transactions hash")
	sizeAt := r.pos
	size := r.u32("payload size")
	r.zeros("reserved", 4)
	if r.err == nil && int64(size) > int64(r.left()) {
		r.failAt(sizeAt, "payload size", "is %d, but %d bytes are left", size, r.left())
	}
	if r.err != nil {
		return nil
	}
	in := r.sub(int(size), "")
	for in.err == nil && in.left() > 0 {
		b.Embedded = append(b.Embedded, in.embedded(n, len(b.Embedded)+1))
	}
	r.join(&in)
	if r.err == nil && len(b.Embedded) == 0 {
		r.failAt(sizeAt, "payload size", "is 0, want at least one embedded transaction")
	}
	for r.err == nil && r.left() > 0 {
		b.Cosignatures = append(b.Cosignatures, r.aggregateCosignature())
	}
	if r.err != nil {
		return nil
	}
	if root := transactionsHash(b.Embedded); root != b.TransactionsHash {
		r.failAt(hashAt, "transactions hash", "is %s, but the embedded transactions have %s", b.TransactionsHash, root)
	}
	return b
}

// embedded reads one embedded transaction and its padding.
func (r *reader) embedded(n Network, ordinal int) Transaction {
	tx := Transaction{network: n, embedded: true}
	scope := "embedded " + strconv.Itoa(ordinal) + ": "
	at := r.pos
	size := int(r.number(scope+"size", 4, embeddedHeaderSize, maxTransaction))
	if r.err == nil && size > r.end-at {
		r.failAt(at, scope+"size", "is %d, but %d bytes are left", size, r.end-at)
	}
	if r.err != nil {
		return tx
	}
	in := r.sub(size-4, scope)
	in.zeros("reserved", 4)
	// A zero key is no account: Effects says so. The layout allows it.
	copy(tx.signer[:], in.bytes("signer", keySize))
	in.zeros("reserved", 4)
	tx.readSymbolType(&in, n)
	tx.readSymbolBody(&in)
	in.finish()
	r.join(&in)
	r.zeros(scope+"padding", padding(size))
	return tx
}

// padding is how many zeros follow so many bytes of embedded transaction.
func padding(size int) int { return -size & (embeddedAlignment - 1) }

func (r *reader) aggregateCosignature() (c AggregateCosignature) {
	r.zeros("cosignature version", 8)
	c.Cosigner = r.publicKey("cosignature signer")
	copy(c.Signature[:], r.bytes("cosignature", len(c.Signature)))
	return c
}

// transactionsHash is the Merkle root over SHA3-256 of each embedded
// transaction without its padding; an odd level repeats its last node.
func transactionsHash(embedded []Transaction) Hash {
	var level []Hash
	for i := range embedded {
		level = append(level, sha3.Sum256(embedded[i].Encode()))
	}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := 0; i < len(level); i += 2 {
			level[i/2] = sha3.Sum256(append(level[i][:], level[i+1][:]...))
		}
		level = level[:len(level)/2]
	}
	if len(level) == 0 {
		return Hash{}
	}
	return level[0]
}

func (b AggregateBody) appendTo(dst []byte, _ Network, _ uint8) []byte {
	dst = append(dst, b.TransactionsHash[:]...)
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // payload size, written below; reserved
	for i := range b.Embedded {
		from := len(dst)
		dst = b.Embedded[i].appendTo(dst)
		dst = append(dst, make([]byte, padding(len(dst)-from))...)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-8))
	for i := range b.Cosignatures {
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
		dst = append(dst, b.Cosignatures[i].Cosigner[:]...)
		dst = append(dst, b.Cosignatures[i].Signature[:]...)
	}
	return dst
}

func readHashLock(r *reader) Body {
	return HashLockBody{Deposit: r.symbolMosaic(), Duration: r.u64("duration"), Hash: r.hash("aggregate hash")}
}

func (b HashLockBody) appendTo(dst []byte, _ Network, _ uint8) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, b.Deposit.ID.mosaic)
	dst = le.AppendUint64(dst, uint64(b.Deposit.Amount))
	dst = le.AppendUint64(dst, b.Duration)
	return append(dst, b.Hash[:]...)
}
