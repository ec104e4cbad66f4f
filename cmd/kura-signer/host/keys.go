// Package host fits what a signer's host has (a PKCS#11 token, the machine's clock) to the interfaces of package
// signer. Kura-signer and kura-sim wire the same parts; only the clock differs.
//
// It trusts package token for everything about keys, and adds nothing: what it promises is that a ceremony reaches the
// journal as the token reported it, and that an imported key is refused unless it leads to the address that was expected.
package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/signer"
	"kura/signer/token"
)

// Keys fits a token to what the signer needs of one.
type Keys struct{ *token.Token }

var _ signer.Token = Keys{}

// Sign implements signer.Token.
func (k Keys) Sign(ctx context.Context, key signer.Key, message []byte) (nem.Signature, error) {
	return k.Token.Sign(ctx, token.WalletRef{Name: key.Wallet, Network: key.Network, PublicKey: key.PublicKey}, message)
}

// CreateWallet implements signer.Token.
func (k Keys) CreateWallet(ctx context.Context, name string, n nem.Network) (ledger.Wallet, error) {
	spec, err := k.spec(name, n)
	if err != nil {
		return ledger.Wallet{}, err
	}
	c, err := k.Token.CreateWallet(ctx, spec)
	if errors.Is(err, token.ErrWalletExists) {
		// The signer has made sure that the journal knows no wallet of this name: this one's record was lost.
		if c, err = k.Ceremony(ctx, name); err == nil && c.Imported {
			err = fmt.Errorf("the token holds a wallet %q whose key was imported, and none is made in its place: import it again, or take another name", name)
		}
	}
	if err == nil && c.Network != n.String() {
		err = fmt.Errorf("the token holds a wallet %q on %s", name, c.Network)
	}
	if err != nil {
		return ledger.Wallet{}, err
	}
	return Record(c), nil
}

// ImportWallet implements signer.Token.
func (k Keys) ImportWallet(ctx context.Context, name string, n nem.Network, expected nem.Address, keyText []byte) (ledger.Wallet, error) {
	spec, err := k.spec(name, n)
	if err != nil {
		return ledger.Wallet{}, err
	}
	seed, err := parseKey(n, keyText)
	if err != nil {
		return ledger.Wallet{}, err
	}
	defer seed.Wipe()
	if address := token.PublicKeyOf(n, seed).Address(n); address != expected {
		return ledger.Wallet{}, fmt.Errorf("the key leads to %s, not to %s: nothing was imported", address, expected)
	}
	c, err := k.Token.ImportWallet(ctx, spec, seed)
	if errors.Is(err, token.ErrWalletExists) {
		if c, err = k.Ceremony(ctx, name); err == nil && c.Address != expected.String() {
			err = fmt.Errorf("the token holds a wallet %q with address %s", name, c.Address)
		}
	}
	if err != nil {
		return ledger.Wallet{}, err
	}
	return Record(c), nil
}

// parseKey reads a private key in locked memory. The text that the administrator's socket brought is wiped by its owner.
func parseKey(n nem.Network, text []byte) (*token.Secret, error) {
	if len(text) == 0 {
		return nil, errors.New("no private key was given")
	}
	locked, err := token.NewSecret(len(text))
	if err != nil {
		return nil, err
	}
	defer locked.Wipe()
	copy(locked.Bytes(), text)
	return token.ParsePrivateKey(n.Chain(), locked)
}

func (k Keys) spec(name string, n nem.Network) (token.WalletSpec, error) {
	genesis, ok := k.Genesis()
	if !ok {
		return token.WalletSpec{}, errors.New("the token is bound to no journal")
	}
	return token.WalletSpec{Name: name, Network: n, Genesis: genesis}, nil
}

// Record is a ceremony in the form of the journal.
func Record(c token.Ceremony) ledger.Wallet {
	w := ledger.Wallet{
		Name: c.Wallet, Network: c.Network, PublicKey: c.PublicKey, Address: c.Address, Custody: string(c.Custody),
		Imported: c.Imported, Deterministic: c.Deterministic, Sealed: c.BlobSHA256,
		Token: ledger.TokenRecord{Model: c.Model, Manufacturer: c.Manufacturer, Serial: c.Serial, Firmware: c.Firmware},
	}
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		w.Attributes = append(w.Attributes, ledger.Attribute{Name: name, Value: c.Attributes[name]})
	}
	return w
}

// Anchor is the copy of the newest signed head that the token keeps: a journal.Anchor.
type Anchor struct{ Token *token.Token }

var _ journal.Anchor = Anchor{}

// Name implements journal.Anchor.
func (Anchor) Name() string { return "anchor in the token" }

// Load implements journal.Anchor.
func (a Anchor) Load(ctx context.Context) (journal.Checkpoint, error) {
	return a.Token.ReadAnchor(ctx)
}

// Save implements journal.Anchor.
func (a Anchor) Save(ctx context.Context, c journal.Checkpoint) error {
	return a.Token.WriteAnchor(ctx, c)
}
