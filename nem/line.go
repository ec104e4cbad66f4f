package nem

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// DescribeLine decodes one line of hex and writes one JSON object and a line
// end to w: a [Description], or {"error": …}. It returns whether the line
// decoded; err is w's.
func DescribeLine(w io.Writer, n Network, line []byte) (ok bool, err error) {
	var out any
	b := make([]byte, hex.DecodedLen(len(line)))
	if _, err := hex.Decode(b, line); err != nil {
		out = lineError{fmt.Sprintf("transaction is not hex: %v", err)}
	} else if d, err := Describe(n, b); err != nil {
		out = lineError{err.Error()}
	} else {
		out, ok = d, true
	}
	text, err := json.Marshal(out)
	if err != nil {
		return false, fmt.Errorf("encode a description: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return ok, err
}

type lineError struct {
	Error string `json:"error"`
}

// Verification is what `kura tx verify` prints for one line. The hash is given
// for what is not valid too, if its bytes have one.
type Verification struct {
	Valid  bool   `json:"valid"`
	Hash   string `json:"hash"`
	Reason string `json:"reason"` // "" if it is valid
}

// VerifyLine decodes one JSON object, {"data", "signature"} in NIS1 or
// {"payload"} in Symbol, and verifies the transaction in it as the chain's node
// does, an aggregate's cosignatures included. Whatever is wrong is the reason.
func VerifyLine(n Network, line []byte) Verification {
	var v Verification
	b, sig, err := readVerifyLine(n, line)
	if err == nil {
		if hash, err := HashOf(n, b, sig); err == nil {
			v.Hash = hash.String()
		}
		err = VerifyTransaction(n, b, sig)
	}
	if err != nil {
		v.Reason = err.Error()
		return v
	}
	v.Valid = true
	return v
}

func readVerifyLine(n Network, line []byte) (b []byte, sig Signature, err error) {
	var in struct {
		Data      string `json:"data"`
		Signature string `json:"signature"`
		Payload   string `json:"payload"`
	}
	if err := json.Unmarshal(line, &in, json.RejectUnknownMembers(true)); err != nil {
		return nil, sig, fmt.Errorf("want a JSON object: %w", err)
	}
	switch {
	case n.Chain() == Symbol && (in.Payload == "" || in.Data != "" || in.Signature != ""):
		return nil, sig, fmt.Errorf(`want {"payload": hex} and nothing else for %s`, n.Label())
	case n.Chain() == NIS1 && (in.Payload != "" || in.Data == "" || in.Signature == ""):
		return nil, sig, fmt.Errorf(`want {"data": hex, "signature": hex} and nothing else for %s`, n.Label())
	}
	if b, err = hex.DecodeString(in.Data + in.Payload); err != nil {
		return nil, sig, fmt.Errorf("transaction is not hex: %w", err)
	}
	if n.Chain() == NIS1 {
		sig, err = ParseSignature(in.Signature)
		return b, sig, err
	}
	if len(b) < symbolHeaderSize {
		return nil, sig, fmt.Errorf("transaction has %d bytes, want at least %d", len(b), symbolHeaderSize)
	}
	return b, Signature(b[signatureOffset:signerOffset]), nil
}
