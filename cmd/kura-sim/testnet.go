package main

import (
	"context"
	"fmt"

	"kura/ledger"
	"kura/nem"
	"kura/signer"
)

// testnetKeys stands before the token: a program whose clock can be set must never sign for a mainnet, whatever policy
// or journal it is given. A clock that is set could refill every limit.
type testnetKeys struct{ signer.Token }

func refuseMainnet(wallet string, n nem.Network) error {
	if n.IsMainnet() {
		return fmt.Errorf("wallet %s is on %s: kura-sim has a clock that can be set and works on testnets only", wallet, n)
	}
	return nil
}

// Sign implements signer.Token.
func (t testnetKeys) Sign(ctx context.Context, k signer.Key, message []byte) (nem.Signature, error) {
	if err := refuseMainnet(k.Wallet, k.Network); err != nil {
		return nem.Signature{}, err
	}
	return t.Token.Sign(ctx, k, message)
}

// CreateWallet implements signer.Token.
func (t testnetKeys) CreateWallet(ctx context.Context, name string, n nem.Network) (ledger.Wallet, error) {
	if err := refuseMainnet(name, n); err != nil {
		return ledger.Wallet{}, err
	}
	return t.Token.CreateWallet(ctx, name, n)
}

// ImportWallet implements signer.Token.
func (t testnetKeys) ImportWallet(ctx context.Context, name string, n nem.Network, expected nem.Address, keyText []byte) (ledger.Wallet, error) {
	if err := refuseMainnet(name, n); err != nil {
		return ledger.Wallet{}, err
	}
	return t.Token.ImportWallet(ctx, name, n, expected, keyText)
}

// refuseMainnetWallets is for every journal that is opened: not even its reading has a place here.
func refuseMainnetWallets(ctx context.Context, s *signer.Signer) error {
	wallets, err := s.Admin().ListWallets(ctx)
	if err != nil {
		return err
	}
	for _, w := range wallets {
		n, err := nem.ParseNetwork(w.Network)
		if err != nil {
			return err
		}
		if err := refuseMainnet(w.ID, n); err != nil {
			return err
		}
	}
	return nil
}
