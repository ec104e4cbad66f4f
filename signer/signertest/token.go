package signertest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"kura/ledger"
	"kura/nem"
	"kura/signer"
)

// A FakeToken is a test double: it keeps keys in memory and protects nothing. Its fields let a test make it fail.
type FakeToken struct {
	LogKey     ed25519.PrivateKey
	Randomised atomic.Bool // says that signatures are not deterministic
	// Before and After are called around each signature of a wallet; an error is returned instead of the signature.
	Before, After func(signer.Key) error
	// Spoil changes each signature of a wallet.
	Spoil func(*nem.Signature)
	// SpoilHeads makes every signature of a head a wrong one.
	SpoilHeads atomic.Bool
	// HeadsDown makes every call for a signature of a head fail, and no other.
	HeadsDown atomic.Bool
	// Down makes every call fail.
	Down atomic.Bool

	Signatures atomic.Int64 // of wallets, made
	Heads      atomic.Int64 // signed

	mu    sync.Mutex
	seeds map[string][32]byte
	later []ed25519.PrivateKey // log keys after LogKey
	gone  map[[32]byte]bool    // log keys that were destroyed
	inUse [32]byte             // log key that UseLogKey named; zero: LogKey
}

var _ signer.Token = (*FakeToken)(nil)

// ErrDown is what a FakeToken that is down answers.
var ErrDown = downError{errors.New("the token is unavailable (test)")}

type downError struct{ error }

func (downError) Code() string { return "token_unavailable" }

// NewFakeToken makes a log key.
func NewFakeToken() *FakeToken {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return &FakeToken{LogKey: key, seeds: map[string][32]byte{}, gone: map[[32]byte]bool{}}
}

// LogPublicKey is the public half of the log key in use.
func (f *FakeToken) LogPublicKey() [32]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inUse != [32]byte{} {
		return f.inUse
	}
	return publicOf(f.LogKey)
}

func publicOf(key ed25519.PrivateKey) [32]byte { return [32]byte(key.Public().(ed25519.PublicKey)) }

// Sign implements signer.Token.
func (f *FakeToken) Sign(_ context.Context, k signer.Key, message []byte) (nem.Signature, error) {
	if f.Down.Load() {
		return nem.Signature{}, ErrDown
	}
	if f.Before != nil {
		if err := f.Before(k); err != nil {
			return nem.Signature{}, err
		}
	}
	f.mu.Lock()
	seed, ok := f.seeds[k.Wallet]
	f.mu.Unlock()
	if !ok {
		return nem.Signature{}, errors.New("no such key")
	}
	signature, err := sign(k.Network, seed, message)
	if err != nil {
		return nem.Signature{}, err
	}
	f.Signatures.Add(1)
	if f.After != nil {
		if err := f.After(k); err != nil {
			return nem.Signature{}, err
		}
	}
	if f.Spoil != nil {
		f.Spoil(&signature)
	}
	return signature, nil
}

func sign(n nem.Network, seed [32]byte, message []byte) (nem.Signature, error) {
	if n.Chain() == nem.Symbol {
		return nem.Signature(ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), message)), nil
	}
	return nem.SignNIS1(&seed, nem.NIS1PublicKey(&seed), message)
}

// SignHead implements signer.Token.
func (f *FakeToken) SignHead(_ context.Context, logKey [32]byte, text []byte) ([64]byte, error) {
	if f.Down.Load() || f.HeadsDown.Load() {
		return [64]byte{}, ErrDown
	}
	for _, key := range f.logKeys() {
		if publicOf(key) == logKey {
			f.Heads.Add(1)
			signature := [64]byte(ed25519.Sign(key, text))
			if f.SpoilHeads.Load() {
				signature[0] ^= 1
			}
			return signature, nil
		}
	}
	return [64]byte{}, errors.New("no such log key")
}

// LogKeys implements signer.Token.
func (f *FakeToken) LogKeys(context.Context) (keys [][32]byte, err error) {
	if f.Down.Load() {
		return nil, ErrDown
	}
	for _, key := range f.logKeys() {
		keys = append(keys, publicOf(key))
	}
	return keys, nil
}

// NextLogKey implements signer.Token.
func (f *FakeToken) NextLogKey(context.Context) ([32]byte, error) {
	if f.Down.Load() {
		return [32]byte{}, ErrDown
	}
	keys := f.logKeys()
	newest := keys[len(keys)-1]
	if publicOf(newest) == f.LogPublicKey() {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return [32]byte{}, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.later, newest = append(f.later, key), key
	}
	return publicOf(newest), nil
}

// UseLogKey implements signer.Token.
func (f *FakeToken) UseLogKey(_ context.Context, logKey [32]byte) error {
	if f.Down.Load() {
		return ErrDown
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inUse = logKey
	return nil
}

// DestroyLogKey implements signer.Token.
func (f *FakeToken) DestroyLogKey(_ context.Context, logKey [32]byte) error {
	switch {
	case f.Down.Load():
		return ErrDown
	case logKey == f.LogPublicKey():
		return errors.New("the log key is in use")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone[logKey] = true
	return nil
}

// logKeys are those that were not destroyed, oldest first.
func (f *FakeToken) logKeys() (keys []ed25519.PrivateKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range append([]ed25519.PrivateKey{f.LogKey}, f.later...) {
		if !f.gone[publicOf(key)] {
			keys = append(keys, key)
		}
	}
	return keys
}

// Deterministic implements signer.Token.
func (f *FakeToken) Deterministic() bool { return !f.Randomised.Load() }

// Health implements signer.Token.
func (f *FakeToken) Health(context.Context) error {
	if f.Down.Load() {
		return ErrDown
	}
	return nil
}

// CreateWallet implements signer.Token.
func (f *FakeToken) CreateWallet(_ context.Context, name string, n nem.Network) (ledger.Wallet, error) {
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return ledger.Wallet{}, err
	}
	return f.add(name, n, seed, false), nil
}

// ImportWallet implements signer.Token.
func (f *FakeToken) ImportWallet(_ context.Context, name string, n nem.Network, expected nem.Address, keyText []byte) (ledger.Wallet, error) {
	seed, err := nem.ParsePrivateKeyText(n.Chain(), string(keyText))
	if err != nil {
		return ledger.Wallet{}, err
	}
	if publicKey(n, seed).Address(n) != expected {
		return ledger.Wallet{}, errors.New("the key leads to another address")
	}
	return f.add(name, n, seed, true), nil
}

func publicKey(n nem.Network, seed [32]byte) nem.PublicKey {
	if n.Chain() == nem.Symbol {
		return nem.PublicKey(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
	}
	return nem.NIS1PublicKey(&seed)
}

func (f *FakeToken) add(name string, n nem.Network, seed [32]byte, imported bool) ledger.Wallet {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seeds[name] = seed
	key := publicKey(n, seed)
	w := ledger.Wallet{
		Name: name, Network: n.String(), PublicKey: key.String(), Address: key.Address(n).String(), Custody: "token",
		Imported: imported, Deterministic: f.Deterministic(),
	}
	if n.Chain() == nem.NIS1 {
		w.Custody = "sealed"
	}
	return w
}
