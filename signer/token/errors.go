package token

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// Error is a kind of failure with a stable code. Errors of this package wrap one
// of the variables below; errors.Is tells them apart and Code reads the code.
type Error struct {
	code string
	text string
}

func (e *Error) Error() string { return e.text }

// Code is the stable snake_case name of the failure.
func (e *Error) Code() string { return e.code }

// The failures that reach a user. Only ErrUnavailable is worth the same request
// again; the others need a person.
var (
	ErrUnavailable    = &Error{"token_unavailable", "the token is unavailable"}
	ErrClosed         = &Error{"token_closed", "the token is closed"}
	ErrPIN            = &Error{"token_pin_refused", "the token refused the PIN, which is not tried again"}
	ErrWeakPIN        = &Error{"token_pin_weak", "the PIN is too weak for a software token"}
	ErrLeakyToken     = &Error{"token_leaky", "the token gives private keys away"}
	ErrNoKey          = &Error{"token_no_key", "the token has no such key"}
	ErrUnsafeKey      = &Error{"token_key_unsafe", "the key's attributes are not what Kura requires"}
	ErrWrongKey       = &Error{"token_wrong_key", "the key is not the one that was named"}
	ErrWrongSignature = &Error{"token_wrong_signature", "the signature does not verify and was withheld"}
	ErrSealed         = &Error{"sealed_blob_invalid", "the sealed wallet does not open"}
	ErrWalletExists   = &Error{"wallet_exists", "the wallet exists already"}
	ErrGenesis        = &Error{"token_genesis", "the token's genesis does not allow this"}
	ErrAnchor         = &Error{"token_anchor", "the token's anchor cannot be told"}
	ErrBackup         = &Error{"backup_invalid", "the backup cannot be used"}
	// What a person does about a token that was left half made within C_InitToken, which no call of PKCS#11 mends. It had
	// no user PIN yet, so no key.
	ErrHalfMade = &Error{"token_half_made", "if this is SoftHSM's, its making was cut off before it had a key: first remove its directory, " +
		"the one in directories.tokendir whose only .object file is token.object; then run token init again"}
)

// failure says what an error of the module asks for.
type failure uint8

const (
	failureNone    failure = iota
	failurePlain           // the call is refused; the token is well
	failureSession         // this session is gone; another may do
	failureHandle          // the object's handle is stale; find it again
	failureDoubt           // the token may be gone: probe it
	failureDevice          // the token is gone or has forgotten us: recover
)

// errVanished is an empty search for an object that this process has seen.
var errVanished = errors.New("an object that was there is not found")

func failureOf(err error) failure {
	if err == nil {
		return failureNone
	}
	if errors.Is(err, errVanished) || errors.Is(err, errBinding) {
		return failureDoubt
	}
	rv, ok := errors.AsType[pkcs11.Error](err)
	if !ok {
		return failurePlain
	}
	switch {
	case rv >= 0xB0 && rv <= 0xB8, rv == pkcs11.CKR_OPERATION_ACTIVE, rv == pkcs11.CKR_OPERATION_NOT_INITIALIZED:
		return failureSession
	case rv == pkcs11.CKR_OBJECT_HANDLE_INVALID, rv == pkcs11.CKR_KEY_HANDLE_INVALID:
		return failureHandle
	case rv == pkcs11.CKR_DEVICE_ERROR, rv == pkcs11.CKR_DEVICE_MEMORY, rv == pkcs11.CKR_DEVICE_REMOVED,
		rv == pkcs11.CKR_TOKEN_NOT_PRESENT, rv == pkcs11.CKR_TOKEN_NOT_RECOGNIZED,
		rv == pkcs11.CKR_USER_NOT_LOGGED_IN, rv == pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED:
		return failureDevice
	case rv == pkcs11.CKR_GENERAL_ERROR, rv == pkcs11.CKR_FUNCTION_FAILED, rv == pkcs11.CKR_HOST_MEMORY,
		rv == pkcs11.CKR_FUNCTION_CANCELED, rv == pkcs11.CKR_SLOT_ID_INVALID:
		return failureDoubt
	}
	return failurePlain
}

// errBinding marks a failure of crypto11, whose errors have lost the CKR_ value.
var errBinding = errors.New("crypto11")

// loginError tells a refused PIN, which is final, from a token in trouble.
func loginError(err error) error {
	rv, ok := errors.AsType[pkcs11.Error](err)
	if !ok {
		return fmt.Errorf("log in: %w", err)
	}
	switch rv {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE,
		pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED:
		return fmt.Errorf("log in: %w: %w", ErrPIN, err)
	case pkcs11.CKR_USER_PIN_NOT_INITIALIZED:
		// No attempt was counted. SoftHSM says so, too, while another process logs in.
		return fmt.Errorf("log in: the token says that it has no PIN yet (token init sets it; or another process is logging in): %w", err)
	case pkcs11.CKR_USER_ALREADY_LOGGED_IN, pkcs11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN:
		return fmt.Errorf("log in: something else in this process is logged in, so the PIN would go unchecked: %w", err)
	}
	return fmt.Errorf("log in: %w", err)
}

// mayLogin refuses a login that could lock the token: one more wrong PIN is one
// too many when it is the last.
func mayLogin(info pkcs11.TokenInfo) error {
	switch {
	case info.Flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return fmt.Errorf("log in: the token says that its PIN is locked: %w", ErrPIN)
	case info.Flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return fmt.Errorf("log in: the token says that one attempt is left; log in with its own tool first: %w", ErrPIN)
	}
	return nil
}
