package statement

import (
	"errors"
	"fmt"
)

// Code is the stable, machine-readable reason of an [Error]. Codes are part of
// the API and are never renamed.
type Code string

// The codes, as docs/statements.md lists them.
const (
	CodeSyntax             Code = "syntax"
	CodeTooLarge           Code = "too_large"
	CodeUnknownType        Code = "unknown_type"
	CodeUnknownMember      Code = "unknown_member"
	CodeMissingMember      Code = "missing_member"
	CodeDuplicateMember    Code = "duplicate_member"
	CodeBadValue           Code = "bad_value"
	CodeSignatureMalformed Code = "signature_malformed"
	CodeKeyTypeRefused     Code = "key_type_refused"
	CodeKeyMalformed       Code = "key_malformed"
	CodeNamespaceMismatch  Code = "namespace_mismatch"
	CodeTouchMissing       Code = "touch_missing"
	CodeSignatureInvalid   Code = "signature_invalid"
	CodeIDFromTheFuture    Code = "id_from_the_future"
	CodeIDTooOld           Code = "id_too_old"
	CodeExpiresTooLate     Code = "expires_too_late"
	CodeExpired            Code = "expired"
)

// Error says why a statement was refused. Field is the path of the member
// ("assets[0].amount"), "signature", or empty when it is about the text as a
// whole. Msg says what was wrong and what would be right; foreign text in it is
// quoted and bounded, so that it can be shown as it is.
type Error struct {
	Code  Code
	Field string
	Msg   string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return string(e.Code) + ": " + e.Msg
	}
	return string(e.Code) + ": " + e.Field + ": " + e.Msg
}

func refuse(code Code, field, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Msg: fmt.Sprintf(format, args...)}
}

// at says that err, one of ours, is about the member field.
func at(field string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return &Error{Code: e.Code, Field: field, Msg: e.Msg}
	}
	return err
}
