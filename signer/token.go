package signer

import (
	"context"
	"errors"
	"time"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
)

// A Key names a wallet's key: what the policy and the ceremony say about it, which the token must find again.
type Key struct {
	Wallet    string
	Network   nem.Network
	PublicKey nem.PublicKey
}

// A Token keeps the keys. Its methods are called concurrently. An error with a method Code() string gives a stable
// code to whoever asks why nothing is signed.
type Token interface {
	// Sign signs a transaction's signing bytes with a wallet's key.
	Sign(ctx context.Context, k Key, message []byte) (nem.Signature, error)
	// SignHead signs a checkpoint's text with the log key that has this public key.
	SignHead(ctx context.Context, logKey [32]byte, text []byte) ([64]byte, error)
	// LogKeys lists the public keys of the log keys, oldest first; NextLogKey makes the one that is to follow the one
	// in use, unless there is one already, and UseLogKey says which one that is. DestroyLogKey removes one that was
	// replaced; one that is gone already is no error.
	LogKeys(ctx context.Context) ([][32]byte, error)
	NextLogKey(ctx context.Context) ([32]byte, error)
	UseLogKey(ctx context.Context, logKey [32]byte) error
	DestroyLogKey(ctx context.Context, logKey [32]byte) error
	// Deterministic says whether the same message gets the same signature twice.
	Deterministic() bool
	// Health asks the token itself: nil only if it can sign now.
	Health(ctx context.Context) error

	// CreateWallet makes a key and returns the record of it, without who was present. A key that it made before, and
	// whose answer was lost, it finds again.
	CreateWallet(ctx context.Context, name string, n nem.Network) (ledger.Wallet, error)
	// ImportWallet takes a private key as the chain's tools print it; it must lead to the expected address. The caller
	// wipes keyText.
	ImportWallet(ctx context.Context, name string, n nem.Network, expected nem.Address, keyText []byte) (ledger.Wallet, error)
}

// A Clock tells the time. kura-signer has the machine's, kura-sim one that can be set; the genesis says which kind a
// journal lives by.
type Clock interface {
	// Now returns unix milliseconds and milliseconds of CLOCK_BOOTTIME.
	Now() (clock, boot int64)
	// BootID changes with every start of the machine.
	BootID() string
	// Kind is ledger.ClockReal or ledger.ClockSimulated.
	Kind() string
}

// headTimeout bounds one signature of a head, in which the whole journal waits.
const headTimeout = 10 * time.Second

// signHead fits a token to the journal's signing function.
func signHead(t Token) journal.Sign {
	return func(logKey [32]byte, text []byte) ([64]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), headTimeout)
		defer cancel()
		return t.SignHead(ctx, logKey, text)
	}
}

// codeOf returns the stable code of an error that has one.
func codeOf(err error, otherwise string) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return otherwise
}
