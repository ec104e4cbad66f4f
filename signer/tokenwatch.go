package signer

import (
	"context"
	"errors"
	"time"

	"kura/nem"
	"kura/policy"
)

const (
	healthEvery   = 5 * time.Second
	healthTimeout = 10 * time.Second
)

// watchToken asks the token how it is: regularly, and at once when a signature failed. The same rhythm looks at the
// clock.
func (s *Signer) watchToken(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		s.checkToken(ctx)
		s.testWallets(ctx)
		s.checkTime()
		select {
		case <-tick.C:
		case <-s.probe:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Signer) prodToken() {
	select {
	case s.probe <- struct{}{}:
	default:
	}
}

func (s *Signer) checkToken(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	// Another signer may have handed the log key over; a token that does not take it now takes it the next time.
	err := s.useLogKey(ctx, s.journal.Keys())
	if err == nil {
		err = s.token.Health(ctx)
	}
	switch {
	case err == nil:
		s.conditions.clear("token", conditionToken)
	case errors.Is(ctx.Err(), context.Canceled): // the process ends
	default:
		s.conditions.set(conditionToken, "token", codeOf(err, conditionToken)+": "+err.Error(), true)
	}
}

// testMessage is what a wallet's key signs to show that it can. It is no transaction: a Symbol transaction's signing bytes
// begin with its network's 32-byte seed, a NIS1 transaction's with its type.
const testMessage = "kura tests a key: this pays nothing"

// testWallets tries the keys that something was wrong with: an authorisation that showed it may be over, and none comes
// while signing is stopped. The signature is verified and dropped.
func (s *Signer) testWallets(ctx context.Context) {
	for _, wallet := range s.conditions.about(walletConditions...) {
		s.mu.RLock()
		account, named := s.state.PolicyInForce().Account(policy.WalletID(wallet))
		s.mu.RUnlock()
		if !named { // no policy lets it sign any more
			s.conditions.clear(wallet, walletConditions...)
			continue
		}
		if s.testWallet(ctx, Key{Wallet: wallet, Network: account.Network, PublicKey: account.Key}) == nil {
			s.conditions.clear(wallet, walletConditions...)
		}
	}
}

func (s *Signer) testWallet(ctx context.Context, k Key) error {
	ctx, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	signature, err := s.token.Sign(ctx, k, []byte(testMessage))
	if err != nil {
		return err
	}
	return nem.Verify(k.Network, k.PublicKey, []byte(testMessage), signature)
}
