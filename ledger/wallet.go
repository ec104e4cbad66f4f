package ledger

import (
	"fmt"
	"slices"

	"kura/journal"
	"kura/nem"
	"kura/policy"
)

// wallet records a ceremony. A name and a key are used once: a wallet's successor has another name.
func (j *judgement) wallet(w Wallet) (Result, error) {
	network, err := nem.ParseNetwork(w.Network)
	if err != nil {
		return Result{}, fmt.Errorf("%w: wallet %q: %w", ErrInput, w.Name, err)
	}
	key, err := nem.ParsePublicKey(w.PublicKey)
	if err != nil {
		return Result{}, fmt.Errorf("%w: wallet %q: %w", ErrInput, w.Name, err)
	}
	switch {
	case w.Name == "":
		return Result{}, fmt.Errorf("%w: the wallet has no name", ErrInput)
	case key.String() != w.PublicKey:
		return Result{}, fmt.Errorf("%w: wallet %q: public key is not in upper-case hex", ErrInput, w.Name)
	case key.Address(network).String() != w.Address:
		return Result{}, fmt.Errorf("%w: wallet %q: address %s is not its public key's, which is %s", ErrInput, w.Name, w.Address, key.Address(network))
	case w.Custody != "token" && w.Custody != "sealed":
		return Result{}, fmt.Errorf("%w: wallet %q: custody %q is neither token nor sealed", ErrInput, w.Name, w.Custody)
	}
	for _, have := range j.s.wallets {
		if have.Name == w.Name || have.PublicKey == w.PublicKey {
			return Result{}, fmt.Errorf("%w: the journal has wallet %q with key %s already", ErrInput, have.Name, have.PublicKey)
		}
	}
	seq := j.write(&w)
	return Result{State: WalletActive, Seq: seq}, nil
}

func (s *State) applyWallet(e journal.Entry, b *Wallet) error {
	if s.wallets[b.Name] != nil {
		return fmt.Errorf("wallet %q has a ceremony already", b.Name)
	}
	s.wallets[b.Name] = &WalletRecord{Wallet: *b, State: WalletActive, Seq: e.Seq}
	return nil
}

// walletTransitions says which states the host can bring about: whoever is root on it takes keys out of service
// and never puts one back. Out of a suspension, and nothing else, the unfreeze quorum lifts a key.
var walletTransitions = map[string][]string{
	WalletActive:    {WalletSuspended, WalletRetired, WalletCompromised},
	WalletSuspended: {WalletRetired, WalletCompromised},
	WalletRetired:   {WalletCompromised},
}

func (j *judgement) walletState(b WalletState) (Result, error) {
	w := j.s.wallets[b.Wallet]
	if w == nil {
		return Result{}, fmt.Errorf("%w: the journal has no ceremony of wallet %q", ErrInput, b.Wallet)
	}
	if !slices.Contains(walletTransitions[w.State], b.State) {
		return Result{}, fmt.Errorf("%w: wallet %q is %s and cannot become %q", ErrInput, b.Wallet, w.State, b.State)
	}
	seq := j.write(&b)
	j.alarm(AlarmFrozen, nil, Fact{"action", b.State}, Fact{"kind", "wallet"}, Fact{"name", b.Wallet}, Fact{"by", hostActor.ID})
	return Result{State: b.State, Seq: seq}, nil
}

// applyWalletState takes a key out of service. A suspension is a stop that can be lifted: its name is the leaf
// hash of its entry, and it is over when the key is given up for ever.
func (s *State) applyWalletState(e journal.Entry, b *WalletState) error {
	w := s.wallets[b.Wallet]
	if w == nil || !slices.Contains(walletTransitions[w.State], b.State) {
		return fmt.Errorf("wallet %q cannot become %q", b.Wallet, b.State)
	}
	w.State = b.State
	for hash, f := range s.freezes {
		if f.Wallet != "" && string(f.Wallet) == b.Wallet {
			delete(s.freezes, hash)
		}
	}
	if b.State != WalletSuspended {
		return nil
	}
	hash, err := leafOf(e)
	if err != nil {
		return err
	}
	s.freezes[hash] = s.stopWithoutStatement(hash, e.Seq)
	s.freezes[hash].Wallet = policy.WalletID(b.Wallet)
	return nil
}
