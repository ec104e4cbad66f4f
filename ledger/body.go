package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// ErrBody is wrapped by every error about the form of an entry's body.
var ErrBody = errors.New("malformed body")

// newBody returns an empty body of the kind, nil if the kind is not known.
func newBody(kind string) Body {
	switch kind {
	case KindGenesis:
		return new(Genesis)
	case KindFounding:
		return new(Founding)
	case KindStatement:
		return new(Statement)
	case KindOutcome:
		return new(Outcome)
	case KindReasons:
		return new(Reasons)
	case KindAdoption:
		return new(Adoption)
	case KindInForce:
		return new(InForce)
	case KindTick:
		return new(Tick)
	case KindLook:
		return new(Look)
	case KindStop:
		return new(Stop)
	case KindWallet:
		return new(Wallet)
	case KindWalletState:
		return new(WalletState)
	case KindSealing:
		return new(Sealing)
	case KindSignature:
		return new(Signature)
	case KindStrand:
		return new(Strand)
	case KindStart:
		return new(Start)
	case KindVouched:
		return new(Vouched)
	case KindAlarm:
		return new(Alarm)
	case KindRefused:
		return new(Refused)
	case KindGap:
		return new(Gap)
	case KindLogKey:
		return new(LogKey)
	}
	return nil
}

// EncodeBody returns the one JSON form of a body: every member, in the order of docs/journal.md, without
// white space. A body that cannot be written (text that is not UTF-8) is an error that wraps ErrBody.
func EncodeBody(b Body) ([]byte, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBody, b.Kind(), err)
	}
	return text, nil
}

// DecodeBody reads a body strictly: it takes exactly the bytes that EncodeBody writes, so no two readers
// can see different things in one entry. An unknown kind is an error too: it stops the fold.
func DecodeBody(kind string, text []byte) (Body, error) {
	b := newBody(kind)
	if b == nil {
		return nil, fmt.Errorf("%w: kind %q is not known to this version", ErrBody, kind)
	}
	if err := json.Unmarshal(text, b, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBody, kind, err)
	}
	again, err := EncodeBody(b)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, fmt.Errorf("%w: %s is not written as EncodeBody writes it (a member is missing, or out of order, or written in another form)", ErrBody, kind)
	}
	return b, nil
}
