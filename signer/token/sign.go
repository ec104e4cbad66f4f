package token

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"

	"kura/nem"
)

// WalletRef names a wallet as the policy does: a key that is not this public
// key's is never used.
type WalletRef struct {
	Name      string
	Network   nem.Network
	PublicKey nem.PublicKey
}

// walletCache keeps what signing needs of a wallet besides its key: the sealed
// blob, and the public key ready for verification.
type walletCache struct {
	mutex     sync.RWMutex
	blobs     map[string]*blob
	verifiers map[WalletRef]*nem.VerifyingKey
}

// Sign signs message (what nem.SigningBytes gives) with the wallet's key, in
// either custody, and verifies the signature by the chain's own rules before it
// returns it. It waits for a free session, and for a lost token to come back, up
// to ctx's deadline or Config.Timeout; then it answers ErrUnavailable. Signing the
// same message again is harmless.
func (t *Token) Sign(ctx context.Context, wallet WalletRef, message []byte) (nem.Signature, error) {
	verifier, err := t.verifier(wallet)
	if err != nil {
		return nem.Signature{}, err
	}
	signature, err := t.signUnverified(ctx, wallet, message)
	if err != nil {
		return nem.Signature{}, err
	}
	if err := verifier.Verify(message, signature); err != nil {
		return nem.Signature{}, fmt.Errorf("sign with wallet %q: %w: %w", wallet.Name, ErrWrongSignature, err)
	}
	return signature, nil
}

// signUnverified is Sign without the verification, so that its cost can be
// measured apart. Nothing but Sign and the benchmarks calls it.
func (t *Token) signUnverified(ctx context.Context, wallet WalletRef, message []byte) (nem.Signature, error) {
	genesis, ok := t.Genesis()
	if !ok {
		return nem.Signature{}, fmt.Errorf("sign with wallet %q: %w: it is bound to none", wallet.Name, ErrGenesis)
	}
	message = bytes.Clone(message) // the module may still read it when the caller has left
	if CustodyOf(wallet.Network) == CustodyToken {
		id := walletKeyID(genesis, wallet.Network, wallet.Name)
		return answer(ctx, t, "sign with wallet "+wallet.Name, func(s *session) (nem.Signature, error) {
			return s.signInToken(wallet, id, message)
		})
	}
	b, err := t.sealedWallet(wallet, genesis)
	if err != nil {
		return nem.Signature{}, err
	}
	signature, err := t.signWith(ctx, b, message)
	if errors.Is(err, ErrSealed) || errors.Is(err, ErrNoKey) {
		// The file may have been sealed anew by another signer's rotation.
		t.forgetBlobs()
		renewed, rereading := t.sealedWallet(wallet, genesis)
		if rereading == nil && renewed.sealingKey != b.sealingKey {
			return t.signWith(ctx, renewed, message)
		}
	}
	return signature, err
}

func (t *Token) signWith(ctx context.Context, b *blob, message []byte) (nem.Signature, error) {
	return answer(ctx, t, "sign with wallet "+b.wallet, func(s *session) (nem.Signature, error) {
		return s.signSealed(b, message)
	})
}

func (s *session) signInToken(wallet WalletRef, id, message []byte) (nem.Signature, error) {
	key, ok := s.cachedKey(id)
	if !ok {
		template := s.quirk.without(ed25519PrivateTemplate(walletLabel(wallet.Network, wallet.Name), id))
		var err error
		if key, err = s.findKey(id, template); err != nil {
			return nem.Signature{}, err
		}
	}
	if key.publicKey != wallet.PublicKey {
		return nem.Signature{}, fmt.Errorf("%w: the token's public key is %s, %s was named", ErrWrongKey, key.publicKey, wallet.PublicKey)
	}
	return s.signEd25519(key, message)
}

// signSealed opens the seed for one signature: C writes it into the session's
// locked page, Go computes on it under shroud, and it is wiped.
func (s *session) signSealed(b *blob, message []byte) (signature nem.Signature, err error) {
	seed, err := s.open(b)
	if err != nil {
		return nem.Signature{}, err
	}
	defer clear(s.seed.Bytes())
	shroud(func() { signature, err = nem.SignNIS1(seed, b.publicKey, message) })
	return signature, err
}

// sealedWallet gives the wallet's blob and refuses one that is bound to anything
// but this wallet, network, genesis and public key.
func (t *Token) sealedWallet(wallet WalletRef, genesis [32]byte) (*blob, error) {
	t.wallets.mutex.RLock()
	b := t.wallets.blobs[wallet.Name]
	t.wallets.mutex.RUnlock()
	if b == nil {
		var err error
		if err = checkName(wallet.Name); err != nil {
			return nil, err
		}
		if b, err = readBlob(t.config.StateDir, wallet.Name); err != nil {
			return nil, err
		}
		t.wallets.mutex.Lock()
		if t.wallets.blobs == nil {
			t.wallets.blobs = map[string]*blob{}
		}
		t.wallets.blobs[wallet.Name] = b
		t.wallets.mutex.Unlock()
	}
	switch {
	case b.genesis != genesis:
		return nil, fmt.Errorf("sealed wallet %q: %w: it is bound to %x", wallet.Name, ErrGenesis, b.genesis)
	case b.network != wallet.Network:
		return nil, fmt.Errorf("sealed wallet %q: %w: it is on %s, %s was named", wallet.Name, ErrWrongKey, b.network, wallet.Network)
	case b.publicKey != wallet.PublicKey:
		return nil, fmt.Errorf("sealed wallet %q: %w: its public key is %s, %s was named", wallet.Name, ErrWrongKey, b.publicKey, wallet.PublicKey)
	}
	return b, nil
}

func (t *Token) forgetBlobs() {
	t.wallets.mutex.Lock()
	defer t.wallets.mutex.Unlock()
	clear(t.wallets.blobs)
}

func (t *Token) verifier(wallet WalletRef) (*nem.VerifyingKey, error) {
	t.wallets.mutex.RLock()
	verifier := t.wallets.verifiers[wallet]
	t.wallets.mutex.RUnlock()
	if verifier != nil {
		return verifier, nil
	}
	verifier, err := nem.NewVerifyingKey(wallet.Network.Chain(), wallet.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("wallet %q: %w", wallet.Name, err)
	}
	t.wallets.mutex.Lock()
	defer t.wallets.mutex.Unlock()
	if t.wallets.verifiers == nil {
		t.wallets.verifiers = map[WalletRef]*nem.VerifyingKey{}
	}
	t.wallets.verifiers[wallet] = verifier
	return verifier, nil
}

// PublicKeyOf derives the public key of a 32-byte seed by the rules of the
// network's chain. The seed stays in its locked memory.
func PublicKeyOf(network nem.Network, seed *Secret) nem.PublicKey {
	return publicKeyOf(network, (*[seedSize]byte)(seed.Bytes()))
}

func publicKeyOf(network nem.Network, seed *[seedSize]byte) (public nem.PublicKey) {
	shroud(func() {
		if network.Chain() == nem.NIS1 {
			public = nem.NIS1PublicKey(seed)
			return
		}
		private := ed25519.NewKeyFromSeed(seed[:])
		copy(public[:], private[seedSize:])
		clear(private)
	})
	return public
}
