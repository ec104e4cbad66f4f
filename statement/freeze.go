package statement

import (
	"encoding/base64"
	"fmt"
	"strings"

	"kura/nem"
)

// Freeze stops something at once. It can only ever add a deny.
type Freeze struct {
	Journal Hash
	ID      ID
	Expires int64 // unix milliseconds

	Action FreezeAction
	Target Target
	Amount *nem.Amount // with lower: the limit's new number; otherwise nil
	Reason string
}

// FreezeAction is what a freeze does. The zero value does nothing.
type FreezeAction string

// The actions, each with its own kinds of targets.
const (
	ActionFreeze  FreezeAction = "freeze"
	ActionSuspend FreezeAction = "suspend"
	ActionLower   FreezeAction = "lower"
)

// Target is what a freeze acts on.
type Target struct {
	Kind TargetKind
	Name string // "" with all; a key's fingerprint; an address; otherwise the policy's name
}

// TargetKind is what a target's name names.
type TargetKind string

// The kinds of targets.
const (
	TargetAll     TargetKind = "all"
	TargetWallet  TargetKind = "wallet"
	TargetClient  TargetKind = "client"
	TargetPerson  TargetKind = "person"
	TargetKey     TargetKind = "key"
	TargetAddress TargetKind = "address"
	TargetLimit   TargetKind = "limit"
)

var targetsOf = map[FreezeAction][]TargetKind{
	ActionFreeze:  {TargetAll, TargetWallet, TargetClient},
	ActionSuspend: {TargetPerson, TargetClient, TargetKey, TargetAddress},
	ActionLower:   {TargetLimit},
}

// Type returns TypeFreeze.
func (f *Freeze) Type() Type { return TypeFreeze }

// Common returns what every statement says.
func (f *Freeze) Common() Common { return Common{f.Journal, f.ID, f.Expires} }

func (f *Freeze) members() object {
	return common(TypeFreeze, &f.Journal, &f.ID, &f.Expires,
		member{"action", word(&f.Action, oneOf(ActionFreeze, ActionSuspend, ActionLower))},
		member{"target", object{
			{"kind", word(&f.Target.Kind, oneOf(TargetAll, TargetWallet, TargetClient, TargetPerson, TargetKey, TargetAddress, TargetLimit))},
			{"name", word(&f.Target.Name, anyText)},
		}},
		member{"amount", &text[*nem.Amount]{&f.Amount, parseOptionalAmount, formatOptionalAmount}},
		member{"reason", word(&f.Reason, line(maxReason))},
	)
}

func (f *Freeze) check() error {
	kinds := targetsOf[f.Action]
	if _, err := oneOf(kinds...)(string(f.Target.Kind)); err != nil {
		return refuse(CodeBadValue, "target.kind", "with %s: %v", f.Action, err)
	}
	if _, err := f.Target.Kind.parseName()(f.Target.Name); err != nil {
		return refuse(CodeBadValue, "target.name", "with kind %s: %v", f.Target.Kind, err)
	}
	if lower := f.Action == ActionLower; lower != (f.Amount != nil) {
		return refuse(CodeBadValue, "amount", "want the limit's new number with lower, and \"\" otherwise")
	}
	return nil
}

// parseName returns how a target of this kind is named.
func (k TargetKind) parseName() func(string) (string, error) {
	switch k {
	case TargetAll:
		return exactly("")
	case TargetKey:
		return parseFingerprint
	case TargetAddress:
		return parseAddressText
	case TargetWallet, TargetClient, TargetPerson, TargetLimit:
		return ParseName
	}
	return exactly("")
}

func parseOptionalAmount(text string) (*nem.Amount, error) {
	if text == "" {
		return nil, nil
	}
	amount, err := nem.ParseAmount(text)
	return &amount, err
}

func formatOptionalAmount(amount *nem.Amount) string {
	if amount == nil {
		return ""
	}
	return amount.String()
}

// parseFingerprint reads a key's fingerprint as ssh-keygen -lf prints it.
func parseFingerprint(text string) (string, error) {
	digest, found := strings.CutPrefix(text, "SHA256:")
	raw, err := base64.RawStdEncoding.Strict().DecodeString(digest)
	if !found || err != nil || len(raw) != 32 {
		return "", fmt.Errorf("want a key's fingerprint, SHA256: and 43 characters, as ssh-keygen -lf prints it; got %s", Quote(text, 64))
	}
	return text, nil
}
