package statement

import (
	"errors"
	"io"
)

// Envelope is a statement as it travels: the exact signed text and its armored
// SSH signature. Nothing about it is checked yet.
type Envelope struct {
	Statement string
	Signature string
}

func (e *Envelope) members() object {
	return object{
		{"statement", word(&e.Statement, anyText)},
		{"signature", word(&e.Signature, anyText)},
	}
}

// DecodeEnvelope reads the JSON object {"statement", "signature"} strictly, up
// to MaxEnvelope bytes. White space around it is transport and ignored. The
// error is an *[Error].
func DecodeEnvelope(data []byte) (Envelope, error) {
	if len(data) > MaxEnvelope {
		return Envelope{}, refuse(CodeTooLarge, "", "%d bytes; want an envelope of at most %d", len(data), MaxEnvelope)
	}
	if err := checkUTF8(data); err != nil {
		return Envelope{}, err
	}
	var e Envelope
	d := decoder(data)
	if err := e.members().read(d, ""); err != nil {
		return Envelope{}, err
	}
	end := d.InputOffset()
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return Envelope{}, refuse(CodeSyntax, "", "want one JSON object, and nothing after byte %d", end)
	}
	return e, nil
}

// Encode writes the envelope as compact JSON. Bytes that are not UTF-8, which
// no valid envelope holds, come out as U+FFFD.
func (e Envelope) Encode() []byte { return e.members().write(nil) }

// Signed is a statement that was decoded and whose signature holds.
type Signed struct {
	Envelope
	Hash Hash // SHA-256 of the text: the statement's name
	Key  Key  // who signed; whose key that is, the policy says
	Body Body
	SK   SK // what a security key attests; zero with other keys
}

// SK is what a FIDO2 security key says about one signature.
type SK struct {
	Used         bool   // a security key signed, and was touched
	UserVerified bool   // by PIN or finger
	Counter      uint32 // of signatures made, as the key counts
}

// Open decodes an envelope's statement and verifies its signature: SSHSIG with
// SHA-512 in the namespace of the statement's type, by a key of an accepted
// kind, touched if it is a security key. The error is an *[Error].
//
// What Open returns is attributed to nobody yet, and its times are not checked.
func Open(e Envelope) (Signed, error) {
	body, err := Decode(e.Statement)
	if err != nil {
		return Signed{}, err
	}
	key, sk, err := verify(e.Statement, e.Signature, body.Type().Namespace())
	if err != nil {
		return Signed{}, at("signature", err)
	}
	return Signed{Envelope: e, Hash: HashText(e.Statement), Key: key, Body: body, SK: sk}, nil
}
