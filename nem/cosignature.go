package nem

import "fmt"

// DetachedCosignature is one account's signature of a bonded Symbol aggregate,
// sent by itself. It covers the aggregate's 32-byte hash and nothing else, no
// seed either: whoever makes one must have decoded that very aggregate.
type DetachedCosignature struct {
	Signer    PublicKey
	Signature Signature
	Parent    Hash // the aggregate's
}

const detachedCosignatureSize = 136

// DecodeDetachedCosignature reads the 136-byte form.
func DecodeDetachedCosignature(b []byte) (DetachedCosignature, error) {
	if len(b) != detachedCosignatureSize {
		return DetachedCosignature{}, fmt.Errorf("detached cosignature has %d bytes, want %d", len(b), detachedCosignatureSize)
	}
	r := newReader(string(b))
	var c DetachedCosignature
	r.zeros("version", 8)
	c.Signer = r.publicKey("signer")
	c.Signature = r.signature()
	c.Parent = r.hash("parent hash")
	r.finish()
	if r.err != nil {
		return DetachedCosignature{}, r.err
	}
	return c, nil
}

// Encode returns the 136-byte form.
func (c DetachedCosignature) Encode() []byte {
	b := append(make([]byte, 0, detachedCosignatureSize), 0, 0, 0, 0, 0, 0, 0, 0)
	b = append(append(b, c.Signer[:]...), c.Signature[:]...)
	return append(b, c.Parent[:]...)
}

// Verify checks the signature over the parent's hash.
func (c DetachedCosignature) Verify() error {
	return Verify(SymbolMainnet, c.Signer, c.Parent[:], c.Signature)
}

// Announce returns the request that hands the cosignature to a node.
func (c DetachedCosignature) Announce() Announcement {
	return Announcement{"PUT", "/transactions/cosignature", fmt.Sprintf(
		`{"parentHash":"%s","signature":"%s","signerPublicKey":"%s","version":"0"}`, c.Parent, c.Signature, c.Signer)}
}
