package nem

import (
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// span finds what a Symbol signature covers: [108, end). It reads only what it
// needs, so that layouts unknown to [Decode] can be hashed and verified too.
func span(b []byte) (signed []byte, err error) {
	if len(b) < symbolHeaderSize {
		return nil, fmt.Errorf("%d bytes are too few for a Symbol transaction, want at least %d", len(b), symbolHeaderSize)
	}
	end := len(b)
	if Type(binary.LittleEndian.Uint16(b[signedOffset+2:])).isAggregate() {
		// What an aggregate holds is bound by the transactions hash alone;
		// version 3 signs the payload's size too.
		end = aggregateSignedEnd
		if b[signedOffset] >= 3 {
			end += 4
		}
		if len(b) < end {
			return nil, fmt.Errorf("%d bytes are too few for an aggregate, want at least %d", len(b), end)
		}
	}
	return b[signedOffset:end], nil
}

// aggregateSignedEnd is where the signed part of an aggregate of version 1 or 2
// ends: after the transactions hash.
const aggregateSignedEnd = 160

// SigningBytes returns what the key signs: NIS1's data as it is, Symbol's
// generation hash seed followed by the signed part of the bytes. It does not
// decode: whoever is about to sign has built or decoded the bytes before.
func SigningBytes(n Network, unsigned []byte) ([]byte, error) {
	if err := n.buildable(); err != nil {
		return nil, fmt.Errorf("signing bytes: %w", err)
	}
	if n.Chain() == NIS1 {
		if len(unsigned) < nis1HeaderSize {
			return nil, fmt.Errorf("signing bytes: %d bytes are too few for a NIS1 transaction, want at least %d", len(unsigned), nis1HeaderSize)
		}
		return append([]byte(nil), unsigned...), nil
	}
	signed, err := span(unsigned)
	if err != nil {
		return nil, fmt.Errorf("signing bytes: %w", err)
	}
	seed := &n.info().seed
	return append(append(make([]byte, 0, len(seed)+len(signed)), seed[:]...), signed...), nil
}

// Attach returns the signed form: Symbol's bytes with the signature in its
// place, NIS1's data unchanged (there the signature travels beside it).
func Attach(n Network, unsigned []byte, sig Signature) ([]byte, error) {
	if err := n.buildable(); err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	signed := append([]byte(nil), unsigned...)
	if n.Chain() == NIS1 {
		return signed, nil
	}
	if len(unsigned) < symbolHeaderSize {
		return nil, fmt.Errorf("attach: %d bytes are too few for a Symbol transaction, want at least %d", len(unsigned), symbolHeaderSize)
	}
	copy(signed[signatureOffset:], sig[:])
	return signed, nil
}

// HashOf returns the transaction's hash: NIS1's Keccak-256 of the data, which
// no signature enters; Symbol's SHA3-256 of signature, signer, seed and signed
// part. It does not decode.
func HashOf(n Network, unsigned []byte, sig Signature) (Hash, error) {
	if err := n.buildable(); err != nil {
		return Hash{}, fmt.Errorf("hash: %w", err)
	}
	if n.Chain() == NIS1 {
		if len(unsigned) < nis1HeaderSize {
			return Hash{}, fmt.Errorf("hash: %d bytes are too few for a NIS1 transaction, want at least %d", len(unsigned), nis1HeaderSize)
		}
		return keccak256(unsigned), nil
	}
	signed, err := span(unsigned)
	if err != nil {
		return Hash{}, fmt.Errorf("hash: %w", err)
	}
	h := sha3.New256()
	h.Write(sig[:])
	h.Write(unsigned[signerOffset : signerOffset+keySize])
	h.Write(n.info().seed[:])
	h.Write(signed)
	var sum Hash
	h.Sum(sum[:0])
	return sum, nil
}

// VerifyTransaction decodes the bytes strictly and checks the signature under
// the signer that they name, and an aggregate's cosignatures under theirs.
func VerifyTransaction(n Network, unsigned []byte, sig Signature) error {
	tx, err := Decode(n, unsigned)
	if err != nil {
		return err
	}
	message, err := SigningBytes(n, unsigned)
	if err != nil {
		return err
	}
	if err := Verify(n, tx.signer, message, sig); err != nil {
		return err
	}
	body, isAggregate := tx.body.(AggregateBody)
	if !isAggregate {
		return nil
	}
	hash, err := HashOf(n, unsigned, sig)
	if err != nil {
		return err
	}
	for i := range body.Cosignatures {
		c := &body.Cosignatures[i]
		if err := Verify(n, c.Cosigner, hash[:], c.Signature); err != nil {
			return fmt.Errorf("cosignature %d: %w", i+1, err)
		}
	}
	return nil
}

// Announcement is the HTTP request by which a node takes a signed transaction.
type Announcement struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   string `json:"body"` // JSON
}

// Announce returns the request that hands a signed transaction to a node.
// Verify before announcing: a NIS1 node remembers a wrong signature by the
// hash, and then refuses the right one for ten minutes.
func Announce(n Network, unsigned []byte, sig Signature) (Announcement, error) {
	signed, err := Attach(n, unsigned, sig)
	if err != nil {
		return Announcement{}, fmt.Errorf("announce: %w", err)
	}
	if n.Chain() == NIS1 {
		if len(signed) < nis1HeaderSize {
			return Announcement{}, fmt.Errorf("announce: %d bytes are too few for a NIS1 transaction, want at least %d", len(signed), nis1HeaderSize)
		}
		// Lower case, as NIS1's own tools write it.
		body := `{"data":"` + hex.EncodeToString(signed) + `","signature":"` + strings.ToLower(sig.String()) + `"}`
		return Announcement{"POST", "/transaction/announce", body}, nil
	}
	path := "/transactions"
	if Type(binary.LittleEndian.Uint16(signed[signedOffset+2:])) == SymbolAggregateBonded {
		path = "/transactions/partial"
	}
	return Announcement{"PUT", path, `{"payload":"` + upperHex(signed) + `"}`}, nil
}
