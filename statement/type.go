package statement

// Type is a statement's `type` member. The zero value is no type.
type Type string

// The types. The number grows whenever a type's members or meaning change.
const (
	TypeWithdrawal Type = "withdrawal/1"
	TypeVerdict    Type = "verdict/1"
	TypeFreeze     Type = "freeze/1"
	TypeProposal   Type = "proposal/1"
	TypeLogin      Type = "login/1"
)

// Longest texts, in bytes.
const (
	MaxText         = 4096
	MaxProposalText = 1 << 20
	MaxSignature    = 2048
	// MaxEnvelope is the longest envelope that [DecodeEnvelope] looks at:
	// the longest text and signature with every byte escaped by one other,
	// and the rest of the object.
	MaxEnvelope = 2*(MaxProposalText+MaxSignature) + 64
)

// Namespace returns the SSHSIG namespace of the type: "kura/withdrawal/1".
func (t Type) Namespace() string { return "kura/" + string(t) }

// MaxText returns the longest text of the type in bytes.
func (t Type) MaxText() int {
	if t == TypeProposal {
		return MaxProposalText
	}
	return MaxText
}

// Common is what every statement says. Journal is the genesis hash of the
// deployment that it is for, Expires unix milliseconds.
type Common struct {
	Journal Hash
	ID      ID
	Expires int64
}

// Body is a decoded statement: *[Withdrawal], *[Verdict], *[Freeze],
// *[Proposal] or *[Login], and nothing else. A nil Body is none.
type Body interface {
	Type() Type
	Common() Common
	// members lists everything that the type says, in the documented order.
	// The same table decodes and encodes.
	members() object
	// check judges what no single member can: how they go together.
	check() error
}

// newBody returns an empty body of the type, or nil.
func newBody(t Type) Body {
	switch t {
	case TypeWithdrawal:
		return new(Withdrawal)
	case TypeVerdict:
		return new(Verdict)
	case TypeFreeze:
		return new(Freeze)
	case TypeProposal:
		return new(Proposal)
	case TypeLogin:
		return new(Login)
	}
	return nil
}

// common is the first four members of every table.
func common(t Type, journal *Hash, id *ID, expires *int64, rest ...member) object {
	return append(object{
		{"type", word(&t, exactly(t))},
		{"journal", &text[Hash]{journal, ParseHash, Hash.String}},
		{"id", &text[ID]{id, ParseID, ID.String}},
		{"expires", &text[int64]{expires, ParseTime, FormatTime}},
	}, rest...)
}
